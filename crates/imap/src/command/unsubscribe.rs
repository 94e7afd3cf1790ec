//! UNSUBSCRIBE. A name that is not subscribed is fine: what is wanted is so.
//!
//! RFC 9051 §6.3.8.

use account::Decision;
use mailbox::{Account, Record};
use storage::Durability;
use wire::value::MailboxName;

use crate::context::Authenticated;
use crate::error::{Done, No};
use crate::names;

/// Runs the command.
pub async fn run(cx: &mut Authenticated<'_>, name: MailboxName) -> Result<Done, No> {
    let canonical = names::canonical(&name.0);
    let decide = |account: &Account| {
        let mut records = Vec::new();
        for name in [&canonical, &name.0] {
            if account.is_subscribed(name) {
                records.push(Record::Unsubscribed { name: name.clone() });
                break;
            }
        }
        Ok::<_, No>(Decision { records, value: () })
    };
    cx.live.commit(Vec::new(), Durability::Synced, decide).await?;
    Ok(Done::new("UNSUBSCRIBE completed"))
}
