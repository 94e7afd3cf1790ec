//! Making segments: of documents, and of other segments.

use base::EmailId;
use bytes::Bytes;

use crate::gram::Document;
use crate::segment::{Fixed, Head, List, Source, encode};

/// Pairs of gram and document that are held at once: 16 MiB.
const PAIRS_MAX: usize = 2 * 1024 * 1024;

/// Collects documents for a segment.
#[derive(Default)]
pub(crate) struct Builder {
    documents: Vec<EmailId>,
    /// Key and document, in one number that sorts by key.
    pairs: Vec<u64>,
    text_bytes: u64,
}

impl Builder {
    pub(crate) fn add(&mut self, id: EmailId, document: &Document) {
        let number = self.documents.len() as u64;
        self.documents.push(id);
        self.pairs.extend(document.keys.iter().map(|&key| u64::from(key) << 32 | number));
        self.text_bytes += document.text_bytes;
    }

    /// Whether memory is used up.
    pub(crate) fn is_full(&self) -> bool {
        self.pairs.len() >= PAIRS_MAX || self.documents.len() >= DOCUMENTS_AT_ONCE
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    pub(crate) fn finish(mut self, fingerprint: u32) -> Bytes {
        self.pairs.sort_unstable();
        let pairs = &self.pairs;
        let lists = |tell: &mut dyn FnMut(u32, List<'_>)| {
            let mut docs = Vec::new();
            for list in pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
                docs.clear();
                docs.extend(list.iter().map(|&pair| pair as u32));
                tell((list[0] >> 32) as u32, List::These(&docs));
            }
        };
        encode(&Source {
            documents: &self.documents,
            text_bytes: self.text_bytes,
            fingerprint,
            lists: &lists,
        })
    }
}

/// A batch this large is worth a file of its own; it bounds what a stop loses.
const DOCUMENTS_AT_ONCE: usize = 4096;

/// A whole segment in memory.
pub(crate) struct Whole {
    head: Head,
    ids: Vec<EmailId>,
    bytes: Bytes,
}

impl Whole {
    /// `None` if any part of it is damaged.
    pub(crate) fn decode(bytes: Bytes, fingerprint: u32) -> Option<Self> {
        let fixed = Fixed::decode(&bytes, fingerprint)?;
        let (head, ids) = Head::decode(fixed, &bytes)?;
        let whole = Self { head, ids, bytes };
        let check = |block| -> Option<()> {
            let mut entries = whole.head.entries(block, whole.block(block)?)?;
            while let Some(entry) = entries.next() {
                entry?;
            }
            Some(())
        };
        (0..whole.head.block_count()).try_for_each(check)?;
        Some(whole)
    }

    fn block(&self, block: usize) -> Option<&[u8]> {
        let place = self.head.place(block);
        self.bytes.get(usize::try_from(place.start).ok()?..usize::try_from(place.end).ok()?)
    }
}

/// One of the segments that are merged: where it is, and what its documents become.
struct Cursor<'a> {
    whole: &'a Whole,
    /// The new number of each document, ascending; `None` for one that is left out.
    numbers: &'a [Option<u32>],
    block: usize,
    entries: Option<crate::segment::Entries<'a>>,
    key: Option<u32>,
    docs: Vec<u32>,
}

impl Cursor<'_> {
    fn advance(&mut self) {
        self.key = None;
        loop {
            if let Some(entries) = &mut self.entries
                && let Some(Some((key, list))) = entries.next()
            {
                self.docs.clear();
                let numbers = self.numbers;
                match list {
                    // What was not told apart may be any of them.
                    List::Everywhere => self.docs.extend(numbers.iter().flatten()),
                    List::These(docs) => {
                        let new = docs.iter().filter_map(|&doc| *numbers.get(doc as usize)?);
                        self.docs.extend(new);
                    }
                }
                if self.docs.is_empty() {
                    continue;
                }
                self.key = Some(key);
                return;
            }
            let whole = self.whole;
            let Some(bytes) =
                (self.block < whole.head.block_count()).then(|| whole.block(self.block)).flatten()
            else {
                return;
            };
            self.entries = whole.head.entries(self.block, bytes);
            self.block += 1;
        }
    }
}

/// Makes one segment of several, without the documents that `keeps` does not want, given the number
/// of the segment and of the document in it. `None` if nothing is left.
pub(crate) fn merge(
    segments: &[Whole],
    fingerprint: u32,
    keeps: impl Fn(usize, u32) -> bool,
) -> Option<Bytes> {
    let mut documents = Vec::new();
    let (mut text_bytes, mut all_numbers) = (0, Vec::new());
    for (nth, whole) in segments.iter().enumerate() {
        let before = documents.len() as u64;
        let number = |(doc, &id): (u32, &EmailId)| {
            keeps(nth, doc).then(|| {
                documents.push(id);
                documents.len() as u32 - 1
            })
        };
        let numbers: Vec<Option<u32>> = (0..).zip(&whole.ids).map(number).collect();
        all_numbers.push(numbers);
        let kept = documents.len() as u64 - before;
        // What a text is worth is known of all together only.
        text_bytes += whole.head.text_bytes * kept / whole.ids.len().max(1) as u64;
    }
    if documents.is_empty() {
        return None;
    }
    let lists = |tell: &mut dyn FnMut(u32, List<'_>)| {
        let mut cursors: Vec<Cursor<'_>> = segments
            .iter()
            .zip(&all_numbers)
            .map(|(whole, numbers)| {
                let (entries, docs) = (None, Vec::new());
                let mut cursor = Cursor { whole, numbers, block: 0, entries, key: None, docs };
                cursor.advance();
                cursor
            })
            .collect();
        let mut docs = Vec::new();
        while let Some(key) = cursors.iter().filter_map(|cursor| cursor.key).min() {
            docs.clear();
            for cursor in cursors.iter_mut().filter(|cursor| cursor.key == Some(key)) {
                docs.extend_from_slice(&cursor.docs);
                cursor.advance();
            }
            tell(key, List::These(&docs));
        }
    };
    Some(encode(&Source { documents: &documents, text_bytes, fingerprint, lists: &lists }))
}
