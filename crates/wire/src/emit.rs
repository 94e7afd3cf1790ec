//! Writing the terminals of RFC 9051 §9, for commands and for responses.

use std::fmt::Display;
use std::io::Write;
use std::num::NonZeroU32;

use crate::cursor::is_atom_char;
use crate::utf7;
use crate::value::{MailboxName, Section, SectionText, SequenceSet, SetEnd};

/// Appends what `Display` gives.
pub(crate) fn push(out: &mut Vec<u8>, value: impl Display) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{value}");
}

/// Appends items with a space between.
pub(crate) fn spaced<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    for (at, value) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        item(out, value);
    }
}

/// Appends `(`, items with a space between, `)`.
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'(');
    spaced(out, items, item);
    out.push(b')');
}

/// Who writes: decides how literals are announced and whether 8-bit bytes may stand in quotes.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    /// A client's literals do not wait.
    pub(crate) client: bool,
    pub(crate) utf8: bool,
}

/// Quoted strings longer than this are written as literals: some clients have line buffers.
const QUOTED_BYTES_MAX: usize = 4096;

/// Appends a string: quoted if that can hold it, a literal otherwise. NUL, which neither holds,
/// becomes `?`.
pub(crate) fn string(out: &mut Vec<u8>, bytes: &[u8], style: Style) {
    let quotable = bytes.len() <= QUOTED_BYTES_MAX
        && bytes.iter().all(|&byte| !matches!(byte, 0 | b'\r' | b'\n'))
        && (bytes.is_ascii() || (style.utf8 && std::str::from_utf8(bytes).is_ok()));
    if quotable {
        out.push(b'"');
        for &byte in bytes {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
        return;
    }
    let plus = if style.client { "+" } else { "" };
    push(out, format_args!("{{{}{plus}}}\r\n", bytes.len()));
    out.extend(bytes.iter().map(|&byte| if byte == 0 { b'?' } else { byte }));
}

/// Whether `bytes` can stand as an atom that nobody takes for something else.
fn is_plain(bytes: &[u8]) -> bool {
    let fits = |&byte: &u8| is_atom_char(byte) && !matches!(byte, b'[' | b'~' | b'+' | b'$');
    !bytes.is_empty() && bytes.iter().all(fits) && !bytes.eq_ignore_ascii_case(b"NIL")
}

/// Appends an astring: an atom if it is a simple one, a string otherwise.
pub(crate) fn astring(out: &mut Vec<u8>, bytes: &[u8], style: Style) {
    if is_plain(bytes) { out.extend_from_slice(bytes) } else { string(out, bytes, style) }
}

/// Appends a mailbox name, pattern or prefix in the encoding of `style`.
pub(crate) fn name(out: &mut Vec<u8>, name: &str, style: Style) {
    if style.utf8 {
        astring(out, name.as_bytes(), style);
    } else {
        astring(out, utf7::encode(name).as_bytes(), style);
    }
}

/// Appends a mailbox name.
pub(crate) fn mailbox(out: &mut Vec<u8>, mailbox: &MailboxName, style: Style) {
    name(out, &mailbox.0, style);
}

pub(crate) fn sequence_set(out: &mut Vec<u8>, set: &SequenceSet) {
    let SequenceSet::Ranges(ranges) = set else {
        out.push(b'$');
        return;
    };
    let end = |out: &mut Vec<u8>, end: SetEnd| match end {
        SetEnd::Number(n) => push(out, n),
        SetEnd::Star => out.push(b'*'),
    };
    for (at, &(first, last)) in ranges.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        end(out, first);
        if first != last {
            out.push(b':');
            end(out, last);
        }
    }
}

pub(crate) fn part_path(out: &mut Vec<u8>, path: &[NonZeroU32]) {
    for (at, number) in path.iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        push(out, number);
    }
}

/// Appends `[1.HEADER.FIELDS (From To)]`.
pub(crate) fn section(out: &mut Vec<u8>, section: &Section, style: Style) {
    out.push(b'[');
    part_path(out, &section.path);
    if !section.path.is_empty() && section.text != SectionText::Whole {
        out.push(b'.');
    }
    match &section.text {
        SectionText::Whole => {}
        SectionText::Header => out.extend_from_slice(b"HEADER"),
        SectionText::Text => out.extend_from_slice(b"TEXT"),
        SectionText::Mime => out.extend_from_slice(b"MIME"),
        SectionText::HeaderFields { not, fields } => {
            out.extend_from_slice(if *not { b"HEADER.FIELDS.NOT " } else { b"HEADER.FIELDS " });
            list(out, fields, |out, field| astring(out, field, style));
        }
    }
    out.push(b']');
}
