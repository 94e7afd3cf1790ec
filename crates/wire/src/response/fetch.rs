//! Writers for FETCH responses, item by item, straight into the output.
//!
//! RFC 9051 §7.5.2; MODSEQ: RFC 7162 §7; EMAILID, THREADID: RFC 8474 §5; SAVEDATE: RFC 8514 §4.2;
//! BINARY: RFC 3516 §4.2.

use std::num::NonZeroU32;

use base::{DateTime, EmailId, ModSeq, SeqNum, ThreadId, Uid};

use crate::emit::{self, Style, push};
use crate::value::Section;

/// Data items that are small enough to be values. Envelopes and body structures are rendered by
/// `message`; literals are announced with [`literal_header`] and follow as bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Small<'a> {
    /// FLAGS: the printed list without its parentheses.
    Flags(&'a str),
    /// UID
    Uid(Uid),
    /// MODSEQ
    ModSeq(ModSeq),
    /// INTERNALDATE
    InternalDate(DateTime),
    /// RFC822.SIZE
    Size(u64),
    /// EMAILID
    EmailId(EmailId),
    /// THREADID
    ThreadId(Option<ThreadId>),
    /// SAVEDATE
    SaveDate(Option<DateTime>),
}

/// What a section name in a FETCH response speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SectionName<'a> {
    /// `BODY[...]`; also the answer to `BODY.PEEK[...]`.
    Body(&'a Section),
    /// `BINARY[...]`
    Binary(&'a [NonZeroU32]),
    /// `BINARY.SIZE[...]`
    BinarySize(&'a [NonZeroU32]),
}

impl Small<'_> {
    /// Appends the item: `UID 5`, `FLAGS (\Seen)`.
    pub fn print(&self, out: &mut Vec<u8>) {
        match *self {
            Small::Flags(flags) => push(out, format_args!("FLAGS ({flags})")),
            Small::Uid(uid) => {
                out.extend_from_slice(b"UID ");
                number(out, uid.get());
            }
            Small::ModSeq(mod_seq) => {
                out.extend_from_slice(b"MODSEQ (");
                number(out, mod_seq.get());
                out.push(b')');
            }
            Small::InternalDate(date) => {
                out.extend_from_slice(b"INTERNALDATE \"");
                out.extend_from_slice(&date.text());
                out.push(b'"');
            }
            Small::Size(bytes) => {
                out.extend_from_slice(b"RFC822.SIZE ");
                number(out, bytes);
            }
            Small::EmailId(id) => push(out, format_args!("EMAILID ({id})")),
            Small::ThreadId(Some(id)) => push(out, format_args!("THREADID ({id})")),
            Small::ThreadId(None) => out.extend_from_slice(b"THREADID NIL"),
            Small::SaveDate(Some(date)) => push(out, format_args!("SAVEDATE \"{date}\"")),
            Small::SaveDate(None) => out.extend_from_slice(b"SAVEDATE NIL"),
        }
    }
}

/// Appends the item's name, `BODY[HEADER.FIELDS (From To)]<0>`, without a space after it;
/// `offset` is where a partial answer starts (RFC 9051 §7.5.2).
pub fn section_name(out: &mut Vec<u8>, name: SectionName<'_>, offset: Option<u64>) {
    let numbers = |out: &mut Vec<u8>, name: &str, path: &[NonZeroU32]| {
        push(out, format_args!("{name}["));
        emit::part_path(out, path);
        out.push(b']');
    };
    match name {
        SectionName::Body(section) => {
            out.extend_from_slice(b"BODY");
            emit::section(out, section, Style { client: false, utf8: false });
        }
        SectionName::Binary(path) => numbers(out, "BINARY", path),
        SectionName::BinarySize(path) => numbers(out, "BINARY.SIZE", path),
    }
    if let Some(offset) = offset {
        push(out, format_args!("<{offset}>"));
    }
}

/// `* n FETCH (`
#[inline]
pub fn open(out: &mut Vec<u8>, seq: SeqNum) {
    out.extend_from_slice(b"* ");
    number(out, seq.get());
    out.extend_from_slice(b" FETCH (");
}

/// A number in digits, cheaper than by formatting: there may be millions of them in one answer.
#[inline]
pub fn number(out: &mut Vec<u8>, number: impl Into<u64>) {
    decimal(out, number.into());
}

fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        // A digit fits.
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// `{n}` or `~{n}` and CRLF.
pub fn literal_header(out: &mut Vec<u8>, binary: bool, length: u64) {
    if binary {
        out.push(b'~');
    }
    out.push(b'{');
    number(out, length);
    out.extend_from_slice(b"}\r\n");
}
