//! Delivery into live accounts.

use std::sync::Arc;

use account::{Accounts, Clock, Decision, Failure, Live};
use base::{AccountId, DateTime, Flags, Limits};
use mailbox::account::MailboxInfo;
use mailbox::{Account, Content, NewMessage, Record};
use message::Parser;
use storage::{Durability, Incoming};

use crate::store::{Delivered, Error, Receiving, Store, Task};

/// The accounts of this node as a [`Store`].
pub struct Mailboxes {
    accounts: Arc<Accounts>,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

impl Mailboxes {
    /// Over `accounts`.
    pub fn new(accounts: Arc<Accounts>, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self { accounts, clock, limits }
    }
}

fn error(error: storage::Error) -> Error {
    match error {
        storage::Error::NoSpace => Error::Full(error.to_string()),
        _ => Error::Unavailable(error.to_string()),
    }
}

/// The mailbox that a detail names: exactly, or in other case; else INBOX. Nothing is ever created.
fn target<'a>(account: &'a Account, detail: Option<&str>) -> Option<MailboxInfo<'a>> {
    let named = detail.filter(|detail| !detail.is_empty()).and_then(|detail| {
        account.find(detail).or_else(|| {
            let folded = detail.to_lowercase();
            account.mailboxes().find(|mailbox| mailbox.name.to_lowercase() == folded)
        })
    });
    named.or_else(|| account.find("INBOX"))
}

struct Copy {
    live: Arc<Live>,
    accounts: Arc<Accounts>,
    clock: Arc<dyn Clock>,
    detail: Option<String>,
    incoming: Box<dyn Incoming>,
    parser: Parser,
}

impl Store for Mailboxes {
    fn begin<'a>(
        &'a self,
        account: AccountId,
        detail: Option<&'a str>,
        size_hint: Option<u64>,
    ) -> Task<'a, Result<Box<dyn Receiving>, Error>> {
        Box::pin(async move {
            let live = self.accounts.open(account).await.map_err(error)?;
            let incoming = self.accounts.storage().incoming(account, size_hint);
            let incoming = incoming.await.map_err(error)?;
            let copy = Copy {
                live,
                accounts: Arc::clone(&self.accounts),
                clock: Arc::clone(&self.clock),
                detail: detail.map(str::to_owned),
                incoming,
                parser: Parser::new(&self.limits),
            };
            Ok(Box::new(copy) as Box<dyn Receiving>)
        })
    }
}

impl Receiving for Copy {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Task<'a, Result<(), Error>> {
        Box::pin(async move {
            self.parser.feed(bytes);
            self.incoming.write(bytes).await.map_err(error)
        })
    }

    fn finish(self: Box<Self>) -> Task<'static, Result<Delivered, Error>> {
        Box::pin(self.commit())
    }
}

impl Copy {
    async fn commit(self: Box<Self>) -> Result<Delivered, Error> {
        let Self { live, accounts, clock, detail, incoming, parser } = *self;
        let summary = parser.finish();
        let staged = incoming.finish().await.map_err(error)?;
        let size = u32::try_from(staged.size).map_err(|_| Error::TooLarge)?;
        let email_id = staged.email_id();
        let thread_id = summary.thread_id(email_id);
        let now = clock.now_ms().div_euclid(1000);
        let decide = |account: &Account| {
            let mailbox = target(account, detail.as_deref())
                .ok_or_else(|| Error::Unavailable("the account has no INBOX".into()))?;
            let uid = mailbox.mailbox.uid_next();
            let message = NewMessage {
                uid,
                flags: Flags::default(),
                internal_date: DateTime::new(now, 0),
                save_date: now,
                size,
                email_id,
                thread_id,
                content: Content::Staged(0),
            };
            let record = Record::Appended { mailbox: mailbox.id, messages: vec![message] };
            Ok(Decision { records: vec![record], value: (mailbox.name.to_owned(), uid) })
        };
        let done = live.commit(vec![staged], Durability::Synced, decide).await;
        let done = done.map_err(|failure| match failure {
            Failure::Refused(refused) => refused,
            Failure::Storage(failed) => error(failed),
        })?;
        let mut summaries = Vec::new();
        for entry in &done.entries {
            if let Record::Appended { messages, .. } = &*entry.record {
                summaries.extend(messages.iter().filter_map(|message| match message.content {
                    Content::At(position) => Some((position, summary.encode())),
                    Content::Staged(_) => None,
                }));
            }
        }
        // The message is safe; what is only a cache may fail.
        if let Err(error) = accounts.storage().put_summaries(live.id(), summaries).await {
            tracing::warn!(account = %live.id(), %error, "a summary was not cached");
        }
        let (mailbox, uid) = done.value;
        let message_id = summary.thread_keys().message_id.clone();
        Ok(Delivered { mailbox, uid, size: u64::from(size), message_id })
    }
}
