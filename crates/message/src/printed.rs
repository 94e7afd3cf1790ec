//! Printed items in binary form: ENVELOPE, BODY and BODYSTRUCTURE, as responses show them.
//!
//! They repeat themselves, so their repetitions are left out: of ENVELOPE the lists of Sender and
//! Reply-To where they are that of From, of BODY what BODYSTRUCTURE begins with. What is kept are
//! whole pieces: an item is written by copying at most four of them.

use std::ops::Range;

use crate::codec::{Reader, put_bytes, put_number};

/// Version of a summary's binary form. Changes with the layout and with what is printed or made of a
/// message, so that caches are made anew.
pub const VERSION: u8 = 2;

/// What FETCH answers from a summary (RFC 9051 §7.5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// ENVELOPE
    Envelope,
    /// BODY, the non-extensible form of BODYSTRUCTURE.
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
}

/// Pieces that make an item.
pub(crate) type Pieces<'a> = [&'a [u8]; 4];

/// Appends an item of a summary in its binary form, without reading the rest of it. False, and
/// nothing written, if that is of another version or damaged.
#[must_use]
pub fn print(summary: &[u8], item: Item, utf8: bool, out: &mut Vec<u8>) -> bool {
    let mut reader = Reader::new(summary, 0);
    let pieces = match item {
        Item::Envelope => read_head(&mut reader)
            .and_then(|own| envelope(&mut reader, utf8 && own & OWN_ENVELOPE != 0)),
        _ => read_head(&mut reader).and_then(|own| {
            (0..1 + (own & OWN_ENVELOPE))
                .try_for_each(|_| envelope(&mut reader, false).map(drop))?;
            structure(&mut reader, item, utf8 && own & OWN_STRUCTURE != 0)
        }),
    };
    append(pieces, out)
}

/// The part of a summary's binary form that has BODY and BODYSTRUCTURE; `None` as for [`print`].
pub fn structures(summary: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(summary, 0);
    let own = read_head(&mut reader)?;
    (0..1 + (own & OWN_ENVELOPE)).try_for_each(|_| envelope(&mut reader, false).map(drop))?;
    let from = reader.position();
    let forms = 1 + (own >> 1 & 1);
    (0..forms).try_for_each(|_| structure(&mut reader, Item::Body, false).map(drop))?;
    let mut out = vec![VERSION, own & OWN_STRUCTURE];
    out.extend_from_slice(summary.get(from..reader.position())?);
    Some(out)
}

/// Whether a summary, or what [`structures`] gave, is in the form of this version.
#[must_use]
pub fn is_current(kept: &[u8]) -> bool {
    kept.first() == Some(&VERSION)
}

/// As [`print`], from what [`structures`] gives; it has no ENVELOPE.
#[must_use]
pub fn print_structure(structures: &[u8], item: Item, utf8: bool, out: &mut Vec<u8>) -> bool {
    let mut reader = Reader::new(structures, 0);
    let pieces = match item {
        Item::Envelope => None,
        _ => read_head(&mut reader)
            .and_then(|own| structure(&mut reader, item, utf8 && own & OWN_STRUCTURE != 0)),
    };
    append(pieces, out)
}

fn append(pieces: Option<Pieces<'_>>, out: &mut Vec<u8>) -> bool {
    pieces.iter().flatten().for_each(|piece| out.extend_from_slice(piece));
    pieces.is_some()
}

/// ENVELOPE has a form of its own for clients that read UTF-8, behind the other one.
pub(crate) const OWN_ENVELOPE: u8 = 1;
/// The same of BODY and BODYSTRUCTURE.
pub(crate) const OWN_STRUCTURE: u8 = 2;

/// The version, and which items have a form of their own for UTF-8.
pub(crate) fn read_head(reader: &mut Reader<'_>) -> Option<u8> {
    if reader.byte()? != VERSION {
        return None;
    }
    reader.byte().filter(|own| own & !(OWN_ENVELOPE | OWN_STRUCTURE) == 0)
}

/// Writes an ENVELOPE of which `from` is the list of From with the space before it.
pub(crate) fn put_envelope(out: &mut Vec<u8>, text: &[u8], from: Range<usize>) {
    let (list, rest) = (&text[from.clone()], &text[from.end..]);
    let copies = (0..2).take_while(|&n| rest[n * list.len()..].starts_with(list)).count();
    put_number(out, copies as u64);
    put_number(out, from.start as u64);
    put_number(out, from.end as u64);
    put_number(out, (text.len() - copies * list.len()) as u64);
    out.extend_from_slice(&text[..from.end]);
    out.extend_from_slice(&rest[copies * list.len()..]);
}

/// Reads the next ENVELOPE, or with `second` the one behind it.
pub(crate) fn envelope<'a>(reader: &mut Reader<'a>, second: bool) -> Option<Pieces<'a>> {
    if second {
        envelope(reader, false)?;
    }
    let copies = reader.number().filter(|&copies| copies <= 2)?;
    let from = usize::try_from(reader.number()?).ok()?;
    let to = usize::try_from(reader.number()?).ok()?;
    let text = reader.bytes()?;
    let (head, rest, list) = (text.get(..to)?, text.get(to..)?, text.get(from..to)?);
    let copy = |nth| if nth < copies { list } else { &[][..] };
    Some([head, copy(0), copy(1), rest])
}

/// Writes BODYSTRUCTURE and BODY.
pub(crate) fn put_structure(out: &mut Vec<u8>, extended: &[u8], plain: &[u8]) {
    let shared = extended.iter().zip(plain).take_while(|(a, b)| a == b).count();
    put_bytes(out, extended);
    put_number(out, shared as u64);
    put_bytes(out, &plain[shared..]);
}

/// Reads the next BODY or BODYSTRUCTURE, or with `second` the one behind it.
pub(crate) fn structure<'a>(
    reader: &mut Reader<'a>,
    item: Item,
    second: bool,
) -> Option<Pieces<'a>> {
    if second {
        structure(reader, item, false)?;
    }
    let extended = reader.bytes()?;
    let shared = extended.get(..usize::try_from(reader.number()?).ok()?)?;
    let rest = reader.bytes()?;
    Some(match item {
        Item::BodyStructure => [extended, &[], &[], &[]],
        _ => [shared, rest, &[], &[]],
    })
}
