//! Reading records back.

use std::sync::Arc;

use base::ModSeq;
use mailbox::{Account, Record};
use storage::{Entry, Error};

use crate::failed;
use crate::frame::{Commit, FRAMES_AT, Kind, Lost, SegmentKind};
use crate::log::{Log, Place};
use crate::walk::{Check, Step, Walk};

/// What a walk through the log's records brings up.
pub(crate) enum Item {
    /// A commit and the position of its first record.
    Commit(ModSeq, Commit),
    /// Records from the first to the last of these are gone, and about so many bytes with them.
    Lost(ModSeq, ModSeq, u64),
}

impl Log {
    /// Entries after `after`, at most `limit`; only what is written.
    pub(crate) fn read_entries(&self, after: ModSeq, limit: usize) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        if limit == 0 {
            return Ok(entries);
        }
        let mut time = 0;
        self.walk_records(after, |item| {
            match item {
                Item::Commit(first, commit) => {
                    time = commit.time;
                    for (index, record) in (0..).zip(&commit.records) {
                        let at = first.plus(index);
                        if at > after && entries.len() < limit {
                            let record = Arc::new(decode(record, at)?);
                            entries.push(Entry { at, time, record });
                        }
                    }
                }
                Item::Lost(first, last, bytes) => {
                    let mut at = first.max(after.next());
                    while at <= last && entries.len() < limit {
                        // All that was lost is said once; the other positions are empty.
                        let bytes = if at == first { bytes } else { 0 };
                        entries.push(Entry { at, time, record: Arc::new(lost(bytes)) });
                        at = at.next();
                    }
                }
            }
            Ok(entries.len() < limit)
        })?;
        Ok(entries)
    }

    /// The fold of the log: from its checkpoint, or from its first record.
    pub(crate) fn load_fold(&self) -> Result<Account, Error> {
        self.fold_from(self.begin_fold()?)
    }

    /// This fold, and what follows it.
    pub(crate) fn fold_from(&self, mut fold: Account) -> Result<Account, Error> {
        loop {
            let entries = self.read_entries(fold.head(), 1000)?;
            if entries.is_empty() {
                return Ok(fold);
            }
            for entry in entries {
                let fits = fold.apply(entry.at, &entry.record);
                fits.map_err(|bad| Error::Damaged(bad.to_string()))?;
            }
        }
    }

    /// Calls `each` with everything after `after` until it says false. The first commit may begin at
    /// or before `after`.
    pub(crate) fn walk_records(
        &self,
        after: ModSeq,
        mut each: impl FnMut(Item) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let state = self.lock();
        let (head, end) = state.written;
        if after < state.begin {
            let begin = state.begin;
            return Err(Error::Damaged(format!("the log begins at {begin}, behind {after}")));
        }
        if after >= head {
            return Ok(());
        }
        let logs: Vec<u32> = state.logs().collect();
        let near = state.index.partition_point(|&(first, _)| first <= after.next());
        let near = near.checked_sub(1).and_then(|at| state.index.get(at)).copied();
        // Whoever reads a long log page by page goes on where the last page ended.
        let cursor = state.cursor.filter(|&(first, _)| first <= after.next());
        let near = near.max(cursor).map(|(_, place)| place);
        drop(state);
        let start = match near {
            Some(place) => place,
            None => self.find_segment(&logs, after)?,
        };
        let mut walker = Records { expected: after.next(), lost_bytes: 0, after, last: None };
        for &number in logs.iter().filter(|&&number| number >= start.segment) {
            if number > end.segment {
                break;
            }
            let from = if number == start.segment { start.offset } else { FRAMES_AT };
            let to = if number == end.segment { end.offset } else { u64::MAX };
            if !walker.segment(self, number, from..to, &mut each)? {
                self.lock().cursor = walker.last;
                return Ok(());
            }
        }
        if walker.expected <= head {
            each(Item::Lost(walker.expected, head, walker.lost_bytes))?;
        }
        Ok(())
    }

    /// The last log segment that begins at or before `after`.
    fn find_segment(&self, logs: &[u32], after: ModSeq) -> Result<Place, Error> {
        let mut found = logs.first().copied().unwrap_or(0);
        for &number in logs.iter().rev() {
            match self.handle(number) {
                Ok(handle) if handle.segment.base <= after => {
                    found = number;
                    break;
                }
                // A header that is gone cannot tell: go further back.
                Ok(_) | Err(Error::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Place { segment: found, offset: FRAMES_AT })
    }
}

struct Records {
    expected: ModSeq,
    lost_bytes: u64,
    after: ModSeq,
    /// The last commit that was found, and where.
    last: Option<(ModSeq, Place)>,
}

impl Records {
    fn segment(
        &mut self,
        log: &Log,
        number: u32,
        range: std::ops::Range<u64>,
        each: &mut impl FnMut(Item) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let handle = match log.handle(number) {
            Ok(handle) => handle,
            // Its records are missed when the next segment begins.
            Err(Error::Damaged(_)) => return Ok(true),
            Err(error) => return Err(error),
        };
        let path = log.segment_path(number, SegmentKind::Log);
        let length = handle.file.len().map_err(|error| failed(&path, &error))?;
        let moved = handle.segment.index_at != 0;
        let from = if moved { FRAMES_AT } else { range.start };
        let to = if moved { length } else { length.min(range.end) };
        if handle.segment.base >= self.expected && !self.skip_to(handle.segment.base, log, each)? {
            return Ok(false);
        }
        let walk = Walk::new(&*handle.file, handle.seed, from, to);
        let mut walk = walk.moved(moved).check(Check::NoMessages);
        while let Some(step) = walk.next().map_err(|error| failed(&path, &error))? {
            if !self.step(log, number, step, each)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn step(
        &mut self,
        log: &Log,
        segment: u32,
        step: Step,
        each: &mut impl FnMut(Item) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        match step {
            Step::Frame(header, offset, Some(payload)) if header.kind == Kind::Records => {
                let Some(commit) = Commit::decode(&payload) else {
                    self.lost_bytes += header.frame_bytes();
                    return Ok(true);
                };
                let last = commit.last(header.sequence);
                if last < self.expected {
                    return Ok(true);
                }
                let before = ModSeq::new(header.sequence.get().saturating_sub(1));
                if !self.skip_to(before.unwrap_or_default(), log, each)? {
                    return Ok(false);
                }
                (self.expected, self.lost_bytes) = (last.next(), 0);
                self.last = Some((header.sequence, Place { segment, offset }));
                return each(Item::Commit(header.sequence, commit));
            }
            Step::Frame(header, _, Some(payload)) if header.kind == Kind::Lost => {
                if let Some(lost) = Lost::decode(&payload).filter(|lost| lost.last >= self.expected)
                {
                    self.expected = lost.last.next();
                    return each(Item::Lost(
                        header.sequence.max(self.after.next()),
                        lost.last,
                        lost.bytes,
                    ));
                }
            }
            Step::Gap(from, to) => self.lost_bytes += to - from,
            Step::Spoiled(header, _) => self.lost_bytes += header.frame_bytes(),
            Step::Tail(..) | Step::Frame(..) => {}
        }
        Ok(true)
    }

    /// Reports that nothing up to `to` was found, if that is so.
    fn skip_to(
        &mut self,
        to: ModSeq,
        log: &Log,
        each: &mut impl FnMut(Item) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        if to < self.expected {
            return Ok(true);
        }
        let first = std::mem::replace(&mut self.expected, to.next());
        let bytes = std::mem::take(&mut self.lost_bytes);
        tracing::error!(account = %log.id, %first, last = %to, bytes, "records are lost to damage");
        each(Item::Lost(first, to, bytes))
    }
}

fn decode(bytes: &[u8], at: ModSeq) -> Result<Record, Error> {
    Record::decode(bytes).map_err(|bad| Error::Damaged(format!("record {at}: {bad}")))
}

/// What stands for a record that is gone.
pub(crate) fn lost(bytes: u64) -> Record {
    Record::Lost { bytes }
}
