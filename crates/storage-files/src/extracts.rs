//! `cache/summaries`, `cache/structures` and `cache/headers`: what is kept of messages beside them,
//! a file for each segment and [`Extract`].
//!
//! Disposable, appended to without syncs. An entry is written only when its message is durable, so
//! that it never outlives a message that was lost and describes another one at the same place.

mod file;
mod form;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError, TryLockError};

use bytes::Bytes;
use mailbox::Position;
use storage::disk::{File, Open};
use storage::{Extract, Extracts};

use crate::frame::u32_at;
use crate::log::{Log, Place};

use file::{Cache, HEADER_BYTES, Part, Wanted};
use form::{ENTRY_BYTES, EXTRACT_BYTES_MAX, GROUP_BYTES, Group, decode_entry};

/// Version of the files of extracts.
const VERSION: u16 = 2;
/// Extracts that are this near to each other in the file are read together.
const NEAR_BYTES: u64 = 16 * 1024;
/// Bytes of one read.
const READ_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of one answer, but for a single entry: a mailbox is read in many.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;
/// Entries that are looked for on the caller's thread; more are the pool's work.
const FEW: usize = 64;
/// Groups that are decoded there, some microseconds each.
const FEW_GROUPS: usize = 4;
/// Extracts that wait for their messages to be durable.
const WAITING_MAX: usize = 4096;
/// Extracts of new messages that are kept in memory until a write is worth while: so many, summaries
/// and fields, or so many bytes.
const KEPT_MAX: usize = 128;
const KEPT_BYTES_MAX: usize = 128 * 1024;
/// Files kept open, with what is known of them: 12 bytes an entry.
const OPEN_MAX: usize = 8;

/// The directories below `cache/`.
pub(crate) const DIRECTORIES: [&str; 3] = ["summaries", "structures", "headers"];

/// What a file of extracts begins with, its directory, and the end of its name.
fn kind(what: Extract) -> ([u8; 8], &'static str, &'static str) {
    match what {
        Extract::Summary => (*b"martsumm", DIRECTORIES[0], "sum"),
        Extract::Structure => (*b"martstru", DIRECTORIES[1], "str"),
        Extract::Fields => (*b"martflds", DIRECTORIES[2], "fld"),
        Extract::Header => (*b"marthead", DIRECTORIES[2], "hdr"),
    }
}

#[derive(Default)]
pub(crate) struct OpenExtracts {
    open: BTreeMap<(Extract, u32), Cache>,
    waiting: Vec<(Extract, Position, Bytes)>,
    /// Extracts of new messages, on their way to their files.
    kept: Vec<(Extract, Position, Bytes)>,
    /// Counts uses, to find the file that was not used longest.
    clock: u64,
}

impl OpenExtracts {
    fn used(&mut self, key: (Extract, u32)) -> Option<&mut Cache> {
        self.clock += 1;
        let cache = self.open.get_mut(&key)?;
        cache.used = self.clock;
        Some(cache)
    }

    /// Extracts that are kept in memory, with their places among the wanted.
    fn find_kept(&self, what: Extract, wanted: &[Position]) -> Vec<(usize, Bytes)> {
        let find = |(nth, at): (usize, &Position)| {
            let found = self.kept.iter().rev().find(|(of, kept, _)| *of == what && kept == at);
            found.map(|(.., bytes)| (nth, bytes.clone()))
        };
        match self.kept.is_empty() {
            true => Vec::new(),
            false => wanted.iter().enumerate().filter_map(find).collect(),
        }
    }
}

impl Log {
    fn lock_extracts(&self) -> MutexGuard<'_, OpenExtracts> {
        self.extracts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extracts_path(&self, what: Extract, segment: u32) -> String {
        let (_, dir, end) = kind(what);
        format!("{}/cache/{dir}/{segment:08}.{end}", self.dir)
    }

    /// Cached extracts, one answer for each position, or for the first ones if all would be large. A
    /// cache that cannot be read is empty.
    pub(crate) fn read_extracts(&self, what: Extract, wanted: &[Position]) -> Extracts {
        if matches!(what, Extract::Summary | Extract::Fields) {
            self.write_kept_extracts();
        }
        let mut files = Vec::new();
        for group in by_segment(wanted).chunk_by(|&(a, _), &(b, _)| a.segment == b.segment) {
            let segment = group[0].0.segment;
            let found = self.with_cache(what, segment, false, |cache| {
                let offsets = group.iter().map(|&(at, nth)| (nth, at.offset));
                Ok((cache.file.clone(), cache.find(offsets)))
            });
            match found {
                Ok(found) => files.push(found),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(account = %self.id, segment, %error, "no extracts"),
            }
        }
        let mut extracts = Extracts::none(cut(&mut files, wanted.len()));
        for (file, places) in &files {
            let mut read = |buffer: &mut [u8], from: u64| file.read_at(buffer, from).map(Some);
            if let Err(error) = read_places(&mut read, places, wanted, &mut extracts) {
                tracing::warn!(account = %self.id, %error, "cannot read extracts");
            }
        }
        extracts
    }

    /// The same for few positions, if nothing has to be waited for.
    pub(crate) fn read_extracts_now(&self, what: Extract, wanted: &[Position]) -> Option<Extracts> {
        if wanted.len() > FEW {
            return None;
        }
        let mut files = Vec::new();
        let kept = {
            // Whoever opens a file holds the lock meanwhile.
            let mut open = match self.extracts.try_lock() {
                Ok(open) => open,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return None,
            };
            for group in by_segment(wanted).chunk_by(|&(a, _), &(b, _)| a.segment == b.segment) {
                let cache = open.used((what, group[0].0.segment))?;
                let offsets = group.iter().map(|&(at, nth)| (nth, at.offset));
                files.push((cache.file.clone(), cache.find(offsets)));
            }
            open.find_kept(what, wanted)
        };
        if files.iter().map(|(_, wanted)| groups(wanted)).sum::<usize>() > FEW_GROUPS {
            return None;
        }
        let mut extracts = Extracts::none(cut(&mut files, wanted.len()));
        for (file, places) in &files {
            let mut read = |buffer: &mut [u8], from: u64| file.read_cached(buffer, from);
            read_places(&mut read, places, wanted, &mut extracts).ok().flatten()?;
        }
        for (nth, bytes) in kept {
            let length = bytes.len();
            let buffer = extracts.add_buffer(bytes);
            extracts.set(nth, buffer, 0..length);
        }
        Some(extracts)
    }

    /// Takes extracts of messages that are written. Nobody waits for them, so they go to their files
    /// when there are some.
    pub(crate) fn keep_extracts(&self, new: &mut Vec<(Extract, Position, Bytes)>) {
        if new.is_empty() {
            return;
        }
        let due = {
            let kept = &mut self.lock_extracts().kept;
            kept.append(new);
            let bytes: usize = kept.iter().map(|(.., extract)| extract.len()).sum();
            kept.len() >= KEPT_MAX || bytes >= KEPT_BYTES_MAX
        };
        if due {
            self.write_kept_extracts();
        }
    }

    /// Writes the extracts that are kept in memory.
    pub(crate) fn write_kept_extracts(&self) {
        let kept = std::mem::take(&mut self.lock_extracts().kept);
        if kept.is_empty() {
            return;
        }
        for what in Extract::ALL {
            let these = kept.iter().filter(|(of, ..)| *of == what);
            let these: Vec<_> = these.map(|(_, at, bytes)| (*at, bytes.clone())).collect();
            if !these.is_empty() {
                self.write_extracts(what, these);
            }
        }
    }

    /// Adds to the cache. What cannot be written is not kept.
    pub(crate) fn write_extracts(&self, what: Extract, new: Vec<(Position, Bytes)>) {
        let (durable, all) = {
            let state = self.lock();
            (state.durable.1, state.durable.0 == state.head)
        };
        let is_durable = |at: &Position| {
            all || Place { segment: at.segment, offset: u64::from(at.offset) } < durable
        };
        let (ready, early): (Vec<_>, Vec<_>) = new
            .into_iter()
            .filter(|(_, extract)| extract.len() <= EXTRACT_BYTES_MAX)
            .partition(|(at, _)| is_durable(at));
        if !early.is_empty() {
            let waiting = &mut self.lock_extracts().waiting;
            let room = WAITING_MAX.saturating_sub(waiting.len());
            waiting.extend(early.into_iter().take(room).map(|(at, bytes)| (what, at, bytes)));
        }
        for group in ready.chunk_by(|(a, _), (b, _)| a.segment == b.segment) {
            let segment = group[0].0.segment;
            let written = self.with_cache(what, segment, true, |cache| cache.append(group));
            if let Err(error) = written {
                tracing::warn!(account = %self.id, segment, %error, "cannot keep extracts");
                self.lock_extracts().open.remove(&(what, segment));
            }
        }
    }

    /// Writes the extracts that waited for the disk to have their messages.
    pub(crate) fn put_waiting_extracts(&self) {
        let waiting = std::mem::take(&mut self.lock_extracts().waiting);
        for group in waiting.chunk_by(|(a, ..), (b, ..)| a == b) {
            let new = group.iter().map(|(_, at, bytes)| (*at, bytes.clone())).collect();
            self.write_extracts(group[0].0, new);
        }
    }

    /// Closes the files.
    pub(crate) fn close_extracts(&self) {
        self.write_kept_extracts();
        self.lock_extracts().open.clear();
    }

    /// Removes the extracts of a segment that is gone.
    pub(crate) fn drop_extracts(&self, segment: u32) {
        self.lock_extracts().kept.retain(|(_, at, _)| at.segment != segment);
        for what in Extract::ALL {
            self.lock_extracts().open.remove(&(what, segment));
            let path = self.extracts_path(what, segment);
            if let Err(error) = self.shared.disk.remove(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path, %error, "cannot remove extracts");
            }
        }
    }

    fn with_cache<T>(
        &self,
        what: Extract,
        segment: u32,
        make: bool,
        work: impl FnOnce(&mut Cache) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut extracts = self.lock_extracts();
        let key = (what, segment);
        if !extracts.open.contains_key(&key) {
            let cache = self.open_cache(what, segment, make)?;
            if extracts.open.len() >= OPEN_MAX {
                let oldest = extracts.open.iter().min_by_key(|(_, cache)| cache.used);
                let oldest = oldest.map(|(&key, _)| key);
                oldest.map(|key| extracts.open.remove(&key));
            }
            extracts.open.insert(key, cache);
        }
        work(extracts.used(key).ok_or(io::ErrorKind::NotFound)?)
    }

    /// The segment's salt: a cache of another segment of this number is none.
    fn salt(&self, segment: u32) -> io::Result<[u8; 16]> {
        let handle = self.handle(segment).map_err(io::Error::other)?;
        Ok(handle.segment.salt)
    }

    fn header(&self, what: Extract, segment: u32) -> io::Result<Vec<u8>> {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&kind(what).0);
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

    fn open_cache(&self, what: Extract, segment: u32, make: bool) -> io::Result<Cache> {
        let path = self.extracts_path(what, segment);
        let disk = &self.shared.disk;
        match disk.open(&path, Open::Write) {
            Ok(file) => {
                if let Some(cache) = Cache::load(file, &self.header(what, segment)?)? {
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
        disk.make_dir(&self.path(&format!("cache/{}", kind(what).1)))?;
        let file = disk.open(&path, Open::New)?;
        file.write_at(&self.header(what, segment)?, 0)?;
        Ok(Cache::new(file))
    }
}

/// Positions by segment and offset, each with its place among the wanted.
fn by_segment(wanted: &[Position]) -> Vec<(Position, usize)> {
    let mut order: Vec<(Position, usize)> = wanted.iter().copied().zip(0..).collect();
    order.sort_unstable();
    order
}

/// How many answers fit into one; leaves out the others.
fn cut(files: &mut [(Arc<dyn File>, Vec<Wanted>)], wanted: usize) -> usize {
    let all = || files.iter().flat_map(|(_, places)| places);
    let mut answered = wanted;
    if all().map(Wanted::bytes).sum::<u64>() > ANSWER_BYTES_MAX {
        let mut sizes = vec![0; wanted];
        all().for_each(|place| sizes[place.nth] = place.bytes());
        let mut sum = 0;
        let over = sizes.iter().position(|bytes| {
            sum += bytes;
            sum > ANSWER_BYTES_MAX
        });
        answered = over.map_or(wanted, |nth| nth.max(1));
    }
    for (_, places) in files {
        places.retain(|place| place.nth < answered);
        places.sort_unstable();
    }
    answered
}

/// How many groups have to be decoded for what is wanted.
fn groups(wanted: &[Wanted]) -> usize {
    let parts = wanted.chunk_by(|a, b| a.part == b.part);
    parts.filter(|wanted| wanted[0].part.entries > 0).count()
}

/// [`File::read_at`] or [`File::read_cached`].
type Read<'a> = dyn FnMut(&mut [u8], u64) -> io::Result<Option<usize>> + 'a;

/// Reads what is wanted, which is sorted by place, near parts together. `None` if `read` would wait.
fn read_places(
    read: &mut Read<'_>,
    places: &[Wanted],
    at: &[Position],
    extracts: &mut Extracts,
) -> io::Result<Option<()>> {
    let end = |part: &Part| part.from + u64::from(part.bytes);
    let mut rest = places;
    while let Some(first) = rest.first() {
        let (from, mut to, mut count) = (first.part.from, end(&first.part), 1);
        while let Some(next) = rest.get(count) {
            if next.part.from > to + NEAR_BYTES || end(&next.part) > from + READ_BYTES_MAX {
                break;
            }
            to = to.max(end(&next.part));
            count += 1;
        }
        let mut buffer = vec![0; (to - from) as usize];
        let Some(length) = read(&mut buffer, from)? else { return Ok(None) };
        buffer.truncate(length);
        let (some, others) = rest.split_at(count);
        decode(some, (from, buffer.into()), at, extracts);
        rest = others;
    }
    Ok(Some(()))
}

/// Finds what is wanted in a piece of the file that begins at `from`.
fn decode(some: &[Wanted], (from, read): (u64, Bytes), at: &[Position], extracts: &mut Extracts) {
    let mut plain = None;
    // What the groups have of it.
    let (mut unpacked, mut found) = (Vec::new(), Vec::with_capacity(some.len()));
    unpacked.reserve(some.iter().map(Wanted::bytes).sum::<u64>() as usize + 2 * GROUP_BYTES);
    for same in some.chunk_by(|a, b| a.part == b.part) {
        let part = &same[0].part;
        let begin = (part.from - from) as usize;
        let Some(bytes) = read.get(begin..) else { continue };
        if part.entries > 0 {
            let _ = decode_group(bytes, same, at, (&mut unpacked, &mut found));
            continue;
        }
        let Some(((offset, stored_bytes, _), end)) = decode_entry(bytes) else { continue };
        for nth in same.iter().map(|wanted| wanted.nth) {
            if (offset, stored_bytes) == (at[nth].offset, at[nth].stored_bytes) {
                let buffer = *plain.get_or_insert_with(|| extracts.add_buffer(read.clone()));
                extracts.set(nth, buffer, begin + ENTRY_BYTES..begin + end);
            }
        }
    }
    if !found.is_empty() {
        let buffer = extracts.add_buffer(unpacked.into());
        for (nth, range) in found {
            extracts.set(nth, buffer, range);
        }
    }
}

type Ranges = Vec<(usize, std::ops::Range<usize>)>;

/// Appends what is wanted of a group, and tells where it is. `None`: the group is damaged.
fn decode_group(
    bytes: &[u8],
    wanted: &[Wanted],
    at: &[Position],
    (unpacked, found): (&mut Vec<u8>, &mut Ranges),
) -> Option<()> {
    let group = Group::decode(bytes)?;
    let mut table = group.table(bytes)?.zip(0u32..);
    let (begin, before) = (unpacked.len(), found.len());
    group.unpack(bytes, unpacked)?;
    let mut entry = table.next();
    for wanted in wanted {
        while let Some((_, nth)) = &entry
            && *nth < wanted.within
        {
            entry = table.next();
        }
        let Some(((offset, stored_bytes, range), nth)) = &entry else { break };
        let place = at[wanted.nth];
        let fits = *nth == wanted.within && range.end <= group.raw_bytes();
        if fits && (*offset, *stored_bytes) == (place.offset, place.stored_bytes) {
            found.push((wanted.nth, begin + range.start..begin + range.end));
        }
    }
    shrink(unpacked, begin, &mut found[before..]);
    Some(())
}

/// Leaves out what nobody wants of what was unpacked from `begin` on, if that is the larger part: an
/// answer may have an entry from each of many groups.
fn shrink(unpacked: &mut Vec<u8>, begin: usize, found: &mut [(usize, std::ops::Range<usize>)]) {
    let wanted: usize = found.iter().map(|(_, range)| range.len()).sum();
    if wanted * 2 >= unpacked.len() - begin {
        return;
    }
    let mut kept = Vec::with_capacity(wanted);
    for (_, range) in found {
        let at = begin + kept.len();
        kept.extend_from_slice(&unpacked[range.clone()]);
        *range = at..begin + kept.len();
    }
    unpacked.truncate(begin);
    unpacked.extend_from_slice(&kept);
}

/// What a check of a file of extracts finds: entries that are whole, and bytes behind the last one.
pub(crate) fn check(bytes: &[u8]) -> Option<(usize, usize)> {
    let header = bytes.get(..HEADER_BYTES)?;
    let whole = u32_at(header, 60)? == crc32c::crc32c(&header[..60]);
    if !whole || !Extract::ALL.iter().any(|&what| header[..8] == kind(what).0) {
        return None;
    }
    let (mut at, mut entries) = (HEADER_BYTES, 0);
    while let Some((count, end)) = bytes.get(at..).and_then(check_part) {
        at += end;
        entries += count;
    }
    Some((entries, bytes.len() - at))
}

/// Entries and bytes of the part that `bytes` begin with.
fn check_part(bytes: &[u8]) -> Option<(usize, usize)> {
    if !Group::begins(bytes) {
        return decode_entry(bytes).map(|(_, end)| (1, end));
    }
    let group = Group::decode(bytes)?;
    group.table(bytes)?;
    group.unpack(bytes, &mut Vec::new())?;
    Some((group.entries, group.bytes()))
}
