//! `cache/summaries`: what ENVELOPE, BODYSTRUCTURE and common headers need, a file for each segment.
//!
//! Disposable, appended to without syncs. An entry is written only when its message is durable, so
//! that it never outlives a message that was lost and describes another one at the same place.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};

use bytes::Bytes;
use mailbox::Position;
use storage::disk::{File, Open};

use crate::frame::{VERSION, u32_at};
use crate::log::{Log, Place};

const MAGIC: [u8; 8] = *b"martsumm";
const HEADER_BYTES: usize = 64;
/// Offset, stored bytes, length, check.
const ENTRY_BYTES: usize = 16;
/// One summary, in bytes. A larger one is not kept.
const SUMMARY_BYTES_MAX: usize = 1024 * 1024;
/// Summaries that are this near to each other in the file are read together.
const NEAR_BYTES: u64 = 16 * 1024;
/// Bytes of one read.
const READ_BYTES_MAX: u64 = 1024 * 1024;
/// Summaries that wait for their messages to be durable.
const WAITING_MAX: usize = 4096;
/// Files kept open.
const OPEN_MAX: usize = 2;

#[derive(Default)]
pub(crate) struct Summaries {
    open: BTreeMap<u32, Cache>,
    waiting: Vec<(Position, Bytes)>,
    /// Counts uses, to find the file that was not used longest.
    clock: u64,
}

/// The file of one segment and where things are in it.
struct Cache {
    file: Arc<dyn File>,
    /// Message offset, entry offset, entry bytes; ascending.
    entries: Vec<(u32, u32, u32)>,
    end: u64,
    used: u64,
}

impl Cache {
    fn find(&self, offset: u32) -> Option<(u64, u64)> {
        let at = self.entries.binary_search_by_key(&offset, |&(message, ..)| message).ok()?;
        let (_, entry, bytes) = self.entries[at];
        Some((u64::from(entry), u64::from(bytes)))
    }

    fn note(&mut self, offset: u32, bytes: usize) {
        let entry = (offset, self.end as u32, bytes as u32);
        self.end += bytes as u64;
        match self.entries.last() {
            // Summaries come in the order of the log, mostly.
            Some(&(last, ..)) if last >= offset => {
                match self.entries.binary_search_by_key(&offset, |&(message, ..)| message) {
                    Ok(at) => self.entries[at] = entry,
                    Err(at) => self.entries.insert(at, entry),
                }
            }
            _ => self.entries.push(entry),
        }
    }
}

fn encode_entry(at: Position, summary: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.extend_from_slice(&at.offset.to_le_bytes());
    out.extend_from_slice(&at.stored_bytes.to_le_bytes());
    out.extend_from_slice(&(summary.len() as u32).to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out[from..]), summary);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(summary);
}

/// The entry that `bytes` begin with: offset, stored bytes, where the summary ends.
fn decode_entry(bytes: &[u8]) -> Option<(u32, u32, usize)> {
    let length = u32_at(bytes, 8)? as usize;
    let end = ENTRY_BYTES + length;
    let summary = bytes.get(ENTRY_BYTES..end).filter(|_| length <= SUMMARY_BYTES_MAX)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), summary);
    (u32_at(bytes, 12)? == crc).then_some((u32_at(bytes, 0)?, u32_at(bytes, 4)?, end))
}

impl Log {
    fn lock_summaries(&self) -> MutexGuard<'_, Summaries> {
        self.summaries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn summaries_path(&self, segment: u32) -> String {
        format!("{}/cache/summaries/{segment:08}.sum", self.dir)
    }

    /// Cached summaries, one answer for each position. A cache that cannot be read is empty.
    pub(crate) fn read_summaries(&self, wanted: &[Position]) -> Vec<Option<Bytes>> {
        let mut found = vec![None; wanted.len()];
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_unstable_by_key(|&index| wanted[index]);
        for group in order.chunk_by(|&a, &b| wanted[a].segment == wanted[b].segment) {
            let segment = wanted[group[0]].segment;
            let places = match self.with_cache(segment, false, |cache| {
                let place = |&index: &usize| Some((index, cache.find(wanted[index].offset)?));
                Ok((cache.file.clone(), group.iter().filter_map(place).collect::<Vec<_>>()))
            }) {
                Ok(places) => places,
                Err(error) => {
                    if error.kind() != io::ErrorKind::NotFound {
                        tracing::warn!(account = %self.id, segment, %error, "no summaries");
                    }
                    continue;
                }
            };
            let (file, mut places) = places;
            places.sort_unstable_by_key(|&(_, place)| place);
            read_places(&*file, &places, wanted, &mut found);
        }
        found
    }

    /// Adds to the cache. What cannot be written is not kept.
    pub(crate) fn write_summaries(&self, new: Vec<(Position, Bytes)>) {
        let (durable, all) = {
            let state = self.lock();
            (state.durable.1, state.durable.0 == state.head)
        };
        let is_durable = |at: &Position| {
            all || Place { segment: at.segment, offset: u64::from(at.offset) } < durable
        };
        let (ready, early): (Vec<_>, Vec<_>) = new
            .into_iter()
            .filter(|(_, summary)| summary.len() <= SUMMARY_BYTES_MAX)
            .partition(|(at, _)| is_durable(at));
        let mut waiting = early;
        {
            let mut summaries = self.lock_summaries();
            let room = WAITING_MAX.saturating_sub(summaries.waiting.len());
            waiting.truncate(room);
            summaries.waiting.append(&mut waiting);
        }
        for group in ready.chunk_by(|(a, _), (b, _)| a.segment == b.segment) {
            let segment = group[0].0.segment;
            let written = self.with_cache(segment, true, |cache| append(cache, group));
            if let Err(error) = written {
                tracing::warn!(account = %self.id, segment, %error, "cannot keep summaries");
                self.lock_summaries().open.remove(&segment);
            }
        }
    }

    /// Writes the summaries that waited for the disk to have their messages.
    pub(crate) fn put_waiting_summaries(&self) {
        let waiting = std::mem::take(&mut self.lock_summaries().waiting);
        if !waiting.is_empty() {
            self.write_summaries(waiting);
        }
    }

    /// Closes the files.
    pub(crate) fn close_summaries(&self) {
        self.lock_summaries().open.clear();
    }

    /// Removes the summaries of a segment that is gone.
    pub(crate) fn drop_summaries(&self, segment: u32) {
        self.lock_summaries().open.remove(&segment);
        let path = self.summaries_path(segment);
        if let Err(error) = self.shared.disk.remove(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path, %error, "cannot remove summaries");
        }
    }

    fn with_cache<T>(
        &self,
        segment: u32,
        make: bool,
        work: impl FnOnce(&mut Cache) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut summaries = self.lock_summaries();
        summaries.clock += 1;
        let clock = summaries.clock;
        if !summaries.open.contains_key(&segment) {
            let cache = self.open_cache(segment, make)?;
            if summaries.open.len() >= OPEN_MAX {
                let oldest = summaries.open.iter().min_by_key(|(_, cache)| cache.used);
                let oldest = oldest.map(|(&segment, _)| segment);
                oldest.map(|segment| summaries.open.remove(&segment));
            }
            summaries.open.insert(segment, cache);
        }
        let cache = summaries.open.get_mut(&segment).ok_or(io::ErrorKind::NotFound)?;
        cache.used = clock;
        work(cache)
    }

    /// The segment's salt: a cache of another segment of this number is none.
    fn salt(&self, segment: u32) -> io::Result<[u8; 16]> {
        let handle = self.handle(segment).map_err(io::Error::other)?;
        Ok(handle.segment.salt)
    }

    fn header(&self, segment: u32) -> io::Result<Vec<u8>> {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&[0; 2]);
        header.extend_from_slice(&segment.to_le_bytes());
        header.extend_from_slice(&self.id.0);
        header.extend_from_slice(&self.salt(segment)?);
        header.resize(60, 0);
        let crc = crc32c::crc32c(&header);
        header.extend_from_slice(&crc.to_le_bytes());
        Ok(header)
    }

    fn open_cache(&self, segment: u32, make: bool) -> io::Result<Cache> {
        let path = self.summaries_path(segment);
        let disk = &self.shared.disk;
        match disk.open(&path, Open::Write) {
            Ok(file) => {
                if let Some(cache) = load(file, &self.header(segment)?)? {
                    return Ok(cache);
                }
                disk.remove(&path)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if !make {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.make_dir(&self.path("cache"))?;
        disk.make_dir(&self.path("cache/summaries"))?;
        let file = disk.open(&path, Open::New)?;
        file.write_at(&self.header(segment)?, 0)?;
        Ok(Cache { file, entries: Vec::new(), end: HEADER_BYTES as u64, used: 0 })
    }
}

/// Reads a cache's file up to the first entry that is not whole; what is behind is written over.
fn load(file: Arc<dyn File>, header: &[u8]) -> io::Result<Option<Cache>> {
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    if bytes.get(..HEADER_BYTES) != Some(header) {
        return Ok(None);
    }
    let mut cache = Cache { file, entries: Vec::new(), end: HEADER_BYTES as u64, used: 0 };
    while let Some((offset, _, end)) = bytes.get(cache.end as usize..).and_then(decode_entry) {
        cache.note(offset, end);
    }
    cache.entries.shrink_to_fit();
    Ok(Some(cache))
}

fn append(cache: &mut Cache, group: &[(Position, Bytes)]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for (at, summary) in group {
        encode_entry(*at, summary, &mut bytes);
    }
    if cache.end + bytes.len() as u64 > u64::from(u32::MAX) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    cache.file.write_at(&bytes, cache.end)?;
    group.iter().for_each(|(at, summary)| cache.note(at.offset, ENTRY_BYTES + summary.len()));
    Ok(())
}

/// Reads entries that are sorted by place, near ones together.
fn read_places(
    file: &dyn File,
    places: &[(usize, (u64, u64))],
    wanted: &[Position],
    found: &mut [Option<Bytes>],
) {
    let mut rest = places;
    while let Some(&(_, (from, bytes))) = rest.first() {
        let (mut to, mut count) = (from + bytes, 1);
        while let Some(&(_, (next, bytes))) = rest.get(count) {
            if next > to + NEAR_BYTES || next + bytes > from + READ_BYTES_MAX {
                break;
            }
            to = to.max(next + bytes);
            count += 1;
        }
        let mut buffer = vec![0; (to - from) as usize];
        match file.read_at(&mut buffer, from) {
            Ok(read) => buffer.truncate(read),
            Err(error) => {
                tracing::warn!(%error, "cannot read summaries");
                return;
            }
        }
        let buffer = Bytes::from(buffer);
        for &(index, (at, _)) in &rest[..count] {
            let entry = buffer.get((at - from) as usize..).and_then(decode_entry);
            if let Some((offset, stored_bytes, end)) = entry
                && (offset, stored_bytes) == (wanted[index].offset, wanted[index].stored_bytes)
            {
                let begin = (at - from) as usize;
                found[index] = Some(buffer.slice(begin + ENTRY_BYTES..begin + end));
            }
        }
        rest = &rest[count..];
    }
}

/// What a check of a summaries file finds: entries that are whole, and bytes behind the last one.
pub(crate) fn check(bytes: &[u8]) -> Option<(usize, usize)> {
    let header = bytes.get(..HEADER_BYTES)?;
    let whole = u32_at(header, 60)? == crc32c::crc32c(&header[..60]);
    if !whole || header[..8] != MAGIC {
        return None;
    }
    let (mut at, mut entries) = (HEADER_BYTES, 0);
    while let Some((_, _, end)) = bytes.get(at..).and_then(decode_entry) {
        at += end;
        entries += 1;
    }
    Some((entries, bytes.len() - at))
}
