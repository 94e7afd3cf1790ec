//! Messages on their way in: staged and summarised in one pass, committed together.

use base::{DateTime, EmailId, Flags, MailboxId, ThreadId, Uid, UidValidity};
use mailbox::{Account, Content, NewMessage, Record};
use message::kept::Taker;
use message::{Parser, Summary};
use storage::{Durability, Error, Extract, Incoming, Staged};

use crate::{Decision, Failure, Live};

/// A message on its way in: its bytes go to the engine and through the parser at the same time.
/// Dropping it gives everything back.
pub struct Receiving {
    incoming: Box<dyn Incoming>,
    parser: Parser,
    fields: Taker,
    size: u64,
}

/// A message whose bytes are complete and wait for the commit that names them.
pub struct Received {
    /// The engine's part.
    pub staged: Staged,
    /// What IMAP tells of it.
    pub summary: Summary,
    /// Its conversation.
    pub thread_id: ThreadId,
    /// Its content's identity.
    pub email_id: EmailId,
    /// Octets (RFC822.SIZE).
    pub size: u32,
}

/// A message for [`Live::append`].
pub struct NewMail {
    /// Its bytes.
    pub received: Received,
    /// Its flags.
    pub flags: Flags,
    /// INTERNALDATE.
    pub internal_date: DateTime,
    /// The UID it had elsewhere; taken if it is above all that the mailbox gave.
    pub uid: Option<Uid>,
}

/// Where messages went: what APPENDUID tells (RFC 9051 §7.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appended {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The messages' UIDs, in their order.
    pub uids: Vec<Uid>,
}

impl Receiving {
    /// The next bytes. Resolves when more can be taken.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.parser.feed(bytes);
        self.fields.feed(bytes);
        self.size += bytes.len() as u64;
        self.incoming.write(bytes).await
    }

    /// Octets so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// No more bytes follow.
    pub async fn finish(self) -> Result<Received, Error> {
        // RFC822.SIZE is a 32-bit number; APPENDLIMIT is far below it.
        let size = u32::try_from(self.size).map_err(|_| Error::NoSpace)?;
        let mut staged = self.incoming.finish().await?;
        let (summary, email_id) = (self.parser.finish(), staged.email_id());
        staged.extracts.push((Extract::Summary, summary.encode()));
        staged.extracts.extend(self.fields.finish().map(|fields| (Extract::Fields, fields)));
        let thread_id = summary.thread_id(email_id);
        Ok(Received { staged, summary, thread_id, email_id, size })
    }
}

impl Received {
    /// The message as [`Record::Appended`] names it: the `nth` blob staged with the commit.
    pub fn message(
        &self,
        nth: usize,
        uid: Uid,
        flags: Flags,
        internal_date: DateTime,
        save_date: i64,
    ) -> NewMessage {
        NewMessage {
            uid,
            flags,
            internal_date,
            save_date,
            size: self.size,
            email_id: self.email_id,
            thread_id: self.thread_id,
            content: Content::Staged(nth),
        }
    }
}

impl Live {
    /// Begins to take in a message; `size_hint` is its octets if known.
    pub async fn incoming(&self, size_hint: Option<u64>) -> Result<Receiving, Error> {
        if let Some(end) = self.end() {
            return Err(end);
        }
        let incoming = self.storage().incoming(self.id(), size_hint).await?;
        Ok(Receiving {
            incoming,
            parser: Parser::new(self.limits()),
            fields: Taker::default(),
            size: 0,
        })
    }

    /// Appends messages to the mailbox that `choose` names, all or none. The engine caches their
    /// summaries and header fields when it has them on the disk; the answer does not wait for that.
    /// SAVEDATE is the time of the commit.
    pub async fn append<E: Send>(
        &self,
        mut choose: impl FnMut(&Account) -> Result<MailboxId, E> + Send,
        mail: Vec<NewMail>,
    ) -> Result<Appended, Failure<E>> {
        let save_date = self.now_ms().div_euclid(1000);
        let (mut staged, mut messages, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        for (nth, mail) in mail.into_iter().enumerate() {
            let NewMail { received, flags, internal_date, uid } = mail;
            messages.push(received.message(nth, Uid::MIN, flags, internal_date, save_date));
            wanted.push(uid);
            staged.push(received.staged);
        }
        let done = self
            .commit(staged, Durability::Synced, |account| {
                let mailbox = choose(account)?;
                let Some(info) = account.get(mailbox) else {
                    // Left to the commit, which refuses records that do not fit.
                    let records = vec![Record::Appended { mailbox, messages: messages.clone() }];
                    let value = (mailbox, UidValidity::MIN);
                    return Ok(Decision { records, value });
                };
                let mut next = info.mailbox.uid_next();
                for (message, wanted) in messages.iter_mut().zip(&wanted) {
                    message.uid = wanted.map_or(next, |uid| uid.max(next));
                    next = message.uid.next().unwrap_or(Uid::MAX);
                }
                let value = (mailbox, info.mailbox.uid_validity());
                let records = match messages.is_empty() {
                    true => Vec::new(),
                    false => vec![Record::Appended { mailbox, messages: messages.clone() }],
                };
                Ok(Decision { records, value })
            })
            .await?;
        let stored: Vec<&NewMessage> = done
            .entries
            .iter()
            .filter_map(|entry| match &*entry.record {
                Record::Appended { messages, .. } => Some(messages),
                _ => None,
            })
            .flatten()
            .collect();
        let (mailbox, uid_validity) = done.value;
        let uids = stored.iter().map(|message| message.uid).collect();
        Ok(Appended { mailbox, uid_validity, uids })
    }
}
