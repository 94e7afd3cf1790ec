//! `cache/summaries`, `cache/structures` and `cache/headers`: what is kept of messages beside them,
//! a file for each segment and [`Extract`].
//!
//! Disposable, appended to without syncs. An entry is written only when its message is durable, so
//! that it never outlives a message that was lost and describes another one at the same place.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError, TryLockError};

use bytes::Bytes;
use mailbox::Position;
use storage::disk::{File, Open};
use storage::{Extract, Extracts};

use crate::frame::u32_at;
use crate::log::{Log, Place};

const HEADER_BYTES: usize = 64;
/// Version of the files of extracts.
const VERSION: u16 = 1;
/// Offset, stored bytes, length, check.
const ENTRY_BYTES: usize = 16;
/// One extract, in bytes. A larger one is not kept.
const EXTRACT_BYTES_MAX: usize = 1024 * 1024;
/// Extracts that are this near to each other in the file are read together.
const NEAR_BYTES: u64 = 16 * 1024;
/// Bytes of one read.
const READ_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of one answer, but for a single entry: a mailbox is read in many.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;
/// Entries that are looked for on the caller's thread; more are the pool's work.
const FEW: usize = 64;
/// Extracts that wait for their messages to be durable.
const WAITING_MAX: usize = 4096;
/// Files kept open, with what is known of them: 12 bytes an entry.
const OPEN_MAX: usize = 8;

/// The directories below `cache/`.
pub(crate) const DIRECTORIES: [&str; 3] = ["summaries", "structures", "headers"];

/// What a file of extracts begins with, its directory, and the end of its name.
fn form(what: Extract) -> ([u8; 8], &'static str, &'static str) {
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
}

/// The file of one segment and where things are in it.
struct Cache {
    file: Arc<dyn File>,
    /// Message offset, entry offset, entry bytes; ascending.
    entries: Vec<(u32, u32, u32)>,
    end: u64,
    used: u64,
}

/// Entries that were asked for: which of the answers, from where, how many bytes.
type Places = Vec<(usize, (u64, u64))>;

impl Cache {
    fn new(file: Arc<dyn File>) -> Self {
        Self { file, entries: Vec::new(), end: HEADER_BYTES as u64, used: 0 }
    }

    /// The entries of messages at these offsets, which ascend: mostly each is behind the one before.
    fn find(&self, wanted: impl Iterator<Item = (usize, u32)>) -> Places {
        let mut next = 0;
        let mut found = Places::new();
        for (nth, offset) in wanted {
            if self.entries.get(next).is_none_or(|&(message, ..)| message != offset) {
                let at = self.entries.binary_search_by_key(&offset, |&(message, ..)| message);
                let Ok(at) = at else { continue };
                next = at;
            }
            let (_, entry, bytes) = self.entries[next];
            found.push((nth, (u64::from(entry), u64::from(bytes))));
            next += 1;
        }
        found
    }

    fn note(&mut self, offset: u32, bytes: usize) {
        let entry = (offset, self.end as u32, bytes as u32);
        self.end += bytes as u64;
        match self.entries.last() {
            // Extracts come in the order of the log, mostly.
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

fn encode_entry(at: Position, extract: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.extend_from_slice(&at.offset.to_le_bytes());
    out.extend_from_slice(&at.stored_bytes.to_le_bytes());
    out.extend_from_slice(&(extract.len() as u32).to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out[from..]), extract);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(extract);
}

/// The entry that `bytes` begin with: offset, stored bytes, where the extract ends.
fn decode_entry(bytes: &[u8]) -> Option<(u32, u32, usize)> {
    let length = u32_at(bytes, 8)? as usize;
    let end = ENTRY_BYTES + length;
    let extract = bytes.get(ENTRY_BYTES..end).filter(|_| length <= EXTRACT_BYTES_MAX)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), extract);
    (u32_at(bytes, 12)? == crc).then_some((u32_at(bytes, 0)?, u32_at(bytes, 4)?, end))
}

impl Log {
    fn lock_extracts(&self) -> MutexGuard<'_, OpenExtracts> {
        self.extracts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extracts_path(&self, what: Extract, segment: u32) -> String {
        let (_, dir, end) = form(what);
        format!("{}/cache/{dir}/{segment:08}.{end}", self.dir)
    }

    /// Cached extracts, one answer for each position, or for the first ones if all would be large. A
    /// cache that cannot be read is empty.
    pub(crate) fn read_extracts(&self, what: Extract, wanted: &[Position]) -> Extracts {
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
        {
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
        }
        let mut extracts = Extracts::none(cut(&mut files, wanted.len()));
        for (file, places) in &files {
            let mut read = |buffer: &mut [u8], from: u64| file.read_cached(buffer, from);
            read_places(&mut read, places, wanted, &mut extracts).ok().flatten()?;
        }
        Some(extracts)
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
            let written = self.with_cache(what, segment, true, |cache| append(cache, group));
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
        self.lock_extracts().open.clear();
    }

    /// Removes the extracts of a segment that is gone.
    pub(crate) fn drop_extracts(&self, segment: u32) {
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
        header.extend_from_slice(&form(what).0);
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
                if let Some(cache) = load(file, &self.header(what, segment)?)? {
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
        disk.make_dir(&self.path(&format!("cache/{}", form(what).1)))?;
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
fn cut(files: &mut [(Arc<dyn File>, Places)], wanted: usize) -> usize {
    let places = || files.iter().flat_map(|(_, places)| places);
    let mut answered = wanted;
    if places().map(|&(_, (_, bytes))| bytes).sum::<u64>() > ANSWER_BYTES_MAX {
        let mut sizes = vec![0; wanted];
        places().for_each(|&(nth, (_, bytes))| sizes[nth] = bytes);
        let mut sum = 0;
        let over = sizes.iter().position(|bytes| {
            sum += bytes;
            sum > ANSWER_BYTES_MAX
        });
        answered = over.map_or(wanted, |nth| nth.max(1));
    }
    for (_, places) in files {
        places.retain(|&(nth, _)| nth < answered);
        places.sort_unstable_by_key(|&(_, place)| place);
    }
    answered
}

/// Reads a cache's file up to the first entry that is not whole; what is behind is written over.
fn load(file: Arc<dyn File>, header: &[u8]) -> io::Result<Option<Cache>> {
    let length = file.len()?;
    let mut cache = Cache::new(file);
    let mut bytes = vec![0; HEADER_BYTES];
    let count = cache.file.read_at(&mut bytes, 0)?;
    if count < HEADER_BYTES || bytes != header {
        return Ok(None);
    }
    // One entry fits at least.
    let mut piece = READ_BYTES_MAX + (ENTRY_BYTES + EXTRACT_BYTES_MAX) as u64;
    piece = piece.min(length.saturating_sub(cache.end));
    bytes.resize(usize::try_from(piece).unwrap_or(0), 0);
    loop {
        let (begin, end) = (cache.end, cache.entries.len());
        let count = cache.file.read_at(&mut bytes, begin)?;
        let mut rest = &bytes[..count];
        while let Some((offset, _, end)) = decode_entry(rest) {
            cache.note(offset, end);
            rest = &rest[end..];
        }
        if cache.entries.len() == end || cache.end >= length {
            cache.entries.shrink_to_fit();
            return Ok(Some(cache));
        }
    }
}

fn append(cache: &mut Cache, group: &[(Position, Bytes)]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for (at, extract) in group {
        encode_entry(*at, extract, &mut bytes);
    }
    if cache.end + bytes.len() as u64 > u64::from(u32::MAX) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    cache.file.write_at(&bytes, cache.end)?;
    group.iter().for_each(|(at, extract)| cache.note(at.offset, ENTRY_BYTES + extract.len()));
    Ok(())
}

/// [`File::read_at`] or [`File::read_cached`].
type Read<'a> = dyn FnMut(&mut [u8], u64) -> io::Result<Option<usize>> + 'a;

/// Reads entries that are sorted by place, near ones together. `None` if `read` would wait.
fn read_places(
    read: &mut Read<'_>,
    places: &[(usize, (u64, u64))],
    wanted: &[Position],
    extracts: &mut Extracts,
) -> io::Result<Option<()>> {
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
        let Some(length) = read(&mut buffer, from)? else { return Ok(None) };
        buffer.truncate(length);
        let buffer = Bytes::from(buffer);
        let nth_buffer = extracts.add_buffer(buffer.clone());
        for &(nth, (at, _)) in &rest[..count] {
            let begin = (at - from) as usize;
            let entry = buffer.get(begin..).and_then(decode_entry);
            if let Some((offset, stored_bytes, end)) = entry
                && (offset, stored_bytes) == (wanted[nth].offset, wanted[nth].stored_bytes)
            {
                extracts.set(nth, nth_buffer, begin + ENTRY_BYTES..begin + end);
            }
        }
        rest = &rest[count..];
    }
    Ok(Some(()))
}

/// What a check of a file of extracts finds: entries that are whole, and bytes behind the last one.
pub(crate) fn check(bytes: &[u8]) -> Option<(usize, usize)> {
    let header = bytes.get(..HEADER_BYTES)?;
    let whole = u32_at(header, 60)? == crc32c::crc32c(&header[..60]);
    if !whole || !Extract::ALL.iter().any(|&what| header[..8] == form(what).0) {
        return None;
    }
    let (mut at, mut entries) = (HEADER_BYTES, 0);
    while let Some((_, _, end)) = bytes.get(at..).and_then(decode_entry) {
        at += end;
        entries += 1;
    }
    Some((entries, bytes.len() - at))
}
