//! CREATE.
//!
//! RFC 9051 §6.3.4; USE: RFC 6154 §3; MAILBOXID: RFC 8474 §4.1. Levels above a mailbox need not
//! exist, so none are created.

use account::Decision;
use base::{Limits, MailboxId, Uid};
use mailbox::{Account, Record, Role};
use storage::Durability;
use wire::command::Create;
use wire::response::{Code, Untagged};
use wire::value::MailboxName;

use crate::context::Authenticated;
use crate::error::{Done, No};
use crate::names;

/// Runs the command.
pub async fn run(cx: &mut Authenticated<'_>, args: Create) -> Result<Done, No> {
    let name = names::valid(&args.mailbox, &cx.shared.limits)?;
    let roles: Vec<Role> = args.special_use.iter().map(|&role| names::role(role)).collect();
    let (limits, now) = (&cx.shared.limits, cx.now());
    let decide = |account: &Account| {
        let record = decide(account, &name, &roles, limits, now)?;
        let value = MailboxId::new(account.head().next());
        Ok::<_, No>(Decision { records: vec![record], value })
    };
    let done = cx.live.commit(Vec::new(), Durability::Synced, decide).await?;
    if let Some(old) = names::old_name(&args.mailbox, &name).filter(|_| cx.client.enabled.rev2) {
        let state = cx.live.state();
        cx.out.untagged(&Untagged::List {
            attributes: names::attributes(&state, &name),
            mailbox: MailboxName(name),
            child_info: Vec::new(),
            old_name: Some(old),
        });
    }
    Ok(Done::new("CREATE completed").code(Code::MailboxId(done.value)))
}

/// The record that creates `name`.
pub(crate) fn decide(
    account: &Account,
    name: &str,
    roles: &[Role],
    limits: &Limits,
    now: i64,
) -> Result<Record, No> {
    if account.find(name).is_some() {
        return Err(No::AlreadyExists);
    }
    if account.mailboxes().count() >= limits.mailboxes_max {
        return Err(No::Limit("there are too many mailboxes"));
    }
    // RFC 6154 §3: what can't be given is refused. No mailbox here shows all messages, or all that
    // are flagged, and a second one of a role would leave clients to guess.
    let is_taken = |role: &Role| account.mailboxes().any(|info| info.roles.contains(role));
    if roles.iter().any(|role| matches!(role, Role::All | Role::Flagged) || is_taken(role)) {
        return Err(No::Refused(Some(Code::UseAttr), "special use is not available"));
    }
    Ok(Record::MailboxCreated {
        name: name.to_owned(),
        uid_validity: account.next_uid_validity(now),
        uid_next: Uid::MIN,
        roles: roles.to_vec(),
    })
}
