//! Making segments of documents.

use base::EmailId;
use bytes::Bytes;

use crate::encode::{Source, encode};
use crate::gram::Document;

/// Pairs of gram and document that are held at once: 16 MiB.
const PAIRS_MAX: usize = 2 * 1024 * 1024;
/// A batch this large is worth a file of its own; it bounds what a stop loses.
const DOCUMENTS_AT_ONCE: usize = 4096;

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
        let lists = |tell: &mut dyn FnMut(u32, &[u32])| {
            let mut docs = Vec::new();
            for list in pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
                docs.clear();
                docs.extend(list.iter().map(|&pair| pair as u32));
                tell((list[0] >> 32) as u32, &docs);
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
