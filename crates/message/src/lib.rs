//! RFC 5322 and MIME in one bounded, streaming pass; it never fails: any bytes are a message.
//!
//! A [`Summary`] holds what IMAP tells of a message without its bytes: ENVELOPE, BODY and
//! BODYSTRUCTURE as they go on the wire, sort and thread keys, and the part tree with byte ranges.
//! Next to it: sections of a message, transfer decoding, and search in decoded text.

#![forbid(unsafe_code)]

pub mod address;
mod charset;
mod codec;
pub mod column;
pub mod date;
pub mod decode;
pub mod encoded_word;
mod envelope;
pub mod fold;
pub mod header;
pub mod kept;
mod keys;
mod keys_view;
pub mod message_id;
mod mime;
mod params;
mod parser;
pub mod printed;
pub mod search;
pub mod section;
mod structure;
pub mod subject;
mod summary;
mod text;
mod token;
mod walk;

use base::{DateTime, Limits};

pub use keys_view::{Ids, KeysView};
pub use parser::Parser;
pub use printed::VERSION as SUMMARY_VERSION;
pub use summary::Summary;

/// A MIME part: where it lies in the message and what it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// First byte of its header; for the root 0.
    pub header_start: u64,
    /// First byte after the header and its empty line.
    pub body_start: u64,
    /// First byte after the body.
    pub end: u64,
    /// Media type and subtype, lower case, as interpreted.
    pub media_type: (String, String),
    /// `charset` parameter, if any, as written.
    pub charset: Option<String>,
    /// How the body is encoded.
    pub encoding: TransferEncoding,
    /// Parts of a multipart, or the one enclosed message of a message/rfc822: that child is the
    /// message itself, whose own header and body are its ranges.
    pub children: Vec<Part>,
}

/// Content-Transfer-Encoding (RFC 2045 §6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferEncoding {
    /// 7bit, 8bit and binary: as is.
    Identity,
    /// base64
    Base64,
    /// quoted-printable
    QuotedPrintable,
    /// Something else: BINARY answers UNKNOWN-CTE.
    Unknown,
}

/// Keys for SORT (RFC 5256 §3, RFC 5957), decoded to UTF-8 and case-folded with [`fold::fold`];
/// each at most 1000 bytes long.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SortKeys {
    /// `Date:`, if it can be read.
    pub date: Option<DateTime>,
    /// Base subject (RFC 5256 §2.1).
    pub base_subject: String,
    /// Whether the subject says reply or forward (RFC 5256 §2.1).
    pub is_reply: bool,
    /// Local part of the first `From:` address.
    pub from: String,
    /// Local part of the first `To:` address.
    pub to: String,
    /// Local part of the first `Cc:` address.
    pub cc: String,
    /// Display name of the first `From:` address, or its address (RFC 5957 §3).
    pub display_from: String,
    /// Display name of the first `To:` address, or its address.
    pub display_to: String,
}

/// The texts among the [`SortKeys`], in the order of a summary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SortKey {
    /// Base subject (RFC 5256 §2.1).
    Subject,
    /// Local part of the first `From:` address.
    From,
    /// Local part of the first `To:` address.
    To,
    /// Local part of the first `Cc:` address.
    Cc,
    /// Display name of the first `From:` address, or its address (RFC 5957 §3).
    DisplayFrom,
    /// Display name of the first `To:` address, or its address.
    DisplayTo,
}

impl SortKey {
    /// How many there are.
    pub const COUNT: usize = 6;
}

/// Keys for THREAD=REFERENCES (RFC 5256 §3): message ids without `<>`, normalised.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ThreadKeys {
    /// `Message-ID:`
    pub message_id: Option<String>,
    /// `References:`, or the first id of `In-Reply-To:`.
    pub references: Vec<String>,
}

/// Parses a message that is in memory.
pub fn summarize(bytes: &[u8], limits: &Limits) -> Summary {
    let mut parser = Parser::new(limits);
    parser.feed(bytes);
    parser.finish()
}
