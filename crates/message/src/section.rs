//! Body sections (RFC 9051 §6.4.5.1): which bytes `BODY[3.TEXT]` names.

use std::num::NonZeroU32;

use bytes::Bytes;

use crate::header::fields;
use crate::{Part, TransferEncoding};

/// What of a part is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The whole: `BODY[]`, `BODY[1]`.
    Whole,
    /// `HEADER`, also for HEADER.FIELDS: a message's header with its empty line.
    Header,
    /// `TEXT`: a message's body.
    Text,
    /// `MIME`: a part's header with its empty line; only with a path.
    Mime,
}

/// Where a section lies in the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Located<'a> {
    /// First byte.
    pub start: u64,
    /// First byte after it.
    pub end: u64,
    /// The part that the path names.
    pub part: &'a Part,
    /// How the bytes are encoded: BINARY undoes this (RFC 3516 §4.2). Headers, multiparts,
    /// messages and the message as a whole are not encoded.
    pub encoding: TransferEncoding,
}

/// Finds a section; `None` if the message has no such part, or the part no such section.
pub fn locate<'a>(root: &'a Part, path: &[NonZeroU32], kind: Kind) -> Option<Located<'a>> {
    let found = |part: &'a Part, start: u64, end: u64| {
        Some(Located { start, end, part, encoding: TransferEncoding::Identity })
    };
    let Some((first, rest)) = path.split_first() else {
        return match kind {
            Kind::Whole => found(root, root.header_start, root.end),
            Kind::Header => found(root, root.header_start, root.body_start),
            Kind::Text => found(root, root.body_start, root.end),
            Kind::Mime => None,
        };
    };
    let mut part = child_of_message(root, *first)?;
    for &number in rest {
        part = match enclosed(part) {
            Some(message) => child_of_message(message, number)?,
            None if is_multipart(part) => child(part, number)?,
            None => return None,
        };
    }
    match kind {
        Kind::Whole => {
            let container = is_multipart(part) || enclosed(part).is_some();
            let encoding = if container { TransferEncoding::Identity } else { part.encoding };
            Some(Located { start: part.body_start, end: part.end, part, encoding })
        }
        Kind::Mime => found(part, part.header_start, part.body_start),
        Kind::Header => {
            enclosed(part).and_then(|inner| found(part, inner.header_start, inner.body_start))
        }
        Kind::Text => enclosed(part).and_then(|inner| found(part, inner.body_start, inner.end)),
    }
}

fn is_multipart(part: &Part) -> bool {
    part.media_type.0 == "multipart"
}

/// The message in a message/rfc822.
fn enclosed(part: &Part) -> Option<&Part> {
    if is_multipart(part) { None } else { part.children.first() }
}

fn child(part: &Part, number: NonZeroU32) -> Option<&Part> {
    part.children.get(usize::try_from(number.get()).ok()? - 1)
}

/// The body of a message that is no multipart is its part 1.
fn child_of_message(message: &Part, number: NonZeroU32) -> Option<&Part> {
    if is_multipart(message) {
        child(message, number)
    } else {
        (number.get() == 1).then_some(message)
    }
}

/// The fields of `header` that are in `names`, or with `not` those that are not, byte for byte as
/// they are stored, and the empty line if `header` has one (RFC 9051 §6.4.5.1).
pub fn header_fields(header: &[u8], names: &[Bytes], not: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut read = 0;
    for field in fields(header) {
        read += field.raw.len();
        if names.iter().any(|name| field.is(name)) != not {
            out.extend_from_slice(field.raw);
        }
    }
    let rest = &header[read..];
    if rest.starts_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    } else if rest.starts_with(b"\n") {
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Limits;

    const COMPLEX: &str = "\
From: a@b
Content-Type: multipart/mixed; boundary=o

--o

one
--o
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

dHdv
--o
Content-Type: message/rfc822

Subject: three
Content-Type: multipart/mixed; boundary=i

--i

3.1
--i
Content-Type: message/rfc822

Subject: single

3.2.1
--i--
--o
Content-Type: multipart/mixed; boundary=j

--j
Content-Type: image/gif

4.1
--j--
--o--
";

    fn seen(path: &[u32], kind: Kind) -> Option<String> {
        let message = COMPLEX.replace('\n', "\r\n");
        let summary = crate::summarize(message.as_bytes(), &Limits::default());
        let path: Vec<_> = path.iter().filter_map(|&number| NonZeroU32::new(number)).collect();
        let found = locate(summary.root(), &path, kind)?;
        let bytes = &message.as_bytes()[found.start as usize..found.end as usize];
        Some(String::from_utf8_lossy(bytes).replace("\r\n", "\n"))
    }

    #[test]
    fn sections() {
        for (path, kind, expected) in [
            (&[][..], Kind::Whole, Some(COMPLEX)),
            (&[], Kind::Header, Some("From: a@b\nContent-Type: multipart/mixed; boundary=o\n\n")),
            (&[], Kind::Mime, None),
            (&[1], Kind::Whole, Some("one")),
            (&[1], Kind::Mime, Some("\n")),
            (&[1], Kind::Header, None),
            (&[1], Kind::Text, None),
            (&[1, 1], Kind::Whole, None),
            (&[2], Kind::Whole, Some("dHdv")),
            (&[3], Kind::Mime, Some("Content-Type: message/rfc822\n\n")),
            (
                &[3],
                Kind::Header,
                Some("Subject: three\nContent-Type: multipart/mixed; boundary=i\n\n"),
            ),
            (&[3, 1], Kind::Whole, Some("3.1")),
            (&[3, 2], Kind::Whole, Some("Subject: single\n\n3.2.1")),
            (&[3, 2], Kind::Header, Some("Subject: single\n\n")),
            (&[3, 2], Kind::Text, Some("3.2.1")),
            (&[3, 2, 1], Kind::Whole, Some("3.2.1")),
            (&[3, 2, 1], Kind::Mime, Some("Subject: single\n\n")),
            (&[3, 2, 1], Kind::Text, None),
            (&[3, 2, 2], Kind::Whole, None),
            (&[3, 3], Kind::Whole, None),
            (&[4], Kind::Text, None),
            (&[4, 1], Kind::Whole, Some("4.1")),
            (&[4, 1], Kind::Mime, Some("Content-Type: image/gif\n\n")),
            (&[5], Kind::Whole, None),
        ] {
            assert_eq!(seen(path, kind).as_deref(), expected, "{path:?} {kind:?}");
        }
        let text = seen(&[3], Kind::Text).unwrap();
        assert!(text.starts_with("--i\n") && text.ends_with("--i--"), "{text:?}");
    }

    #[test]
    fn single_part() {
        let message = b"Subject: x\r\n\r\nbody\r\n";
        let summary = crate::summarize(message, &Limits::default());
        let one = [NonZeroU32::MIN];
        let range = |kind| locate(summary.root(), &one, kind).map(|found| found.start..found.end);
        assert_eq!(range(Kind::Whole), Some(14..20));
        assert_eq!(range(Kind::Mime), Some(0..14));
        assert_eq!(range(Kind::Text), None);
    }

    #[test]
    fn fields_of_a_header() {
        let header = b"A: 1\r\nb: 2\r\n folded\r\nA: 3\nC : 4\r\n\r\n";
        let names = |names: &[&str]| -> Vec<Bytes> {
            names.iter().map(|name| Bytes::copy_from_slice(name.as_bytes())).collect()
        };
        for (wanted, not, expected) in [
            (&["a"][..], false, "A: 1\r\nA: 3\n\r\n"),
            (&["B", "x"], false, "b: 2\r\n folded\r\n\r\n"),
            (&["c"], false, "C : 4\r\n\r\n"),
            (&["x"], false, "\r\n"),
            (&["a"], true, "b: 2\r\n folded\r\nC : 4\r\n\r\n"),
        ] {
            let out = header_fields(header, &names(wanted), not);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
        assert_eq!(header_fields(b"A: 1\r\n", &names(&["a"]), false), b"A: 1\r\n");
        assert_eq!(header_fields(b"", &names(&["a"]), false), b"");
    }
}
