//! STARTTLS: TLS from the next byte on.
//!
//! RFC 9051 §6.2.1.

use super::Command;
use crate::cursor::{Cursor, Result};

/// There are no arguments.
pub(super) fn parse(_: &mut Cursor<'_>) -> Result<Command> {
    Ok(Command::StartTls)
}

pub(super) fn print(out: &mut Vec<u8>) {
    out.extend_from_slice(b"STARTTLS");
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn no_arguments() {
        check(&[
            ("STARTTLS", Ok("STARTTLS")),
            ("starttls", Ok("STARTTLS")),
            ("STARTTLS ", Err("expected the end of the line at byte 11")),
            ("STARTTLS x", Err("expected the end of the line at byte 11")),
            ("STARTTLS()", Err("expected the end of the line at byte 11")),
        ]);
    }
}
