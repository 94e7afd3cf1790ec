//! Writing a segment: how much of it its text is worth, then block after block.

use base::EmailId;
use bytes::Bytes;

use crate::bits::{Writer, gamma_bits, rice_bits};
use crate::segment::{FIXED_BYTES, Fixed, parameter};

/// A block is closed when it has so many bytes: what one look-up reads.
const BLOCK_BYTES: usize = 2048;
/// Of the bytes of text, so many percent may be spent on blocks. What would be more is cut by saying
/// "everywhere" of the grams in most documents, which tell least.
const PERCENT_MAX: u64 = 26;
/// Bits of an EMAILID.
const ID_BITS: u64 = 128;
/// Lengths of lists are told apart so far.
const LENGTHS: usize = 8192;

fn gaps(docs: &[u32]) -> impl Iterator<Item = u32> + '_ {
    let mut next = 0;
    docs.iter().map(move |&doc| {
        let gap = doc - next;
        next = doc + 1;
        gap
    })
}

/// Bits that the blocks of a segment may take.
pub(crate) fn bits_max(text_bytes: u64) -> u64 {
    text_bytes * PERCENT_MAX * 8 / 100
}

/// The longest list that is worth its room: one of nearly all tells nothing.
pub(crate) fn longest_useful(documents: u32) -> u32 {
    documents - documents / 8
}

/// Finds the longest lists that fit into a segment's share of its text.
pub(crate) struct Budget {
    documents: u32,
    text_bytes: u64,
    bits_by_length: Vec<u64>,
    fixed: u64,
    last: u32,
}

impl Budget {
    pub(crate) fn new(documents: u32, text_bytes: u64) -> Self {
        let bits_by_length = vec![0; LENGTHS + 1];
        Self { documents, text_bytes, bits_by_length, fixed: 0, last: 0 }
    }

    /// Lengths that are not told apart.
    fn width(&self) -> usize {
        self.documents as usize / LENGTHS + 1
    }

    /// The next key.
    pub(crate) fn add(&mut self, key: u32, docs: &[u32]) {
        self.fixed += gamma_bits(key - self.last) + 1;
        self.last = key;
        let count = docs.len() as u32;
        let k = parameter(self.documents, count);
        let bits: u64 = gaps(docs).map(|gap| rice_bits(gap, k)).sum();
        let at = docs.len() / self.width();
        self.bits_by_length[at] += bits + gamma_bits(count) - 1;
    }

    /// The longest list that is written.
    pub(crate) fn longest(&self) -> u32 {
        let budget = bits_max(self.text_bytes);
        let mut used = self.fixed + u64::from(self.documents) * ID_BITS;
        let fits = |bits: &&u64| {
            used += **bits;
            used <= budget
        };
        let fitting = self.bits_by_length.iter().take_while(fits).count();
        let longest = (fitting * self.width()).saturating_sub(1) as u32;
        longest.min(longest_useful(self.documents))
    }
}

/// Writes blocks, key after key.
pub(crate) struct Blocks {
    documents: u32,
    longest: u32,
    table: Vec<(u32, u32)>,
    /// Blocks that were not taken yet.
    bytes: Vec<u8>,
    written: u64,
    writer: Writer,
    entries: u32,
    first: u32,
    last: u32,
}

impl Blocks {
    /// Lists of up to `longest` documents are written.
    pub(crate) fn new(documents: u32, longest: u32) -> Self {
        Self {
            documents,
            longest,
            table: Vec::new(),
            bytes: Vec::new(),
            written: 0,
            writer: Writer::default(),
            entries: 0,
            first: 0,
            last: 0,
        }
    }

    /// The next key.
    pub(crate) fn add(&mut self, key: u32, docs: &[u32]) {
        if self.entries == 0 {
            (self.first, self.last) = (key, key);
        }
        self.writer.gamma(key - self.last);
        self.last = key;
        self.entries += 1;
        let count = docs.len() as u32;
        if count <= self.longest {
            self.writer.gamma(count);
            let k = parameter(self.documents, count);
            gaps(docs).for_each(|gap| self.writer.rice(gap, k));
        } else {
            self.writer.gamma(0);
        }
        if self.writer.len() >= BLOCK_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.entries == 0 {
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&self.entries.to_le_bytes());
        self.bytes.extend_from_slice(&std::mem::take(&mut self.writer).finish());
        let crc = crc32c::crc32c(&self.bytes[start..]);
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        self.table.push((self.first, (self.bytes.len() - start) as u32));
        self.entries = 0;
    }

    /// Whether all documents and what was written so far fit into the share of the text.
    pub(crate) fn fits(&self, text_bytes: u64) -> bool {
        let bytes = self.written + (self.bytes.len() + self.writer.len()) as u64;
        bytes * 8 + u64::from(self.documents) * ID_BITS <= bits_max(text_bytes)
    }

    /// Bytes of closed blocks that wait to be taken.
    pub(crate) fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// Closed blocks, and where they stand behind the EMAILIDs.
    pub(crate) fn take(&mut self) -> (u64, Vec<u8>) {
        let at = self.written;
        self.written += self.bytes.len() as u64;
        (at, std::mem::take(&mut self.bytes))
    }

    /// The last blocks, then the table.
    pub(crate) fn finish(mut self) -> (u64, Vec<u8>, Vec<(u32, u32)>) {
        self.close();
        let (at, bytes) = self.take();
        (at, bytes, self.table)
    }
}

/// The EMAILIDs as bytes.
pub(crate) fn id_bytes(documents: &[EmailId]) -> Vec<u8> {
    documents.iter().flat_map(|id| id.0).collect()
}

/// The table as bytes.
pub(crate) fn table_bytes(table: &[(u32, u32)]) -> Vec<u8> {
    table
        .iter()
        .flat_map(|&(key, length)| [key.to_le_bytes(), length.to_le_bytes()].concat())
        .collect()
}

/// What a segment is made of. `lists` tells keys in order, and can tell them again.
pub(crate) struct Source<'a> {
    pub(crate) documents: &'a [EmailId],
    pub(crate) text_bytes: u64,
    /// What the texts depend on besides the version.
    pub(crate) fingerprint: u32,
    #[expect(clippy::type_complexity, reason = "told once")]
    pub(crate) lists: &'a dyn Fn(&mut dyn FnMut(u32, &[u32])),
}

/// Writes a segment in memory.
pub(crate) fn encode(source: &Source<'_>) -> Bytes {
    let documents = source.documents.len() as u32;
    let write = |longest| {
        let mut blocks = Blocks::new(documents, longest);
        (source.lists)(&mut |key, docs| blocks.add(key, docs));
        blocks
    };
    let mut blocks = write(longest_useful(documents));
    // Mostly all lists are worth it, and need not be measured.
    if !blocks.fits(source.text_bytes) {
        let mut budget = Budget::new(documents, source.text_bytes);
        (source.lists)(&mut |key, docs| budget.add(key, docs));
        blocks = write(budget.longest());
    }
    let (_, blocks, table) = blocks.finish();
    let (ids, table) = (id_bytes(source.documents), table_bytes(&table));
    let fixed = Fixed {
        documents,
        blocks: (table.len() / 8) as u32,
        text_bytes: source.text_bytes,
        table_at: (FIXED_BYTES + ids.len() + blocks.len()) as u64,
        ids_crc: crc32c::crc32c(&ids),
        table_crc: crc32c::crc32c(&table),
    };
    [fixed.encode(source.fingerprint), ids, blocks, table].concat().into()
}
