//! Where in a message a section lies (RFC 9051 §6.4.5.1).

use std::num::NonZeroU32;
use std::ops::Range;

use bytes::Bytes;
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
    Decoded(Range<u64>, TransferEncoding),
}

/// The section of a message of `size` octets.
pub(super) fn section<'a>(section: &'a Section, root: &Part, size: u64) -> Piece<'a> {
    if section.path.is_empty() && section.text == SectionText::Whole {
        return Piece::Range(0..size);
    }
    let Some(place) = find(&section.path, root) else { return Piece::Missing };
    let message = place.as_message();
    match (&section.text, message) {
        (SectionText::Whole, _) => Piece::Range(body(place.part(), root, size)),
        (SectionText::Mime, _) => Piece::Range(header(place.part())),
        (SectionText::Header, Some(message)) => Piece::Range(header(message)),
        (SectionText::Text, Some(message)) => Piece::Range(body(message, root, size)),
        (SectionText::HeaderFields { not, fields }, Some(message)) => {
            Piece::Fields { header: header(message), not: *not, names: fields }
        }
        // Only a message has a header and a text.
        (_, None) => Piece::Missing,
    }
}

/// BINARY of a part; without a path the message itself, which has no encoding of its own.
pub(super) fn decoded<'a>(path: &[NonZeroU32], root: &Part, size: u64) -> Piece<'a> {
    if path.is_empty() {
        return Piece::Range(0..size);
    }
    match find(path, root) {
        None => Piece::Missing,
        Some(place) => {
            let part = place.part();
            let range = body(part, root, size);
            // RFC 2046 §5.1, §5.2.1: composite types are not encoded, whatever they say.
            let composite = !part.children.is_empty();
            match part.encoding {
                TransferEncoding::Identity => Piece::Range(range),
                _ if composite => Piece::Range(range),
                encoding => Piece::Decoded(range, encoding),
            }
        }
    }
}

fn header(part: &Part) -> Range<u64> {
    part.header_start..part.body_start
}

/// The body. The message's own goes to its last octet, epilogue included.
fn body(part: &Part, root: &Part, size: u64) -> Range<u64> {
    let end = if std::ptr::eq(part, root) { size } else { part.end };
    part.body_start..end.max(part.body_start)
}

/// Where a part number leads.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// A message: its body parts are counted from 1.
    Message(&'a Part),
    /// A body part.
    Part(&'a Part),
}

impl<'a> Place<'a> {
    fn part(self) -> &'a Part {
        match self {
            Self::Message(part) | Self::Part(part) => part,
        }
    }

    /// The message whose header and text are meant.
    fn as_message(self) -> Option<&'a Part> {
        match self {
            Self::Message(part) => Some(part),
            Self::Part(part) => enclosed(part),
        }
    }

    fn step(self, n: NonZeroU32) -> Option<Self> {
        let nth = |part: &'a Part| part.children.get(n.get() as usize - 1).map(Place::Part);
        match self {
            Self::Message(message) | Self::Part(message) if is_multipart(message) => nth(message),
            // A message that is not a multipart has one part: its body.
            Self::Message(message) => (n == NonZeroU32::MIN).then_some(Self::Part(message)),
            Self::Part(part) => Self::Message(enclosed(part)?).step(n),
        }
    }
}

fn is_multipart(part: &Part) -> bool {
    part.media_type.0 == "multipart" && !part.children.is_empty()
}

/// The message that a message/rfc822 part is.
fn enclosed(part: &Part) -> Option<&Part> {
    if part.media_type.0 == "multipart" { None } else { part.children.first() }
}

fn find<'a>(path: &[NonZeroU32], root: &'a Part) -> Option<Place<'a>> {
    path.iter().try_fold(Place::Message(root), |place, &n| place.step(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: &str, [header_start, body_start, end]: [u64; 3], children: Vec<Part>) -> Part {
        let (major, minor) = kind.split_once('/').unwrap();
        Part {
            header_start,
            body_start,
            end,
            media_type: (major.into(), minor.into()),
            charset: None,
            encoding: TransferEncoding::Identity,
            children,
        }
    }

    /// RFC 9051 §6.4.5.1's example, shortened: 1 text, 2 message/rfc822 with 2.1 text and 2.2 image,
    /// 3 message/rfc822 with a plain text.
    fn tree() -> Part {
        let inner = part(
            "multipart/mixed",
            [31, 40, 70],
            vec![part("text/plain", [45, 47, 50], vec![]), part("image/gif", [55, 57, 60], vec![])],
        );
        let plain = part("text/plain", [82, 86, 90], vec![]);
        part(
            "multipart/mixed",
            [0, 10, 95],
            vec![
                part("text/plain", [15, 17, 20], vec![]),
                part("message/rfc822", [25, 31, 70], vec![inner]),
                part("message/rfc822", [75, 82, 90], vec![plain]),
            ],
        )
    }

    fn path(text: &str) -> Vec<NonZeroU32> {
        text.split('.').filter_map(|n| n.parse().ok()).collect()
    }

    #[test]
    fn part_numbers() {
        let root = tree();
        for (at, text, range) in [
            ("", SectionText::Whole, Some(0..100)),
            ("", SectionText::Header, Some(0..10)),
            ("", SectionText::Text, Some(10..100)),
            ("1", SectionText::Whole, Some(17..20)),
            ("1", SectionText::Mime, Some(15..17)),
            ("1", SectionText::Header, None),
            ("1.1", SectionText::Whole, None),
            ("2", SectionText::Whole, Some(31..70)),
            ("2", SectionText::Mime, Some(25..31)),
            ("2", SectionText::Header, Some(31..40)),
            ("2", SectionText::Text, Some(40..70)),
            ("2.1", SectionText::Whole, Some(47..50)),
            ("2.2", SectionText::Mime, Some(55..57)),
            ("2.3", SectionText::Whole, None),
            ("3.1", SectionText::Whole, Some(86..90)),
            ("3.1", SectionText::Mime, Some(82..86)),
            ("3.2", SectionText::Whole, None),
            ("3.1.1", SectionText::Whole, None),
            ("4", SectionText::Whole, None),
        ] {
            let asked = Section { path: path(at), text };
            let expected = range.map_or(Piece::Missing, Piece::Range);
            assert_eq!(section(&asked, &root, 100), expected, "{asked:?}");
        }
    }

    #[test]
    fn a_message_that_is_not_multipart_has_part_1() {
        let root = part("text/plain", [0, 10, 30], vec![]);
        let whole = |at: &str| Section { path: path(at), text: SectionText::Whole };
        assert_eq!(section(&whole("1"), &root, 30), Piece::Range(10..30));
        assert_eq!(section(&whole("1.1"), &root, 30), Piece::Missing);
        assert_eq!(section(&whole("2"), &root, 30), Piece::Missing);
    }
}
