//! The texts of a message, as search sees them. One reading for all who ask: what a [`Scan`] can match
//! and what an index holds cannot differ.
//!
//! [`Scan`]: super::Scan

use base::Limits;

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

/// Takes the texts of a message in their order.
pub trait Texts {
    /// Whether nothing that follows matters.
    fn is_done(&self) -> bool;
    /// Whether texts of `scope` matter.
    fn asks(&self, scope: Scope) -> bool;
    /// The message's own header; before all texts.
    fn own_header(&mut self, header: &OwnHeader<'_>);
    /// The next piece of a text, not folded; a text may come in many.
    fn piece(&mut self, scope: Scope, text: &str);
    /// The text has ended: a match never spans two texts.
    fn end(&mut self);
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
        let (decoded, text) = (Vec::new(), String::new());
        let reading = Reading { texts, depth: 0, leaf: None, decoded, text };
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

    /// The end of the message, or of what matters.
    pub fn finish(self) -> T {
        if self.texts().is_done() {
            return self.walk.sink.texts;
        }
        self.walk.finish().texts
    }
}

/// A text part that is being decoded.
struct Leaf {
    transfer: Decoder,
    text: TextDecoder,
}

struct Reading<T> {
    texts: T,
    depth: usize,
    leaf: Option<Leaf>,
    decoded: Vec<u8>,
    text: String,
}

impl<T: Texts> Reading<T> {
    fn whole(&mut self, scope: Scope, text: &str) {
        self.texts.piece(scope, text);
        self.texts.end();
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

/// Whether a body is text. Reports (message/delivery-status and its like) are.
fn is_searched(mime: &Mime) -> bool {
    mime.is_text() || mime.media_type.0 == "message"
}

impl<T: Texts> Sink for Reading<T> {
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
            self.parameters(scope, &part.mime);
        }
        self.leaf = None;
        if is_searched(&part.mime) && self.texts.asks(Scope::Body) {
            let charset = part
                .mime
                .charset()
                .map_or(Charset::Guess, |charset| Charset::of(charset.as_bytes()));
            self.leaf = Some(Leaf {
                transfer: Decoder::new(part.mime.encoding),
                text: TextDecoder::new(charset),
            });
        }
    }

    fn body(&mut self, bytes: &[u8]) {
        let Some(leaf) = &mut self.leaf else { return };
        // A tolerant decoder does not fail.
        let _ = leaf.transfer.feed(bytes, &mut self.decoded);
        leaf.text.feed(&self.decoded, &mut self.text);
        self.texts.piece(Scope::Body, &self.text);
        self.decoded.clear();
        self.text.clear();
    }

    fn close(&mut self, _: Closed) {
        self.depth = self.depth.saturating_sub(1);
        let Some(mut leaf) = self.leaf.take() else { return };
        let (mut decoded, mut text) = (Vec::new(), String::new());
        let _ = leaf.transfer.finish(&mut decoded);
        leaf.text.feed(&decoded, &mut text);
        leaf.text.finish(&mut text);
        self.whole(Scope::Body, &text);
    }
}
