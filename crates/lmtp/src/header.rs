//! Takes `Return-Path:` fields out of a message's header as it streams by: final delivery writes the
//! only one (RFC 5321 §4.4).

use bytes::{Bytes, BytesMut};
use memchr::memchr;

const NAME: &[u8] = b"return-path";
/// White space between the name and the colon that is looked at (RFC 5322 §4.5.8 allows any).
const SPACE_BYTES_MAX: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// At the start of a line; what is held may be the beginning of the field.
    LineStart,
    /// In a line that stays.
    Keep,
    /// In a line that goes.
    Drop,
    /// At the start of a line behind one that went: white space would continue it.
    AfterDropped,
    /// Behind the header.
    Body,
}

/// The filter.
pub(crate) struct Filter {
    state: State,
    held: BytesMut,
}

/// What the beginning of a line can be.
enum Line {
    ReturnPath,
    Other,
    Unclear,
}

fn line(begin: &[u8]) -> Line {
    let name = begin.len().min(NAME.len());
    if !begin[..name].eq_ignore_ascii_case(&NAME[..name]) {
        return Line::Other;
    }
    if begin.len() <= NAME.len() {
        return Line::Unclear;
    }
    let rest = &begin[NAME.len()..];
    match rest.iter().position(|byte| !matches!(byte, b' ' | b'\t')) {
        Some(at) if rest[at] == b':' => Line::ReturnPath,
        Some(_) => Line::Other,
        None if rest.len() > SPACE_BYTES_MAX => Line::Other,
        None => Line::Unclear,
    }
}

impl Filter {
    pub(crate) fn new() -> Self {
        Self { state: State::LineStart, held: BytesMut::new() }
    }

    /// What stays of `bytes`, and of what was held before.
    pub(crate) fn feed(&mut self, bytes: Bytes, mut keep: impl FnMut(Bytes)) {
        if self.state == State::Body {
            return keep(bytes);
        }
        let mut input = bytes;
        if !self.held.is_empty() {
            self.held.extend_from_slice(&input);
            input = self.held.split().freeze();
        }
        while !input.is_empty() {
            match self.state {
                State::Body => return keep(input),
                State::AfterDropped => {
                    let folded = matches!(input[0], b' ' | b'\t');
                    self.state = if folded { State::Drop } else { State::LineStart };
                }
                State::LineStart => match (input[0], line(&input)) {
                    (b'\n', _) => self.state = State::Body,
                    // An empty line ends the header, with whatever line end.
                    (b'\r', _) if input.len() == 1 => return self.hold(&input),
                    (b'\r', _) if input[1] == b'\n' => self.state = State::Body,
                    (_, Line::ReturnPath) => self.state = State::Drop,
                    (_, Line::Other) => self.state = State::Keep,
                    (_, Line::Unclear) => return self.hold(&input),
                },
                State::Keep | State::Drop => {
                    let end = memchr(b'\n', &input).map(|at| at + 1);
                    let taken = input.split_to(end.unwrap_or(input.len()));
                    let kept = self.state == State::Keep;
                    if kept {
                        keep(taken);
                    }
                    if end.is_some() {
                        self.state = if kept { State::LineStart } else { State::AfterDropped };
                    }
                }
            }
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The end of the message: what is still held stays.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.held.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(message: &[u8], step: usize) -> Vec<u8> {
        let (mut filter, mut out) = (Filter::new(), Vec::new());
        for piece in message.chunks(step) {
            filter.feed(Bytes::copy_from_slice(piece), |bytes| out.extend_from_slice(&bytes));
        }
        out.extend_from_slice(&filter.finish());
        out
    }

    #[test]
    fn return_paths_go() {
        for (message, expected) in [
            ("Return-Path: <a@b>\r\nSubject: x\r\n\r\nbody", "Subject: x\r\n\r\nbody"),
            ("A: b\r\nRETURN-PATH : <a>\r\n folded\r\n\tmore\r\nC: d\r\n", "A: b\r\nC: d\r\n"),
            ("Return-Path: <a>\nReturn-Path: <b>\nX: y\n\nz", "X: y\n\nz"),
            ("A: b\r\n\r\nReturn-Path: <body>\r\n", "A: b\r\n\r\nReturn-Path: <body>\r\n"),
            ("\r\nReturn-Path: <body>\r\n", "\r\nReturn-Path: <body>\r\n"),
            ("\nReturn-Path: <body>\n", "\nReturn-Path: <body>\n"),
            ("Return-Path-X: y\r\n", "Return-Path-X: y\r\n"),
            ("Return-Pat: y\r\n", "Return-Pat: y\r\n"),
            ("Return-Path", "Return-Path"),
            ("Return-Path  ", "Return-Path  "),
            ("Return-Path: <a>", ""),
            ("Return-Path: <a>\r\n\r\nbody", "\r\nbody"),
            ("X: y\r\n Return-Path: folded\r\n", "X: y\r\n Return-Path: folded\r\n"),
            ("\rX: y\r\n", "\rX: y\r\n"),
            ("\r", "\r"),
            ("", ""),
        ] {
            for step in [1, 2, 7, 1000] {
                let found = String::from_utf8(filter(message.as_bytes(), step)).unwrap();
                assert_eq!(found, expected, "{message:?} by {step}");
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            parts in prop::collection::vec(
                prop::sample::select(vec!["Return-Path", ":", " ", "\r", "\n", "\r\n", "x", "return-path:"]),
                0..20),
            step in 1usize..6)
        {
            let message = parts.concat();
            prop_assert_eq!(filter(message.as_bytes(), step), filter(message.as_bytes(), 10_000));
        }
    }
}
