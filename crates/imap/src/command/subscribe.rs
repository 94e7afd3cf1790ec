//! SUBSCRIBE. The mailbox need not exist: Outlook Express subscribes before it creates.
//!
//! RFC 9051 §6.3.7.

use account::Decision;
use mailbox::{Account, Record};
use storage::Durability;
use wire::value::MailboxName;

use crate::context::Authenticated;
use crate::error::{Done, No};
use crate::names;

/// Runs the command.
pub async fn run(cx: &mut Authenticated<'_>, name: MailboxName) -> Result<Done, No> {
    let name = names::valid(&name, &cx.shared.limits)?;
    let names_max = cx.shared.limits.mailboxes_max;
    let decide = |account: &Account| {
        let records = match account.is_subscribed(&name) {
            true => vec![],
            false if account.subscriptions().count() >= names_max => {
                return Err(No::Limit("there are too many subscriptions"));
            }
            false => vec![Record::Subscribed { name: name.clone() }],
        };
        Ok(Decision { records, value: () })
    };
    cx.live.commit(Vec::new(), Durability::Synced, decide).await?;
    Ok(Done::new("SUBSCRIBE completed"))
}
