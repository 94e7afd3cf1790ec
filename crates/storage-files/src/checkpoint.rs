//! Checkpoints: the fold at the position where a log begins, in two files of the same content.
//!
//! What a checkpoint tells is nowhere else, so there are two: whatever happens to one of them, the
//! other one is read, and the next compaction or repair makes another.

use std::collections::BTreeSet;
use std::io;

use base::ModSeq;
use bytes::Bytes;
use mailbox::Account;
use storage::Error;

use crate::failed;
use crate::frame::{Encoding, FRAMES_AT, Header, Kind, Segment, SegmentKind, VERSION, u64_at};
use crate::log::Log;
use crate::segment::Handle;
use crate::walk::{Step, Walk};

/// How many there are of each.
const COPIES: usize = 2;

impl Log {
    /// The checkpoint that the log begins with, from the first copy that is whole; nothing if the log
    /// begins with its first record.
    pub(crate) fn read_begin(&self) -> Result<Option<(ModSeq, Bytes)>, Error> {
        let (begin, copies) = {
            let state = self.lock();
            (state.begin, state.checkpoints.clone())
        };
        let mut outcome = Ok(None);
        for &number in copies.iter().rev() {
            match self.read_checkpoint(number) {
                Ok((at, fold)) if at == begin => return Ok(Some((at, fold))),
                Ok(_) => {}
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// The fold that the log begins with.
    pub(crate) fn begin_fold(&self) -> Result<Account, Error> {
        let Some((at, bytes)) = self.read_begin()? else { return Ok(Account::default()) };
        let fold = Account::decode(&bytes).filter(|fold| fold.head() == at);
        fold.ok_or_else(|| Error::Damaged(format!("the checkpoint at {at} is no fold")))
    }

    /// The fold that one checkpoint file holds.
    pub(crate) fn read_checkpoint(&self, number: u32) -> Result<(ModSeq, Bytes), Error> {
        let handle = self.handle(number)?;
        let damaged = || {
            tracing::error!(account = %self.id, segment = number, "a checkpoint is damaged");
            Error::Damaged(format!("checkpoint in segment {number}"))
        };
        let length = handle.file.len().map_err(|error| failed("checkpoint", &error))?;
        let mut walk = Walk::new(&*handle.file, handle.seed, FRAMES_AT, length);
        let step = walk.next().map_err(|error| failed("checkpoint", &error))?;
        let Some(Step::Frame(header, _, Some(payload))) = step else {
            return Err(damaged());
        };
        let octets = u64_at(&payload, 0).and_then(|octets| usize::try_from(octets).ok());
        // The claim is checked, so it is ours; no fold is larger than this.
        let octets = octets.filter(|&octets| octets < 1 << 33).ok_or_else(damaged)?;
        let fold = self.shared.codec.decode(payload.slice(8..), header.encoding, octets);
        Ok((header.sequence, fold.ok_or_else(damaged)?))
    }

    /// The newest checkpoint with a good header: its position, and the numbers of its copies. Where
    /// there are only bad ones the log's beginning is not known: that must not pass for an account
    /// without mail.
    pub(crate) fn find_checkpoint(&self) -> Result<(ModSeq, Vec<u32>), Error> {
        let numbers = self.lock().numbers(SegmentKind::Checkpoint);
        let (mut found, mut error) = ((ModSeq::ZERO, Vec::new()), None);
        for number in numbers {
            match Handle::open(self, number, SegmentKind::Checkpoint) {
                Ok(handle) if handle.segment.base > found.0 => {
                    found = (handle.segment.base, vec![number]);
                }
                Ok(handle) if handle.segment.base == found.0 => found.1.push(number),
                Ok(_) => {}
                Err(bad) => error = Some(bad),
            }
        }
        match error {
            Some(error) if found.1.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// Writes a checkpoint: the log begins at this fold.
    pub(crate) fn checkpoint(&self, fold: &Account) -> Result<(), Error> {
        let at = fold.head();
        let old = {
            let state = self.lock();
            if at <= state.begin {
                return Ok(());
            }
            state.numbers(SegmentKind::Checkpoint)
        };
        let fold = fold.encode();
        let copies = (0..COPIES).map(|_| self.put_checkpoint(at, &fold));
        let copies = copies.collect::<Result<Vec<u32>, Error>>()?;
        {
            let mut state = self.lock();
            (state.begin, state.checkpoints) = (at, copies);
        }
        old.into_iter().try_for_each(|old| self.drop_segment(old, SegmentKind::Checkpoint))
    }

    /// Makes the copies that are not there, not whole, or `suspect`.
    pub(crate) fn heal_checkpoint(&self, suspect: &BTreeSet<u32>) -> Result<(), Error> {
        let begin = self.lock().begin;
        let all = self.lock().numbers(SegmentKind::Checkpoint);
        let (mut whole, mut other) = (Vec::new(), Vec::new());
        let mut fold = None;
        for number in all {
            match self.read_checkpoint(number) {
                Ok((at, bytes)) if at == begin => {
                    fold = Some(bytes);
                    if suspect.contains(&number) { &mut other } else { &mut whole }.push(number);
                }
                Ok(_) | Err(Error::Damaged(_)) => other.push(number),
                Err(error) => return Err(error),
            }
        }
        // Without a whole one there is nothing to be copied.
        let Some(fold) = fold.filter(|_| whole.len() < COPIES) else { return Ok(()) };
        while whole.len() < COPIES {
            whole.push(self.put_checkpoint(begin, &fold)?);
        }
        self.lock().checkpoints = whole;
        other.into_iter().try_for_each(|number| self.drop_segment(number, SegmentKind::Checkpoint))
    }

    fn put_checkpoint(&self, at: ModSeq, fold: &[u8]) -> Result<u32, Error> {
        let number = {
            let mut state = self.lock();
            state.next_number += 1;
            state.next_number - 1
        };
        let path = self.segment_path(number, SegmentKind::Checkpoint);
        let mut payload = (fold.len() as u64).to_le_bytes().to_vec();
        let encoding: Encoding = self.shared.codec.encode(fold, &mut payload);
        let mut write = || {
            let salt = self.shared.disk.random()?;
            let kind = SegmentKind::Checkpoint;
            let (version, account) = (VERSION, self.id);
            let segment = Segment { version, kind, number, account, salt, base: at, index_at: 0 };
            let header = Header {
                kind: Kind::Checkpoint,
                encoding,
                payload_bytes: u32::try_from(payload.len()).map_err(io::Error::other)?,
                offset: FRAMES_AT as u32,
                durable_to: FRAMES_AT as u32,
                sequence: at,
                payload_crc: crc32c::crc32c(&payload),
            };
            let mut bytes = segment.encode();
            bytes.extend_from_slice(&header.encode(segment.seed()));
            bytes.append(&mut payload);
            self.replace(&path, |file| file.write_at(&bytes, 0))
        };
        write().map_err(|error: io::Error| failed(&path, &error))?;
        self.lock().segments.insert(number, SegmentKind::Checkpoint);
        Ok(number)
    }
}
