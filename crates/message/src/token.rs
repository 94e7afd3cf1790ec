//! Lexical tokens of structured fields (RFC 5322 §3.2, with the obsolete forms of §4.1).

use crate::encoded_word;

/// The deepest nesting of comments that is followed; RFC 5322 sets no bound.
const COMMENT_DEPTH_MAX: usize = 64;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// An atom, 8-bit bytes and most mistakes included.
    Atom,
    /// A quoted string, without its quotes.
    Quoted,
    /// A domain literal with its brackets.
    Literal,
    /// A comment without its parentheses.
    Comment,
    /// One of `<>,;:@.`
    Special(u8),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: Vec<u8>,
    /// Whether white space or a comment stands before it.
    pub(crate) spaced: bool,
}

/// Reads tokens from an unfolded value, in linear time.
pub(crate) struct Tokens<'a> {
    rest: &'a [u8],
    spaced: bool,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(value: &'a [u8]) -> Self {
        Self { rest: value, spaced: false }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let trimmed = self.rest.trim_ascii_start();
        let spaced = std::mem::take(&mut self.spaced) || trimmed.len() < self.rest.len();
        self.rest = trimmed;
        let &first = self.rest.first()?;
        let (kind, text, used) = match first {
            b'"' => {
                let (text, used) = delimited(self.rest, b'"');
                (Kind::Quoted, text, used)
            }
            b'[' => {
                let (text, used) = delimited(self.rest, b']');
                (Kind::Literal, [b"[", text.as_slice(), b"]"].concat(), used)
            }
            b'(' => {
                self.spaced = true;
                let (text, used) = comment(self.rest);
                (Kind::Comment, text, used)
            }
            b'<' | b'>' | b',' | b';' | b':' | b'@' | b'.' => {
                (Kind::Special(first), vec![first], 1)
            }
            _ => {
                let used = atom(self.rest);
                (Kind::Atom, self.rest[..used].to_vec(), used)
            }
        };
        self.rest = &self.rest[used..];
        Some(Token { kind, text, spaced })
    }
}

/// The length of the atom at the start. An encoded-word is one atom, whatever is in it.
fn atom(bytes: &[u8]) -> usize {
    if let Some(length) = encoded_word::extent(bytes) {
        return length;
    }
    let ends = |&byte: &u8| {
        matches!(byte, b'"' | b'[' | b'(' | b'<' | b'>' | b',' | b';' | b':' | b'@' | b'.')
            || byte.is_ascii_whitespace()
    };
    1 + bytes[1..].iter().position(ends).unwrap_or(bytes.len() - 1)
}

/// The text between the first byte and `close`, its quoted pairs undone, and the length of all.
fn delimited(bytes: &[u8], close: u8) -> (Vec<u8>, usize) {
    let mut text = Vec::new();
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' => {
                if let Some(&quoted) = bytes.get(at) {
                    text.push(quoted);
                    at += 1;
                }
            }
            _ if byte == close => break,
            _ => text.push(byte),
        }
    }
    (text, at)
}

/// A comment with the comments in it; one that does not end goes to the end of the field.
fn comment(bytes: &[u8]) -> (Vec<u8>, usize) {
    let (mut text, mut at, mut depth) = (Vec::new(), 1, 1);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' => {
                if let Some(&quoted) = bytes.get(at) {
                    text.push(quoted);
                    at += 1;
                }
                continue;
            }
            b'(' if depth < COMMENT_DEPTH_MAX => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
        text.push(byte);
    }
    (text, at)
}
