//! Opening a log: finding its end, telling a torn tail from damage.
//!
//! What was in flight at a crash is a torn tail: it was never acknowledged, and it is cut. A bad
//! place in front of a frame that was written when that place was durable already is damage: it is
//! reported, everything on both sides is kept, and nothing is written behind it in that segment.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use base::{AccountId, ModSeq};
use bytes::Bytes;
use storage::Error;
use storage::disk::{File, Open};

use crate::frame::{
    ALIGN, Commit, FRAMES_AT, HEADER_BYTES, Header, Kind, Lost, Segment, SegmentKind, VERSION,
    parse_file_name,
};
use crate::log::{Log, Place, State};
use crate::segment::{Handle, Handles};
use crate::snapshot;
use crate::walk::{Step, Walk};
use crate::writer::Writer;
use crate::{Shared, failed};

/// What a segment's scan finds.
#[derive(Default)]
struct Scan {
    /// Position of the first record, of the last, where the frame begins and ends.
    commits: Vec<(ModSeq, ModSeq, u64, u64)>,
    /// Time of the last commit.
    times: Vec<i64>,
    /// Bad places: from, to.
    bad: Vec<(u64, u64)>,
    /// What the last whole frame says was durable before it.
    durable_to: u64,
    /// Behind this there are only zeros.
    used_to: u64,
}

/// What this process knows of a log that it opens.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known {
    /// After a failure: up to here all is durable, and what is behind it may be on the disk or not.
    pub(crate) trust: Option<Place>,
    /// If the log ends here, all of it is durable.
    pub(crate) clean: Option<Place>,
}

/// Where a log ends.
struct Ending {
    head: ModSeq,
    time: i64,
    offset: u64,
    damaged: bool,
    commits: Vec<(ModSeq, ModSeq, u64, u64)>,
    /// From here on things may not be on the disk though they can be read.
    unsettled_from: u64,
}

impl Log {
    /// Opens an account's log.
    pub(crate) fn open_log(
        shared: &Arc<Shared>,
        id: AccountId,
        Known { trust, clean }: Known,
    ) -> Result<Self, Error> {
        let dir = crate::account_dir(id);
        let segments = list(shared, &dir)?;
        let hint = snapshot::read_hint(shared, &dir, id);
        let logs = segments.iter().filter(|&(_, &kind)| kind == SegmentKind::Log);
        let Some(last) = logs.map(|(&number, _)| number).next_back() else {
            tracing::error!(account = %id, "the account has no log");
            return Err(Error::Damaged("the account has no log".into()));
        };
        let mut log = Self::empty(shared, id, dir, segments);
        let checkpoint = log.find_checkpoint()?;
        let path = log.segment_path(last, SegmentKind::Log);
        let handle = Handle::open(&log, last, SegmentKind::Log)?;
        let scan = scan_from(&handle, hint.mark_in(last)).map_err(|error| failed(&path, &error))?;
        let trusted = trust.filter(|end| end.segment == last).map(|end| end.offset);
        let ending = scan.end(&handle.segment, trusted);
        let place = Place { segment: last, offset: ending.offset };
        if handle.segment.index_at == 0 && handle.whole {
            let cut = scan.used_to > ending.offset;
            let durable = hint.durable == Some(place) || clean == Some(place);
            let clean = durable && !cut && trust.is_none();
            let open = shared.disk.open(&path, Open::Write);
            let file = open.map_err(|error| failed(&path, &error))?;
            let settled = settle(&*file, &ending, cut, clean);
            let length = settled.and_then(|()| file.len());
            let length = length.map_err(|error| failed(&path, &error))?;
            // Nothing is written to a segment before its name is durable.
            if !clean && ending.commits.is_empty() {
                log.settle_names().map_err(|error| failed(&log.dir, &error))?;
            }
            log.writer = Mutex::new(Writer {
                file: Some(file),
                segment: last,
                // Whether what is behind the end was ever written is not known.
                written_to: ending.offset,
                length,
                grow_bytes: shared.options.grow_bytes_min,
                only_zeros: false,
                unsynced: false,
            });
        }
        log.begin_at(&handle, &ending, place, checkpoint);
        log.drop_orphans(last)?;
        Ok(log)
    }

    pub(crate) fn empty(
        shared: &Arc<Shared>,
        id: AccountId,
        dir: String,
        segments: BTreeMap<u32, SegmentKind>,
    ) -> Self {
        let nowhere = Place { segment: 0, offset: 0 };
        let state = State {
            account: id,
            group_bytes_max: shared.options.group_bytes_max,
            page_bytes: shared.options.page_bytes.next_multiple_of(ALIGN).max(ALIGN),
            head: ModSeq::ZERO,
            time: 0,
            end: nowhere,
            seed: crate::frame::Seed(0),
            roll: false,
            durable_to: 0,
            written: (ModSeq::ZERO, nowhere),
            durable: (ModSeq::ZERO, nowhere),
            queue: VecDeque::new(),
            busy: false,
            failed: None,
            next_number: segments.keys().next_back().map_or(1, |last| last + 1),
            segments,
            index: VecDeque::new(),
            cursor: None,
            begin: ModSeq::ZERO,
            checkpoints: Vec::new(),
        };
        let grow_bytes = shared.options.grow_bytes_min;
        let (file, segment, written_to, length) = (None, 0, 0, 0);
        let (only_zeros, unsynced) = (false, false);
        let writer = Writer { file, segment, written_to, length, grow_bytes, only_zeros, unsynced };
        Self {
            id,
            dir,
            shared: shared.clone(),
            state: Mutex::new(state),
            writer: Mutex::new(writer),
            handles: Mutex::new(Handles::default()),
            extracts: Mutex::default(),
            awake: AtomicBool::new(true),
            files: Mutex::new(()),
        }
    }

    fn begin_at(
        &self,
        handle: &Handle,
        ending: &Ending,
        place: Place,
        (begin, checkpoints): (ModSeq, Vec<u32>),
    ) {
        let mut state = self.lock();
        // A checkpoint of what is lost: the log goes on behind it.
        let behind = ending.head < begin;
        state.head = ending.head.max(begin);
        state.time = ending.time;
        state.end = place;
        state.seed = handle.seed;
        let rewritten = handle.segment.index_at != 0;
        let older = handle.segment.version < VERSION;
        state.roll = ending.damaged || rewritten || !handle.whole || behind || older;
        state.durable_to = place.offset;
        state.written = (state.head, place);
        state.durable = state.written;
        state.checkpoints = checkpoints;
        state.begin = begin;
        if !rewritten {
            for &(first, _, offset, _) in &ending.commits {
                state.remember(first, Place { offset, ..place });
            }
        }
    }

    /// Makes all names on the way to the log durable: its creation may have been cut short.
    fn settle_names(&self) -> io::Result<()> {
        let shard = self.dir.rsplit_once('/').map_or("", |(shard, _)| shard);
        for dir in [&*self.path("log"), &*self.dir, shard, "accounts"] {
            self.shared.disk.sync_dir(dir)?;
        }
        Ok(())
    }

    /// Removes large messages that got their number in a commit that did not happen.
    fn drop_orphans(&self, last: u32) -> Result<(), Error> {
        let (head, large) = {
            let state = self.lock();
            (state.head, state.numbers(SegmentKind::Large))
        };
        let mut gone = false;
        for number in large.into_iter().filter(|&number| number > last) {
            let sequence = Handle::open(self, number, SegmentKind::Large).and_then(|handle| {
                let mut bytes = [0; HEADER_BYTES];
                let read = handle.file.read_at(&mut bytes, FRAMES_AT);
                read.map_err(|error| failed("large message", &error))?;
                Ok(Header::decode(&bytes, handle.seed).map(|header| header.sequence))
            });
            // One whose header is damaged stays for the doctor.
            if sequence.is_ok_and(|sequence| sequence.is_some_and(|sequence| sequence > head)) {
                self.lock().segments.remove(&number);
                let path = self.segment_path(number, SegmentKind::Large);
                let removed = self.shared.disk.remove(&path);
                removed.map_err(|error| failed(&path, &error))?;
                gone = true;
            }
        }
        if gone {
            // It must not come back when other records have taken its sequence.
            let dir = self.path("log");
            self.shared.disk.sync_dir(&dir).map_err(|error| failed(&dir, &error))?;
        }
        Ok(())
    }
}

impl State {
    /// The numbers of all segments of a kind, ascending.
    pub(crate) fn numbers(&self, kind: SegmentKind) -> Vec<u32> {
        let of_kind = self.segments.iter().filter(|&(_, &other)| other == kind);
        of_kind.map(|(&number, _)| number).collect()
    }

    /// The numbers of all log segments, ascending.
    pub(crate) fn logs(&self) -> impl Iterator<Item = u32> + '_ {
        let logs = self.segments.iter().filter(|&(_, &kind)| kind == SegmentKind::Log);
        logs.map(|(&number, _)| number)
    }
}

/// The account's segments. What was left half-made by a process that is gone is removed.
fn list(shared: &Shared, dir: &str) -> Result<BTreeMap<u32, SegmentKind>, Error> {
    let log = format!("{dir}/log");
    let names = shared.disk.list(&log).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoAccount,
        _ => failed(&log, &error),
    })?;
    let mut segments = BTreeMap::new();
    for name in names {
        if let Some((number, kind)) = parse_file_name(&name) {
            segments.insert(number, kind);
        } else if name.ends_with(".tmp") && !name.contains(&shared.token) {
            let path = format!("{log}/{name}");
            if let Err(error) = shared.disk.remove(&path) {
                tracing::warn!(path, %error, "cannot remove what was left half-made");
            }
        }
    }
    Ok(segments)
}

/// Scans from a commit that a snapshot remembers, or from the beginning if it is not there.
fn scan_from(handle: &Handle, mark: Option<(ModSeq, u64)>) -> io::Result<Scan> {
    if let Some((at, offset)) = mark.filter(|_| handle.segment.index_at == 0) {
        let found = scan(handle, offset)?;
        let first = found.commits.first();
        if first.is_some_and(|&(first, _, begin, _)| begin == offset && first <= at) {
            return Ok(found);
        }
    }
    scan(handle, FRAMES_AT)
}

fn scan(handle: &Handle, from: u64) -> io::Result<Scan> {
    let mut scan = Scan { durable_to: FRAMES_AT, used_to: FRAMES_AT, ..Scan::default() };
    let length = handle.file.len()?;
    let moved = handle.segment.index_at != 0;
    let mut walk = Walk::new(&*handle.file, handle.seed, from, length).moved(moved);
    while let Some(step) = walk.next()? {
        match step {
            Step::Frame(header, at, payload) => {
                scan.frame(&header, at, &payload.unwrap_or_default())
            }
            Step::Spoiled(header, at) => scan.bad(at, at + header.padded_bytes()),
            Step::Gap(from, to) => scan.bad(from, to),
            Step::Tail(_, true) => {}
            Step::Tail(_, false) => scan.used_to = length,
        }
    }
    Ok(scan)
}

impl Scan {
    fn bad(&mut self, from: u64, to: u64) {
        self.bad.push((from, to));
        self.used_to = self.used_to.max(to);
    }

    fn frame(&mut self, header: &Header, at: u64, payload: &Bytes) {
        let end = at + header.padded_bytes();
        self.durable_to = self.durable_to.max(u64::from(header.durable_to));
        self.used_to = self.used_to.max(end);
        let last = match header.kind {
            Kind::Records => Commit::decode(payload).map(|commit| {
                self.times.push(commit.time);
                commit.last(header.sequence)
            }),
            Kind::Lost => Lost::decode(payload).map(|lost| {
                self.times.push(self.times.last().copied().unwrap_or(0));
                lost.last
            }),
            Kind::Fill => {
                // It belongs to the commit in front of it.
                let before = self.commits.last_mut().filter(|before| before.3 == at);
                return before.map_or((), |before| before.3 = end);
            }
            _ => return,
        };
        match last {
            Some(last) => self.commits.push((header.sequence, last, at, end)),
            None => self.bad(at, end),
        }
    }

    /// Decides where the log ends. What is behind the first bad place that was not known to be
    /// durable when the last whole frame was written was in flight together with that frame.
    fn end(&self, segment: &Segment, trusted: Option<u64>) -> Ending {
        let torn = self.bad.iter().map(|&(from, _)| from).find(|&from| from >= self.durable_to);
        let cut = torn.unwrap_or(u64::MAX).min(trusted.unwrap_or(u64::MAX));
        let kept = self.commits.iter().take_while(|&&(_, _, _, end)| end <= cut).count();
        let last = kept.checked_sub(1).map(|at| (self.commits[at], self.times[at]));
        let (head, time, offset) = match last {
            Some(((_, last, _, end), time)) => (last, time, end),
            None => (segment.base, 0, FRAMES_AT),
        };
        let (account, number) = (segment.account, segment.number);
        let damage = self.bad.iter().filter(|&&(from, _)| from < offset);
        let damaged = damage.clone().next().is_some();
        for (from, to) in damage {
            tracing::error!(%account, segment = number, from, to, "damage in the middle of the log");
        }
        let unsettled_from = self.durable_to.min(offset);
        Ending {
            head,
            time,
            offset,
            damaged,
            commits: self.commits[..kept].to_vec(),
            unsettled_from,
        }
    }
}

/// Makes sure that what was found is what the disk has. After a failed or missing sync the system
/// may show bytes that it never wrote: those that may be such are written again.
fn settle(file: &dyn File, ending: &Ending, cut: bool, clean: bool) -> io::Result<()> {
    if clean {
        return Ok(());
    }
    if cut {
        file.set_len(ending.offset)?;
    }
    let mut bytes = vec![0; (ending.offset - ending.unsettled_from) as usize];
    let count = file.read_at(&mut bytes, ending.unsettled_from)?;
    file.write_at(&bytes[..count], ending.unsettled_from)?;
    file.sync_data()
}
