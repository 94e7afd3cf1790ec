//! A segment: the grams of some documents, written once. `docs/format.md` describes the bytes.
//!
//! ```text
//! fixed   "martsrch", version, counts, checksums
//! ids     the documents' EMAILIDs
//! blocks  keys in order, each with the numbers of its documents; CRC32C at the end of each
//! table   first key and length of each block
//! ```

use std::ops::Range;

use crate::bits::Reader;
use crate::ids::Ids;

const MAGIC: [u8; 8] = *b"martsrch";
/// Of these bytes, and of what is a text: any change of either is another version.
const VERSION: u16 = 3;
/// Bytes before the EMAILIDs.
pub(crate) const FIXED_BYTES: usize = 52;
/// Documents of one segment: an answer takes 2 MiB of bits.
pub(crate) const DOCUMENTS_MAX: u32 = 1 << 24;
const BLOCKS_MAX: u32 = 1 << 24;

/// Rice's parameter for `count` numbers below `documents`.
pub(crate) fn parameter(documents: u32, count: u32) -> u32 {
    let gap = u64::from(documents) * 7 / (u64::from(count.max(1)) * 10);
    gap.max(1).ilog2()
}

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub(crate) documents: u32,
    pub(crate) blocks: u32,
    pub(crate) text_bytes: u64,
    pub(crate) table_at: u64,
    pub(crate) ids_crc: u32,
    pub(crate) table_crc: u32,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl Fixed {
    pub(crate) fn encode(&self, fingerprint: u32) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.documents.to_le_bytes());
        out.extend_from_slice(&self.blocks.to_le_bytes());
        out.extend_from_slice(&self.text_bytes.to_le_bytes());
        out.extend_from_slice(&fingerprint.to_le_bytes());
        out.extend_from_slice(&self.table_at.to_le_bytes());
        out.extend_from_slice(&self.ids_crc.to_le_bytes());
        out.extend_from_slice(&self.table_crc.to_le_bytes());
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// `None` if it is no segment of this version and `fingerprint`.
    pub(crate) fn decode(bytes: &[u8], fingerprint: u32) -> Option<Self> {
        let bytes = bytes.get(..FIXED_BYTES)?;
        let found = Self {
            documents: u32_at(bytes, 12)?,
            blocks: u32_at(bytes, 16)?,
            text_bytes: u64_at(bytes, 20)?,
            table_at: u64_at(bytes, 32)?,
            ids_crc: u32_at(bytes, 40)?,
            table_crc: u32_at(bytes, 44)?,
        };
        let bounded = found.documents <= DOCUMENTS_MAX
            && found.blocks <= BLOCKS_MAX
            && found.text_bytes < 1 << 48
            && found.table_at < 1 << 48
            && found.table_at >= found.ids().end;
        (bounded && found.encode(fingerprint) == bytes).then_some(found)
    }

    /// Where the EMAILIDs are.
    pub(crate) fn ids(&self) -> Range<u64> {
        let start = FIXED_BYTES as u64;
        start..start + u64::from(self.documents) * 16
    }

    /// Where the table is.
    pub(crate) fn table(&self) -> Range<u64> {
        self.table_at..self.table_at + u64::from(self.blocks) * 8
    }
}

/// A segment's head: what is kept in memory.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) documents: u32,
    pub(crate) text_bytes: u64,
    file_bytes: u64,
    /// First key and place of each block, and the end.
    blocks: Vec<(u32, u64)>,
}

impl Head {
    /// Reads the parts that `fixed` names; also the EMAILIDs of the documents.
    pub(crate) fn decode(fixed: Fixed, ids: &[u8], table: &[u8]) -> Option<(Self, Ids)> {
        let lengths = ids.len() as u64 == u64::from(fixed.documents) * 16
            && table.len() as u64 == u64::from(fixed.blocks) * 8;
        if !lengths
            || crc32c::crc32c(ids) != fixed.ids_crc
            || crc32c::crc32c(table) != fixed.table_crc
        {
            return None;
        }
        let ids = Ids::new(ids.as_chunks::<16>().0.iter().copied());
        let mut blocks = Vec::with_capacity(fixed.blocks as usize + 1);
        let mut at = fixed.ids().end;
        for entry in table.as_chunks::<8>().0 {
            blocks.push((u32_at(entry, 0)?, at));
            at += u64::from(u32_at(entry, 4)?);
        }
        let ordered = blocks.is_sorted_by(|a, b| a.0 < b.0);
        blocks.push((u32::MAX, at));
        let (documents, text_bytes) = (fixed.documents, fixed.text_bytes);
        let head = Self { documents, text_bytes, file_bytes: fixed.table().end, blocks };
        (ordered && at == fixed.table_at).then_some((head, ids))
    }

    /// Bytes of the whole segment.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The blocks that may hold keys of `first..=last`.
    pub(crate) fn blocks_of(&self, first: u32, last: u32) -> Range<usize> {
        let blocks = &self.blocks[..self.blocks.len() - 1];
        let start = blocks.partition_point(|&(key, _)| key <= first).saturating_sub(1);
        start..blocks.partition_point(|&(key, _)| key <= last).max(start)
    }

    /// All blocks.
    pub(crate) fn block_count(&self) -> usize {
        self.blocks.len() - 1
    }

    /// Where a block is in the file.
    pub(crate) fn place(&self, block: usize) -> Range<u64> {
        self.blocks[block].1..self.blocks[block + 1].1
    }

    /// Memory it takes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.blocks.len() * size_of::<(u32, u64)>() + size_of::<Self>()
    }

    /// Opens a block; `None` if it is damaged.
    pub(crate) fn entries<B: AsRef<[u8]>>(&self, block: usize, bytes: B) -> Option<Entries<B>> {
        let all = bytes.as_ref();
        let (content, crc) = all.split_at_checked(all.len().checked_sub(4)?)?;
        if u32_at(crc, 0)? != crc32c::crc32c(content) {
            return None;
        }
        Some(Entries {
            left: u32_at(content, 0)?,
            reader: Reader::new(bytes, 4),
            key: self.blocks.get(block)?.0,
            documents: self.documents,
            count: None,
        })
    }
}

/// The keys of a block, one after another.
pub(crate) struct Entries<B> {
    left: u32,
    reader: Reader<B>,
    key: u32,
    documents: u32,
    /// Documents of the key that were not read yet.
    count: Option<u32>,
}

/// What nobody wrote.
#[derive(Debug)]
pub(crate) struct Damaged;

impl<B: AsRef<[u8]>> Entries<B> {
    /// The next key, and how many documents it has: 0 for those that are not told apart. `None` at
    /// the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, u32)>, Damaged> {
        if self.count.is_some() {
            self.documents(|_| ())?;
        }
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.read().ok_or(Damaged).map(Some)
    }

    fn read(&mut self) -> Option<(u32, u32)> {
        self.key = self.key.checked_add(self.reader.gamma()?)?;
        let count = self.reader.gamma()?;
        self.count = (count > 0).then_some(count);
        (count <= self.documents).then_some((self.key, count))
    }

    /// The documents of the key that was read last, ascending; once.
    pub(crate) fn documents(&mut self, mut tell: impl FnMut(u32)) -> Result<(), Damaged> {
        let Some(count) = self.count.take() else { return Ok(()) };
        let k = parameter(self.documents, count);
        let mut next = 0u32;
        for _ in 0..count {
            let gap = self.reader.rice(k).ok_or(Damaged)?;
            let doc = next.checked_add(gap).filter(|&doc| doc < self.documents).ok_or(Damaged)?;
            tell(doc);
            next = doc + 1;
        }
        Ok(())
    }
}
