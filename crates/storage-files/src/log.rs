//! One account's log while it is open: where it ends, what waits for the disk, how commits join.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{AccountId, ModSeq};
use bytes::Bytes;
use futures_channel::oneshot;
use mailbox::{Position, Record};
use storage::{Batch, CommitError, Durability, Entry, Error, Extract, Pending, Task};

use crate::Shared;
use crate::buffers::Buffers;
use crate::extracts::OpenExtracts;
use crate::frame::{
    self, Commit, Encoding, FRAMES_AT, HEADER_BYTES, Header, Kind, Seed, SegmentKind, padded,
};
use crate::incoming::{Body, LargeFile};
use crate::pool::gone;
use crate::segment::Handles;
use crate::writer::Writer;

/// Commits whose places are remembered exactly; older ones are found by walking a little.
const INDEX_ENTRIES_MAX: usize = 8192;

/// A group with more bytes is not written by the one who waits for it.
const QUICK_BYTES_MAX: usize = 128 * 1024;

/// A group gets at most this part of its bytes more for a page of its own.
const FILL_PART: u64 = 16;

/// An open log.
pub(crate) struct Log {
    pub(crate) id: AccountId,
    pub(crate) dir: String,
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: Mutex<State>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) handles: Mutex<Handles>,
    pub(crate) extracts: Mutex<OpenExtracts>,
    /// Whether files may be open.
    pub(crate) awake: AtomicBool,
    /// Held while the set of files changes.
    pub(crate) files: Mutex<()>,
}

/// Where something is: segment and physical offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
}

pub(crate) struct State {
    pub(crate) account: AccountId,
    /// A group that has more bytes takes no more commits.
    pub(crate) group_bytes_max: u64,
    /// Bytes of the blocks that the file system writes.
    pub(crate) page_bytes: u64,
    /// Where the log ends, counting what waits.
    pub(crate) head: ModSeq,
    /// When the last commit was decided.
    pub(crate) time: i64,
    /// What the next commit is appended to, and where.
    pub(crate) end: Place,
    /// The check of that segment's frames.
    pub(crate) seed: Seed,
    /// The next commit begins a new segment: this one is damaged, or was rewritten.
    pub(crate) roll: bool,
    /// What is before this offset of that segment is durable when the next group is written.
    pub(crate) durable_to: u64,
    /// What readers may see: written, and synced unless it was lazy.
    pub(crate) written: (ModSeq, Place),
    /// What is certainly on the disk.
    pub(crate) durable: (ModSeq, Place),
    pub(crate) queue: VecDeque<Group>,
    /// A job is writing.
    pub(crate) busy: bool,
    pub(crate) failed: Option<Error>,
    pub(crate) segments: BTreeMap<u32, SegmentKind>,
    pub(crate) next_number: u32,
    /// First position, segment and offset of commits, ascending; not all of them.
    pub(crate) index: VecDeque<(ModSeq, Place)>,
    /// Where the last reader stopped: a commit's first position and its place.
    pub(crate) cursor: Option<(ModSeq, Place)>,
    /// The log begins behind this position: the newest checkpoint.
    pub(crate) begin: ModSeq,
    /// The segments that hold copies of it.
    pub(crate) checkpoints: Vec<u32>,
}

/// Commits that are written and synced together.
pub(crate) struct Group {
    pub(crate) start: Place,
    /// Set if this group begins a segment: where the log ended before it, and its salt.
    pub(crate) begins: Option<(ModSeq, [u8; 16])>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) sync: bool,
    pub(crate) head: ModSeq,
    pub(crate) large: Vec<(u32, ModSeq, LargeFile)>,
    /// For the cache, when the messages are durable.
    pub(crate) extracts: Vec<(Extract, Position, Bytes)>,
    pub(crate) waiters: Vec<oneshot::Sender<Result<(), Error>>>,
}

impl Group {
    pub(crate) fn end(&self) -> Place {
        Place { offset: self.start.offset + self.bytes.len() as u64, ..self.start }
    }

    /// Adds a frame.
    fn append(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        // Groups begin aligned, so this aligns the frame that follows.
        self.bytes.resize(padded(self.bytes.len() as u64) as usize, 0);
    }
}

/// Where each staged body of a batch goes, before anything is changed.
struct Plan {
    begins: Option<(u32, [u8; 16])>,
    start: Place,
    next_number: u32,
    positions: Vec<Position>,
}

impl Log {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path in this account's directory.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.dir)
    }

    pub(crate) fn segment_path(&self, number: u32, kind: SegmentKind) -> String {
        format!("{}/log/{}", self.dir, frame::file_name(number, kind))
    }

    /// Gives `batch` its place at the end of the log, if that is at `expected`.
    pub(crate) fn commit(
        self: &Arc<Self>,
        expected: ModSeq,
        batch: Batch,
    ) -> Result<Pending, CommitError> {
        let mut bodies = Vec::with_capacity(batch.staged.len());
        let mut extracts = Vec::with_capacity(batch.staged.len());
        for staged in batch.staged {
            extracts.push(staged.extracts);
            let body = staged.body.downcast::<Body>();
            bodies.push(*body.map_err(|_| misuse("a message staged by another engine"))?);
        }
        let mut state = self.lock();
        if let Some(error) = &state.failed {
            return Err(error.clone().into());
        }
        if expected > state.head {
            return Err(misuse("a commit behind the end of the log: what was there is lost").into());
        }
        if state.head != expected {
            return Err(CommitError::Conflict { head: state.head });
        }
        if batch.records.is_empty() {
            let durable = Box::pin(std::future::ready(Ok(())));
            return Ok(Pending { entries: Vec::new(), durable });
        }
        let plan = self.plan(&state, &bodies)?;
        let payload = encode_records(&batch.records, &plan.positions, batch.time)?;
        let entries = resolve(batch.records, &plan.positions, expected, batch.time)?;
        let extracts = plan.positions.iter().zip(extracts).flat_map(|(&at, extracts)| {
            extracts.into_iter().map(move |(what, bytes)| (what, at, bytes))
        });
        let extracts: Vec<_> = extracts.collect();
        let mut group = state.place(plan, bodies, &payload, &self.shared.buffers)?;
        group.extracts.extend(extracts);
        state.head = expected.plus(entries.len() as u64);
        state.time = batch.time;
        let durable = state.join(group, batch.durability);
        self.set_off(state, batch.alone && batch.durability == Durability::Synced);
        Ok(Pending { entries, durable })
    }

    /// Has what waits written: here, if that is quick and keeps nobody waiting.
    fn set_off(self: &Arc<Self>, mut state: MutexGuard<'_, State>, alone: bool) {
        let pool = &self.shared.pool;
        let start = !std::mem::replace(&mut state.busy, true);
        if !start || !alone {
            pool.has_company();
        }
        let guest = if start && alone && state.is_quick() { pool.guest() } else { None };
        drop(state);
        match guest {
            Some(guest) => self.clone().write_groups(Some(guest)),
            None if start => self.start_writing(),
            None => {}
        }
    }

    fn plan(&self, state: &State, bodies: &[Body]) -> Result<Plan, CommitError> {
        let small: u64 = bodies.iter().map(Body::log_bytes).sum();
        let options = &self.shared.options;
        let full = state.end.offset > FRAMES_AT && state.end.offset + small > options.segment_bytes;
        let mut plan = Plan {
            begins: None,
            start: state.end,
            next_number: state.next_number,
            positions: Vec::with_capacity(bodies.len()),
        };
        if full || state.roll {
            let salt = self.shared.disk.random().map_err(|error| {
                Error::Failed(format!("no random bytes for a new segment: {error}").into())
            })?;
            plan.start = Place { segment: plan.next_number, offset: FRAMES_AT };
            plan.begins = Some((plan.next_number, salt));
            plan.next_number += 1;
        }
        let mut offset = plan.start.offset;
        for body in bodies {
            let (segment, at) = match body {
                Body::Small { .. } => (plan.start.segment, offset),
                Body::Large(_) => {
                    plan.next_number += 1;
                    (plan.next_number - 1, FRAMES_AT)
                }
            };
            offset += body.log_bytes();
            plan.positions.push(Position {
                segment,
                offset: u32::try_from(at).map_err(|_| Error::NoSpace)?,
                stored_bytes: body.stored_bytes(),
            });
        }
        Ok(plan)
    }

    /// Answers when everything that waits is written and durable, the lazy too.
    pub(crate) fn sync(self: &Arc<Self>) -> Task<'static, Result<(), Error>> {
        let mut state = self.lock();
        if let Some(error) = state.failed.clone() {
            return Box::pin(std::future::ready(Err(error)));
        }
        if state.durable.0 == state.head && state.queue.is_empty() {
            return Box::pin(std::future::ready(Ok(())));
        }
        let group = state.open_group(None, Vec::new);
        let durable = state.join(group, Durability::Synced);
        self.set_off(state, false);
        durable
    }

    /// Answers when everything that has a place is in the file.
    pub(crate) fn flushed(self: &Arc<Self>) -> Task<'static, Result<(), Error>> {
        let state = self.lock();
        if let Some(error) = state.failed.clone() {
            return Box::pin(std::future::ready(Err(error)));
        }
        let done = state.written.0 == state.head;
        drop(state);
        if done { Box::pin(std::future::ready(Ok(()))) } else { self.sync() }
    }
}

impl State {
    /// Takes the group that the next commit joins out of the queue; [`State::join`] puts it back. A
    /// group is closed when the writer takes it, when it is full, or when a segment begins.
    fn open_group(&mut self, begins: Option<[u8; 16]>, buffer: impl FnOnce() -> Vec<u8>) -> Group {
        let most = self.group_bytes_max;
        let fits = |group: &mut Group| begins.is_none() && group.bytes.len() as u64 <= most;
        if let Some(group) = self.queue.pop_back_if(fits) {
            return group;
        }
        self.close_group();
        if begins.is_some() {
            // The writer syncs a segment before it begins another.
            self.durable_to = FRAMES_AT;
        }
        Group {
            start: self.end,
            begins: begins.map(|salt| (self.head, salt)),
            bytes: buffer(),
            sync: false,
            head: self.head,
            large: Vec::new(),
            extracts: Vec::new(),
            waiters: Vec::new(),
        }
    }

    /// The last group takes no more commits: what follows it is written when it is durable.
    fn close_group(&mut self) {
        if self.queue.back().is_some_and(|group| group.sync) {
            self.durable_to = self.end.offset;
        }
    }

    /// The next group to write.
    pub(crate) fn take_group(&mut self) -> Option<Group> {
        if self.queue.len() == 1 {
            if let Some(mut group) = self.queue.pop_front() {
                self.fill_page(&mut group);
                self.queue.push_front(group);
            }
            self.close_group();
        }
        self.queue.pop_front()
    }

    /// Fills the last page of a group that is synced, where that takes little: what follows would write
    /// it again.
    fn fill_page(&mut self, group: &mut Group) {
        let end = group.end().offset;
        let (bytes, free) = (group.bytes.len() as u64, end.next_multiple_of(self.page_bytes) - end);
        let worth = bytes >= 2 * self.page_bytes && free <= bytes / FILL_PART;
        if !group.sync || !worth || free < HEADER_BYTES as u64 || end + free > u64::from(u32::MAX) {
            return;
        }
        let zeros = vec![0; free as usize - HEADER_BYTES];
        let header = Header {
            kind: Kind::Fill,
            encoding: Encoding::Raw,
            payload_bytes: zeros.len() as u32,
            offset: end as u32,
            durable_to: self.durable_to as u32,
            sequence: group.head,
            payload_crc: crc32c::crc32c(&zeros),
        };
        group.append(&[&header.encode(self.seed), &zeros]);
        self.end = group.end();
    }

    /// Whether what waits is one commit that takes one write and one sync.
    fn is_quick(&self) -> bool {
        let plain = |group: &Group| {
            let is_small = group.large.is_empty() && group.bytes.len() <= QUICK_BYTES_MAX;
            group.waiters.len() == 1 && group.begins.is_none() && is_small
        };
        self.queue.len() == 1 && self.queue.front().is_some_and(plain)
    }

    /// Writes the frames of a commit into a group, which is not in the queue then.
    fn place(
        &mut self,
        plan: Plan,
        bodies: Vec<Body>,
        records: &[u8],
        buffers: &Buffers,
    ) -> Result<Group, CommitError> {
        let small: u64 = bodies.iter().map(Body::log_bytes).sum();
        let bytes = small + padded((HEADER_BYTES + records.len()) as u64);
        if plan.start.offset + bytes > u64::from(u32::MAX) {
            return Err(Error::NoSpace.into());
        }
        let sequence = self.head.next();
        self.end = plan.start;
        self.next_number = plan.next_number;
        if let Some((number, salt)) = plan.begins {
            self.segments.insert(number, SegmentKind::Log);
            self.seed = seed_of(self.account, number, salt);
            self.roll = false;
        }
        // With room for a fill.
        let room = (bytes + self.page_bytes) as usize;
        let buffer = || buffers.take(room);
        let mut group = self.open_group(plan.begins.map(|(_, salt)| salt), buffer);
        let (seed, durable_to) = (self.seed, self.durable_to as u32);
        let mut header = Header {
            kind: Kind::Message,
            encoding: Encoding::Raw,
            payload_bytes: 0,
            offset: 0,
            durable_to,
            sequence,
            payload_crc: 0,
        };
        for (body, position) in bodies.into_iter().zip(&plan.positions) {
            match body {
                Body::Small { mut frame, encoding, payload_crc, .. } => {
                    header.encoding = encoding;
                    header.payload_bytes = (frame.len() - HEADER_BYTES) as u32;
                    header.offset = position.offset;
                    header.payload_crc = payload_crc;
                    frame[..HEADER_BYTES].copy_from_slice(&header.encode(seed));
                    group.append(&[&frame]);
                    buffers.give(frame);
                }
                Body::Large(file) => {
                    self.segments.insert(position.segment, SegmentKind::Large);
                    group.large.push((position.segment, sequence, file));
                }
            }
        }
        header.kind = Kind::Records;
        header.encoding = Encoding::Raw;
        header.payload_bytes = records.len() as u32;
        header.offset = group.end().offset as u32;
        header.payload_crc = crc32c::crc32c(records);
        self.remember(sequence, group.end());
        group.append(&[&header.encode(seed), records]);
        Ok(group)
    }

    pub(crate) fn remember(&mut self, first: ModSeq, at: Place) {
        self.index.push_back((first, at));
        if self.index.len() > INDEX_ENTRIES_MAX {
            // Thin out the older half.
            let half = self.index.len() / 2;
            let mut nth = 0;
            self.index.retain(|_| {
                nth += 1;
                nth > half || nth % 2 == 1
            });
        }
    }

    /// Ends a commit: it is part of this group, which is the last one.
    fn join(
        &mut self,
        mut group: Group,
        durability: Durability,
    ) -> Task<'static, Result<(), Error>> {
        group.head = self.head;
        let durable: Task<'static, _> = if durability == Durability::Lazy {
            Box::pin(std::future::ready(Ok(())))
        } else {
            group.sync = true;
            let (tell, told) = oneshot::channel();
            group.waiters.push(tell);
            Box::pin(async move { told.await.unwrap_or_else(|_| Err(gone())) })
        };
        self.end = group.end();
        self.queue.push_back(group);
        durable
    }
}

/// The check that a segment's frames begin with.
pub(crate) fn seed_of(account: AccountId, number: u32, salt: [u8; 16]) -> Seed {
    let kind = SegmentKind::Log;
    let (version, base) = (frame::VERSION, ModSeq::ZERO);
    frame::Segment { version, kind, number, account, salt, base, index_at: 0 }.seed()
}

fn misuse(why: &str) -> Error {
    Error::Failed(why.into())
}

fn encode_records(records: &[Record], positions: &[Position], time: i64) -> Result<Vec<u8>, Error> {
    let mut payload = Vec::with_capacity(64 + records.len() * 32);
    let count = u32::try_from(records.len()).map_err(|_| misuse("too many records"))?;
    Commit::begin(time, count, &mut payload);
    for record in records {
        Commit::put_record(&mut payload, |out| record.encode(positions, out))
            .map_err(|bad| misuse(&bad.to_string()))?;
    }
    Ok(payload)
}

fn resolve(
    records: Vec<Record>,
    positions: &[Position],
    before: ModSeq,
    time: i64,
) -> Result<Vec<Entry>, Error> {
    let entry = |(index, mut record): (u64, Record)| {
        record.resolve(positions).map_err(|bad| misuse(&bad.to_string()))?;
        Ok(Entry { at: before.plus(index), time, record: Arc::new(record) })
    };
    (1..).zip(records).map(entry).collect()
}
