//! NOOP: nothing, but news may follow.
//!
//! RFC 9051 §6.1.2.

use super::Command;
use crate::cursor::{Cursor, Result};

/// There are no arguments.
pub(super) fn parse(_: &mut Cursor<'_>) -> Result<Command> {
    Ok(Command::Noop)
}

pub(super) fn print(out: &mut Vec<u8>) {
    out.extend_from_slice(b"NOOP");
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn no_arguments() {
        check(&[
            ("NOOP", Ok("NOOP")),
            ("noop", Ok("NOOP")),
            ("NOOP ", Err("expected the end of the line at byte 7")),
            ("NOOP x", Err("expected the end of the line at byte 7")),
            ("NOOP()", Err("expected the end of the line at byte 7")),
        ]);
    }
}
