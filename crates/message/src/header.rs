//! Header fields (RFC 5322 §2.2), as they are stored.

use crate::text;

/// A header field, or a line that is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// The name without the colon and white space before it; empty for a line that is no field,
    /// such as the `From ` line of an mbox.
    pub name: &'a [u8],
    /// What follows the colon, with its folding, without the last line break.
    pub value: &'a [u8],
    /// The whole field with its line breaks, byte for byte.
    pub raw: &'a [u8],
}

impl Field<'_> {
    /// Whether this is the field `name`, in any case.
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value as text: unfolded, encoded-words decoded.
    pub fn decoded(&self) -> String {
        crate::encoded_word::decode(self.value)
    }
}

/// Iterates over the fields of a header, up to its empty line or the end.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

/// The fields of `header`, in order.
pub fn fields(header: &[u8]) -> Fields<'_> {
    Fields { rest: header }
}

/// The first line of `bytes` with its line break.
fn line(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)]
}

/// `line` without the line break at its end.
fn without_break(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let first = line(self.rest);
        if matches!(first, b"" | b"\n" | b"\r\n") {
            self.rest = b"";
            return None;
        }
        let mut length = first.len();
        while matches!(self.rest.get(length), Some(b' ' | b'\t')) {
            length += line(&self.rest[length..]).len();
        }
        let (raw, rest) = self.rest.split_at(length);
        self.rest = rest;
        let content = without_break(raw);
        let no_field = Field { name: b"", value: content, raw };
        let Some(colon) = memchr::memchr(b':', first) else { return Some(no_field) };
        // Obsolete syntax lets white space stand before the colon (RFC 5322 §4.5).
        let name = raw[..colon].trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Some(no_field);
        }
        Some(Field { name, value: content.get(colon + 1..).unwrap_or_default(), raw })
    }
}

/// The value of the first field `name`, unfolded and trimmed.
pub fn first(header: &[u8], name: &str) -> Option<Vec<u8>> {
    let field = fields(header).find(|field| field.is(name.as_bytes()))?;
    Some(text::unfold(field.value).into_owned())
}

/// How long the header at the start of `bytes` is, and how many lines it has, if its end is there and
/// no line of it may be a boundary.
pub(crate) fn extent(bytes: &[u8]) -> Option<(usize, usize)> {
    let empty = |rest: &[u8]| match rest {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    };
    match empty(bytes) {
        0 if bytes.starts_with(b"-") => return None,
        0 => {}
        length => return Some((length, 1)),
    }
    let mut breaks = 1;
    for at in memchr::memchr_iter(b'\n', bytes) {
        let rest = &bytes[at + 1..];
        match empty(rest) {
            0 if rest.starts_with(b"-") => return None,
            0 => breaks += 1,
            length => return Some((at + 1 + length, breaks + 1)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        let header = b"From me Mon Jan  1 00:00:00 2024\r\nA: b\r\n c\nObs \t: x\nno colon\r\n \
            more\r\nE:\r\n:empty\nLast: y";
        let names: Vec<_> = fields(header)
            .map(|field| {
                (
                    String::from_utf8_lossy(field.name).into_owned(),
                    String::from_utf8_lossy(field.value).into_owned(),
                )
            })
            .collect();
        let expected = [
            ("", "From me Mon Jan  1 00:00:00 2024"),
            ("A", " b\r\n c"),
            ("Obs", " x"),
            ("", "no colon\r\n more"),
            ("E", ""),
            ("", ":empty"),
            ("Last", " y"),
        ];
        assert_eq!(names, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let raw: Vec<u8> = fields(header).flat_map(|field| field.raw.to_vec()).collect();
        assert_eq!(raw, header);
        assert_eq!(first(header, "a").as_deref(), Some(&b"b c"[..]));
    }

    #[test]
    fn ends_at_the_empty_line() {
        assert_eq!(fields(b"A: b\r\n\r\nC: d\r\n").count(), 1);
        assert_eq!(fields(b"\r\nC: d\r\n").count(), 0);
        assert_eq!(fields(b"").count(), 0);
    }

    #[test]
    fn extents() {
        for (bytes, extent) in [
            (&b"A: b\r\n c\r\n\r\nbody"[..], Some((12, 3))),
            (b"A: b\n\nbody\n", Some((6, 2))),
            (b"\r\nbody", Some((2, 1))),
            (b"\nbody", Some((1, 1))),
            (b"A: b\r\n", None),
            (b"A: b\r\n\r", None),
            (b"A: b\r\n--x\r\n\r\n", None),
            (b"--x\r\n\r\n", None),
            (b"", None),
        ] {
            assert_eq!(super::extent(bytes), extent, "{bytes:?}");
        }
    }
}
