//! APPEND: messages stream into the engine while they arrive, and commit together.
//!
//! RFC 9051 §6.3.12; several messages: RFC 3502; literal8: RFC 3516 §4.2; UTF8: RFC 6855 §4;
//! APPENDLIMIT: RFC 7889. APPENDUID is always told: OfflineIMAP duplicates mail without it.
//!
//! RFC 6855 §4 wants 8-bit headers refused from clients that have not enabled UTF8=ACCEPT. They are
//! taken: old mail is full of them, and a client that syncs a Maildir could never finish.

use std::sync::Arc;

use account::{Live, NewMail, Received};
use base::{DateTime, Flags, MailboxId};
use mailbox::Account;
use wire::LiteralSpec;
use wire::command::AppendMessage;
use wire::command::append::AppendHead;
use wire::response::Code;
use wire::value::MailboxName;

use crate::connection::Event;
use crate::error::{Done, No};
use crate::names;
use crate::session::{Driver, Session};

/// Runs the command.
pub(crate) async fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    head: AppendHead,
) -> Result<Done, No> {
    let live = match &driver.session {
        Session::Authenticated { live } | Session::Selected { live, .. } => live.clone(),
        _ => return Err(No::Bug("APPEND without an account")),
    };
    let AppendHead { append, mut message, mut literal, .. } = head;
    let mut mail: Vec<NewMail> = Vec::new();
    loop {
        if let Err(no) = admit(driver, &live, &append.mailbox, (&message, literal), mail.len()) {
            driver.connection.refuse();
            return Err(skipped(driver, no).await);
        }
        if let Some(go_ahead) = driver.connection.accept() {
            driver.output.tail().extend_from_slice(go_ahead);
        }
        let received = match receive(driver, &live, literal.bytes).await {
            Ok(received) => received,
            Err(no @ No::Lost(_)) => return Err(no),
            Err(no) => {
                driver.connection.abandon();
                return Err(skipped(driver, no).await);
            }
        };
        let now = driver.shared.clock.now_ms().div_euclid(1000);
        mail.push(NewMail {
            received,
            flags: message.flags,
            internal_date: message.date.unwrap_or(DateTime::new(now, 0)),
            uid: None,
        });
        match next(driver).await? {
            Event::AppendEnd => break,
            Event::AppendNext(one_more, its_literal) => {
                (message, literal) = (one_more, its_literal);
            }
            Event::AppendBad(refusal) => return Err(No::Syntax(refusal)),
            _ => return Err(No::Bug("APPEND goes on with something else")),
        }
    }
    commit(driver, &live, &append.mailbox, mail).await
}

/// Decides before a message is sent whether it is taken.
fn admit<T>(
    driver: &Driver<T>,
    live: &Live,
    name: &MailboxName,
    (message, literal): (&AppendMessage, LiteralSpec),
    before: usize,
) -> Result<(), No> {
    let limits = &driver.shared.limits;
    if message.utf8 && !driver.client.enabled.utf8 {
        return Err(No::Bad("ENABLE UTF8=ACCEPT first"));
    }
    if names::find(&live.state(), name).is_none() {
        return Err(No::TryCreate);
    }
    if literal.bytes > limits.message_bytes_max {
        return Err(No::TooBig);
    }
    // RFC 3502 §6.3.11: this is how a client takes an APPEND back.
    if literal.bytes == 0 {
        return Err(No::Refused(None, "APPEND of an empty message does nothing"));
    }
    if before >= limits.append_messages_max {
        return Err(No::Limit("too many messages in one APPEND"));
    }
    Ok(())
}

/// Takes in one message.
async fn receive<T: crate::Transport>(
    driver: &mut Driver<T>,
    live: &Live,
    bytes: u64,
) -> Result<Received, No> {
    let mut receiving = live.incoming(Some(bytes)).await?;
    loop {
        match next(driver).await? {
            Event::Chunk(chunk) => receiving.write(&chunk).await?,
            Event::MessageEnd => return Ok(receiving.finish().await?),
            _ => return Err(No::Bug("a message goes on with something else")),
        }
    }
}

/// The next event; the end of the connection is an error here, and nothing is kept.
async fn next<T: crate::Transport>(driver: &mut Driver<T>) -> Result<Event, No> {
    match driver.event().await? {
        Some(event) => Ok(event),
        None => Err(No::Lost(std::io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Waits until what the client sends unasked is past, so that the answer stands in its place.
async fn skipped<T: crate::Transport>(driver: &mut Driver<T>, no: No) -> No {
    match next(driver).await {
        Ok(Event::Skipped) => no,
        Ok(_) => No::Bug("what was refused was not skipped"),
        Err(lost) => lost,
    }
}

async fn commit<T>(
    driver: &Driver<T>,
    live: &Arc<Live>,
    name: &MailboxName,
    mail: Vec<NewMail>,
) -> Result<Done, No> {
    let keywords_max = driver.shared.limits.keywords_max;
    let flags: Vec<Flags> = mail.iter().map(|mail| mail.flags.clone()).collect();
    let choose = |account: &Account| choose(account, name, &flags, keywords_max);
    let appended = live.append(choose, mail).await?;
    let uids = appended.uids.into_iter().collect();
    Ok(Done::new("APPEND completed").code(Code::AppendUid(appended.uid_validity, uids)))
}

/// The mailbox, if it can take all these keywords.
fn choose(
    account: &Account,
    name: &MailboxName,
    flags: &[Flags],
    keywords_max: usize,
) -> Result<MailboxId, No> {
    let info = names::find(account, name).ok_or(No::TryCreate)?;
    let known = info.mailbox.keywords();
    let mut all = Flags::default();
    for keyword in flags.iter().flat_map(|flags| &flags.keywords) {
        if !known.contains(keyword) {
            all.add_keyword(keyword.clone());
        }
    }
    match all.keywords.is_empty() || known.len() + all.keywords.len() <= keywords_max {
        true => Ok(info.id),
        false => Err(No::Limit("the mailbox has too many keywords")),
    }
}
