//! A connection's bytes, without IO: commands and the pieces of a message.
//!
//! A line ends with CRLF and nothing else, and so does a message, with CRLF, dot, CRLF (RFC 5321
//! §2.3.8, §4.1.1.4). A bare LF or CR in a message is data: whoever takes it for an end lets mail
//! smuggle commands. Between commands a bare LF ends the connection.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memmem};

use crate::command::Command;
use crate::reply::Reply;

/// What a connection says next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// More bytes are needed.
    NeedBytes,
    /// A command.
    Command(Command),
    /// A line that is no command, and the answer to it.
    Bad(Reply),
    /// A line that shows that the peer can't be understood: answer and close.
    Broken(Reply),
    /// Bytes of the message.
    Data(Bytes),
    /// The end of the message, or of the chunk.
    DataEnd,
}

enum Mode {
    Lines,
    /// In a line that is too long.
    Overlong,
    /// After DATA.
    Dots {
        /// Whether CRLF was the last that came.
        line_start: bool,
    },
    /// After BDAT.
    Chunk {
        left: u64,
    },
}

/// The reading side of a connection.
pub struct Connection {
    inbox: BytesMut,
    mode: Mode,
    line_bytes_max: usize,
    /// Bytes of the inbox that hold no LF.
    searched: usize,
}

impl Connection {
    /// A new connection; lines may have `line_bytes_max` bytes.
    pub fn new(line_bytes_max: usize) -> Self {
        Self { inbox: BytesMut::new(), mode: Mode::Lines, line_bytes_max, searched: 0 }
    }

    /// Where what comes from the peer is added.
    pub fn inbox(&mut self) -> &mut BytesMut {
        &mut self.inbox
    }

    /// A message follows, with a dot at its end.
    pub fn begin_data(&mut self) {
        self.mode = Mode::Dots { line_start: true };
    }

    /// A chunk of `size` bytes follows.
    pub fn begin_chunk(&mut self, size: u64) {
        self.mode = Mode::Chunk { left: size };
    }

    /// The next thing that is complete.
    pub fn advance(&mut self) -> Next {
        match self.mode {
            Mode::Lines => self.line(),
            Mode::Overlong => self.overlong(),
            Mode::Dots { line_start } => self.dots(line_start),
            Mode::Chunk { left } => self.chunk(left),
        }
    }

    fn line(&mut self) -> Next {
        let Some(found) = memchr(b'\n', &self.inbox[self.searched..]) else {
            self.searched = self.inbox.len();
            if self.inbox.len() > self.line_bytes_max {
                self.mode = Mode::Overlong;
                return self.overlong();
            }
            return Next::NeedBytes;
        };
        let end = self.searched + found;
        self.searched = 0;
        if end == 0 || self.inbox[end - 1] != b'\r' {
            return bare_lf();
        }
        let line = self.inbox.split_to(end + 1);
        if end > self.line_bytes_max {
            return Next::Bad(too_long());
        }
        match Command::parse(&line[..end - 1]) {
            Ok(command) => Next::Command(command),
            Err(reply) => Next::Bad(reply),
        }
    }

    fn overlong(&mut self) -> Next {
        self.searched = 0;
        match memchr(b'\n', &self.inbox) {
            Some(end) if end > 0 && self.inbox[end - 1] == b'\r' => {
                self.inbox.advance(end + 1);
                self.mode = Mode::Lines;
                Next::Bad(too_long())
            }
            Some(_) => bare_lf(),
            None => {
                let cr = usize::from(self.inbox.ends_with(b"\r"));
                self.inbox.advance(self.inbox.len() - cr);
                Next::NeedBytes
            }
        }
    }

    fn dots(&mut self, mut line_start: bool) -> Next {
        if line_start && self.inbox.first() == Some(&b'.') {
            if self.inbox.starts_with(b".\r\n") {
                self.inbox.advance(3);
                self.mode = Mode::Lines;
                return Next::DataEnd;
            }
            if b".\r\n".starts_with(&self.inbox) {
                return Next::NeedBytes;
            }
            // RFC 5321 §4.5.2: a dot that begins a line with other characters is taken away.
            self.inbox.advance(1);
            line_start = false;
        }
        let end = match memmem::find(&self.inbox, b"\r\n.") {
            Some(at) => at + 2,
            // What may be the first half of a CRLF waits for the second.
            None => self.inbox.len() - usize::from(self.inbox.ends_with(b"\r")),
        };
        if end == 0 {
            self.mode = Mode::Dots { line_start };
            return Next::NeedBytes;
        }
        let data = self.inbox.split_to(end).freeze();
        self.mode = Mode::Dots { line_start: data.ends_with(b"\r\n") };
        Next::Data(data)
    }

    fn chunk(&mut self, left: u64) -> Next {
        if left == 0 {
            self.mode = Mode::Lines;
            return Next::DataEnd;
        }
        if self.inbox.is_empty() {
            return Next::NeedBytes;
        }
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(self.inbox.len());
        let data = self.inbox.split_to(count).freeze();
        self.mode = Mode::Chunk { left: left - count as u64 };
        Next::Data(data)
    }
}

fn bare_lf() -> Next {
    Next::Broken(Reply::new(521, "5.5.2", "Lines end with CR LF"))
}

fn too_long() -> Reply {
    Reply::new(500, "5.5.2", "The line is too long")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The message in `bytes`, fed in pieces of `step`, and what is left after its end.
    fn data(bytes: &[u8], step: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut connection = Connection::new(100);
        connection.begin_data();
        let mut message = Vec::new();
        let mut rest = bytes;
        loop {
            match connection.advance() {
                Next::NeedBytes if rest.is_empty() => return None,
                Next::NeedBytes => {
                    let (piece, more) = rest.split_at(step.min(rest.len()));
                    connection.inbox().extend_from_slice(piece);
                    rest = more;
                }
                Next::Data(data) => message.extend_from_slice(&data),
                Next::DataEnd => {
                    let mut left = connection.inbox().to_vec();
                    left.extend_from_slice(rest);
                    return Some((message, left));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_message() {
        for (bytes, expected) in [
            (".\r\n", Some("")),
            ("a\r\n.\r\n", Some("a\r\n")),
            ("..\r\n.\r\n", Some(".\r\n")),
            ("...\r\n.\r\n", Some("..\r\n")),
            (".a\r\n.\r\n", Some("a\r\n")),
            ("\r\n.\r\n", Some("\r\n")),
            ("a\r\n\r\n.\r\n", Some("a\r\n\r\n")),
            ("a\n.\n", None),
            ("a\n.\r\n", None),
            ("a\r.\r\n", None),
            ("a\r\n.\n", None),
            ("a\r\n.\r", None),
            ("a\r\n.\ra\r\n.\r\n", Some("a\r\n\ra\r\n")),
            ("a\r\n.\nb\r\n.\r\n", Some("a\r\n\nb\r\n")),
            ("a\n.\nb\r\n.\r\n", Some("a\n.\nb\r\n")),
            ("a\n.\r\nb\r\n.\r\n", Some("a\n.\r\nb\r\n")),
            ("a\r.\rb\r\n.\r\n", Some("a\r.\rb\r\n")),
            ("a\r\r\n.\r\n", Some("a\r\r\n")),
            ("a\0\u{e9}\r\n.\r\n", Some("a\0\u{e9}\r\n")),
        ] {
            for step in [1, 2, 3, 1000] {
                let found = data(bytes.as_bytes(), step);
                let found = found.map(|(message, _)| String::from_utf8(message).unwrap());
                assert_eq!(found.as_deref(), expected, "{bytes:?} by {step}");
            }
        }
        let (_, left) = data(b"a\r\n.\r\nQUIT\r\n", 1000).unwrap();
        assert_eq!(left, b"QUIT\r\n");
    }

    #[test]
    fn lines_end_with_crlf() {
        let mut connection = Connection::new(20);
        connection.inbox().extend_from_slice(b"NOOP\r\nNO");
        assert_eq!(connection.advance(), Next::Command(Command::Noop));
        assert_eq!(connection.advance(), Next::NeedBytes);
        connection.inbox().extend_from_slice(b"OP\r");
        assert_eq!(connection.advance(), Next::NeedBytes);
        connection.inbox().extend_from_slice(b"\nNOOP\n");
        assert_eq!(connection.advance(), Next::Command(Command::Noop));
        assert!(matches!(connection.advance(), Next::Broken(_)));
    }

    #[test]
    fn a_bare_lf_ends_a_long_line_as_it_ends_a_short_one() {
        for step in [1, 7, 1000] {
            let mut connection = Connection::new(20);
            let line = format!("NOOP {}\n.\r\nQUIT\r\n", "x".repeat(50));
            let mut pieces = line.as_bytes().chunks(step);
            let next = loop {
                match connection.advance() {
                    Next::NeedBytes => {
                        connection.inbox().extend_from_slice(pieces.next().expect("an answer"));
                    }
                    next => break next,
                }
            };
            assert_eq!(next, bare_lf(), "in pieces of {step}");
        }
    }

    #[test]
    fn long_lines_are_left_out() {
        for length in [20, 50, 5000] {
            let mut connection = Connection::new(20);
            let line = [&vec![b'x'; length][..], b"\r\nNOOP\r\n"].concat();
            let mut bad = 0;
            for byte in line {
                connection.inbox().extend_from_slice(&[byte]);
                assert!(connection.inbox().len() <= 22, "memory grows with the line");
                match connection.advance() {
                    Next::NeedBytes => {}
                    Next::Bad(reply) => bad += usize::from(reply.code == 500),
                    next => assert_eq!((next, bad), (Next::Command(Command::Noop), 1)),
                }
            }
        }
    }

    #[test]
    fn chunks_are_counted() {
        let mut connection = Connection::new(20);
        connection.begin_chunk(5);
        connection.inbox().extend_from_slice(b"a\n.");
        assert_eq!(connection.advance(), Next::Data(Bytes::from_static(b"a\n.")));
        assert_eq!(connection.advance(), Next::NeedBytes);
        connection.inbox().extend_from_slice(b"\r\nNOOP\r\n");
        assert_eq!(connection.advance(), Next::Data(Bytes::from_static(b"\r\n")));
        assert_eq!(connection.advance(), Next::DataEnd);
        assert_eq!(connection.advance(), Next::Command(Command::Noop));
    }

    proptest! {
        #[test]
        fn what_is_stuffed_comes_out(message in "[.\r\na]{0,40}", step in 1usize..8) {
            // RFC 5321 §4.5.2: the sender ends with CRLF and doubles dots after CRLF.
            let message = format!("{message}\r\n");
            let mut stuffed = message.replace("\r\n.", "\r\n..");
            if stuffed.starts_with('.') {
                stuffed.insert(0, '.');
            }
            let wire = format!("{stuffed}.\r\nQUIT\r\n");
            let (found, left) = data(wire.as_bytes(), step).expect("it ends");
            prop_assert_eq!(String::from_utf8(found).expect("ASCII"), message);
            prop_assert_eq!(left, b"QUIT\r\n");
        }

        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut connection = Connection::new(50);
            connection.inbox().extend_from_slice(&bytes);
            for _ in 0..300 {
                match connection.advance() {
                    Next::NeedBytes | Next::Broken(_) => break,
                    _ => {}
                }
            }
        }
    }
}
