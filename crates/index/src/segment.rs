//! A segment: the grams of some documents, written once. `docs/format.md` describes the bytes.
//!
//! ```text
//! head    "martsrch", version, counts; the documents' EMAILIDs; first key and length of each block
//! blocks  keys in order, each with the numbers of its documents; CRC32C at the end of each
//! ```

use base::EmailId;
use bytes::Bytes;

use crate::bits::{Reader, Writer, gamma_bits, rice_bits};

const MAGIC: [u8; 8] = *b"martsrch";
/// Of these bytes, and of what is a text: any change of either is another version.
const VERSION: u16 = 1;
/// Bytes before the EMAILIDs.
pub(crate) const FIXED_BYTES: usize = 40;
/// A block is closed when it has so many bytes: what one look-up reads.
const BLOCK_BYTES: usize = 2048;
/// Documents of one segment.
pub(crate) const DOCUMENTS_MAX: u32 = 1 << 16;
const BLOCKS_MAX: u32 = 1 << 20;
/// Of the bytes of text, so many percent may be spent on blocks. What would be more is cut by saying
/// "everywhere" of the grams in most documents, which tell least.
const PERCENT_MAX: u64 = 26;

/// The documents of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List<'a> {
    /// Too many to be told apart.
    Everywhere,
    /// These, ascending.
    These(&'a [u32]),
}

/// Rice's parameter for `count` numbers below `documents`.
fn parameter(documents: u32, count: u32) -> u32 {
    let gap = u64::from(documents) * 7 / (u64::from(count.max(1)) * 10);
    gap.max(1).ilog2()
}

fn gaps(docs: &[u32]) -> impl Iterator<Item = u32> + '_ {
    let mut next = 0;
    docs.iter().map(move |&doc| {
        let gap = doc - next;
        next = doc + 1;
        gap
    })
}

/// What a segment is made of. `lists` tells keys in order, and can tell them again.
pub(crate) struct Source<'a> {
    pub(crate) documents: &'a [EmailId],
    pub(crate) text_bytes: u64,
    /// What the texts depend on besides the version.
    pub(crate) fingerprint: u32,
    #[expect(clippy::type_complexity, reason = "told once")]
    pub(crate) lists: &'a dyn Fn(&mut dyn FnMut(u32, List<'_>)),
}

/// Writes a segment.
pub(crate) fn encode(source: &Source<'_>) -> Bytes {
    let documents = source.documents.len() as u32;
    let most = longest_list(source, documents);
    let mut blocks = Blocks { documents, ..Blocks::default() };
    (source.lists)(&mut |key, list| match list {
        List::These(docs) if docs.len() as u32 <= most => blocks.add(key, docs),
        _ => blocks.add_everywhere(key),
    });
    blocks.close();
    let mut out = Vec::with_capacity(FIXED_BYTES + blocks.bytes.len() + documents as usize * 16);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&documents.to_le_bytes());
    out.extend_from_slice(&(blocks.table.len() as u32).to_le_bytes());
    out.extend_from_slice(&source.text_bytes.to_le_bytes());
    out.extend_from_slice(&source.fingerprint.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    for id in source.documents {
        out.extend_from_slice(&id.0);
    }
    for &(first, length) in &blocks.table {
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
    }
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out.extend_from_slice(&blocks.bytes);
    out.into()
}

/// The longest list that is written, so that the segment stays within its share of the text.
fn longest_list(source: &Source<'_>, documents: u32) -> u32 {
    let mut bits_by_length = vec![0u64; documents as usize + 1];
    let mut last = 0;
    let mut fixed = 0;
    (source.lists)(&mut |key, list| {
        fixed += gamma_bits(key - last) + 1;
        last = key;
        if let List::These(docs) = list {
            let count = docs.len() as u32;
            let k = parameter(documents, count);
            let bits: u64 = gaps(docs).map(|gap| rice_bits(gap, k)).sum();
            bits_by_length[docs.len()] += bits + gamma_bits(count) - 1;
        }
    });
    let budget = source.text_bytes * PERCENT_MAX * 8 / 100;
    let mut used = fixed + u64::from(documents) * 128;
    let fits = |bits: &&u64| {
        used += **bits;
        used <= budget
    };
    let fitting = bits_by_length.iter().take_while(fits).count().saturating_sub(1) as u32;
    // A list of nearly all tells nothing.
    fitting.min(documents - documents / 8)
}

#[derive(Default)]
struct Blocks {
    documents: u32,
    table: Vec<(u32, u32)>,
    bytes: Vec<u8>,
    writer: Writer,
    entries: u32,
    first: u32,
    last: u32,
}

impl Blocks {
    fn key(&mut self, key: u32) {
        if self.entries == 0 {
            (self.first, self.last) = (key, key);
        }
        self.writer.gamma(key - self.last);
        self.last = key;
        self.entries += 1;
    }

    fn add(&mut self, key: u32, docs: &[u32]) {
        self.key(key);
        let count = docs.len() as u32;
        self.writer.gamma(count);
        let k = parameter(self.documents, count);
        gaps(docs).for_each(|gap| self.writer.rice(gap, k));
        self.close_if_full();
    }

    fn add_everywhere(&mut self, key: u32) {
        self.key(key);
        self.writer.gamma(0);
        self.close_if_full();
    }

    fn close_if_full(&mut self) {
        if self.writer.len() >= BLOCK_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.entries == 0 {
            return;
        }
        let mut block = self.entries.to_le_bytes().to_vec();
        block.extend_from_slice(&std::mem::take(&mut self.writer).finish());
        block.extend_from_slice(&crc32c::crc32c(&block).to_le_bytes());
        self.table.push((self.first, block.len() as u32));
        self.bytes.extend_from_slice(&block);
        self.entries = 0;
    }
}

/// The first bytes of a segment, from which the length of its head follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub(crate) documents: u32,
    blocks: u32,
    pub(crate) text_bytes: u64,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

impl Fixed {
    /// `None` if it is no segment of this version and `fingerprint`.
    pub(crate) fn decode(bytes: &[u8], fingerprint: u32) -> Option<Self> {
        let bytes = bytes.get(..FIXED_BYTES)?;
        let whole = u32_at(bytes, FIXED_BYTES - 4)? == crc32c::crc32c(&bytes[..FIXED_BYTES - 4]);
        let ours = bytes[..8] == MAGIC && bytes[8..10] == VERSION.to_le_bytes();
        let text_bytes = u64::from_le_bytes(bytes[20..28].try_into().ok()?);
        let found = Self { documents: u32_at(bytes, 12)?, blocks: u32_at(bytes, 16)?, text_bytes };
        let bounded = found.documents <= DOCUMENTS_MAX && found.blocks <= BLOCKS_MAX;
        (whole && ours && bounded && u32_at(bytes, 28)? == fingerprint).then_some(found)
    }

    /// Bytes before the first block.
    pub(crate) fn head_bytes(&self) -> u64 {
        FIXED_BYTES as u64 + u64::from(self.documents) * 16 + u64::from(self.blocks) * 8 + 4
    }
}

/// A segment's head: what is kept in memory.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) documents: u32,
    pub(crate) text_bytes: u64,
    /// First key and place of each block, and the end.
    blocks: Vec<(u32, u64)>,
}

impl Head {
    /// Reads a head of [`Fixed::head_bytes`]; also the EMAILIDs of its documents.
    pub(crate) fn decode(fixed: Fixed, bytes: &[u8]) -> Option<(Self, Vec<EmailId>)> {
        let length = usize::try_from(fixed.head_bytes()).ok()?;
        let bytes = bytes.get(..length)?;
        let (content, crc) = bytes.split_at(length - 4);
        if u32_at(crc, 0)? != crc32c::crc32c(content) {
            return None;
        }
        let (ids, table) = content[FIXED_BYTES..].split_at(fixed.documents as usize * 16);
        let ids = ids.as_chunks::<16>().0.iter().map(|&id| EmailId(id)).collect();
        let mut blocks = Vec::with_capacity(fixed.blocks as usize + 1);
        let mut at = length as u64;
        for entry in table.as_chunks::<8>().0 {
            blocks.push((u32_at(entry, 0)?, at));
            at += u64::from(u32_at(entry, 4)?);
        }
        let ordered = blocks.is_sorted_by(|a, b| a.0 < b.0);
        blocks.push((u32::MAX, at));
        let (documents, text_bytes) = (fixed.documents, fixed.text_bytes);
        ordered.then_some((Self { documents, text_bytes, blocks }, ids))
    }

    /// Bytes of the whole segment.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.blocks.last().map_or(0, |&(_, at)| at)
    }

    /// The blocks that may hold keys of `first..=last`.
    pub(crate) fn blocks_of(&self, first: u32, last: u32) -> std::ops::Range<usize> {
        let blocks = &self.blocks[..self.blocks.len() - 1];
        let start = blocks.partition_point(|&(key, _)| key <= first).saturating_sub(1);
        start..blocks.partition_point(|&(key, _)| key <= last).max(start)
    }

    /// All blocks.
    pub(crate) fn block_count(&self) -> usize {
        self.blocks.len() - 1
    }

    /// Where a block is in the file.
    pub(crate) fn place(&self, block: usize) -> std::ops::Range<u64> {
        self.blocks[block].1..self.blocks[block + 1].1
    }

    /// Memory it takes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.blocks.len() * size_of::<(u32, u64)>() + size_of::<Self>()
    }

    /// Opens a block; `None` if it is damaged.
    pub(crate) fn entries<'a>(&self, block: usize, bytes: &'a [u8]) -> Option<Entries<'a>> {
        let (content, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if u32_at(crc, 0)? != crc32c::crc32c(content) {
            return None;
        }
        Some(Entries {
            left: u32_at(content, 0)?,
            reader: Reader::new(content.get(4..)?),
            key: self.blocks.get(block)?.0,
            documents: self.documents,
            docs: Vec::new(),
        })
    }
}

/// The keys of a block, one after another.
pub(crate) struct Entries<'a> {
    left: u32,
    reader: Reader<'a>,
    key: u32,
    documents: u32,
    docs: Vec<u32>,
}

impl Entries<'_> {
    /// The next key; `None` at the end, an inner `None` for what nobody wrote.
    pub(crate) fn next(&mut self) -> Option<Option<(u32, List<'_>)>> {
        self.left = self.left.checked_sub(1)?;
        Some(self.read())
    }

    fn read(&mut self) -> Option<(u32, List<'_>)> {
        self.key = self.key.checked_add(self.reader.gamma()?)?;
        let count = self.reader.gamma()?;
        if count == 0 {
            return Some((self.key, List::Everywhere));
        }
        if count > self.documents {
            return None;
        }
        let k = parameter(self.documents, count);
        self.docs.clear();
        let mut next = 0u32;
        for _ in 0..count {
            let doc = next.checked_add(self.reader.rice(k)?)?;
            if doc >= self.documents {
                return None;
            }
            self.docs.push(doc);
            next = doc + 1;
        }
        Some((self.key, List::These(&self.docs)))
    }
}
