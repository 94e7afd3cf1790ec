//! A connection's bytes: large reads, and lines that are looked at where they were read to.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::Duration;

use memchr::memchr;

use crate::tls;

/// Anything that went wrong, in words.
pub(crate) type Failure = String;

/// What a connection begins with: a login costs little more than the server's work.
const BUFFER_BYTES_MIN: usize = 8 * 1024;
/// One read takes as much as this, once answers are long: a download costs few of them.
const BUFFER_BYTES: usize = 256 * 1024;
/// A server that is silent for so long is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// TCP with or without TLS.
pub(crate) enum Socket {
    /// In the clear.
    Plain(TcpStream),
    /// Inside TLS.
    Tls(Box<tls::Stream>),
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Socket {
    /// The TCP connection below.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

/// A socket and what was read from it.
pub(crate) struct Wire {
    /// Where to write to.
    pub(crate) socket: Socket,
    buffer: Vec<u8>,
    from: usize,
    /// No line ends before this.
    looked: usize,
    to: usize,
}

impl Wire {
    /// Connects.
    pub(crate) fn connect(address: &str, tls: bool) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true).map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        let socket = match tls {
            true => Socket::Tls(Box::new(tls::wrap(stream)?)),
            false => Socket::Plain(stream),
        };
        Ok(Self { socket, buffer: vec![0; BUFFER_BYTES_MIN], from: 0, looked: 0, to: 0 })
    }

    /// Where the next line is, without its end, if all of it was read.
    pub(crate) fn line(&mut self) -> Option<Range<usize>> {
        let Some(at) = memchr(b'\n', &self.buffer[self.looked..self.to]) else {
            self.looked = self.to;
            return None;
        };
        let (start, end) = (self.from, self.looked + at);
        self.from = end + 1;
        self.looked = self.from;
        let end = if end > start && self.buffer[end - 1] == b'\r' { end - 1 } else { end };
        Some(start..end)
    }

    /// What [`Self::line`] gave.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Passes over bytes, as many as there are; counts down. Whether all are passed.
    pub(crate) fn skip(&mut self, bytes: &mut u64) -> bool {
        let part = (*bytes).min((self.to - self.from) as u64);
        // At most the buffer's length.
        self.from += part as usize;
        self.looked = self.from;
        *bytes -= part;
        *bytes == 0
    }

    /// Reads once.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        if self.from > 0 {
            // Nothing, or the beginning of a line.
            self.buffer.copy_within(self.from..self.to, 0);
            self.looked -= self.from;
            self.to -= self.from;
            self.from = 0;
        }
        if self.to == self.buffer.len() {
            self.buffer.resize(self.to * 2, 0);
        }
        match self.socket.read(&mut self.buffer[self.to..])? {
            0 => Err(io::Error::other("the server closed the connection")),
            read => {
                self.to += read;
                if self.to == self.buffer.len() && self.to < BUFFER_BYTES {
                    self.buffer.resize(BUFFER_BYTES, 0);
                }
                Ok(())
            }
        }
    }
}

/// An error in words.
pub(crate) fn text(error: impl std::fmt::Display) -> Failure {
    error.to_string()
}
