//! The load generator's IMAP client: far cheaper than the servers it drives. It counts lines and
//! tags, and passes over literals by their length.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use memchr::memchr;

use crate::tls;

/// Anything that went wrong, in words.
pub(crate) type Failure = String;

/// What a command's answer held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// `* n FETCH` lines.
    pub(crate) fetched: u64,
    /// Bytes in literals.
    pub(crate) literal_bytes: u64,
    /// All bytes.
    pub(crate) bytes: u64,
    /// `* n EXPUNGE` lines.
    pub(crate) expunged: u64,
    /// The last `* n EXISTS`.
    pub(crate) exists: Option<u64>,
    /// Numbers in `* SEARCH` or `* SORT`; parentheses in `* THREAD`.
    pub(crate) found: u64,
    /// The tagged line without its tag.
    pub(crate) tagged: String,
}

/// Bytes both ways.
pub(crate) trait Socket: Read + Write + Send {}
impl<T: Read + Write + Send> Socket for T {}

/// A connection.
pub(crate) struct Imap {
    stream: Box<dyn Socket>,
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
}

impl Imap {
    /// Connects and reads the greeting.
    pub(crate) fn connect(address: &str) -> Result<Self, Failure> {
        Self::greeted(Box::new(connect(address)?))
    }

    /// The same inside TLS.
    pub(crate) fn connect_tls(address: &str) -> Result<Self, Failure> {
        Self::greeted(Box::new(tls::wrap(connect(address)?)?))
    }

    fn greeted(stream: Box<dyn Socket>) -> Result<Self, Failure> {
        let mut imap = Self { stream, buffer: vec![0; 64 * 1024].into(), from: 0, to: 0 };
        let mut greeting = Vec::new();
        imap.line(&mut greeting)?;
        Ok(imap)
    }

    /// Connects and logs in.
    pub(crate) fn login(address: &str, user: &str, password: &str) -> Result<Self, Failure> {
        let mut imap = Self::connect(address)?;
        imap.ok(&format!("LOGIN {user} {password}"))?;
        Ok(imap)
    }

    /// The socket, for those who only wait.
    pub(crate) fn into_socket(self) -> Box<dyn Socket> {
        self.stream
    }

    /// Sends a command and reads its answer, which has to be OK.
    pub(crate) fn ok(&mut self, command: &str) -> Result<Answer, Failure> {
        self.send(command.as_bytes())?;
        let answer = self.answer()?;
        match answer.tagged.starts_with("OK") {
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
        let mut out = Vec::with_capacity(messages.iter().map(Vec::len).sum::<usize>() + 64);
        out.extend_from_slice(b"a APPEND ");
        out.extend_from_slice(mailbox.as_bytes());
        for message in messages {
            out.extend_from_slice(format!(" {{{}+}}\r\n", message.len()).as_bytes());
            out.extend_from_slice(message);
        }
        out.extend_from_slice(b"\r\n");
        self.stream.write_all(&out).map_err(text)?;
        let answer = self.answer()?;
        match answer.tagged.starts_with("OK") {
            true => Ok(answer),
            false => Err(format!("APPEND: {}", answer.tagged)),
        }
    }

    /// Sends a command without waiting.
    pub(crate) fn send(&mut self, command: &[u8]) -> Result<(), Failure> {
        let line = [b"a ", command, b"\r\n"].concat();
        self.stream.write_all(&line).map_err(text)
    }

    /// Reads up to the tagged line.
    pub(crate) fn answer(&mut self) -> Result<Answer, Failure> {
        let mut answer = Answer::default();
        let mut line = Vec::with_capacity(512);
        let mut continued = false;
        loop {
            line.clear();
            self.line(&mut line)?;
            answer.bytes += line.len() as u64 + 2;
            if !continued {
                if let Some(tagged) = line.strip_prefix(b"a ") {
                    answer.tagged = String::from_utf8_lossy(tagged).into_owned();
                    return Ok(answer);
                }
                count(&line, &mut answer);
            }
            match literal(&line) {
                Some(bytes) => {
                    self.skip(bytes)?;
                    answer.literal_bytes += bytes;
                    answer.bytes += bytes;
                    continued = true;
                }
                None => continued = false,
            }
        }
    }

    /// Reads lines until one has `word`.
    pub(crate) fn wait_for(&mut self, word: &str) -> Result<(), Failure> {
        self.line_with(word).map(drop)
    }

    /// Reads lines until one has `word`, and gives that one.
    pub(crate) fn line_with(&mut self, word: &str) -> Result<String, Failure> {
        let mut line = Vec::new();
        loop {
            line.clear();
            self.line(&mut line)?;
            if memchr::memmem::find(&line, word.as_bytes()).is_some() {
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
        }
    }

    fn fill(&mut self) -> Result<(), Failure> {
        (self.from, self.to) = (0, self.stream.read(&mut self.buffer).map_err(text)?);
        if self.to == 0 { Err("the server closed the connection".into()) } else { Ok(()) }
    }

    fn line(&mut self, line: &mut Vec<u8>) -> Result<(), Failure> {
        loop {
            if self.from == self.to {
                self.fill()?;
            }
            let here = &self.buffer[self.from..self.to];
            match memchr(b'\n', here) {
                Some(end) => {
                    line.extend_from_slice(&here[..end]);
                    self.from += end + 1;
                    if line.last() == Some(&b'\r') {
                        line.pop();
                    }
                    return Ok(());
                }
                None => {
                    line.extend_from_slice(here);
                    self.from = self.to;
                }
            }
        }
    }

    fn skip(&mut self, mut bytes: u64) -> Result<(), Failure> {
        while bytes > 0 {
            if self.from == self.to {
                self.fill()?;
            }
            let part = bytes.min((self.to - self.from) as u64);
            // At most the buffer's length.
            self.from += part as usize;
            bytes -= part;
        }
        Ok(())
    }
}

fn connect(address: &str) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
    stream.set_nodelay(true).map_err(text)?;
    stream.set_read_timeout(Some(Duration::from_secs(300))).map_err(text)?;
    Ok(stream)
}

fn text(error: io::Error) -> Failure {
    error.to_string()
}

fn literal(line: &[u8]) -> Option<u64> {
    let digits = line.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', digits)?;
    std::str::from_utf8(&digits[open + 1..]).ok()?.parse().ok()
}

fn count(line: &[u8], answer: &mut Answer) {
    let Some(rest) = line.strip_prefix(b"* ") else { return };
    for (word, numbers) in [(&b"SEARCH"[..], true), (b"SORT", true), (b"THREAD", false)] {
        if let Some(found) = rest.strip_prefix(word) {
            let separator = if numbers { b' ' } else { b'(' };
            answer.found += memchr::memchr_iter(separator, found).count() as u64;
            return;
        }
    }
    let Some(end) = memchr(b' ', rest) else { return };
    let number = std::str::from_utf8(&rest[..end]).ok().and_then(|digits| digits.parse().ok());
    match (number, &rest[end + 1..]) {
        (Some(_), word) if word.starts_with(b"FETCH") => answer.fetched += 1,
        (Some(_), word) if word.starts_with(b"EXPUNGE") => answer.expunged += 1,
        (Some(number), word) if word.starts_with(b"EXISTS") => answer.exists = Some(number),
        _ => {}
    }
}
