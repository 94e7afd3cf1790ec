//! The load generator's LMTP client, which delivers as Postfix does.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::imap::Failure;

/// A connection after LHLO.
pub(crate) struct Lmtp {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Lmtp {
    /// Connects and greets.
    pub(crate) fn connect(address: &str) -> Result<Self, Failure> {
        let writer = TcpStream::connect(address).map_err(|error| error.to_string())?;
        writer.set_nodelay(true).map_err(|error| error.to_string())?;
        let reader = BufReader::new(writer.try_clone().map_err(|error| error.to_string())?);
        let mut lmtp = Self { reader, writer };
        lmtp.reply("220")?;
        lmtp.send(b"LHLO bench\r\n")?;
        lmtp.reply("250")?;
        Ok(lmtp)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write_all(bytes).map_err(|error| error.to_string())
    }

    fn reply(&mut self, code: &str) -> Result<(), Failure> {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).map_err(|error| error.to_string())?;
            if !line.starts_with(code) {
                return Err(format!("LMTP: {line}"));
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }

    /// One message to one user. As Postfix does: the envelope in one segment.
    pub(crate) fn deliver(&mut self, user: &str, message: &[u8]) -> Result<(), Failure> {
        let envelope = format!("MAIL FROM:<bench@example.org>\r\nRCPT TO:<{user}>\r\nDATA\r\n");
        self.send(envelope.as_bytes())?;
        self.reply("250")?;
        self.reply("250")?;
        self.reply("354")?;
        // No line of the generated messages begins with a dot.
        self.send(&[message, b".\r\n"].concat())?;
        self.reply("250")
    }
}
