//! The texts of a message, as search sees them. One reading for all who ask: what a [`Scan`] can match
//! and what an index holds cannot differ.
//!
//! [`Scan`]: super::Scan

use std::sync::Arc;

use base::Limits;

use super::documents::{DocumentText, Documents};
use super::kind::{DocumentKind, Kind};
use super::seen::Seen;
use crate::charset::{Charset, TextDecoder};
use crate::decode::Decoder;
use crate::encoded_word;
use crate::header::{Field, Fields, fields};
use crate::mime::Mime;
use crate::text;
use crate::walk::{Closed, Opened, Sink, Walk};

/// Bytes of a body that are decoded at once.
const STEP_BYTES: usize = 8 * 1024;

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// In the header of the message or of one of its parts: TEXT finds it.
    Header,
    /// In a text part, or in the header of an enclosed message: BODY and TEXT find it.
    Body,
}

/// A text with markup is told twice at the same time: as it stands, and as it is seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// As it stands.
    Plain = 0,
    /// As it is seen: always of [`Scope::Body`].
    Seen = 1,
}

/// Takes the texts of a message in their order; those of two lanes side by side.
pub trait Texts {
    /// Whether nothing that follows matters.
    fn is_done(&self) -> bool;
    /// Whether texts of `scope` matter.
    fn asks(&self, scope: Scope) -> bool;
    /// The message's own header; before all texts.
    fn own_header(&mut self, header: &OwnHeader<'_>);
    /// The next piece of a text, not folded; a text may come in many.
    fn piece(&mut self, lane: Lane, scope: Scope, text: &str);
    /// The text has ended: a match never spans two texts.
    fn end(&mut self, lane: Lane);
    /// There is a body whose text could not be had this time; another time it may be.
    fn unknown(&mut self) {}
}

/// The message's own header: what HEADER, FROM, SUBJECT and the like look at.
#[derive(Clone, Copy, Debug)]
pub struct OwnHeader<'a> {
    header: &'a [u8],
    fallback: Charset,
}

impl<'a> OwnHeader<'a> {
    pub(crate) fn new(header: &'a [u8], fallback: Charset) -> Self {
        Self { header, fallback }
    }

    /// Its fields.
    pub fn fields(&self) -> Fields<'a> {
        fields(self.header)
    }

    /// The value that is searched for HEADER, not folded.
    pub fn value(&self, field: &Field<'_>) -> String {
        encoded_word::decode_with(field.value, self.fallback)
    }
}

/// Reads a message for its texts, in memory bounded by a header and a piece.
pub struct Reader<T: Texts> {
    walk: Walk<Reading<T>>,
}

impl<T: Texts> Reader<T> {
    /// At the first byte of a message.
    pub fn new(limits: &Limits, texts: T) -> Self {
        Self::with_documents(limits, texts, None)
    }

    /// The same, with the texts of documents.
    pub fn with_documents(
        limits: &Limits,
        texts: T,
        documents: Option<Arc<dyn Documents>>,
    ) -> Self {
        let (decoded, text, seen) = Default::default();
        let document_bytes_max = limits.document_bytes_max;
        let reading = Reading {
            texts,
            documents,
            document_bytes_max,
            depth: 0,
            leaf: None,
            decoded,
            text,
            seen,
        };
        let mut walk = Walk::new(limits, reading);
        walk.look_into_encoded(false);
        Self { walk }
    }

    /// The next bytes, in pieces of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        for step in bytes.chunks(STEP_BYTES) {
            if self.texts().is_done() {
                return;
            }
            self.walk.feed(step);
        }
    }

    /// Who takes the texts.
    pub fn texts(&self) -> &T {
        &self.walk.sink.texts
    }

    /// The same, to be changed between two messages.
    pub fn texts_mut(&mut self) -> &mut T {
        &mut self.walk.sink.texts
    }

    /// The end of the message, or of what matters; what follows is the next message.
    pub fn end(&mut self) {
        if !self.texts().is_done() {
            self.walk.end();
        }
        self.walk.restart();
        let reading = &mut self.walk.sink;
        (reading.depth, reading.leaf) = (0, None);
        reading.decoded.clear();
        reading.text.clear();
        reading.seen.clear();
    }

    /// The end of the message, or of what matters.
    pub fn finish(mut self) -> T {
        self.end();
        self.walk.sink.texts
    }
}

/// A body that is being decoded.
struct Leaf {
    transfer: Decoder,
    content: Content,
}

impl Leaf {
    /// `bytes` if they are the text already.
    fn as_it_stands<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        match &self.content {
            Content::Text(decoder, None) if self.transfer.changes_nothing() => {
                decoder.as_they_stand(bytes)
            }
            _ => None,
        }
    }
}

/// What becomes of a decoded body.
enum Content {
    Text(TextDecoder, Option<Seen>),
    /// Collected to be read at once; none once it is too large.
    Document(DocumentKind, Option<Vec<u8>>),
}

struct Reading<T> {
    texts: T,
    documents: Option<Arc<dyn Documents>>,
    document_bytes_max: usize,
    depth: usize,
    leaf: Option<Leaf>,
    decoded: Vec<u8>,
    text: String,
    seen: String,
}

impl<T: Texts> Reading<T> {
    fn whole(&mut self, scope: Scope, text: &str) {
        self.texts.piece(Lane::Plain, scope, text);
        self.texts.end(Lane::Plain);
    }

    fn field(&mut self, scope: Scope, field: Field<'_>, fallback: Charset) {
        self.whole(scope, &text::unfold_clean(field.raw, fallback));
        if memchr::memmem::find(field.value, b"=?").is_some() {
            self.whole(scope, &encoded_word::decode_with(field.raw, fallback));
        }
    }

    /// Parameters in pieces or in charsets of their own cannot be found as they stand.
    fn parameters(&mut self, scope: Scope, mime: &Mime) {
        let disposition = mime.disposition.iter().flat_map(|(_, params)| params);
        for param in mime.params.iter().chain(disposition) {
            self.whole(scope, &encoded_word::decode_with(param.value.as_bytes(), mime.fallback));
        }
    }
}

impl<T: Texts> Sink for Reading<T> {
    const COUNTS_LINES: bool = false;

    fn open(&mut self, part: Opened<'_>) {
        if self.depth == 0 {
            self.texts.own_header(&OwnHeader::new(part.header, part.mime.fallback));
        }
        let enclosed = self.depth > 0 && part.is_message;
        self.depth += 1;
        let scope = if enclosed { Scope::Body } else { Scope::Header };
        if self.texts.asks(scope) {
            for field in fields(part.header) {
                self.field(scope, field, part.mime.fallback);
            }
            self.parameters(scope, part.mime);
        }
        self.leaf = None;
        if self.texts.asks(Scope::Body) {
            self.leaf = self.leaf_of(part.mime);
        }
    }

    fn body(&mut self, bytes: &[u8]) {
        let Some(leaf) = &mut self.leaf else { return };
        if let Some(text) = leaf.as_it_stands(bytes) {
            return self.texts.piece(Lane::Plain, Scope::Body, text);
        }
        // A tolerant decoder does not fail.
        let _ = leaf.transfer.feed(bytes, &mut self.decoded);
        self.decoded();
    }

    fn close(&mut self, _: Closed) {
        self.depth = self.depth.saturating_sub(1);
        let Some(leaf) = &mut self.leaf else { return };
        let _ = leaf.transfer.finish(&mut self.decoded);
        self.decoded();
        match self.leaf.take().map(|leaf| leaf.content) {
            Some(Content::Text(mut decoder, seen)) => {
                decoder.finish(&mut self.text);
                self.end_text(seen);
            }
            Some(Content::Document(kind, Some(bytes))) => self.document(kind, &bytes),
            _ => {}
        }
    }
}

impl<T: Texts> Reading<T> {
    /// How a body is read, if it is.
    fn leaf_of(&self, mime: &Mime) -> Option<Leaf> {
        let content = match Kind::of(mime) {
            Kind::Opaque => return None,
            Kind::Document(_) if self.documents.is_none() => return None,
            Kind::Document(kind) => Content::Document(kind, Some(Vec::new())),
            kind => Content::Text(TextDecoder::new(mime.body_charset), Seen::of(kind)),
        };
        Some(Leaf { transfer: Decoder::new(mime.encoding), content })
    }

    /// Takes what the transfer encoding gave.
    fn decoded(&mut self) {
        let Some(leaf) = &mut self.leaf else { return };
        match &mut leaf.content {
            Content::Text(decoder, seen) => {
                decoder.feed(&self.decoded, &mut self.text);
                if let Some(seen) = seen {
                    seen.feed(&self.text, &mut self.seen);
                    self.texts.piece(Lane::Seen, Scope::Body, &self.seen);
                    self.seen.clear();
                }
                self.texts.piece(Lane::Plain, Scope::Body, &self.text);
                self.text.clear();
            }
            Content::Document(_, kept) => {
                if let Some(bytes) = kept {
                    if bytes.len() + self.decoded.len() <= self.document_bytes_max {
                        bytes.extend_from_slice(&self.decoded);
                    } else {
                        *kept = None;
                    }
                }
            }
        }
        self.decoded.clear();
    }

    fn end_text(&mut self, seen: Option<Seen>) {
        if let Some(mut seen) = seen {
            seen.feed(&self.text, &mut self.seen);
            seen.finish(&mut self.seen);
            self.texts.piece(Lane::Seen, Scope::Body, &self.seen);
            self.texts.end(Lane::Seen);
            self.seen.clear();
        }
        let text = std::mem::take(&mut self.text);
        self.whole(Scope::Body, &text);
        self.text = text;
        self.text.clear();
    }

    fn document(&mut self, kind: DocumentKind, bytes: &[u8]) {
        let Some(documents) = &self.documents else { return };
        if self.texts.is_done() || !self.texts.asks(Scope::Body) {
            return;
        }
        match documents.text(kind, bytes) {
            DocumentText::Text(text) => self.whole(Scope::Body, &text),
            DocumentText::Unknown => self.texts.unknown(),
        }
    }
}
