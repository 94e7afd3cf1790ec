//! FETCH and UID FETCH.
//!
//! RFC 9051 §6.4.5, RFC 3501 §6.4.5; BINARY: RFC 3516; MODSEQ, CHANGEDSINCE, VANISHED: RFC 7162
//! §3.1.4, §3.2.6; EMAILID, THREADID: RFC 8474 §5; SAVEDATE: RFC 8514 §4.2.

use std::num::NonZeroU32;

use base::ModSeq;

use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style, push};
use crate::grammar::{self, name_of};
use crate::value::{Numbering, Partial, Section, SequenceSet};

/// FETCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// How `set` is numbered.
    pub numbering: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// What, in the client's order, macros expanded; at least one.
    pub items: Vec<FetchItem>,
    /// `(CHANGEDSINCE n)` (RFC 7162 §3.1.4).
    pub changed_since: Option<ModSeq>,
    /// `(CHANGEDSINCE n VANISHED)` (RFC 7162 §3.2.6).
    pub vanished: bool,
}

/// One data item of FETCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchItem {
    /// ENVELOPE
    Envelope,
    /// FLAGS
    Flags,
    /// INTERNALDATE
    InternalDate,
    /// RFC822
    Rfc822,
    /// RFC822.HEADER
    Rfc822Header,
    /// RFC822.SIZE
    Rfc822Size,
    /// RFC822.TEXT
    Rfc822Text,
    /// BODY without a section
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// UID
    Uid,
    /// MODSEQ (RFC 7162)
    ModSeq,
    /// EMAILID (RFC 8474)
    EmailId,
    /// THREADID (RFC 8474)
    ThreadId,
    /// SAVEDATE (RFC 8514)
    SaveDate,
    /// BODY[...] and BODY.PEEK[...]
    BodySection {
        /// Do not set `\Seen`.
        peek: bool,
        /// Which.
        section: Section,
        /// A byte range.
        partial: Option<Partial>,
    },
    /// BINARY[...] and BINARY.PEEK[...] (RFC 3516)
    Binary {
        /// Do not set `\Seen`.
        peek: bool,
        /// Which part.
        path: Vec<NonZeroU32>,
        /// A byte range of the decoded part.
        partial: Option<Partial>,
    },
    /// BINARY.SIZE[...] (RFC 3516)
    BinarySize(Vec<NonZeroU32>),
}

/// The items that are only a name.
const PLAIN: &[(&str, FetchItem)] = &[
    ("ENVELOPE", FetchItem::Envelope),
    ("FLAGS", FetchItem::Flags),
    ("INTERNALDATE", FetchItem::InternalDate),
    ("RFC822", FetchItem::Rfc822),
    ("RFC822.HEADER", FetchItem::Rfc822Header),
    ("RFC822.SIZE", FetchItem::Rfc822Size),
    ("RFC822.TEXT", FetchItem::Rfc822Text),
    ("BODYSTRUCTURE", FetchItem::BodyStructure),
    ("UID", FetchItem::Uid),
    ("MODSEQ", FetchItem::ModSeq),
    ("EMAILID", FetchItem::EmailId),
    ("THREADID", FetchItem::ThreadId),
    ("SAVEDATE", FetchItem::SaveDate),
];

/// Items that the macros stand for: FAST the first three, ALL four, FULL five (RFC 9051 §6.4.5).
const MACRO: [FetchItem; 5] = [
    FetchItem::Flags,
    FetchItem::InternalDate,
    FetchItem::Rfc822Size,
    FetchItem::Envelope,
    FetchItem::Body,
];

pub(super) fn parse(c: &mut Cursor<'_>, numbering: Numbering) -> Result<Fetch> {
    c.sp()?;
    let set = grammar::sequence_set(c)?;
    c.sp()?;
    let items = match c.peek() {
        Some(b'(') => c.list1("a fetch item", item)?,
        _ if c.eat_word("FAST") => MACRO[..3].to_vec(),
        _ if c.eat_word("ALL") => MACRO[..4].to_vec(),
        _ if c.eat_word("FULL") => MACRO.to_vec(),
        _ => vec![item(c)?],
    };
    let mut fetch = Fetch { numbering, set, items, changed_since: None, vanished: false };
    if c.eat(b' ') {
        modifiers(c, &mut fetch)?;
    }
    Ok(fetch)
}

/// RFC 4466 §2.4, fetch-modifiers.
fn modifiers(c: &mut Cursor<'_>, fetch: &mut Fetch) -> Result<()> {
    let start = c.at();
    let table = [("CHANGEDSINCE", false), ("VANISHED", true)];
    c.list1("CHANGEDSINCE", |c| {
        if c.choose(&table, "CHANGEDSINCE or VANISHED")? {
            fetch.vanished = true;
        } else {
            c.sp()?;
            fetch.changed_since = Some(c.mod_seq()?);
        }
        Ok(())
    })?;
    // RFC 7162 §3.2.6.
    if fetch.vanished && (fetch.changed_since.is_none() || fetch.numbering == Numbering::Seq) {
        return Err(c.fail_at(start, "VANISHED only in UID FETCH with CHANGEDSINCE"));
    }
    Ok(())
}

fn item(c: &mut Cursor<'_>) -> Result<FetchItem> {
    const EXPECTED: &str = "a fetch item";
    let start = c.at();
    let label = c.label(EXPECTED)?;
    let is = |name: &str| label.eq_ignore_ascii_case(name.as_bytes());
    if let Some((_, item)) = PLAIN.iter().find(|(name, _)| is(name)) {
        return Ok(item.clone());
    }
    match () {
        () if is("BODY") && c.peek() != Some(b'[') => Ok(FetchItem::Body),
        () if is("BODY") || is("BODY.PEEK") => {
            let section = grammar::section(c)?;
            let partial = grammar::partial(c)?;
            Ok(FetchItem::BodySection { peek: is("BODY.PEEK"), section, partial })
        }
        () if is("BINARY") || is("BINARY.PEEK") => {
            let path = grammar::section_binary(c)?;
            let partial = grammar::partial(c)?;
            Ok(FetchItem::Binary { peek: is("BINARY.PEEK"), path, partial })
        }
        () if is("BINARY.SIZE") => grammar::section_binary(c).map(FetchItem::BinarySize),
        () => Err(c.fail_at(start, EXPECTED)),
    }
}

pub(super) fn print(fetch: &Fetch, out: &mut Vec<u8>, style: Style) {
    super::print_verb("FETCH", fetch.numbering, out);
    emit::sequence_set(out, &fetch.set);
    out.push(b' ');
    emit::list(out, &fetch.items, |out, item| print_item(item, out, style));
    if let Some(mod_seq) = fetch.changed_since {
        let vanished = if fetch.vanished { " VANISHED" } else { "" };
        push(out, format_args!(" (CHANGEDSINCE {mod_seq}{vanished})"));
    }
}

fn print_item(item: &FetchItem, out: &mut Vec<u8>, style: Style) {
    let partial = match item {
        FetchItem::Body => {
            out.extend_from_slice(b"BODY");
            None
        }
        FetchItem::BodySection { peek, section, partial } => {
            out.extend_from_slice(if *peek { b"BODY.PEEK" } else { b"BODY" });
            emit::section(out, section, style);
            *partial
        }
        FetchItem::Binary { peek, path, partial } => {
            out.extend_from_slice(if *peek { b"BINARY.PEEK[" } else { b"BINARY[" });
            emit::part_path(out, path);
            out.push(b']');
            *partial
        }
        FetchItem::BinarySize(path) => {
            out.extend_from_slice(b"BINARY.SIZE[");
            emit::part_path(out, path);
            out.push(b']');
            None
        }
        plain => {
            out.extend_from_slice(name_of(PLAIN, plain).as_bytes());
            None
        }
    };
    if let Some(Partial { offset, length }) = partial {
        push(out, format_args!("<{offset}.{length}>"));
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn items() {
        check(&[
            ("FETCH 1 FLAGS", Ok("FETCH 1 (FLAGS)")),
            ("FETCH 1:62 (FLAGS UID)", Ok("FETCH 1:62 (FLAGS UID)")),
            ("fetch 1 fast", Ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)")),
            ("FETCH 1 ALL", Ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)")),
            ("FETCH 1 FULL", Ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)")),
            (
                "uid fetch 1 (rfc822 rfc822.header rfc822.size rfc822.text body bodystructure)",
                Ok("UID FETCH 1 (RFC822 RFC822.HEADER RFC822.SIZE RFC822.TEXT BODY \
                    BODYSTRUCTURE)"),
            ),
            (
                "FETCH 1 (modseq emailid threadid savedate envelope internaldate)",
                Ok("FETCH 1 (MODSEQ EMAILID THREADID SAVEDATE ENVELOPE INTERNALDATE)"),
            ),
            ("FETCH 1", Err("expected a space at byte 10")),
            ("FETCH 1 ()", Err("expected a fetch item at byte 12")),
            ("FETCH 1 FOO", Err("expected a fetch item at byte 11")),
            ("FETCH 1 (ALL)", Err("expected a fetch item at byte 12")),
            ("FETCH 1 RFC822.PEEK", Err("expected a fetch item at byte 11")),
            ("FETCH 1 FLAGS UID", Err("expected an opening parenthesis at byte 17")),
            ("FETCH 1 (FLAGS  UID)", Err("expected a fetch item at byte 18")),
            ("FETCH 0 FLAGS", Err("expected a number from 1 to 4294967295 or * at byte 9")),
        ]);
    }

    #[test]
    fn sections() {
        check(&[
            ("FETCH 1 BODY[]", Ok("FETCH 1 (BODY[])")),
            ("FETCH 1 body.peek[1]<0.393216>", Ok("FETCH 1 (BODY.PEEK[1]<0.393216>)")),
            (
                "FETCH 1 (BODY[HEADER] body[text] BODY[1.2.mime] BODY[2.HEADER] BODY[3.TEXT])",
                Ok("FETCH 1 (BODY[HEADER] BODY[TEXT] BODY[1.2.MIME] BODY[2.HEADER] BODY[3.TEXT])"),
            ),
            (
                "FETCH 1 BODY.PEEK[HEADER.FIELDS (From \"to\" {2}\r\ncc)]",
                Ok("FETCH 1 (BODY.PEEK[HEADER.FIELDS (From to cc)])"),
            ),
            (
                "FETCH 1 BODY[1.header.fields.not (x)]<1.1>",
                Ok("FETCH 1 (BODY[1.HEADER.FIELDS.NOT (x)]<1.1>)"),
            ),
            (
                "FETCH 1 (BINARY[1.2] binary.peek[]<3.4> BINARY.SIZE[1])",
                Ok("FETCH 1 (BINARY[1.2] BINARY.PEEK[]<3.4> BINARY.SIZE[1])"),
            ),
            ("FETCH 1 BODY.PEEK", Err("expected [ at byte 20")),
            ("FETCH 1 BODY [1]", Err("expected an opening parenthesis at byte 16")),
            ("FETCH 1 BODY[0]", Err("expected a number from 1 to 4294967295 at byte 16")),
            ("FETCH 1 BODY[1.0]", Err("expected a number from 1 to 4294967295 at byte 18")),
            ("FETCH 1 BODY[1.]", Err("expected a section at byte 18")),
            (
                "FETCH 1 BODY[MIME]",
                Err("expected HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, or MIME after a \
                     part at byte 16"),
            ),
            ("FETCH 1 BODY[HEADER.FIELDS ()]", Err("expected a header field's name at byte 31")),
            ("FETCH 1 BODY[1", Err("expected . or ] at byte 17")),
            ("FETCH 1 BODY[]<0.0>", Err("expected a length above 0 at byte 20")),
            (
                "FETCH 1 BODY[]<0>",
                Err("expected . between the partial's offset and length at byte 19"),
            ),
            ("FETCH 1 BINARY[1.MIME]", Err("expected a part number and ] at byte 19")),
            ("FETCH 1 BINARY.SIZE[1]<0.1>", Err("expected the end of the line at byte 25")),
        ]);
    }

    #[test]
    fn modifiers() {
        check(&[
            (
                "FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)",
                Ok("FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)"),
            ),
            // iOS 16
            ("UID FETCH 1:* FLAGS (changedsince 0)", Ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 0)")),
            (
                "UID FETCH 300:500 (FLAGS) (VANISHED CHANGEDSINCE 1)",
                Ok("UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 1 VANISHED)"),
            ),
            (
                "FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)",
                Err("expected VANISHED only in UID FETCH with CHANGEDSINCE at byte 19"),
            ),
            (
                "UID FETCH 1 (FLAGS) (VANISHED)",
                Err("expected VANISHED only in UID FETCH with CHANGEDSINCE at byte 23"),
            ),
            ("FETCH 1 (FLAGS) ()", Err("expected CHANGEDSINCE at byte 20")),
            ("FETCH 1 (FLAGS) (PARTIAL 1:2)", Err("expected CHANGEDSINCE or VANISHED at byte 20")),
        ]);
    }
}
