//! Making segments of documents.

use base::EmailId;
use bytes::Bytes;

use crate::encode::{Source, encode};
use crate::gram::Document;

/// Pairs of gram and document that are held at once: 8 MiB, and as much to sort them.
const PAIRS_MAX: usize = 1024 * 1024;
/// A batch is full when less room than this is left: most messages have fewer.
const PAIRS_LEFT: usize = 16 * 1024;
/// A batch this large is worth a file of its own; it bounds what a stop loses.
const DOCUMENTS_AT_ONCE: usize = 4096;

/// Collects documents for one segment after the other; its memory is used again.
#[derive(Default)]
pub(crate) struct Builder {
    documents: Vec<EmailId>,
    /// Key and document, in one number that sorts by key; documents ascend.
    pairs: Vec<u64>,
    /// For sorting.
    spare: Vec<u64>,
    text_bytes: u64,
}

impl Builder {
    pub(crate) fn add(&mut self, id: EmailId, document: &Document) {
        let number = self.documents.len() as u64;
        self.documents.push(id);
        let (held, wanted) = (self.pairs.len(), self.pairs.len() + document.keys.len());
        if wanted > self.pairs.capacity() {
            // Doubling, but not far beyond a full batch.
            self.pairs.reserve_exact((2 * wanted).min(wanted.max(PAIRS_MAX)) - held);
        }
        self.pairs.extend(document.keys.iter().map(|&key| u64::from(key) << 32 | number));
        self.text_bytes += document.text_bytes;
    }

    /// Whether memory is used up.
    pub(crate) fn is_full(&self) -> bool {
        self.pairs.len() + PAIRS_LEFT >= PAIRS_MAX || self.documents.len() >= DOCUMENTS_AT_ONCE
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// The segment; what comes next is another one.
    pub(crate) fn finish(&mut self, fingerprint: u32) -> Bytes {
        sort_by_key(&mut self.pairs, &mut self.spare);
        let pairs = &self.pairs;
        let lists = |tell: &mut dyn FnMut(u32, &[u32])| {
            let mut docs = Vec::new();
            for list in pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
                docs.clear();
                docs.extend(list.iter().map(|&pair| pair as u32));
                tell((list[0] >> 32) as u32, &docs);
            }
        };
        let segment = encode(&Source {
            documents: &self.documents,
            text_bytes: self.text_bytes,
            fingerprint,
            lists: &lists,
        });
        self.documents.clear();
        self.pairs.clear();
        self.text_bytes = 0;
        segment
    }
}

/// A key has three times so many bits.
const DIGIT_BITS: u32 = 9;
const DIGITS: [u32; 3] = [32, 32 + DIGIT_BITS, 32 + 2 * DIGIT_BITS];
/// Fewer are sorted as well by comparing them.
const RADIX_LEAST: usize = 4096;

/// Sorts pairs whose documents ascend: digit by digit, a third of the time of comparing them.
fn sort_by_key(pairs: &mut Vec<u64>, spare: &mut Vec<u64>) {
    if pairs.len() < RADIX_LEAST {
        return pairs.sort_unstable();
    }
    let digit = |pair: u64, shift: u32| (pair >> shift) as usize & ((1 << DIGIT_BITS) - 1);
    let mut places = DIGITS.map(|_| [0usize; 1 << DIGIT_BITS]);
    for &pair in &*pairs {
        for (places, shift) in places.iter_mut().zip(DIGITS) {
            places[digit(pair, shift)] += 1;
        }
    }
    spare.resize(pairs.len(), 0);
    for (places, shift) in places.iter_mut().zip(DIGITS) {
        let mut next = 0;
        for place in places.iter_mut() {
            next += std::mem::replace(place, next);
        }
        for &pair in &*pairs {
            let place = &mut places[digit(pair, shift)];
            spare[*place] = pair;
            *place += 1;
        }
        std::mem::swap(pairs, spare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gram::Class;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn pairs_are_sorted(
            keys in prop::collection::vec(0..=Class::Subject.always(), 0..3 * RADIX_LEAST),
            each in 1usize..700,
        ) {
            let pair = |(nth, &key): (usize, &u32)| u64::from(key) << 32 | (nth / each) as u64;
            let mut pairs: Vec<u64> = keys.iter().enumerate().map(pair).collect();
            let mut expected = pairs.clone();
            expected.sort_unstable();
            sort_by_key(&mut pairs, &mut vec![7; each]);
            prop_assert_eq!(pairs, expected);
        }
    }
}
