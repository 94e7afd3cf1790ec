//! FETCH: data of messages, in the order asked, without holding more than a few of them.
//!
//! RFC 9051 §6.4.5, RFC 3501 §6.4.5; BINARY: RFC 3516; CHANGEDSINCE and VANISHED: RFC 7162 §3.1.4,
//! §3.2.6; EMAILID and THREADID: RFC 8474; SAVEDATE: RFC 8514.
//!
//! A message expunged by another session is answered as long as the client numbers it
//! (RFC 2180 §4.1.1). One that cannot be read is left out, and the command ends with NO.

mod fields;
mod items;
pub(super) mod kept;
mod lines;
mod plan;
mod quick;
mod section;
mod source;
mod whole;

use std::future::Future;
use std::sync::Arc;
use std::vec;

use base::flag::SystemFlag;
use base::{Flags, ModSeq, SeqNum, SystemFlags, Uid, UidSet};
use bytes::Bytes;
use futures_util::future::join;
use mailbox::{FlagOp, Position, Row};
use message::Summary;
use wire::command::Fetch;
use wire::response::{Code, Condition, Untagged};
use wire::value::{Numbering, SequenceSet, SetEnd};

use self::plan::Plan;
use self::quick::Quick;
use self::whole::WholeMessages;
use super::store;
use crate::context::Selected;
use crate::error::{Done, No};
use crate::sync;

/// Messages that are looked up together when their bytes are needed.
const GROUP_MESSAGES: usize = 512;
/// Octets of messages after which a group ends; two groups are held at once, one that is answered and
/// one that is read. Enough for storage to read on several threads, and for few waits for them.
const GROUP_OCTETS: u64 = 512 * 1024;
/// Octets of a message that is held; a larger one streams.
const GROUP_BYTES: u64 = 256 * 1024;

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Fetch) -> Result<Done, No> {
    check(cx, &args)?;
    let plan = Plan::new(&args, cx.client.enabled);
    if plan.enables_condstore {
        cx.enable_condstore();
    }
    cx.absorb();
    if plan.shows_flags && cx.mailbox.view.take_new_keywords() {
        sync::flags_of_mailbox(cx.mailbox, &mut cx.out);
    }
    let mut targets = cx.resolve(&args.set, args.numbering)?;
    if let Some(since) = args.changed_since {
        if args.vanished {
            tell_vanished(cx, &args.set, since);
        }
        let changed = cx.mailbox.view.mailbox().changed_since(since);
        let changed: UidSet = changed.map(|row| row.uid).collect();
        targets = targets.intersection(&changed);
    }
    let mut trouble = Trouble::default();
    if let Some(quick) = Quick::new(&plan, cx.mailbox.read_only) {
        quick.run(cx, &plan, &targets, &mut trouble).await?;
        return trouble.end();
    }
    let whole = WholeMessages::new(&plan, cx.mailbox.read_only);
    let mut targets = Targets::new(targets);
    let mut group = next_group(cx, &mut targets);
    let mut bodies = read_bodies(cx, &plan, &group).await;
    while !group.is_empty() {
        cx.shared.go_on()?;
        let next = next_group(cx, &mut targets);
        // Read while this group is on its way to the client.
        let ahead = read_bodies(cx, &plan, &next);
        let answered = async {
            match &whole {
                Some(whole) => whole.answer(cx, &plan, (group, bodies), &mut trouble).await,
                None => answer(cx, &plan, (group, bodies), &mut trouble).await,
            }
        };
        let (next_bodies, answered) = join(ahead, answered).await;
        answered?;
        (group, bodies) = (next, next_bodies);
    }
    trouble.end()
}

fn check(cx: &Selected<'_>, args: &Fetch) -> Result<(), No> {
    if !args.vanished {
        return Ok(());
    }
    if args.numbering == Numbering::Seq {
        return Err(No::Bad("VANISHED is for UID FETCH"));
    }
    if args.changed_since.is_none() {
        return Err(No::Bad("VANISHED needs CHANGEDSINCE"));
    }
    match cx.client.enabled.qresync {
        true => Ok(()),
        false => Err(No::Bad("enable QRESYNC first")),
    }
}

/// VANISHED (EARLIER): what of the asked UIDs is gone since. Messages that the client still numbers
/// are told by the end of the command, which renumbers (RFC 7162 §3.2.10).
fn tell_vanished(cx: &mut Selected<'_>, set: &SequenceSet, since: ModSeq) {
    let view = &cx.mailbox.view;
    let asked: UidSet = match set {
        SequenceSet::Saved => cx.mailbox.saved.clone(),
        SequenceSet::Ranges(ranges) => {
            // Here `*` has no end: the last message may be what vanished.
            let end = |end: SetEnd| match end {
                SetEnd::Star => Uid::MAX,
                SetEnd::Number(n) => Uid::new(n.get()).unwrap_or(Uid::MIN),
            };
            let pairs = ranges.iter().map(|&(a, b)| (end(a), end(b)));
            pairs.map(|(a, b)| (a.min(b), a.max(b))).collect()
        }
    };
    let uids = view.vanished_since(since, &asked);
    if !uids.is_empty() {
        cx.out.untagged(&Untagged::Vanished { earlier: true, uids });
    }
}

/// What went wrong with messages that were left out.
#[derive(Debug, Default)]
struct Trouble {
    /// Stored bytes failed their check or could not be read.
    damaged: bool,
    /// The same, but another session expunged the message.
    expunged: bool,
    /// BINARY of a part with an unknown encoding.
    unknown_cte: bool,
}

impl Trouble {
    fn unreadable(&mut self, cx: &Selected<'_>, uid: Uid) {
        match cx.mailbox.view.is_ghost(uid) {
            true => self.expunged = true,
            false => self.damaged = true,
        }
    }

    fn end(self) -> Result<Done, No> {
        let (code, text) = if self.damaged {
            (Code::Corruption, "some of the messages cannot be read")
        } else if self.unknown_cte {
            (Code::UnknownCte, "unknown Content-Transfer-Encoding")
        } else if self.expunged {
            (Code::ExpungeIssued, "some of the messages no longer exist")
        } else {
            return Ok(Done::new("FETCH completed"));
        };
        Err(No::Refused(Some(code), text))
    }
}

/// A message that is to be answered: its number and its columns.
type Target = (SeqNum, Row);

/// A message that is about to be answered.
struct Message {
    seq: SeqNum,
    row: Row,
    summary: Option<Arc<Summary>>,
    /// Its bytes, if they are needed and few.
    bytes: Option<Bytes>,
    /// This command set `\Seen`.
    newly_seen: bool,
}

/// What is answered, in order; rows are looked up for many at once.
struct Targets {
    uids: UidSet,
    /// Where the next look-up begins.
    next: Option<Uid>,
    found: vec::IntoIter<Target>,
}

impl Targets {
    fn new(uids: UidSet) -> Self {
        Self { next: uids.first(), uids, found: Vec::new().into_iter() }
    }

    fn next(&mut self, cx: &Selected<'_>) -> Option<Target> {
        loop {
            if let Some(target) = self.found.next() {
                return Some(target);
            }
            self.next?;
            self.found = quick::rows(cx, &self.uids, &mut self.next).into_iter();
        }
    }
}

/// The next messages, as many as may be held at once. Empty at the end.
fn next_group(cx: &Selected<'_>, targets: &mut Targets) -> Vec<Target> {
    let mut group = Vec::new();
    let mut octets = 0;
    while group.len() < GROUP_MESSAGES && octets < GROUP_OCTETS {
        let Some((seq, row)) = targets.next(cx) else { break };
        group.push((seq, row));
        octets += u64::from(row.size);
    }
    group
}

async fn answer(
    cx: &mut Selected<'_>,
    plan: &Plan<'_>,
    (group, bodies): (Vec<Target>, Bodies),
    trouble: &mut Trouble,
) -> Result<(), No> {
    let mut messages = gather(cx, plan, (group, bodies), trouble).await;
    if plan.sets_seen && !cx.mailbox.read_only {
        set_seen(cx, &mut messages).await?;
    }
    for message in &messages {
        items::write(cx, plan, message, trouble).await?;
        cx.out.flow().await?;
    }
    Ok(())
}

/// The bytes of a group's messages, those that are in memory, in their order.
type Bodies = Vec<Result<Bytes, storage::Error>>;

fn is_in_memory(plan: &Plan<'_>, row: &Row) -> bool {
    plan.needs_bytes && u64::from(row.size) <= GROUP_BYTES
}

/// Reads what is in memory for a group.
fn read_bodies(
    cx: &Selected<'_>,
    plan: &Plan<'_>,
    group: &[Target],
) -> impl Future<Output = Bodies> + use<> {
    let (storage, account) = (cx.shared.accounts.storage().clone(), cx.live.id());
    let rows = group.iter().map(|(_, row)| row).filter(|row| is_in_memory(plan, row));
    let positions: Vec<Position> = rows.map(|row| row.position).collect();
    async move {
        match positions.is_empty() {
            true => Bodies::new(),
            false => storage.messages(account, positions).await,
        }
    }
}

/// Looks up what else the plan needs. Messages that cannot be answered are left out.
async fn gather(
    cx: &Selected<'_>,
    plan: &Plan<'_>,
    (group, bodies): (Vec<Target>, Bodies),
    trouble: &mut Trouble,
) -> Vec<Message> {
    let rows: Vec<Row> = group.iter().map(|&(_, row)| row).collect();
    let mut summaries = match plan.needs_summary {
        true => cx.live.summaries(&rows).await,
        false => Vec::new(),
    }
    .into_iter();
    let account = cx.live.id();
    let mut bodies = bodies.into_iter();
    let mut messages = Vec::with_capacity(group.len());
    for (seq, row) in group {
        let summary = if plan.needs_summary { summaries.next() } else { None }.transpose();
        let bytes = if is_in_memory(plan, &row) { bodies.next() } else { None }.transpose();
        match (summary, bytes) {
            (Ok(summary), Ok(bytes)) => {
                if summary.as_ref().is_some_and(|summary| plan.unknown_encoding(summary)) {
                    trouble.unknown_cte = true;
                    continue;
                }
                messages.push(Message { seq, row, summary, bytes, newly_seen: false });
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%account, uid = %row.uid, %error, "message cannot be read");
                trouble.unreadable(cx, row.uid);
            }
        }
    }
    messages
}

/// Sets `\Seen` where it is missing, in one commit. When that fails the messages are answered all
/// the same, after a warning: a full disk must not keep people from reading.
async fn set_seen(cx: &mut Selected<'_>, messages: &mut [Message]) -> Result<(), No> {
    let unseen = messages.iter().filter(|m| !m.row.system.contains(SystemFlag::Seen));
    let uids: UidSet = unseen.map(|message| message.row.uid).collect();
    if uids.is_empty() {
        return Ok(());
    }
    let system = SystemFlags::EMPTY.with(SystemFlag::Seen);
    let flags = Flags { system, keywords: Vec::new() };
    let change = store::Change { op: FlagOp::Add, flags, unchanged_since: None };
    match store::commit(cx, &uids, &change).await {
        Ok(outcome) => {
            for message in messages.iter_mut() {
                message.newly_seen = outcome.changed.contains(message.row.uid);
                if let Some(row) = cx.mailbox.view.by_uid(message.row.uid) {
                    message.row = row;
                }
            }
            Ok(())
        }
        Err(No::Unavailable(error)) => {
            tracing::error!(account = %cx.live.id(), %error, "\\Seen was not set");
            let text = "The messages could not be marked as seen".to_owned();
            cx.out.untagged(&Untagged::Status(Condition::No, Some(Code::Unavailable), text));
            Ok(())
        }
        Err(no) => Err(no),
    }
}
