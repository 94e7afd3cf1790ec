//! IDLE: wait for news. The line `DONE` that ends it is no command: the framing reads it.
//!
//! RFC 9051 §6.3.13, RFC 2177.

use super::Command;
use crate::cursor::{Cursor, Result};

/// There are no arguments.
pub(super) fn parse(_: &mut Cursor<'_>) -> Result<Command> {
    Ok(Command::Idle)
}

pub(super) fn print(out: &mut Vec<u8>) {
    out.extend_from_slice(b"IDLE");
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn no_arguments() {
        check(&[
            ("IDLE", Ok("IDLE")),
            ("idle", Ok("IDLE")),
            ("IDLE ", Err("expected the end of the line at byte 7")),
            ("IDLE x", Err("expected the end of the line at byte 7")),
            ("IDLE()", Err("expected the end of the line at byte 7")),
        ]);
    }
}
