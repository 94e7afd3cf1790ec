//! NAMESPACE: where which mailboxes are.
//!
//! RFC 9051 §6.3.10, RFC 2342.

use super::Command;
use crate::cursor::{Cursor, Result};

/// There are no arguments.
pub(super) fn parse(_: &mut Cursor<'_>) -> Result<Command> {
    Ok(Command::Namespace)
}

pub(super) fn print(out: &mut Vec<u8>) {
    out.extend_from_slice(b"NAMESPACE");
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn no_arguments() {
        check(&[
            ("NAMESPACE", Ok("NAMESPACE")),
            ("namespace", Ok("NAMESPACE")),
            ("NAMESPACE ", Err("expected the end of the line at byte 12")),
            ("NAMESPACE x", Err("expected the end of the line at byte 12")),
            ("NAMESPACE()", Err("expected the end of the line at byte 12")),
        ]);
    }
}
