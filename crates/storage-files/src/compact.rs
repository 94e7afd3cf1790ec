//! Giving space back: what retention does not keep goes.
//!
//! First a checkpoint is written: the fold at the last record that is too old to be kept. From then
//! on the log begins there. Then segments that hold much that is dead are rewritten one by one, and
//! those that hold nothing else are removed. A rewritten segment has the same number, and an index
//! from where its messages were to where they are: so positions never change, neither in records nor
//! in folds nor in caches. Each step is one rename of a file that is whole and durable, so a crash
//! leaves the old file or the new one, and both are right.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, PoisonError, TryLockError};

use base::{AccountId, ModSeq};
use bytes::Bytes;
use mailbox::{Account, Content, Record};
use storage::disk::{File, Open};
use storage::{Error, Task};

use crate::frame::{Commit, FRAMES_AT, HEADER_BYTES, Header, Kind, Lost, SegmentKind};
use crate::log::Log;
use crate::read::Item;
use crate::rewrite::Rewriter;
use crate::segment::Handle;
use crate::walk::{Check, Step, Walk};
use crate::{Files, failed};

/// What an account's log holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Files of the log.
    pub segments: usize,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Bytes that compaction would give back.
    pub dead_bytes: u64,
    /// The log begins behind this position.
    pub begin: ModSeq,
    /// Where it ends.
    pub head: ModSeq,
    /// When the last record was decided, milliseconds since 1970 UTC; 0 if that record is gone.
    pub time: i64,
}

/// Which records are too old to be kept.
#[derive(Clone, Copy)]
enum Old {
    /// Those decided then or earlier.
    Time(i64),
    /// Those up to this position, in a log of the directory.
    Position(ModSeq),
}

/// What a compaction is to do.
struct Order {
    old: Old,
    /// Nothing if fewer percent of the bytes are dead.
    percent: u64,
    /// Also the segment that is written to, which then ends.
    with_last: bool,
}

/// A fifth dead: rewriting copies up to four bytes for one that comes back.
const FIFTH: u64 = 5;
/// Half dead: it copies no more than comes back.
const HALF: u64 = 2;
/// Mostly dead segments are rewritten by themselves when they hold this part of what has to be dead
/// for all to be: an eighth of an account's bytes by default.
const MOSTLY_DEAD_PART: u64 = 4;

/// What is to be kept.
pub(crate) struct Plan {
    /// The fold at the position up to which records go.
    fold: Account,
    head: ModSeq,
    /// Offsets of messages that are named by the fold or by records behind it, for each segment.
    live: BTreeMap<u32, BTreeSet<u32>>,
    /// The segments there were; the last one is still written to.
    segments: Vec<(u32, SegmentKind)>,
    last: u32,
    with_last: bool,
    /// Segments of which one in so many bytes is dead are rewritten.
    least: u64,
}

/// What rewriting a segment keeps.
pub(crate) struct Keep<'a> {
    /// Records behind this position.
    pub(crate) records_after: ModSeq,
    /// Messages by where they were written first; all if there is no set.
    pub(crate) messages: Option<&'a BTreeSet<u32>>,
}

impl Files {
    /// Drops records decided at `keep_after` (milliseconds since 1970 UTC) or earlier, and messages
    /// that only they name; rewrites segments that are mostly dead, the newest one too if nobody
    /// writes. Sessions and commits go on meanwhile. Logs that hold [`Record::Directory`], or from
    /// which damage took records, are left as they are.
    pub fn compact(
        &self,
        account: AccountId,
        keep_after: i64,
    ) -> Task<'_, Result<Statistics, Error>> {
        Box::pin(self.drop_old(account, Old::Time(keep_after)))
    }

    /// Drops records up to `upto` from a log of the directory, whatever their age: the records behind
    /// it say everything again.
    pub fn compact_directory(
        &self,
        account: AccountId,
        upto: ModSeq,
    ) -> Task<'_, Result<Statistics, Error>> {
        Box::pin(self.drop_old(account, Old::Position(upto)))
    }

    async fn drop_old(&self, account: AccountId, old: Old) -> Result<Statistics, Error> {
        let log = self.shared.log(account).await?;
        log.sync().await?;
        let order = Order { old, percent: 0, with_last: true };
        let work = move || {
            let statistics = log.compact(&order);
            // Whoever is looked at like this every day is given no space ahead for longer.
            log.close_files();
            statistics
        };
        self.shared.pool.run(work).await
    }

    /// What an account's log holds, and what [`Files::compact`] with the same argument would give
    /// back. Reads the whole log.
    pub fn statistics(
        &self,
        account: AccountId,
        keep_after: i64,
    ) -> Task<'_, Result<Statistics, Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            log.flushed().await?;
            let order = Order { old: Old::Time(keep_after), percent: 0, with_last: true };
            let work = move || match log.plan_compaction(&order)? {
                Some(plan) => log.measure(&plan).map(|(all, _)| all),
                None => Ok(Statistics::default()),
            };
            self.shared.pool.run(work).await
        })
    }
}

impl Log {
    /// Looks whether there is enough to be given back, after so many segments were filled.
    pub(crate) fn compact_by_itself(self: &Arc<Self>) {
        let options = &self.shared.options;
        let (time, logs) = {
            let state = self.lock();
            (state.time, state.logs().count())
        };
        // Looking costs reading the log: the longer it is, the rarer.
        let due = logs > 1 && logs % (logs / 4).max(1) == 0;
        if options.compact_dead_percent == 0 || !due {
            return;
        }
        let (log, percent) = (self.clone(), u64::from(options.compact_dead_percent));
        let old = Old::Time(time.saturating_sub(options.retention_ms));
        let order = Order { old, percent, with_last: false };
        self.shared.pool.spawn(move || match log.compact(&order) {
            Ok(statistics) => tracing::debug!(account = %log.id, ?statistics, "looked at a log"),
            Err(error) => tracing::warn!(account = %log.id, %error, "cannot compact a log"),
        });
    }

    fn compact(&self, order: &Order) -> Result<Statistics, Error> {
        let _one = match self.files.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody else is at it.
            Err(TryLockError::WouldBlock) => return Ok(Statistics::default()),
        };
        self.heal_checkpoint(&BTreeSet::new())?;
        let Some(mut plan) = self.plan_compaction(order)? else {
            return Ok(Statistics::default());
        };
        let (before, mostly_dead) = self.measure(&plan)?;
        let enough = before.bytes * order.percent;
        if before.dead_bytes == 0 || before.dead_bytes * 100 < enough {
            // Not all are worth it. Those are that cost less than they give.
            if mostly_dead == 0 || mostly_dead * 100 * MOSTLY_DEAD_PART < enough {
                return Ok(before);
            }
            plan.least = HALF;
        }
        self.checkpoint(&plan.fold)?;
        // An earlier attempt may have left it with a name that is not durable.
        let dir = self.path("log");
        self.shared.disk.sync_dir(&dir).map_err(|error| failed(&dir, &error))?;
        for &(number, kind) in &plan.segments {
            // The server stops, or the account is gone: what is done is done.
            if let Some(error) = self.lock().failed.clone() {
                return Err(error);
            }
            match kind {
                SegmentKind::Log => self.compact_segment(number, &plan)?,
                SegmentKind::Large => self.drop_large(number, &plan)?,
                SegmentKind::Checkpoint => {}
            }
        }
        self.measure(&plan).map(|(after, _)| after)
    }

    /// Folds the log and notes what is live. Nothing if the log is not to be compacted.
    fn plan_compaction(&self, order: &Order) -> Result<Option<Plan>, Error> {
        let (head, segments, last, begin) = {
            let state = self.lock();
            let segments = state.segments.iter().map(|(&number, &kind)| (number, kind)).collect();
            // What is not durable may be gone after a crash; a checkpoint must not be ahead of it.
            (state.durable.0, segments, state.durable.1.segment, state.begin)
        };
        let fold = self.begin_fold()?;
        let with_last = order.with_last;
        let (live, least) = (BTreeMap::new(), FIFTH);
        let mut plan = Plan { fold, head, live, segments, last, with_last, least };
        let by_time = matches!(order.old, Old::Time(_));
        let (mut old, mut refused) = (true, by_time && plan.fold.is_lossy());
        self.walk_records(begin, |item| {
            let (first, records) = match item {
                Item::Commit(first, commit) => {
                    old &= match order.old {
                        Old::Time(time) => commit.time <= time,
                        Old::Position(upto) => commit.last(first) <= upto,
                    };
                    let decoded = commit.records.iter().map(|bytes| Record::decode(bytes));
                    (first, decoded.collect::<Result<Vec<_>, _>>())
                }
                Item::Lost(first, last, bytes) => {
                    let count = last.get() - first.get();
                    let rest = std::iter::repeat_n(Record::Lost { bytes: 0 }, count as usize);
                    (first, Ok(std::iter::once(Record::Lost { bytes }).chain(rest).collect()))
                }
            };
            let records = records.map_err(|bad| Error::Damaged(bad.to_string()))?;
            for (at, record) in (0..).map(|n| first.plus(n)).zip(&records) {
                // What lost records named must not pass for dead.
                let unknown = matches!(record, Record::Directory(_) | Record::Lost { .. });
                refused |= by_time && unknown;
                if at <= begin || at > head {
                    continue;
                }
                if old {
                    let folded = plan.fold.apply(at, record);
                    folded.map_err(|bad| Error::Damaged(bad.to_string()))?;
                } else {
                    plan.note(record);
                }
            }
            Ok(!refused)
        })?;
        if refused {
            return Ok(None);
        }
        plan.note_fold();
        Ok(Some(plan))
    }

    /// What there is, and how much of the dead bytes is in segments that are mostly dead.
    fn measure(&self, plan: &Plan) -> Result<(Statistics, u64), Error> {
        let (begin, time) = {
            let state = self.lock();
            (state.begin, state.time)
        };
        let mut all = Statistics { head: plan.head, begin, time, ..Statistics::default() };
        let logs: Vec<_> = plan.numbers(SegmentKind::Log);
        let mut mostly_dead = 0;
        for &(number, kind) in &plan.segments {
            let handle = match self.handle(number) {
                Ok(handle) => handle,
                // Removed, or damaged: not ours to give back.
                Err(Error::Damaged(_)) => continue,
                Err(error) => return Err(error),
            };
            let path = self.segment_path(number, kind);
            let bytes = handle.file.len().map_err(|error| failed(&path, &error))?;
            all.segments += 1;
            all.bytes += bytes;
            let dead = match kind {
                SegmentKind::Large if plan.is_dead_large(&handle)? => bytes,
                SegmentKind::Log if self.is_dead_log(number, &logs, plan) => bytes,
                SegmentKind::Log => {
                    self.worthwhile(&handle, &path, plan, Check::NoMessages)?.unwrap_or(0)
                }
                _ => 0,
            };
            all.dead_bytes += dead;
            mostly_dead += if dead * HALF >= bytes { dead } else { 0 };
        }
        Ok((all, mostly_dead))
    }

    /// How many bytes rewriting a segment would give back, if that is worth it.
    fn worthwhile(
        &self,
        handle: &Handle,
        path: &str,
        plan: &Plan,
        check: Check,
    ) -> Result<Option<u64>, Error> {
        let number = handle.segment.number;
        if number == plan.last && !plan.with_last {
            return Ok(None);
        }
        let (dead, used) = self.dead_bytes(handle, path, plan, check)?;
        // Segments never grow together again, so the one that is written to is not ended for little.
        let least = if number == plan.last { self.shared.options.segment_bytes / 64 } else { 1 };
        Ok((dead >= (used / plan.least).max(least)).then_some(dead))
    }

    /// Whether a log segment holds neither live messages nor records to be kept.
    fn is_dead_log(&self, number: u32, logs: &[u32], plan: &Plan) -> bool {
        let next = logs.iter().find(|&&other| other > number);
        let next = next.and_then(|&next| self.handle(next).ok());
        let base = next.map(|next| next.segment.base);
        !plan.live.contains_key(&number) && base.is_some_and(|base| base <= plan.fold.head())
    }

    /// Bytes of dead frames, and of all.
    fn dead_bytes(
        &self,
        handle: &Handle,
        path: &str,
        plan: &Plan,
        check: Check,
    ) -> Result<(u64, u64), Error> {
        let keep = plan.keep(handle.segment.number);
        let end = handle.end().map_err(|error| failed(path, &error))?;
        let walk = Walk::new(&*handle.file, handle.seed, FRAMES_AT, end);
        let mut walk = walk.moved(handle.segment.index_at != 0).check(check);
        let (mut dead, mut used) = (0, FRAMES_AT);
        while let Some(step) = walk.next().map_err(|error| failed(path, &error))? {
            match step {
                Step::Frame(header, _, payload) => {
                    used += header.padded_bytes();
                    if !keep.keeps(&header, payload.as_ref()) {
                        dead += header.padded_bytes();
                    }
                }
                // Damage is left to the doctor.
                Step::Spoiled(..) | Step::Gap(..) => return Ok((0, end)),
                Step::Tail(..) => {}
            }
        }
        Ok((dead, used))
    }

    fn compact_segment(&self, number: u32, plan: &Plan) -> Result<(), Error> {
        let logs = plan.numbers(SegmentKind::Log);
        if self.is_dead_log(number, &logs, plan) {
            return self.drop_segment(number, SegmentKind::Log);
        }
        let path = self.segment_path(number, SegmentKind::Log);
        let handle = match self.handle(number) {
            Ok(handle) => handle,
            Err(Error::Damaged(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        if self.worthwhile(&handle, &path, plan, Check::All)?.is_none() {
            return Ok(());
        }
        if number == plan.last && !self.end_segment(plan) {
            return Ok(());
        }
        self.rewrite(&handle, &plan.keep(number), &[])
    }

    /// Ends the segment that is written to: the next commit begins another. False if somebody has
    /// written since the plan was made.
    fn end_segment(&self, plan: &Plan) -> bool {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.lock();
        let idle = state.failed.is_none() && !state.busy && state.queue.is_empty();
        let same = state.head == plan.head && state.end.segment == plan.last;
        if idle && same {
            state.roll = true;
            writer.trim(state.written.1);
            (writer.written_to, writer.length) = (0, 0);
        }
        idle && same
    }

    /// Writes a segment anew with what is to be kept, and with frames that say what is lost.
    pub(crate) fn rewrite(
        &self,
        handle: &Handle,
        keep: &Keep<'_>,
        lost: &[(ModSeq, Lost)],
    ) -> Result<(), Error> {
        let number = handle.segment.number;
        let path = self.segment_path(number, SegmentKind::Log);
        let work = |file: &dyn File| Rewriter::new(file, handle.segment).run(handle, keep, lost);
        self.replace(&path, work).map_err(|error| failed(&path, &error))?;
        self.lock().index.retain(|&(_, place)| place.segment != number);
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).forget(number);
        Ok(())
    }

    /// Makes a file whole and durable, and gives it its name, which another file may have.
    pub(crate) fn replace(
        &self,
        path: &str,
        write: impl FnOnce(&dyn File) -> io::Result<()>,
    ) -> io::Result<()> {
        let disk = &self.shared.disk;
        let temporary = format!("{path}.tmp");
        let file = match disk.open(&temporary, Open::New) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                disk.remove(&temporary)?;
                disk.open(&temporary, Open::New)?
            }
            other => other?,
        };
        let name = || {
            write(&*file)?;
            file.sync_data()?;
            disk.rename(&temporary, path)?;
            disk.sync_dir(&self.path("log"))
        };
        // On a full disk what is half-made must not take the space.
        name().inspect_err(|_| drop(disk.remove(&temporary)))
    }

    fn drop_large(&self, number: u32, plan: &Plan) -> Result<(), Error> {
        match self.handle(number) {
            Ok(handle) if plan.is_dead_large(&handle)? => {
                self.drop_segment(number, SegmentKind::Large)
            }
            Ok(_) | Err(Error::Damaged(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn drop_segment(&self, number: u32, kind: SegmentKind) -> Result<(), Error> {
        {
            let mut state = self.lock();
            state.segments.remove(&number);
            state.index.retain(|&(_, place)| place.segment != number);
        }
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).forget(number);
        let path = self.segment_path(number, kind);
        match self.shared.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path, &error)),
            _ => {
                self.drop_extracts(number);
                Ok(())
            }
        }
    }
}

impl Plan {
    fn note(&mut self, record: &Record) {
        let Record::Appended { messages, .. } = record else { return };
        for message in messages {
            if let Content::At(at) = message.content {
                self.live.entry(at.segment).or_default().insert(at.offset);
            }
        }
    }

    fn note_fold(&mut self) {
        for info in self.fold.mailboxes() {
            for row in info.mailbox.rows() {
                self.live.entry(row.position.segment).or_default().insert(row.position.offset);
            }
        }
    }

    fn numbers(&self, kind: SegmentKind) -> Vec<u32> {
        let of_kind = self.segments.iter().filter(|&&(_, other)| other == kind);
        of_kind.map(|&(number, _)| number).collect()
    }

    fn keep(&self, number: u32) -> Keep<'_> {
        static NONE: BTreeSet<u32> = BTreeSet::new();
        let messages = Some(self.live.get(&number).unwrap_or(&NONE));
        Keep { records_after: self.fold.head(), messages }
    }

    /// A large message that no record names; one whose commit is still on its way is not.
    fn is_dead_large(&self, handle: &Handle) -> Result<bool, Error> {
        if self.live.contains_key(&handle.segment.number) {
            return Ok(false);
        }
        let mut bytes = [0; HEADER_BYTES];
        let read = handle.file.read_at(&mut bytes, FRAMES_AT);
        read.map_err(|error| failed("large message", &error))?;
        let header = Header::decode(&bytes, handle.seed);
        Ok(header.is_some_and(|header| header.sequence <= self.head))
    }
}

impl Keep<'_> {
    pub(crate) fn keeps(&self, header: &Header, payload: Option<&Bytes>) -> bool {
        let last = match header.kind {
            Kind::Message | Kind::Message1 => {
                return self.messages.is_none_or(|live| live.contains(&header.offset));
            }
            Kind::Records => {
                payload.and_then(Commit::decode).map(|commit| commit.last(header.sequence))
            }
            Kind::Lost => payload.and_then(|payload| Lost::decode(payload)).map(|lost| lost.last),
            _ => return false,
        };
        last.is_some_and(|last| last > self.records_after)
    }
}

impl Handle {
    /// Where frames end: in front of a rewritten segment's index.
    pub(crate) fn end(&self) -> io::Result<u64> {
        match self.segment.index_at {
            0 => self.file.len(),
            at => Ok(u64::from(at)),
        }
    }
}
