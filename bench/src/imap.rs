//! The load generator's IMAP client: far cheaper than the servers it drives. It counts lines and
//! tags, and passes over literals by their length.

use std::io::Write;

use memchr::memchr;

use crate::drive::Talk;
pub(crate) use crate::wire::Failure;
use crate::wire::{Socket, Wire, text};

/// What a command's answer held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// `* n FETCH` lines.
    pub(crate) fetched: u64,
    /// Whether one of them had a number that is not above the one before.
    pub(crate) disordered: bool,
    /// Bytes in literals.
    pub(crate) literal_bytes: u64,
    /// `* n EXPUNGE` lines.
    pub(crate) expunged: u64,
    /// The last `* n EXISTS`.
    pub(crate) exists: Option<u64>,
    /// What follows `* SEARCH`, `* SORT` and `* THREAD`.
    pub(crate) listed: Vec<u8>,
    /// The tagged line without its tag.
    pub(crate) tagged: String,
    last: u64,
}

impl Answer {
    /// Whether the tagged line says OK.
    pub(crate) fn is_ok(&self) -> bool {
        self.tagged.starts_with("OK")
    }

    /// The numbers of a search, a sort or a thread, in their order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        let words = self.listed.split(|byte| !byte.is_ascii_digit());
        words.filter(|word| !word.is_empty()).map(|word| number(word).unwrap_or(0))
    }
}

/// A connection.
pub(crate) struct Imap {
    wire: Wire,
    answer: Answer,
    /// Of a literal.
    left: u64,
    /// After a literal.
    continued: bool,
}

impl Talk for Imap {
    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn advance(&mut self) -> Result<Option<Answer>, Failure> {
        loop {
            if !self.wire.skip(&mut self.left) {
                return Ok(None);
            }
            let Some(range) = self.wire.line() else { return Ok(None) };
            let line = self.wire.bytes(range);
            if !self.continued {
                if let Some(tagged) = line.strip_prefix(b"a ") {
                    self.answer.tagged = String::from_utf8_lossy(tagged).into_owned();
                    return Ok(Some(std::mem::take(&mut self.answer)));
                }
                count(line, &mut self.answer);
            }
            let literal = literal(line);
            self.continued = literal.is_some();
            self.left = literal.unwrap_or(0);
            self.answer.literal_bytes += self.left;
        }
    }
}

impl Imap {
    /// Connects and reads the greeting.
    pub(crate) fn connect(address: &str) -> Result<Self, Failure> {
        Self::greeted(Wire::connect(address, false)?)
    }

    /// The same inside TLS.
    pub(crate) fn connect_tls(address: &str) -> Result<Self, Failure> {
        Self::greeted(Wire::connect(address, true)?)
    }

    fn greeted(wire: Wire) -> Result<Self, Failure> {
        let mut imap = Self { wire, answer: Answer::default(), left: 0, continued: false };
        imap.line_with("* ")?;
        Ok(imap)
    }

    /// Connects and logs in.
    pub(crate) fn login(address: &str, user: &str, password: &str) -> Result<Self, Failure> {
        let mut imap = Self::connect(address)?;
        imap.ok(&format!("LOGIN {user} {password}"))?;
        Ok(imap)
    }

    /// The socket, for those who only wait.
    pub(crate) fn into_socket(self) -> Socket {
        self.wire.socket
    }

    /// Sends a command and reads its answer, which has to be OK.
    pub(crate) fn ok(&mut self, command: &str) -> Result<Answer, Failure> {
        self.send(command.as_bytes())?;
        let answer = self.answer()?;
        match answer.is_ok() {
            true => Ok(answer),
            false => Err(format!("{command:.60}: {}", answer.tagged)),
        }
    }

    /// Appends messages with one command.
    pub(crate) fn append(
        &mut self,
        mailbox: &str,
        messages: &[Vec<u8>],
    ) -> Result<Answer, Failure> {
        self.wire.socket.write_all(&append(mailbox, messages)).map_err(text)?;
        let answer = self.answer()?;
        match answer.is_ok() {
            true => Ok(answer),
            false => Err(format!("APPEND: {}", answer.tagged)),
        }
    }

    /// Sends a command without waiting.
    pub(crate) fn send(&mut self, command: &[u8]) -> Result<(), Failure> {
        let line = [b"a ", command, b"\r\n"].concat();
        self.wire.socket.write_all(&line).map_err(text)
    }

    /// Reads up to the tagged line.
    pub(crate) fn answer(&mut self) -> Result<Answer, Failure> {
        loop {
            if let Some(answer) = self.advance()? {
                return Ok(answer);
            }
            self.wire.fill().map_err(text)?;
        }
    }

    /// Reads lines until one has `word`.
    pub(crate) fn wait_for(&mut self, word: &str) -> Result<(), Failure> {
        self.line_with(word).map(drop)
    }

    /// Reads lines until one has `word`, and gives that one.
    pub(crate) fn line_with(&mut self, word: &str) -> Result<String, Failure> {
        loop {
            match self.wire.line() {
                None => self.wire.fill().map_err(text)?,
                Some(range) => {
                    let line = self.wire.bytes(range);
                    if memchr::memmem::find(line, word.as_bytes()).is_some() {
                        return Ok(String::from_utf8_lossy(line).into_owned());
                    }
                }
            }
        }
    }
}

/// A whole APPEND command, with literals that wait for nothing (RFC 7888).
pub(crate) fn append(mailbox: &str, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(messages.iter().map(|message| message.len() + 16).sum());
    out.extend_from_slice(b"a APPEND ");
    out.extend_from_slice(mailbox.as_bytes());
    for message in messages {
        out.extend_from_slice(format!(" {{{}+}}\r\n", message.len()).as_bytes());
        out.extend_from_slice(message);
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn number(digits: &[u8]) -> Option<u64> {
    let add = |sum: u64, &digit: &u8| match digit {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

fn literal(line: &[u8]) -> Option<u64> {
    let digits = line.strip_suffix(b"}")?;
    number(&digits[memchr::memrchr(b'{', digits)? + 1..])
}

fn count(line: &[u8], answer: &mut Answer) {
    let Some(rest) = line.strip_prefix(b"* ") else { return };
    let Some(end) = memchr(b' ', rest) else { return };
    let (word, what) = (&rest[..end], &rest[end + 1..]);
    let Some(number) = number(word) else {
        if matches!(word, b"SEARCH" | b"SORT" | b"THREAD") {
            answer.listed.extend_from_slice(what);
        }
        return;
    };
    if what.starts_with(b"FETCH") {
        answer.fetched += 1;
        answer.disordered |= number <= answer.last;
        answer.last = number;
    } else if what.starts_with(b"EXPUNGE") {
        answer.expunged += 1;
    } else if what.starts_with(b"EXISTS") {
        answer.exists = Some(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted() {
        let mut answer = Answer::default();
        let lines: [&[u8]; 6] = [
            b"* 3 EXISTS",
            b"* 1 FETCH (UID 1)",
            b"* 3 FETCH (BODY[] {12}",
            b"* 2 EXPUNGE",
            b"* SORT 3 1 2",
            b"* SEARCH",
        ];
        lines.iter().for_each(|line| count(line, &mut answer));
        assert_eq!((answer.exists, answer.fetched, answer.expunged), (Some(3), 2, 1));
        assert_eq!(answer.numbers().collect::<Vec<_>>(), [3, 1, 2]);
        assert!(!answer.disordered);
        count(b"* 2 FETCH (UID 2)", &mut answer);
        assert!(answer.disordered);
        assert_eq!((literal(lines[2]), literal(b"{x}"), literal(b"{}")), (Some(12), None, None));
    }
}
