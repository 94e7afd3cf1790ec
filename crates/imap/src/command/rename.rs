//! RENAME, with all mailboxes below the name. RENAME INBOX moves its messages.
//!
//! RFC 9051 §6.3.6. Subscriptions stay with the old names, as the RFC wants it.

use account::Decision;
use base::{Limits, MailboxId, UidSet};
use mailbox::{Account, Record};
use storage::Durability;
use wire::command::Rename;
use wire::response::{Code, Untagged};
use wire::value::MailboxName;

use crate::command::create;
use crate::context::Authenticated;
use crate::error::{Done, No};
use crate::names;

/// Runs the command.
pub async fn run(cx: &mut Authenticated<'_>, args: Rename) -> Result<Done, No> {
    let to = names::valid(&args.to, &cx.shared.limits)?;
    let (limits, now) = (&cx.shared.limits, cx.now());
    let decide = |account: &Account| {
        // A name may have come into the account in another form than a client may give it.
        let from = names::find(account, &args.from)
            .map_or_else(|| names::canonical(&args.from.0), |info| info.name.to_owned());
        let records = match from == "INBOX" {
            true => inbox(account, &to, limits, now)?,
            false => others(account, &from, &to, limits)?,
        };
        Ok::<_, No>(Decision { records, value: () })
    };
    cx.live.commit(Vec::new(), Durability::Synced, decide).await?;
    if let Some(old) = names::old_name(&args.to, &to).filter(|_| cx.client.enabled.rev2) {
        let state = cx.live.state();
        cx.out.untagged(&Untagged::List {
            attributes: names::attributes(&state, &to),
            mailbox: MailboxName(to),
            child_info: Vec::new(),
            old_name: Some(old),
        });
    }
    Ok(Done::new("RENAME completed"))
}

fn inbox(account: &Account, to: &str, limits: &Limits, now: i64) -> Result<Vec<Record>, No> {
    let inbox = account.find("INBOX").ok_or(No::NonExistent)?;
    let mut records = vec![create::decide(account, to, &[], limits, now)?];
    let uids: UidSet = inbox.mailbox.uids();
    if !uids.is_empty() {
        records.push(Record::Moved {
            from: inbox.id,
            uids,
            to: MailboxId::new(account.head().next()),
            first_uid: base::Uid::MIN,
            save_date: now,
        });
    }
    Ok(records)
}

fn others(account: &Account, from: &str, to: &str, limits: &Limits) -> Result<Vec<Record>, No> {
    if from == to || account.find(to).is_some() {
        return Err(No::AlreadyExists);
    }
    if names::is_below(to, from) {
        return Err(No::Cannot("a mailbox can't become its own child"));
    }
    let moved =
        account.mailboxes().filter(|info| info.name == from || names::is_below(info.name, from));
    let mut records = Vec::new();
    for info in moved {
        let name = format!("{to}{}", &info.name[from.len()..]);
        if account.find(&name).is_some() {
            return Err(No::Refused(Some(Code::AlreadyExists), "a mailbox below that name exists"));
        }
        let name = names::valid(&MailboxName(name), limits)?;
        records.push(Record::MailboxRenamed { mailbox: info.id, name });
    }
    if records.is_empty() { Err(No::NonExistent) } else { Ok(records) }
}
