//! HEADER.FIELDS and HEADER.FIELDS.NOT: a header in pieces, and what of it is wanted.
//!
//! RFC 9051 §6.4.5.1: field names are compared without case; the empty line is always kept.

use bytes::Bytes;
use message::kept::NAME_MAX;
pub(super) use message::kept::{Line, lines};

/// Adds to `out` what is wanted of a whole header.
pub(super) fn select(header: &[u8], names: &[Bytes], not: bool, out: &mut Vec<u8>) {
    let mut keep = not;
    for line in lines(header) {
        let line = match line {
            Line::Field(name, line) => {
                keep = is_named(name, names) != not;
                line
            }
            Line::More(line) => line,
            Line::End(line) => {
                keep = true;
                line
            }
        };
        if keep {
            out.extend_from_slice(line);
        }
    }
}

fn is_named(name: Option<&[u8]>, names: &[Bytes]) -> bool {
    name.is_some_and(|name| names.iter().any(|asked| asked.eq_ignore_ascii_case(name)))
}

/// Passes on the wanted fields of a header that comes in pieces of any size.
pub(super) struct FieldFilter<'a> {
    names: &'a [Bytes],
    not: bool,
    /// The beginning of a line as long as it is not known whether the line is wanted.
    begun: Vec<u8>,
    state: State,
    /// Whether the field of the last decided line is wanted: its continuation lines are too.
    keep: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    InLine,
    End,
}

impl<'a> FieldFilter<'a> {
    pub(super) fn new(names: &'a [Bytes], not: bool) -> Self {
        Self { names, not, begun: Vec::new(), state: State::LineStart, keep: not }
    }

    /// Takes the next bytes; adds to `out` what is wanted.
    pub(super) fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            match self.state {
                State::End => return,
                State::LineStart => {
                    let (&first, rest) = bytes.split_first().unwrap_or((&0, &[]));
                    self.begun.push(first);
                    bytes = rest;
                    self.decide(first, out);
                }
                State::InLine => {
                    let line = memchr::memchr(b'\n', bytes).map(|at| at + 1);
                    let (now, rest) = bytes.split_at(line.unwrap_or(bytes.len()));
                    if self.keep {
                        out.extend_from_slice(now);
                    }
                    if line.is_some() {
                        self.state = State::LineStart;
                    }
                    bytes = rest;
                }
            }
        }
    }

    /// The end of the header: a last line without an ending.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.begun.is_empty() {
            self.line_is_wanted(out);
        }
    }

    /// Looks at a line's beginning, of which `last` is the newest byte.
    fn decide(&mut self, last: u8, out: &mut Vec<u8>) {
        let begun = &self.begun[..];
        if matches!(begun, b"\n" | b"\r\n") {
            out.append(&mut self.begun);
            self.state = State::End;
        } else if matches!(begun, [b' ' | b'\t', ..]) {
            // A continuation: as the line before.
            if self.keep {
                out.append(&mut self.begun);
            }
            self.begun.clear();
            self.state = State::InLine;
        } else if matches!(last, b':' | b'\n') || begun.len() >= NAME_MAX {
            self.line_is_wanted(out);
            self.state = if last == b'\n' { State::LineStart } else { State::InLine };
        }
    }

    fn line_is_wanted(&mut self, out: &mut Vec<u8>) {
        let colon = memchr::memchr(b':', &self.begun);
        let name = colon.map(|at| self.begun[..at].trim_ascii_end());
        self.keep = is_named(name, self.names) != self.not;
        if self.keep {
            out.append(&mut self.begun);
        }
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(header: &[u8], names: &[&str], not: bool, piece: usize) -> String {
        let names: Vec<Bytes> =
            names.iter().map(|n| Bytes::copy_from_slice(n.as_bytes())).collect();
        let mut filter = FieldFilter::new(&names, not);
        let mut out = Vec::new();
        for piece in header.chunks(piece) {
            filter.feed(piece, &mut out);
        }
        filter.finish(&mut out);
        let mut selected = Vec::new();
        select(header, &names, not, &mut selected);
        assert_eq!(selected, out, "at once and in pieces");
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn chooses_fields() {
        let header =
            b"From: a\r\nTo: b,\r\n\tc\r\nno colon\r\nSUBJECT : x\r\nX-To: d\r\n\r\nbody: no\r\n";
        for (names, not, wanted) in [
            (&["to", "subject"][..], false, "To: b,\r\n\tc\r\nSUBJECT : x\r\n\r\n"),
            (&["to", "x-to"], true, "From: a\r\nno colon\r\nSUBJECT : x\r\n\r\n"),
            (&["absent"], false, "\r\n"),
        ] {
            for piece in 1..header.len() {
                assert_eq!(filter(header, names, not, piece), wanted, "{names:?} by {piece}");
            }
        }
        assert_eq!(filter(b"A: 1\nB: 2\n\n", &["b"], false, 100), "B: 2\n\n");
        assert_eq!(filter(b"A: 1\nB: 2", &["b"], false, 100), "B: 2");
        assert_eq!(filter(b" odd\nA: 1\n", &["a"], false, 100), "A: 1\n");
        assert_eq!(filter(b"", &["a"], false, 100), "");
    }
}
