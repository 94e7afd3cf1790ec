//! The load generator's LMTP client, which delivers as Postfix does: the envelope in one segment.

use std::io::Write;

use crate::drive::Talk;
use crate::imap::{Answer, Failure};
use crate::wire::{Wire, text};

/// A connection after LHLO.
pub(crate) struct Lmtp {
    wire: Wire,
    /// Whether the message's own bytes are due.
    in_data: bool,
}

impl Talk for Lmtp {
    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// An answer is that to an envelope, three replies, or that to a message, one.
    fn advance(&mut self) -> Result<Option<Answer>, Failure> {
        while let Some(range) = self.wire.line() {
            let line = self.wire.bytes(range);
            let ends = match line.get(..4) {
                Some(b"354 ") if !self.in_data => true,
                Some(b"250 ") => self.in_data,
                _ => return Err(format!("LMTP: {}", String::from_utf8_lossy(line))),
            };
            if ends {
                self.in_data = !self.in_data;
                let mut answer = Answer::default();
                answer.tagged.push_str("OK");
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }
}

impl Lmtp {
    /// Connects and greets.
    pub(crate) fn connect(address: &str) -> Result<Self, Failure> {
        let mut lmtp = Self { wire: Wire::connect(address, false)?, in_data: false };
        lmtp.reply(b"220 ")?;
        lmtp.wire.socket.write_all(b"LHLO bench\r\n").map_err(text)?;
        lmtp.reply(b"250 ")?;
        Ok(lmtp)
    }

    /// Reads up to the last line of a reply.
    fn reply(&mut self, code: &[u8]) -> Result<(), Failure> {
        loop {
            match self.wire.line() {
                None => self.wire.fill().map_err(text)?,
                Some(range) if self.wire.bytes(range.clone()).starts_with(code) => return Ok(()),
                Some(range) if self.wire.bytes(range.clone()).get(3) == Some(&b'-') => {}
                Some(range) => {
                    return Err(format!(
                        "LMTP: {}",
                        String::from_utf8_lossy(self.wire.bytes(range))
                    ));
                }
            }
        }
    }

    /// One message to one user.
    pub(crate) fn deliver(&mut self, user: &str, message: &[u8]) -> Result<(), Failure> {
        for request in requests(user, message) {
            self.wire.socket.write_all(&request).map_err(text)?;
            while self.advance()?.is_none() {
                self.wire.fill().map_err(text)?;
            }
        }
        Ok(())
    }
}

/// What is sent for one message to one user: the envelope, and after its answer the message.
pub(crate) fn requests(user: &str, message: &[u8]) -> [Vec<u8>; 2] {
    let envelope = format!("MAIL FROM:<bench@example.org>\r\nRCPT TO:<{user}>\r\nDATA\r\n");
    // No line of the generated messages begins with a dot.
    [envelope.into_bytes(), [message, b".\r\n"].concat()]
}
