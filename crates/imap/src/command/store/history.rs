//! What the log says of flags since a mod-sequence.
//!
//! One mod-sequence a message stands for all its flags. A conditional `+FLAGS` or `-FLAGS` is to
//! fail only if one of the flags it names was changed, not if another was (RFC 7162 §3.1.3, §3.1.12);
//! the log's records tell which.

use base::{Flags, MailboxId, ModSeq, Uid, UidSet};
use mailbox::{FlagOp, Mailbox, Record};

use super::Change;
use crate::context::Selected;

/// Records that are looked through. When more happened since, a change of any flag counts.
const RECORDS_MAX: usize = 1000;

/// Messages that changed, but not in the flags that a command names.
#[derive(Default)]
pub(super) struct Untouched {
    uids: UidSet,
    /// The fold up to which the log was read, if it was.
    seen: Option<Mailbox>,
}

impl Untouched {
    /// Looks up those of `targets`.
    pub(super) async fn find(cx: &Selected<'_>, targets: &UidSet, change: &Change) -> Self {
        let seen = cx.mailbox.view.mailbox().clone();
        let since = change.unchanged_since.filter(|&since| {
            // Replacing touches every flag; 0 fails in any case (RFC 7162 §3.1.3).
            change.op != FlagOp::Replace && since > ModSeq::ZERO && since < seen.highest_mod_seq()
        });
        let mut uids = UidSet::new();
        if let Some(since) = since {
            let changed = seen.rows_in(targets).filter(|row| row.mod_seq > since);
            uids = changed.map(|row| row.uid).collect();
        }
        if let Some(since) = since.filter(|_| !uids.is_empty()) {
            let storage = cx.shared.accounts.storage();
            let entries = storage.read(cx.live.id(), since, RECORDS_MAX).await.unwrap_or_default();
            let whole = entries.last().is_some_and(|last| last.at >= seen.highest_mod_seq());
            uids = match whole {
                true => entries.iter().fold(uids, |uids, entry| {
                    let touched = touched(&entry.record, cx.mailbox.id, &change.flags, &uids);
                    uids.difference(&touched)
                }),
                false => UidSet::new(),
            };
        }
        Self { uids, seen: Some(seen) }
    }

    /// Whether a message that is at `mod_seq` by now is one of them.
    pub(super) fn contains(&self, uid: Uid, mod_seq: ModSeq) -> bool {
        let seen = self.seen.as_ref().and_then(|seen| seen.get(uid));
        self.uids.contains(uid) && seen.is_some_and(|row| row.mod_seq == mod_seq)
    }
}

/// Which of `uids` a record touched in `flags`. A message that came after the client looked is
/// touched in all.
fn touched(record: &Record, here: MailboxId, flags: &Flags, uids: &UidSet) -> UidSet {
    match record {
        Record::FlagsChanged { mailbox, uids, op, flags: changed }
            if *mailbox == here && (*op == FlagOp::Replace || overlap(changed, flags)) =>
        {
            uids.clone()
        }
        Record::Appended { mailbox, messages } if *mailbox == here => {
            messages.iter().map(|message| message.uid).collect()
        }
        Record::Copied { to, first_uid, .. } | Record::Moved { to, first_uid, .. }
            if *to == here =>
        {
            UidSet::range(*first_uid, Uid::MAX)
        }
        Record::Lost { .. } => uids.clone(),
        _ => UidSet::new(),
    }
}

fn overlap(a: &Flags, b: &Flags) -> bool {
    a.system.bits() & b.system.bits() != 0
        || a.keywords.iter().any(|keyword| b.keywords.contains(keyword))
}
