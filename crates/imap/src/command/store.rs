//! STORE: change the flags of messages, in one record whatever their number.
//!
//! RFC 9051 §6.4.6, RFC 3501 §6.4.6; UNCHANGEDSINCE: RFC 7162 §3.1.3; messages expunged by another
//! session: RFC 2180 §4.2.

mod history;

use account::{Decision, Live};
use base::{Flags, MailboxId, ModSeq, SeqSet, Uid, UidSet};
use mailbox::{Account, FlagOp, Mailbox, Record, Row};
use storage::Durability;
use wire::command::Store;
use wire::response::Code;
use wire::response::fetch::{self, Small};
use wire::value::{Numbering, StoreMode};

use crate::context::Selected;
use crate::error::{Done, No};
use crate::sync;

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Store) -> Result<Done, No> {
    cx.must_be_writable()?;
    if args.unchanged_since.is_some() {
        cx.enable_condstore();
    }
    cx.absorb();
    let targets = cx.resolve(&args.set, args.numbering)?;
    let change = Change {
        op: match args.mode {
            StoreMode::Replace => FlagOp::Replace,
            StoreMode::Add => FlagOp::Add,
            StoreMode::Remove => FlagOp::Remove,
        },
        flags: args.flags.clone(),
        unchanged_since: args.unchanged_since,
    };
    let outcome = commit(cx, &targets, &change).await?;
    answer(cx, &args, &outcome).await?;
    end(cx, &args, &targets, &outcome)
}

/// What to do to flags.
struct Change {
    op: FlagOp,
    flags: Flags,
    unchanged_since: Option<ModSeq>,
}

/// What a change comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Messages whose flags become different.
    pub(crate) changed: UidSet,
    /// Messages that have the wanted flags in the end; those in `changed` among them.
    passed: UidSet,
    /// Messages that failed UNCHANGEDSINCE.
    failed: UidSet,
}

/// A change that is durable, but not in the view yet.
pub(crate) struct Committed {
    outcome: Outcome,
    /// Its record and the fold it was decided on; none if nothing changed.
    at: Option<(ModSeq, Mailbox)>,
}

/// Changes the flags of those of `targets` that exist, and takes the result into the view.
async fn commit(cx: &mut Selected<'_>, targets: &UidSet, change: &Change) -> Result<Outcome, No> {
    let untouched = history::Untouched::find(cx, targets, change).await;
    let committed = commit_apart(cx.live, cx.mailbox.id, (targets, change), &untouched).await?;
    Ok(take_in(cx, committed))
}

/// Adds flags to those of `targets` that exist, while the session does something else.
pub(crate) async fn add_apart(
    live: &Live,
    mailbox: MailboxId,
    targets: &UidSet,
    flags: Flags,
) -> Result<Committed, No> {
    let change = Change { op: FlagOp::Add, flags, unchanged_since: None };
    commit_apart(live, mailbox, (targets, &change), &history::Untouched::default()).await
}

async fn commit_apart(
    live: &Live,
    id: MailboxId,
    (targets, change): (&UidSet, &Change),
    untouched: &history::Untouched,
) -> Result<Committed, No> {
    let keywords_max = live.limits().keywords_max;
    let decide = |account: &Account| {
        let newest = account.get(id).ok_or(No::NonExistent)?.mailbox;
        let outcome = change.decide(newest, targets, untouched, keywords_max)?;
        let mut records = vec![];
        if !outcome.changed.is_empty() {
            let (uids, op) = (outcome.changed.clone(), change.op);
            let flags = change.flags_for(newest);
            records.push(Record::FlagsChanged { mailbox: id, uids, op, flags });
        }
        Ok::<_, No>(Decision { records, value: (outcome, newest.clone()) })
    };
    let done = live.commit(Vec::new(), Durability::Synced, decide).await?;
    let (outcome, decided_on) = done.value;
    let at = done.entries.first().map(|entry| (entry.at, decided_on));
    Ok(Committed { outcome, at })
}

/// Takes a change into the view, where it counts as told: the caller tells it, or is silent.
pub(crate) fn take_in(cx: &mut Selected<'_>, committed: Committed) -> Outcome {
    let Committed { outcome, at } = committed;
    if let Some((at, decided_on)) = at {
        cx.mailbox.view.mute_on(at, &outcome.changed, &decided_on);
    }
    cx.absorb();
    outcome
}

impl Change {
    /// Sorts the messages of `targets` that exist in `newest`.
    fn decide(
        &self,
        newest: &Mailbox,
        targets: &UidSet,
        untouched: &history::Untouched,
        keywords_max: usize,
    ) -> Result<Outcome, No> {
        let mut passed = newest.uids_in(targets);
        let mut failed = UidSet::new();
        if let Some(since) = self.unchanged_since {
            let fails =
                |row: &Row| row.mod_seq > since && !untouched.contains(row.uid, row.mod_seq);
            failed = newest.rows_in(&passed).filter(fails).map(|row| row.uid).collect();
            passed = passed.difference(&failed);
        }
        // Setting a set flag must not move the mod-sequence (RFC 7162 §3.1.11).
        let changed = newest.uids_changed_by(&passed, self.op, &self.flags);
        let outcome = Outcome { changed, passed, failed };
        if self.op != FlagOp::Remove && !outcome.changed.is_empty() {
            let known = newest.keywords();
            let new = self.flags.keywords.iter().filter(|keyword| !known.contains(keyword)).count();
            if new > 0 && known.len() + new > keywords_max {
                return Err(No::Limit("too many keywords in this mailbox"));
            }
        }
        Ok(outcome)
    }

    /// The flags to record: removing a keyword that nobody uses must not make it known.
    fn flags_for(&self, mailbox: &Mailbox) -> Flags {
        let mut flags = self.flags.clone();
        if self.op == FlagOp::Remove {
            flags.keywords.retain(|keyword| mailbox.keywords().contains(keyword));
        }
        flags
    }
}

/// Tells the new values. `.SILENT` leaves out flags, but not mod-sequences (RFC 7162 §3.1.3), and
/// not the flags of messages that failed UNCHANGEDSINCE: the client has to know why.
async fn answer(cx: &mut Selected<'_>, args: &Store, outcome: &Outcome) -> Result<(), No> {
    let enabled = cx.client.enabled;
    let with_uid =
        args.numbering == Numbering::Uid || enabled.condstore || enabled.qresync || enabled.rev2;
    if cx.mailbox.view.take_new_keywords() {
        sync::flags_of_mailbox(cx.mailbox, &mut cx.out);
    }
    if args.silent && outcome.failed.is_empty() && !enabled.condstore {
        return Ok(());
    }
    for uid in outcome.passed.union(&outcome.failed).iter() {
        let failed = outcome.failed.contains(uid);
        if failed && cx.mailbox.view.is_untold(uid) {
            // The end of the command tells it.
            continue;
        }
        let flags = !args.silent || failed;
        let mod_seq = enabled.condstore
            && (flags || args.unchanged_since.is_some() || outcome.changed.contains(uid));
        if flags || mod_seq {
            tell(cx, uid, Parts { with_uid, flags, mod_seq });
            cx.out.flow().await?;
        }
    }
    Ok(())
}

/// What a FETCH response about flags holds.
struct Parts {
    with_uid: bool,
    flags: bool,
    mod_seq: bool,
}

fn tell(cx: &mut Selected<'_>, uid: Uid, parts: Parts) {
    let view = &cx.mailbox.view;
    let (Some(seq), Some(row)) = (view.seq_of(uid), view.by_uid(uid)) else { return };
    let flags = match parts.flags {
        true => sync::flags_text(view, uid, cx.client.enabled.rev2),
        false => None,
    };
    let tail = cx.out.tail();
    fetch::open(tail, seq);
    if parts.with_uid {
        Small::Uid(uid).print(tail);
        tail.push(b' ');
    }
    if let Some(flags) = &flags {
        Small::Flags(flags).print(tail);
        tail.push(b' ');
    }
    if parts.mod_seq {
        Small::ModSeq(row.mod_seq).print(tail);
    } else {
        tail.pop();
    }
    tail.extend_from_slice(b")\r\n");
}

fn end(cx: &Selected<'_>, args: &Store, targets: &UidSet, outcome: &Outcome) -> Result<Done, No> {
    let gone = targets.difference(&outcome.passed).difference(&outcome.failed);
    let modified = (!outcome.failed.is_empty()).then(|| {
        Code::Modified(match args.numbering {
            Numbering::Uid => outcome.failed.to_string(),
            Numbering::Seq => {
                let seqs = outcome.failed.iter().filter_map(|uid| cx.mailbox.view.seq_of(uid));
                seqs.collect::<SeqSet>().to_string()
            }
        })
    });
    // RFC 2180 §4.2.1 to 4.2.3; UIDs that do not exist are passed over (RFC 9051 §6.4.9).
    if !gone.is_empty() && args.numbering == Numbering::Seq && !args.silent {
        let code = modified.unwrap_or(Code::ExpungeIssued);
        return Err(No::Refused(Some(code), "some of the messages no longer exist"));
    }
    let text = match modified {
        Some(_) => "conditional STORE failed for some messages",
        None => "STORE completed",
    };
    Ok(Done::new(text).code(modified))
}
