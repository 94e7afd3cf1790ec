//! The bytes of a file of extracts: entries and groups of entries, one behind the other.
//!
//! An entry is one extract as it is. A group holds many, compressed together: what is kept of a
//! message is much like what is kept of its neighbours, and takes a fifth of its bytes so. LZ4, because
//! a client that lists a mailbox waits for it: it decodes faster than a checksum of the result would be
//! computed.

use crate::frame::u32_at;

/// Offset, stored bytes, length, check.
pub(super) const ENTRY_BYTES: usize = 16;
/// Mark, entries, bytes of the table, of the packed extracts, of the extracts, check, check.
pub(super) const GROUP_HEADER_BYTES: usize = 28;
/// Where entries have a message's offset: no frame can be there.
const GROUP_MARK: u32 = u32::MAX;
/// One extract, in bytes. A larger one is not kept.
pub(super) const EXTRACT_BYTES_MAX: usize = 1024 * 1024;
/// A group is closed when it has so many bytes of extracts: what a look-up of one decodes, in about
/// 8 µs. Half of it would take a seventh more room.
pub(super) const GROUP_BYTES: usize = 32 * 1024;
/// A larger extract is a group of its own.
const GROUPED_BYTES_MAX: usize = 8 * 1024;
/// Entries of one group.
const GROUP_ENTRIES_MAX: usize = 1024;
/// Bytes of a table entry.
const TABLE_ENTRY_BYTES_MAX: usize = 15;

/// What is kept of a message: its offset, its stored bytes, the extract.
pub(super) type Entry<'a> = (u32, u32, &'a [u8]);

pub(super) fn encode_entry((offset, stored_bytes, extract): Entry<'_>, out: &mut Vec<u8>) {
    let from = out.len();
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&stored_bytes.to_le_bytes());
    out.extend_from_slice(&(extract.len() as u32).to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out[from..]), extract);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(extract);
}

/// The entry that `bytes` begin with, and where it ends.
pub(super) fn decode_entry(bytes: &[u8]) -> Option<(Entry<'_>, usize)> {
    let length = u32_at(bytes, 8)? as usize;
    let end = ENTRY_BYTES + length;
    let extract = bytes.get(ENTRY_BYTES..end).filter(|_| length <= EXTRACT_BYTES_MAX)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), extract);
    let offset = u32_at(bytes, 0).filter(|&offset| offset != GROUP_MARK)?;
    (u32_at(bytes, 12)? == crc).then_some(((offset, u32_at(bytes, 4)?, extract), end))
}

/// Takes entries from the front of `entries` for a group, as many as are worth one; none if they
/// should wait for others.
pub(super) fn take_group<'a, 'e>(entries: &mut &'a [Entry<'e>]) -> Option<&'a [Entry<'e>]> {
    let (mut count, mut bytes, mut is_full) = (0, 0, false);
    for (.., extract) in entries.iter() {
        let alone = extract.len() > GROUPED_BYTES_MAX;
        is_full = alone && count > 0;
        if is_full {
            break;
        }
        (count, bytes) = (count + 1, bytes + extract.len());
        is_full = alone || bytes >= GROUP_BYTES || count == GROUP_ENTRIES_MAX;
        if is_full {
            break;
        }
    }
    if !is_full {
        return None;
    }
    let (group, rest) = entries.split_at(count);
    *entries = rest;
    Some(group)
}

/// Appends a group of `entries`, the offsets of which ascend; `packed` is room to work in.
pub(super) fn encode_group(entries: &[Entry<'_>], packed: &mut Vec<u8>, out: &mut Vec<u8>) {
    let mut raw = Vec::with_capacity(entries.iter().map(|(.., extract)| extract.len()).sum());
    let at = out.len();
    out.resize(at + GROUP_HEADER_BYTES, 0);
    let mut expected = 0u32;
    for &(offset, stored_bytes, extract) in entries {
        put_int(offset.wrapping_sub(expected), out);
        put_int(stored_bytes, out);
        put_int(extract.len() as u32, out);
        expected = behind(offset, stored_bytes);
        raw.extend_from_slice(extract);
    }
    let table_bytes = out.len() - at - GROUP_HEADER_BYTES;
    packed.resize(lz4_flex::block::get_maximum_output_size(raw.len()), 0);
    let written = lz4_flex::block::compress_into(&raw, packed).ok();
    // As many bytes as the extracts: they are stored as they are.
    let content = match written.and_then(|written| packed.get(..written)) {
        Some(packed) if packed.len() < raw.len() => packed,
        _ => &raw,
    };
    let numbers = [GROUP_MARK, entries.len() as u32, table_bytes as u32, content.len() as u32];
    for (nth, number) in numbers.into_iter().chain([raw.len() as u32]).enumerate() {
        out[at + nth * 4..][..4].copy_from_slice(&number.to_le_bytes());
    }
    let table = &out[at + GROUP_HEADER_BYTES..];
    let head_crc = crc32c::crc32c_append(crc32c::crc32c(&out[at..at + 20]), table);
    out[at + 20..at + 24].copy_from_slice(&head_crc.to_le_bytes());
    out[at + 24..at + 28].copy_from_slice(&crc32c::crc32c(content).to_le_bytes());
    out.extend_from_slice(content);
}

/// The head of a group: what is in front of its extracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) entries: usize,
    table_bytes: usize,
    packed_bytes: usize,
    raw_bytes: usize,
}

impl Group {
    /// Whether a group may begin with these four bytes.
    pub(super) fn begins(bytes: &[u8]) -> bool {
        u32_at(bytes, 0) == Some(GROUP_MARK)
    }

    /// Reads the counts; they may be wrong where [`Group::table`] says so.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |at| Some(u32_at(bytes, at)? as usize);
        let (entries, table_bytes) = (number(4)?, number(8)?);
        let (packed_bytes, raw_bytes) = (number(12)?, number(16)?);
        let bounded = Self::begins(bytes)
            && (1..=GROUP_ENTRIES_MAX).contains(&entries)
            && table_bytes <= entries * TABLE_ENTRY_BYTES_MAX
            && packed_bytes <= raw_bytes
            && raw_bytes <= EXTRACT_BYTES_MAX;
        bounded.then_some(Self { entries, table_bytes, packed_bytes, raw_bytes })
    }

    /// Bytes of header and table.
    pub(super) fn head_bytes(&self) -> usize {
        GROUP_HEADER_BYTES + self.table_bytes
    }

    /// Bytes of all.
    pub(super) fn bytes(&self) -> usize {
        self.head_bytes() + self.packed_bytes
    }

    /// Bytes of the extracts.
    pub(super) fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }

    /// The table in `bytes`, which hold the head at least; `None` if nobody wrote it so.
    pub(super) fn table<'b>(&self, bytes: &'b [u8]) -> Option<Table<'b>> {
        let table = bytes.get(GROUP_HEADER_BYTES..self.head_bytes())?;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..20]), table);
        (u32_at(bytes, 20)? == crc).then_some(Table { rest: table, expected: 0, at: 0 })
    }

    /// Appends the extracts of a whole group; `None`, and nothing appended, if it is damaged.
    pub(super) fn unpack(&self, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let content = bytes.get(self.head_bytes()..self.bytes())?;
        if u32_at(bytes, 24)? != crc32c::crc32c(content) {
            return None;
        }
        let at = out.len();
        if content.len() == self.raw_bytes {
            out.extend_from_slice(content);
            return Some(());
        }
        out.resize(at + self.raw_bytes, 0);
        let written = lz4_flex::block::decompress_into(content, &mut out[at..]);
        if written.ok() == Some(self.raw_bytes) {
            return Some(());
        }
        out.truncate(at);
        None
    }
}

/// Offset, stored bytes and place among the extracts, of each entry of a group.
#[derive(Clone, Debug)]
pub(super) struct Table<'b> {
    rest: &'b [u8],
    expected: u32,
    at: usize,
}

impl Iterator for Table<'_> {
    type Item = (u32, u32, std::ops::Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.expected.wrapping_add(take_int(&mut self.rest)?);
        let stored_bytes = take_int(&mut self.rest)?;
        let length = take_int(&mut self.rest)? as usize;
        let from = self.at;
        self.at = from.checked_add(length)?;
        self.expected = behind(offset, stored_bytes);
        Some((offset, stored_bytes, from..self.at))
    }
}

/// Where the next frame is if nothing lies between.
fn behind(offset: u32, stored_bytes: u32) -> u32 {
    offset.wrapping_add(stored_bytes).wrapping_add(7) & !7
}

fn put_int(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_int(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0u64;
    for nth in 0..5 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (nth * 7);
        if byte < 0x80 {
            return u32::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unpack(bytes: &[u8]) -> Option<Vec<(u32, u32, Vec<u8>)>> {
        let group = Group::decode(bytes)?;
        let mut raw = Vec::new();
        let table = group.table(bytes)?;
        group.unpack(bytes, &mut raw)?;
        let entries =
            table.map(|(offset, stored, range)| Some((offset, stored, raw.get(range)?.to_vec())));
        let entries: Option<Vec<_>> = entries.collect();
        entries.filter(|entries| entries.len() == group.entries)
    }

    fn encode(entries: &[(u32, u32, Vec<u8>)]) -> Vec<u8> {
        let entries: Vec<Entry<'_>> = entries
            .iter()
            .map(|(offset, stored, extract)| (*offset, *stored, &**extract))
            .collect();
        let mut out = Vec::new();
        encode_group(&entries, &mut Vec::new(), &mut out);
        out
    }

    #[test]
    fn neighbours_take_little() {
        let extract =
            |n: u32| format!("(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") {n})").into_bytes();
        let entries: Vec<_> = (0..200).map(|n| (1024 + n * 2000, 1993, extract(n))).collect();
        let bytes = encode(&entries);
        assert!(bytes.len() < 200 * 20, "{}", bytes.len());
        assert_eq!(unpack(&bytes), Some(entries));
    }

    #[test]
    fn groups_are_neither_small_nor_large() {
        let sizes = |sizes: &[usize]| {
            let all = vec![0; EXTRACT_BYTES_MAX];
            let entries: Vec<Entry<'_>> =
                sizes.iter().zip(0..).map(|(&size, n)| (n, 1, &all[..size])).collect();
            let mut rest = &entries[..];
            let mut groups = Vec::new();
            while let Some(group) = take_group(&mut rest) {
                groups.push(group.len());
            }
            (groups, rest.len())
        };
        assert_eq!(sizes(&[]), (vec![], 0));
        assert_eq!(sizes(&[500; 10]), (vec![], 10));
        assert_eq!(sizes(&[500; 140]), (vec![66, 66], 8));
        assert_eq!(sizes(&[500, 9000, 500]), (vec![1, 1], 1));
        assert_eq!(sizes(&[EXTRACT_BYTES_MAX]), (vec![1], 0));
        assert_eq!(sizes(&[0; 2000]), (vec![1024], 976));
    }

    proptest! {
        #[test]
        fn what_is_grouped_comes_back(
            entries in prop::collection::vec(
                (any::<u32>(), any::<u32>(), prop::collection::vec(0u8..4, 0..60)),
                1..50,
            ),
        ) {
            prop_assert_eq!(unpack(&encode(&entries)), Some(entries));
        }

        #[test]
        fn damage_is_found(at in any::<prop::sample::Index>(), bit in 0u8..8, text in "[a-c]{0,300}") {
            let entries = vec![(1024, 300, text.into_bytes()), (1400, 90, b"other".to_vec())];
            let mut bytes = encode(&entries);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(unpack(&bytes), None);
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_entry(&bytes);
            if let Some(mark) = bytes.get_mut(..20) {
                for at in [0, 1, 2, 3] {
                    mark[at] = 0xff;
                }
                for at in [6, 7, 9, 10, 11, 14, 15, 18, 19] {
                    mark[at] = 0;
                }
            }
            if let Some(group) = Group::decode(&bytes) {
                let _ = group.table(&bytes).map(Iterator::count);
                let _ = group.unpack(&bytes, &mut Vec::new());
            }
        }
    }
}
