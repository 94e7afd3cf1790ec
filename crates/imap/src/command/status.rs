//! STATUS.
//!
//! RFC 9051 §6.3.11; HIGHESTMODSEQ: RFC 7162 §3.1.7; SIZE: RFC 8438; MAILBOXID: RFC 8474 §4.3;
//! APPENDLIMIT: RFC 7889 §3.

use base::Limits;
use mailbox::account::MailboxInfo;
use wire::command::Status;
use wire::response::{StatusValue, Untagged};
use wire::value::{MailboxName, StatusItem};

use crate::context::Authenticated;
use crate::error::{Done, No};
use crate::names;

/// Runs the command.
pub fn run(cx: &mut Authenticated<'_>, args: Status) -> Result<Done, No> {
    let state = cx.live.state();
    let info = names::find(&state, &args.mailbox).ok_or(No::NonExistent)?;
    if args.items.contains(&StatusItem::HighestModSeq) {
        cx.enable_condstore();
    }
    let mut values = values(&info, &args.items, &cx.shared.limits);
    if let Some(selected) = cx.selected.as_ref().filter(|selected| selected.id == info.id) {
        // `\Recent` is what this session was told it is.
        for value in &mut values {
            if let StatusValue::Recent(count) = value {
                *count = selected.view.recent();
            }
        }
    }
    cx.out.untagged(&Untagged::StatusOf(MailboxName(info.name.to_owned()), values));
    Ok(Done::new("STATUS completed"))
}

/// What is asked of a mailbox, in the order it is asked.
pub(crate) fn values(
    info: &MailboxInfo<'_>,
    items: &[StatusItem],
    limits: &Limits,
) -> Vec<StatusValue> {
    let mailbox = info.mailbox;
    let value = |item: &StatusItem| match item {
        StatusItem::Messages => StatusValue::Messages(mailbox.len()),
        StatusItem::Recent => {
            StatusValue::Recent(mailbox.len() - mailbox.rank(mailbox.recent_from()))
        }
        StatusItem::UidNext => StatusValue::UidNext(mailbox.uid_next()),
        StatusItem::UidValidity => StatusValue::UidValidity(mailbox.uid_validity()),
        StatusItem::Unseen => StatusValue::Unseen(mailbox.unseen()),
        StatusItem::Deleted => StatusValue::Deleted(mailbox.deleted()),
        StatusItem::Size => StatusValue::Size(mailbox.size_bytes()),
        StatusItem::HighestModSeq => StatusValue::HighestModSeq(mailbox.highest_mod_seq()),
        StatusItem::MailboxId => StatusValue::MailboxId(info.id),
        StatusItem::AppendLimit => StatusValue::AppendLimit(Some(limits.message_bytes_max)),
    };
    items.iter().map(value).collect()
}
