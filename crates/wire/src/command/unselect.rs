//! UNSELECT: deselect.
//!
//! RFC 9051 §6.4.2, RFC 3691.

use super::Command;
use crate::cursor::{Cursor, Result};

/// There are no arguments.
pub(super) fn parse(_: &mut Cursor<'_>) -> Result<Command> {
    Ok(Command::Unselect)
}

pub(super) fn print(out: &mut Vec<u8>) {
    out.extend_from_slice(b"UNSELECT");
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn no_arguments() {
        check(&[
            ("UNSELECT", Ok("UNSELECT")),
            ("unselect", Ok("UNSELECT")),
            ("UNSELECT ", Err("expected the end of the line at byte 11")),
            ("UNSELECT x", Err("expected the end of the line at byte 11")),
            ("UNSELECT()", Err("expected the end of the line at byte 11")),
        ]);
    }
}
