//! CHECK: a checkpoint; NOOP by now.
//!
//! RFC 3501 §6.4.1.

use super::Command;
use crate::cursor::{Cursor, Result};

/// There are no arguments.
pub(super) fn parse(_: &mut Cursor<'_>) -> Result<Command> {
    Ok(Command::Check)
}

pub(super) fn print(out: &mut Vec<u8>) {
    out.extend_from_slice(b"CHECK");
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn no_arguments() {
        check(&[
            ("CHECK", Ok("CHECK")),
            ("check", Ok("CHECK")),
            ("CHECK ", Err("expected the end of the line at byte 8")),
            ("CHECK x", Err("expected the end of the line at byte 8")),
            ("CHECK()", Err("expected the end of the line at byte 8")),
        ]);
    }
}
