//! CLOSE: expunge and deselect.
//!
//! RFC 9051 §6.4.1.

use super::Command;
use crate::cursor::{Cursor, Result};

/// There are no arguments.
pub(super) fn parse(_: &mut Cursor<'_>) -> Result<Command> {
    Ok(Command::Close)
}

pub(super) fn print(out: &mut Vec<u8>) {
    out.extend_from_slice(b"CLOSE");
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn no_arguments() {
        check(&[
            ("CLOSE", Ok("CLOSE")),
            ("close", Ok("CLOSE")),
            ("CLOSE ", Err("expected the end of the line at byte 8")),
            ("CLOSE x", Err("expected the end of the line at byte 8")),
            ("CLOSE()", Err("expected the end of the line at byte 8")),
        ]);
    }
}
