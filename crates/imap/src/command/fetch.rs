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
mod make;
mod plan;
mod quick;
mod section;
mod source;
mod whole;

use std::sync::Arc;
use std::vec;

use account::Live;
use base::flag::SystemFlag;
use base::{Flags, MailboxId, ModSeq, SeqNum, SystemFlags, Uid, UidSet};
use bytes::Bytes;
use futures_util::future::join;
use mailbox::{Position, Row};
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
/// Octets of messages after which the first group ends; each later one has twice as many, as long as
/// the client takes what it asked for.
const GROUP_OCTETS_FIRST: u64 = 128 * 1024;
/// The most of that where messages are answered item by item; two groups are held at once, one that is
/// answered and one that is read. Enough for storage to read on several threads, and for few waits
/// for them.
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
        let changed = cx.mailbox.view.mailbox().uids_changed_since(since);
        targets = targets.intersection(&changed);
    }
    let mut trouble = Trouble::default();
    if let Some(quick) = Quick::new(&plan, cx.mailbox.read_only) {
        quick.run(cx, &plan, &targets, &mut trouble).await?;
        return trouble.end();
    }
    match WholeMessages::new(&plan, cx.mailbox.read_only) {
        Some(whole) => whole.run(cx, &plan, targets, &mut trouble).await?,
        None => {
            let targets = Targets::new(targets, GROUP_OCTETS);
            run_by_message(cx, &plan, targets, &mut trouble).await?;
        }
    }
    trouble.end()
}

/// Answers item by item.
async fn run_by_message(
    cx: &mut Selected<'_>,
    plan: &Plan<'_>,
    mut targets: Targets,
    trouble: &mut Trouble,
) -> Result<(), No> {
    let marks = (plan.sets_seen && !cx.mailbox.read_only).then_some(cx.mailbox.id);
    let live = cx.live;
    let first = targets.group(cx);
    let mut gathered = gather(live, plan, first, marks).await;
    while !gathered.is_empty() {
        cx.shared.go_on()?;
        // Read, and marked as seen, while this group is on its way to the client.
        let ahead = gather(live, plan, targets.group(cx), marks);
        let (next, answered) = join(ahead, answer(cx, plan, gathered, trouble)).await;
        answered?;
        gathered = next;
    }
    Ok(())
}

/// Answers messages that were not read with others.
async fn answer_apart(
    cx: &mut Selected<'_>,
    plan: &Plan<'_>,
    targets: &[Target],
    trouble: &mut Trouble,
) -> Result<(), No> {
    let gathered = gather(cx.live, plan, targets.to_vec(), None).await;
    answer(cx, plan, gathered, trouble).await
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
    /// Octets after which the next group ends.
    octets_max: u64,
    /// Where that stops growing.
    octets_most: u64,
}

impl Targets {
    fn new(uids: UidSet, octets_most: u64) -> Self {
        let (next, octets_max) = (uids.first(), GROUP_OCTETS_FIRST);
        Self { next, uids, found: Vec::new().into_iter(), octets_max, octets_most }
    }

    fn peek(&mut self, cx: &Selected<'_>) -> Option<&Target> {
        while self.found.as_slice().is_empty() {
            self.next?;
            self.found = quick::rows(cx, &self.uids, &mut self.next).into_iter();
        }
        self.found.as_slice().first()
    }

    /// The next messages, as many as may be held at once, or one that may not. Empty at the end.
    fn group(&mut self, cx: &Selected<'_>) -> Vec<Target> {
        let mut group = Vec::new();
        let mut octets = 0;
        while group.len() < GROUP_MESSAGES && octets < self.octets_max {
            let Some((_, row)) = self.peek(cx) else { break };
            if !is_held(row) && !group.is_empty() {
                break;
            }
            // The last of its group if it is not held.
            octets += if is_held(row) { row.size.into() } else { u64::MAX };
            group.extend(self.found.next());
        }
        self.octets_max = (self.octets_max * 2).min(self.octets_most);
        group
    }
}

/// Whether a message's bytes are held together with others'.
fn is_held(row: &Row) -> bool {
    u64::from(row.size) <= GROUP_BYTES
}

/// A group that was read.
struct Gathered {
    found: Vec<Result<Message, Missing>>,
    /// `\Seen` was set, or should have been.
    marked: Option<Result<store::Committed, No>>,
}

/// A message that cannot be answered.
enum Missing {
    Unreadable(Uid, storage::Error),
    UnknownEncoding,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
}

/// Reads what the plan needs, and sets `\Seen` in the mailbox `marks` where it is missing, in one
/// commit. A session may do something else meanwhile.
async fn gather(
    live: &Arc<Live>,
    plan: &Plan<'_>,
    group: Vec<Target>,
    marks: Option<MailboxId>,
) -> Gathered {
    let is_held = |row: &Row| plan.needs_bytes && is_held(row);
    let held = group.iter().filter(|(_, row)| is_held(row));
    let positions: Vec<Position> = held.map(|(_, row)| row.position).collect();
    let bodies = match positions.is_empty() {
        true => Vec::new(),
        false => live.storage().messages(live.id(), positions).await,
    };
    let rows: Vec<Row> = group.iter().map(|&(_, row)| row).collect();
    let summaries = match plan.needs_summary {
        true => live.summaries(&rows).await,
        false => Vec::new(),
    };
    let (mut bodies, mut summaries) = (bodies.into_iter(), summaries.into_iter());
    let each = |(seq, row): Target| {
        let summary = if plan.needs_summary { summaries.next() } else { None }.transpose();
        let bytes = if is_held(&row) { bodies.next() } else { None }.transpose();
        let unreadable = |error| Missing::Unreadable(row.uid, error);
        let (summary, bytes) = (summary.map_err(unreadable)?, bytes.map_err(unreadable)?);
        match summary.as_ref().is_some_and(|summary| plan.unknown_encoding(summary)) {
            true => Err(Missing::UnknownEncoding),
            false => Ok(Message { seq, row, summary, bytes, newly_seen: false }),
        }
    };
    let found: Vec<_> = group.into_iter().map(each).collect();
    let marked = match marks {
        Some(mailbox) => mark(live, mailbox, &found).await,
        None => None,
    };
    Gathered { found, marked }
}

async fn mark(
    live: &Live,
    mailbox: MailboxId,
    found: &[Result<Message, Missing>],
) -> Option<Result<store::Committed, No>> {
    let unseen = found.iter().flatten().filter(|m| !m.row.system.contains(SystemFlag::Seen));
    let uids: UidSet = unseen.map(|message| message.row.uid).collect();
    let system = SystemFlags::EMPTY.with(SystemFlag::Seen);
    let flags = Flags { system, keywords: Vec::new() };
    match uids.is_empty() {
        true => None,
        false => Some(store::add_apart(live, mailbox, &uids, flags).await),
    }
}

async fn answer(
    cx: &mut Selected<'_>,
    plan: &Plan<'_>,
    gathered: Gathered,
    trouble: &mut Trouble,
) -> Result<(), No> {
    let mut messages = Vec::with_capacity(gathered.found.len());
    for found in gathered.found {
        match found {
            Ok(message) => messages.push(message),
            Err(Missing::UnknownEncoding) => trouble.unknown_cte = true,
            Err(Missing::Unreadable(uid, error)) => {
                let account = cx.live.id();
                tracing::error!(%account, %uid, %error, "message cannot be read");
                trouble.unreadable(cx, uid);
            }
        }
    }
    if let Some(marked) = gathered.marked {
        tell_marked(cx, &mut messages, marked)?;
    }
    for message in &messages {
        items::write(cx, plan, message, trouble).await?;
        cx.out.flow().await?;
    }
    Ok(())
}

/// When `\Seen` could not be set the messages are answered all the same, after a warning: a full disk
/// must not keep people from reading.
fn tell_marked(
    cx: &mut Selected<'_>,
    messages: &mut [Message],
    marked: Result<store::Committed, No>,
) -> Result<(), No> {
    match marked {
        Ok(committed) => {
            let outcome = store::take_in(cx, committed);
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
