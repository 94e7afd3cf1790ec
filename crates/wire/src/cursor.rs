//! The lexer: a position in one command or response, and the terminals of RFC 9051 §9.
//!
//! Nothing here allocates unless a quoted string has escapes. Every loop moves forward, so that a
//! command of n bytes is read in O(n).

use std::borrow::Cow;
use std::num::NonZeroU32;

use base::ModSeq;

use crate::error::{SyntaxError, SyntaxErrorKind};
use crate::literal::LiteralSpec;
use crate::parse::Syntax;
use crate::response::Encoding;

/// How deep a server's answers may nest: body structures above all.
const SERVER_NESTING_MAX: usize = 256;

pub(crate) use crate::error::Result;

/// A position in a command or a response.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    input: &'a [u8],
    at: usize,
    depth: usize,
    pub(crate) syntax: Syntax,
    /// A server's text is read by the letter; for a client's there is some leniency.
    server: bool,
}

/// `atom-specials` but "]" (RFC 9051 §9, ASTRING-CHAR); 8-bit bytes are no characters.
pub(crate) fn is_astring_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\')
}

/// RFC 9051 §9, ATOM-CHAR.
pub(crate) fn is_atom_char(byte: u8) -> bool {
    is_astring_char(byte) && byte != b']'
}

fn is_label_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a [u8], syntax: Syntax) -> Self {
        Self { input, at: 0, depth: 0, syntax, server: false }
    }

    /// A cursor in what a server sent to a client that enabled `encoding`.
    pub(crate) fn of_server(input: &'a [u8], encoding: Encoding) -> Self {
        let Encoding { utf8, rev2 } = encoding;
        let syntax = Syntax { utf8, rev2, nesting_max: SERVER_NESTING_MAX };
        Self { server: true, ..Self::new(input, syntax) }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    /// What was read since `start`, a former [`Cursor::at`].
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        &self.input[start..self.at]
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    /// "This is not what belongs here."
    pub(crate) fn fail(&self, expected: &'static str) -> SyntaxError {
        self.fail_at(self.at, expected)
    }

    pub(crate) fn fail_at(&self, at: usize, expected: &'static str) -> SyntaxError {
        SyntaxError { tag: None, at, expected, kind: SyntaxErrorKind::Syntax }
    }

    /// Takes `byte` if it is next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<()> {
        if self.eat(byte) { Ok(()) } else { Err(self.fail(expected)) }
    }

    /// Exactly one space: RFC 9051 §9, note 2.
    pub(crate) fn sp(&mut self) -> Result<()> {
        self.expect(b' ', "a space")
    }

    /// Takes `word` if it is the whole next label, in any case.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let label = self.peek_while(is_label_char);
        let found = label.eq_ignore_ascii_case(word.as_bytes());
        if found {
            self.at += label.len();
        }
        found
    }

    fn peek_while(&self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|&byte| !fits(byte)).unwrap_or(rest.len());
        &rest[..end]
    }

    fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let taken = self.peek_while(fits);
        self.at += taken.len();
        taken
    }

    /// The end of the line; a bare LF will do for hands at a terminal. Nothing may follow.
    pub(crate) fn end(&mut self) -> Result<()> {
        let start = self.at;
        self.line_end("the end of the line")?;
        if self.at < self.input.len() {
            return Err(self.fail_at(start, "one command only"));
        }
        Ok(())
    }

    fn line_end(&mut self, expected: &'static str) -> Result<()> {
        let start = self.at;
        let cr = self.eat(b'\r');
        if (cr || !self.server) && self.eat(b'\n') {
            return Ok(());
        }
        self.at = start;
        Err(self.fail(expected))
    }

    /// A word of letters, digits, `.`, `-` and `_`: names of commands, items and options.
    pub(crate) fn label(&mut self, expected: &'static str) -> Result<&'a [u8]> {
        let label = self.take_while(is_label_char);
        if label.is_empty() { Err(self.fail(expected)) } else { Ok(label) }
    }

    /// The value that belongs to the next label in `table`, in any case.
    pub(crate) fn choose<T: Copy>(
        &mut self,
        table: &[(&str, T)],
        expected: &'static str,
    ) -> Result<T> {
        let label = self.peek_while(is_label_char);
        let found = table.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(label));
        let &(_, value) = found.ok_or_else(|| self.fail(expected))?;
        self.at += label.len();
        Ok(value)
    }

    pub(crate) fn atom(&mut self, expected: &'static str) -> Result<&'a [u8]> {
        let atom = self.take_while(is_atom_char);
        if atom.is_empty() { Err(self.fail(expected)) } else { Ok(atom) }
    }

    /// RFC 9051 §9, tag.
    pub(crate) fn tag(&mut self) -> Result<&'a str> {
        let tag = self.take_while(|byte| is_astring_char(byte) && byte != b'+');
        match std::str::from_utf8(tag) {
            Ok(tag) if !tag.is_empty() => Ok(tag),
            _ => Err(self.fail("a tag")),
        }
    }

    /// `n` parsed from digits; `None` above `max` or without digits.
    fn digits(&mut self, max: u64) -> Option<u64> {
        let start = self.at;
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        let value = digits.iter().try_fold(0u64, |n, &digit| {
            n.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|&n| n <= max)
        });
        if digits.is_empty() || value.is_none() {
            self.at = start;
            return None;
        }
        value
    }

    /// RFC 9051 §9, number: 32 bits.
    pub(crate) fn number(&mut self) -> Result<u32> {
        let number = self.digits(u64::from(u32::MAX)).and_then(|n| u32::try_from(n).ok());
        number.ok_or_else(|| self.fail("a number below 4294967296"))
    }

    /// RFC 9051 §9, nz-number: 32 bits, no leading zero.
    pub(crate) fn nz_number(&mut self) -> Result<NonZeroU32> {
        let start = self.at;
        if self.peek() != Some(b'0')
            && let Some(n) = self.digits(u64::from(u32::MAX))
            && let Some(n) = u32::try_from(n).ok().and_then(NonZeroU32::new)
        {
            return Ok(n);
        }
        Err(self.fail_at(start, "a number from 1 to 4294967295"))
    }

    /// RFC 9051 §9, number64: 63 bits.
    pub(crate) fn number64(&mut self) -> Result<u64> {
        self.digits(i64::MAX as u64).ok_or_else(|| self.fail("a number below 2^63"))
    }

    /// RFC 7162 §7, mod-sequence-valzer. Also where the grammar wants at least 1: iOS sends
    /// `CHANGEDSINCE 0`.
    pub(crate) fn mod_seq(&mut self) -> Result<ModSeq> {
        let number = self.number64()?;
        ModSeq::new(number).ok_or_else(|| self.fail("a mod-sequence"))
    }

    /// Exactly `count` digits.
    pub(crate) fn fixed_digits(&mut self, count: usize) -> Result<u16> {
        let rest = self.rest();
        let digits = rest.get(..count).filter(|d| d.iter().all(u8::is_ascii_digit));
        let digits = digits.ok_or_else(|| self.fail("digits"))?;
        self.at += count;
        Ok(digits.iter().fold(0, |n, &digit| n * 10 + u16::from(digit - b'0')))
    }

    /// Runs `read` one level of nesting deeper.
    pub(crate) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= self.syntax.nesting_max {
            let mut error = self.fail("fewer parentheses");
            error.kind = SyntaxErrorKind::NestingLimit;
            return Err(error);
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// `(` items with a space between `)`; may be empty.
    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect(b'(', "an opening parenthesis")?;
        if self.eat(b')') {
            return Ok(Vec::new());
        }
        self.nested(|c| {
            let mut items = vec![item(c)?];
            while c.eat(b' ') {
                items.push(item(c)?);
            }
            c.expect(b')', "a space or a closing parenthesis")?;
            Ok(items)
        })
    }

    /// The same, with one item at least.
    pub(crate) fn list1<T>(
        &mut self,
        expected: &'static str,
        item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let start = self.at;
        let items = self.list(item)?;
        if items.is_empty() { Err(self.fail_at(start + 1, expected)) } else { Ok(items) }
    }

    /// RFC 9051 §9, astring. 8-bit bytes in quotes only after UTF8=ACCEPT (RFC 6855 §3).
    pub(crate) fn astring(&mut self, expected: &'static str) -> Result<Cow<'a, [u8]>> {
        self.astring_of(false, is_astring_char, expected)
    }

    /// An astring where 8-bit bytes are let through from every client: mailbox names, user names,
    /// passwords and search texts of clients that never asked for UTF-8 and send it all the same.
    pub(crate) fn astring_8bit(&mut self, expected: &'static str) -> Result<Cow<'a, [u8]>> {
        self.astring_of(true, |byte| is_astring_char(byte) || byte >= 0x80, expected)
    }

    /// RFC 9051 §9, list-mailbox.
    pub(crate) fn list_mailbox(&mut self) -> Result<Cow<'a, [u8]>> {
        let fits = |byte| is_astring_char(byte) || byte >= 0x80 || matches!(byte, b'%' | b'*');
        self.astring_of(true, fits, "a mailbox pattern")
    }

    fn astring_of(
        &mut self,
        lenient: bool,
        fits: impl Fn(u8) -> bool,
        expected: &'static str,
    ) -> Result<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(lenient, expected),
            _ => {
                let atom = self.take_while(fits);
                if atom.is_empty() { Err(self.fail(expected)) } else { Ok(Cow::Borrowed(atom)) }
            }
        }
    }

    /// RFC 9051 §9, string.
    pub(crate) fn string(
        &mut self,
        lenient: bool,
        expected: &'static str,
    ) -> Result<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(lenient),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(self.fail(expected)),
        }
    }

    fn quoted(&mut self, lenient: bool) -> Result<Cow<'a, [u8]>> {
        self.expect(b'"', "a quoted string")?;
        let start = self.at;
        let mut copy: Option<Vec<u8>> = None;
        let mut eight_bit = None;
        let text = loop {
            let Some(byte) = self.peek() else {
                return Err(self.fail("a closing quote"));
            };
            match byte {
                b'"' => {
                    let plain = &self.input[start..self.at];
                    self.at += 1;
                    break copy.map_or(Cow::Borrowed(plain), Cow::Owned);
                }
                b'\\' => {
                    let plain = &self.input[start..self.at];
                    let copy = copy.get_or_insert_with(|| plain.to_vec());
                    self.at += 1;
                    match self.peek() {
                        Some(escaped @ (b'"' | b'\\')) => copy.push(escaped),
                        _ => return Err(self.fail("\\ or \" after a backslash in quotes")),
                    }
                }
                b'\r' | b'\n' => return Err(self.fail("a closing quote")),
                0 => return Err(self.fail("no NUL in quotes")),
                _ => {
                    if byte >= 0x80 {
                        eight_bit.get_or_insert(self.at);
                    }
                    if let Some(copy) = &mut copy {
                        copy.push(byte);
                    }
                }
            }
            self.at += 1;
        };
        match eight_bit {
            Some(at) if self.syntax.utf8 && std::str::from_utf8(&text).is_err() => {
                Err(self.fail_at(at, "valid UTF-8 in quotes"))
            }
            Some(at) if !self.syntax.utf8 && !lenient => {
                Err(self.fail_at(at, "only ASCII in quotes before ENABLE UTF8=ACCEPT"))
            }
            _ => Ok(text),
        }
    }

    /// A literal with its bytes (RFC 9051 §4.3, RFC 7888). NUL belongs to literal8 only.
    pub(crate) fn literal(&mut self) -> Result<&'a [u8]> {
        let start = self.at;
        let spec = self.literal_spec()?;
        let bytes = usize::try_from(spec.bytes).ok().and_then(|n| self.rest().get(..n));
        let Some(bytes) = bytes else {
            let mut error = self.fail_at(self.input.len(), "the rest of a literal");
            error.kind = SyntaxErrorKind::Incomplete;
            return Err(error);
        };
        if spec.binary {
            return Err(self.fail_at(start, "a literal without ~"));
        }
        if let Some(nul) = memchr::memchr(0, bytes) {
            return Err(self.fail_at(self.at + nul, "no NUL in a literal"));
        }
        self.at += bytes.len();
        Ok(bytes)
    }

    /// The announcement of a literal and the end of its line: `~{310+}`.
    pub(crate) fn literal_spec(&mut self) -> Result<LiteralSpec> {
        let binary = self.eat(b'~');
        self.expect(b'{', "a literal")?;
        let bytes = self.number64()?;
        // RFC 7888 §6: a server never sends these.
        let sync = self.server || !self.eat(b'+');
        self.expect(b'}', "the closing brace of a literal")?;
        self.line_end("the end of the line after a literal's size")?;
        Ok(LiteralSpec { bytes, sync, binary })
    }

    /// Takes the next `count` bytes; the caller knows that they are there.
    pub(crate) fn skip(&mut self, count: usize) {
        self.at = (self.at + count).min(self.input.len());
    }

    /// NIL, if it is the whole next atom (RFC 9051 §9, nil).
    pub(crate) fn eat_nil(&mut self) -> bool {
        let atom = self.peek_while(is_astring_char);
        let found = atom.eq_ignore_ascii_case(b"NIL");
        if found {
            self.at += atom.len();
        }
        found
    }

    /// RFC 9051 §9, nstring.
    pub(crate) fn nstring(&mut self, lenient: bool) -> Result<Option<Cow<'a, [u8]>>> {
        if self.eat_nil() {
            return Ok(None);
        }
        self.string(lenient, "a string or NIL").map(Some)
    }
}
