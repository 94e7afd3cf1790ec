//! DELETE. Mailboxes below stay; the name then is only a level of theirs.
//!
//! RFC 9051 §6.3.5.

use account::Decision;
use mailbox::{Account, Record};
use storage::Durability;
use wire::response::{Code, Condition, Untagged};
use wire::value::MailboxName;

use crate::context::Authenticated;
use crate::error::{Done, Next, No};
use crate::names;

/// Runs the command. A client that deletes the mailbox it has selected has none selected then.
pub async fn run(cx: &mut Authenticated<'_>, name: MailboxName) -> Result<Done, No> {
    let decide = |account: &Account| {
        let Some(info) = names::find(account, &name) else {
            return Err(match names::has_children(account, &names::canonical(&name.0)) {
                true => No::Refused(Some(Code::HasChildren), "mailboxes exist below that name"),
                false => No::NonExistent,
            });
        };
        if info.name == "INBOX" {
            return Err(No::Cannot("INBOX can't be deleted"));
        }
        let records = vec![Record::MailboxDeleted { mailbox: info.id }];
        Ok(Decision { records, value: info.id })
    };
    let done = cx.live.commit(Vec::new(), Durability::Synced, decide).await?;
    let answer = Done::new("DELETE completed");
    if cx.selected.as_ref().is_none_or(|selected| selected.id != done.value) {
        return Ok(answer);
    }
    let text = "The selected mailbox was deleted".to_owned();
    cx.out.untagged(&Untagged::Status(Condition::Ok, Some(Code::Closed), text));
    Ok(answer.next(Next::Unselect))
}
