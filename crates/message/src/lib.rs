//! RFC 5322 and MIME in one bounded, streaming pass; it never fails: any bytes are a message.
//!
//! A [`Summary`] holds what IMAP tells of a message without its bytes: ENVELOPE, BODY and
//! BODYSTRUCTURE as they go on the wire, sort and thread keys, and the part tree with byte ranges.

#![forbid(unsafe_code)]

use base::{DateTime, Limits};
use bytes::Bytes;

/// What IMAP tells of a message without looking at its bytes again. Its binary form is versioned
/// and lives in the cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    // The owner of this file replaces the body; the methods are the contract.
    envelope: Bytes,
}

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

/// Keys for SORT (RFC 5256 §3, RFC 5957), decoded to UTF-8 and case-folded with `fold`.
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

/// Keys for THREAD=REFERENCES (RFC 5256 §3): message ids without `<>`, normalised.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ThreadKeys {
    /// `Message-ID:`
    pub message_id: Option<String>,
    /// `References:`, or the first id of `In-Reply-To:`.
    pub references: Vec<String>,
}

impl Summary {
    /// ENVELOPE with its parentheses (RFC 9051 §7.5.2). Without `utf8` no 8-bit byte.
    pub fn envelope(&self, utf8: bool) -> &Bytes {
        let _ = utf8;
        &self.envelope
    }

    /// BODY, the non-extensible form of BODYSTRUCTURE.
    pub fn body(&self, utf8: bool) -> &Bytes {
        let _ = utf8;
        unimplemented!()
    }

    /// BODYSTRUCTURE with its parentheses.
    pub fn body_structure(&self, utf8: bool) -> &Bytes {
        let _ = utf8;
        unimplemented!()
    }

    /// The message as a tree.
    pub fn root(&self) -> &Part {
        unimplemented!()
    }

    /// Keys for SORT.
    pub fn sort_keys(&self) -> &SortKeys {
        unimplemented!()
    }

    /// Keys for THREAD.
    pub fn thread_keys(&self) -> &ThreadKeys {
        unimplemented!()
    }

    /// The conversation: a hash of its root's message id as the references tell it, or of the
    /// content's identity when they tell nothing.
    pub fn thread_id(&self, email_id: base::EmailId) -> base::ThreadId {
        let _ = email_id;
        unimplemented!()
    }

    /// The cache's form, with its version.
    pub fn encode(&self) -> Bytes {
        unimplemented!()
    }

    /// Reads [`Summary::encode`]'s form; `None` for any other version or bytes.
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let _ = bytes;
        unimplemented!()
    }
}

/// One pass over a message: bytes in, in pieces of any size; a [`Summary`] out. Memory is bounded by
/// the limits, whatever the message.
pub struct Parser {}

impl Parser {
    /// A parser at the first byte of a message.
    pub fn new(limits: &Limits) -> Self {
        let _ = limits;
        Self {}
    }

    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let _ = bytes;
        unimplemented!()
    }

    /// The end of the message.
    pub fn finish(self) -> Summary {
        unimplemented!()
    }
}

/// Parses a message that is in memory.
pub fn summarize(bytes: &[u8], limits: &Limits) -> Summary {
    let mut parser = Parser::new(limits);
    parser.feed(bytes);
    parser.finish()
}
