//! CAPABILITY: ask what the server can do.
//!
//! RFC 9051 §6.1.1.

use super::Command;
use crate::cursor::{Cursor, Result};

/// There are no arguments.
pub(super) fn parse(_: &mut Cursor<'_>) -> Result<Command> {
    Ok(Command::Capability)
}

pub(super) fn print(out: &mut Vec<u8>) {
    out.extend_from_slice(b"CAPABILITY");
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn no_arguments() {
        check(&[
            ("CAPABILITY", Ok("CAPABILITY")),
            ("capability", Ok("CAPABILITY")),
            ("CAPABILITY ", Err("expected the end of the line at byte 13")),
            ("CAPABILITY x", Err("expected the end of the line at byte 13")),
            ("CAPABILITY()", Err("expected the end of the line at byte 13")),
        ]);
    }
}
