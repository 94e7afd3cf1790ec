//! What of a message a section is made from (RFC 9051 §6.4.5.1); where it lies, `message` knows.

use std::num::NonZeroU32;
use std::ops::Range;

use bytes::Bytes;
use message::section::{Kind, locate};
use message::{Part, TransferEncoding};
use wire::value::{Section, SectionText};

/// A section as bytes of the message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece<'a> {
    /// There is no such part: NIL.
    Missing,
    /// As they are.
    Range(Range<u64>),
    /// Header fields, chosen by name.
    Fields {
        /// The header.
        header: Range<u64>,
        /// All but the named ones.
        not: bool,
        /// The names.
        names: &'a [Bytes],
    },
    /// A part's body without its transfer encoding.
    Decoded {
        /// The body.
        range: Range<u64>,
        /// Its encoding.
        encoding: TransferEncoding,
        /// It is text, whose lines have to end with CRLF (RFC 9051 §7.5.2).
        text: bool,
    },
}

/// The section of a message of `size` octets.
pub(super) fn section<'a>(section: &'a Section, root: &Part, size: u64) -> Piece<'a> {
    let kind = match &section.text {
        // The message as it is, whatever was understood of it.
        SectionText::Whole if section.path.is_empty() => return Piece::Range(0..size),
        SectionText::Whole => Kind::Whole,
        SectionText::Header | SectionText::HeaderFields { .. } => Kind::Header,
        SectionText::Text => Kind::Text,
        SectionText::Mime => Kind::Mime,
    };
    let Some(found) = locate(root, &section.path, kind) else { return Piece::Missing };
    let range = found.start..found.end;
    match &section.text {
        SectionText::HeaderFields { not, fields } => {
            Piece::Fields { header: range, not: *not, names: fields }
        }
        _ => Piece::Range(range),
    }
}

/// BINARY of a part; without a path the message itself, which has no encoding of its own.
pub(super) fn decoded<'a>(path: &[NonZeroU32], root: &Part, size: u64) -> Piece<'a> {
    if path.is_empty() {
        return Piece::Range(0..size);
    }
    match locate(root, path, Kind::Whole) {
        None => Piece::Missing,
        Some(found) => {
            let (range, text) = (found.start..found.end, found.part.media_type.0 == "text");
            match (found.encoding, text) {
                (TransferEncoding::Identity, false) => Piece::Range(range),
                (encoding, text) => Piece::Decoded { range, encoding, text },
            }
        }
    }
}
