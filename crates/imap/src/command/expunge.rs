//! EXPUNGE and UID EXPUNGE: messages with `\Deleted` are gone, in one record.
//!
//! RFC 9051 §6.4.3, RFC 4315 §2.1; HIGHESTMODSEQ: RFC 7162 §3.2.7, §3.2.9.

use base::UidSet;
use base::flag::SystemFlag;
use mailbox::{Mailbox, Record, View};
use wire::response::Code;
use wire::value::{Numbering, SequenceSet};

use crate::context::Selected;
use crate::error::{Done, No};
use account::Decision;
use storage::Durability;

/// Runs the command; the end of the command tells EXPUNGE or VANISHED.
pub async fn run(cx: &mut Selected<'_>, set: Option<SequenceSet>) -> Result<Done, No> {
    cx.must_be_writable()?;
    cx.absorb();
    let only = set.map(|set| cx.resolve(&set, Numbering::Uid)).transpose()?;
    let gone = expunge(cx, only.as_ref()).await?;
    cx.absorb();
    let code = (gone && cx.client.enabled.condstore)
        .then(|| Code::HighestModSeq(cx.mailbox.view.mailbox().highest_mod_seq()));
    Ok(Done::new("EXPUNGE completed").code(code))
}

/// Commits the expunge of what is deleted, or of what of `only` is; tells nothing. Returns whether
/// anything went.
pub(crate) async fn expunge(cx: &mut Selected<'_>, only: Option<&UidSet>) -> Result<bool, No> {
    let (id, view) = (cx.mailbox.id, &cx.mailbox.view);
    let done = cx
        .live
        .commit(Vec::new(), Durability::Synced, |account| {
            let newest = account.get(id).ok_or(No::NonExistent)?;
            let uids = deleted(newest.mailbox, view, only);
            let records = match uids.is_empty() {
                true => vec![],
                false => vec![Record::Expunged { mailbox: id, uids }],
            };
            Ok::<_, No>(Decision { value: !records.is_empty(), records })
        })
        .await?;
    Ok(done.value)
}

/// The messages to expunge. Only those that this client numbers: what it has never heard of, it
/// cannot want to be gone.
fn deleted(newest: &Mailbox, view: &View, only: Option<&UidSet>) -> UidSet {
    if newest.deleted() == 0 {
        return UidSet::new();
    }
    let deleted = match only {
        Some(only) => newest.uids_in_with(only, SystemFlag::Deleted),
        None => newest.uids_with(SystemFlag::Deleted),
    };
    view.known(&deleted)
}
