//! One file of extracts: where things are in it, and how it grows.
//!
//! Entries are appended as they come. When those at the end would fill a group, they are read again
//! and a group is written over them. Whoever reads one of them meanwhile finds a wrong checksum, and
//! makes the extract from the message.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use mailbox::Position;
use storage::disk::File;

use super::form::{
    ENTRY_BYTES, EXTRACT_BYTES_MAX, Entry, GROUP_BYTES, GROUP_HEADER_BYTES, Group, decode_entry,
    encode_entry, encode_group, take_group,
};

pub(super) const HEADER_BYTES: usize = 64;
/// Bytes of one read when a file is opened.
const PIECE_BYTES: usize = 64 * 1024;
/// Of the place of an entry that is in a group: the rest is the group's number. Files are smaller.
const GROUPED: u32 = 1 << 31;

/// The file of one segment and where things are in it.
pub(super) struct Cache {
    pub(super) file: Arc<dyn File>,
    /// By the offset of their messages, which ascend.
    entries: Vec<Known>,
    groups: Vec<Part>,
    end: u64,
    /// Behind the last group.
    tail: u64,
    /// When it was used, in a count of uses.
    pub(super) used: u64,
}

/// What is known of an entry: 12 bytes, because there is one for each message.
#[derive(Clone, Copy)]
struct Known {
    message: u32,
    /// Where the entry is, or [`GROUPED`] and the number of its group.
    place: u32,
    /// Its bytes, or which of the group it is.
    detail: u32,
}

/// A part of the file that is read as a whole: an entry or a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Part {
    pub(super) from: u64,
    pub(super) bytes: u32,
    /// Entries of a group; 0 for an entry.
    pub(super) entries: u32,
    /// Bytes of what is kept.
    pub(super) raw_bytes: u32,
}

/// An entry that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Wanted {
    pub(super) part: Part,
    /// Which of the group's.
    pub(super) within: u32,
    /// Which of the answers it is.
    pub(super) nth: usize,
}

impl Wanted {
    /// Bytes of the extract; in a group, of its mean one.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.part.raw_bytes / self.part.entries.max(1))
    }
}

impl Cache {
    pub(super) fn new(file: Arc<dyn File>) -> Self {
        let end = HEADER_BYTES as u64;
        Self { file, entries: Vec::new(), groups: Vec::new(), end, tail: end, used: 0 }
    }

    /// Reads a file with this header up to the first part that is not whole; what is behind is
    /// written over.
    pub(super) fn load(file: Arc<dyn File>, header: &[u8]) -> io::Result<Option<Self>> {
        let mut cache = Self::new(file);
        let length = cache.file.len()?;
        let mut pieces =
            Pieces { file: Arc::clone(&cache.file), length, from: 0, bytes: Vec::new() };
        if pieces.get(0, HEADER_BYTES)? != Some(header) {
            return Ok(None);
        }
        while cache.load_part(&mut pieces)?.is_some() {}
        cache.entries.shrink_to_fit();
        cache.groups.shrink_to_fit();
        Ok(Some(cache))
    }

    /// Notes the next part; `None` if there is none.
    fn load_part(&mut self, pieces: &mut Pieces) -> io::Result<Option<()>> {
        let Some(begin) = pieces.get(self.end, ENTRY_BYTES)? else { return Ok(None) };
        if !Group::begins(begin) {
            let length = crate::frame::u32_at(begin, 8).unwrap_or(0) as usize;
            let bytes = ENTRY_BYTES + length.min(EXTRACT_BYTES_MAX);
            let entry = pieces.get(self.end, bytes)?.and_then(decode_entry);
            let Some(((offset, ..), bytes)) = entry else { return Ok(None) };
            return Ok(self.note_entry(offset, bytes));
        }
        let group = pieces.get(self.end, GROUP_HEADER_BYTES)?.and_then(Group::decode);
        let Some(group) = group else { return Ok(None) };
        let whole = self.end + group.bytes() as u64 <= pieces.length;
        let head = pieces.get(self.end, group.head_bytes())?.filter(|_| whole);
        let Some(table) = head.and_then(|head| group.table(head)) else { return Ok(None) };
        Ok(self.note_group(group, table.map(|(offset, ..)| offset)))
    }

    /// `None`: the file is too large for another part.
    fn note_entry(&mut self, offset: u32, bytes: usize) -> Option<()> {
        let place = u32::try_from(self.end).ok().filter(|&at| at < GROUPED)?;
        self.note(Known { message: offset, place, detail: bytes as u32 });
        self.end += bytes as u64;
        Some(())
    }

    fn note_group(&mut self, group: Group, offsets: impl Iterator<Item = u32>) -> Option<()> {
        let number = u32::try_from(self.groups.len()).ok()?;
        u32::try_from(self.end).ok().filter(|&at| at < GROUPED)?;
        self.groups.push(Part {
            from: self.end,
            bytes: group.bytes() as u32,
            entries: group.entries as u32,
            raw_bytes: group.raw_bytes() as u32,
        });
        for (message, detail) in offsets.zip(0..group.entries as u32) {
            self.note(Known { message, place: number | GROUPED, detail });
        }
        self.end += group.bytes() as u64;
        self.tail = self.end;
        Some(())
    }

    fn note(&mut self, known: Known) {
        match self.entries.last() {
            // Extracts come in the order of the log, mostly.
            Some(last) if last.message >= known.message => {
                match self.entries.binary_search_by_key(&known.message, |other| other.message) {
                    Ok(at) => self.entries[at] = known,
                    Err(at) => self.entries.insert(at, known),
                }
            }
            _ => self.entries.push(known),
        }
    }

    /// The entries of messages at these offsets, which ascend: mostly each is behind the one before.
    pub(super) fn find(&self, wanted: impl Iterator<Item = (usize, u32)>) -> Vec<Wanted> {
        let mut next = 0;
        let mut found = Vec::new();
        for (nth, offset) in wanted {
            if self.entries.get(next).is_none_or(|known| known.message != offset) {
                let Ok(at) = self.entries.binary_search_by_key(&offset, |known| known.message)
                else {
                    continue;
                };
                next = at;
            }
            found.extend(self.wanted(nth, self.entries[next]));
            next += 1;
        }
        found
    }

    fn wanted(&self, nth: usize, known: Known) -> Option<Wanted> {
        if known.place & GROUPED != 0 {
            let part = *self.groups.get((known.place & !GROUPED) as usize)?;
            return Some(Wanted { part, within: known.detail, nth });
        }
        let raw_bytes = known.detail.saturating_sub(ENTRY_BYTES as u32);
        let (from, bytes) = (u64::from(known.place), known.detail);
        Some(Wanted { part: Part { from, bytes, entries: 0, raw_bytes }, within: 0, nth })
    }

    /// Appends extracts.
    pub(super) fn append(&mut self, new: &[(Position, Bytes)]) -> io::Result<()> {
        let new = new.iter().map(|(at, extract)| (at.offset, at.stored_bytes, &**extract));
        let new: Vec<Entry<'_>> = new.collect();
        let bytes: usize = new.iter().map(|(.., extract)| extract.len()).sum();
        let waiting = usize::try_from(self.end - self.tail).unwrap_or(usize::MAX);
        if waiting.saturating_add(bytes) < GROUP_BYTES {
            return self.write(&[], &new);
        }
        let mut tail = vec![0; waiting];
        let count = self.file.read_at(&mut tail, self.tail)?;
        let mut rest = &tail[..count];
        let mut entries = Vec::new();
        while let Some((entry, end)) = decode_entry(rest) {
            entries.push(entry);
            rest = &rest[end..];
        }
        entries.extend(new);
        // The last one of a message counts.
        entries.reverse();
        entries.sort_by_key(|&(offset, ..)| offset);
        entries.dedup_by_key(|&mut (offset, ..)| offset);
        let (mut rest, mut groups) = (&entries[..], Vec::new());
        while let Some(group) = take_group(&mut rest) {
            groups.push(group);
        }
        let before = std::mem::replace(&mut self.end, self.tail);
        self.write(&groups, rest)?;
        // What is left of the entries that are in groups would count as the last.
        if self.end < before { self.file.set_len(self.end) } else { Ok(()) }
    }

    fn write(&mut self, groups: &[&[Entry<'_>]], entries: &[Entry<'_>]) -> io::Result<()> {
        let (mut bytes, mut packed) = (Vec::new(), Vec::new());
        let begun = self.end;
        let full = || io::Error::from(io::ErrorKind::FileTooLarge);
        for &group in groups {
            let at = bytes.len();
            encode_group(group, &mut packed, &mut bytes);
            let head = Group::decode(&bytes[at..]).ok_or_else(full)?;
            self.note_group(head, group.iter().map(|&(offset, ..)| offset)).ok_or_else(full)?;
        }
        for &entry in entries {
            let at = bytes.len();
            encode_entry(entry, &mut bytes);
            self.note_entry(entry.0, bytes.len() - at).ok_or_else(full)?;
        }
        self.file.write_at(&bytes, begun)
    }
}

/// A file as it is read from front to back.
struct Pieces {
    file: Arc<dyn File>,
    length: u64,
    from: u64,
    bytes: Vec<u8>,
}

impl Pieces {
    /// So many bytes from there on; `None` if the file ends before.
    fn get(&mut self, at: u64, count: usize) -> io::Result<Option<&[u8]>> {
        let held =
            |from: u64, bytes: &[u8]| at >= from && at + count as u64 <= from + bytes.len() as u64;
        if !held(self.from, &self.bytes) {
            self.bytes.resize(count.max(PIECE_BYTES), 0);
            let read = self.file.read_at(&mut self.bytes, at)?;
            self.bytes.truncate(read);
            self.from = at;
        }
        Ok(usize::try_from(at - self.from).ok().and_then(|from| self.bytes.get(from..from + count)))
    }
}
