//! LOGOUT: the end of the session.
//!
//! RFC 9051 §6.1.3.

use super::Command;
use crate::cursor::{Cursor, Result};

/// There are no arguments.
pub(super) fn parse(_: &mut Cursor<'_>) -> Result<Command> {
    Ok(Command::Logout)
}

pub(super) fn print(out: &mut Vec<u8>) {
    out.extend_from_slice(b"LOGOUT");
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn no_arguments() {
        check(&[
            ("LOGOUT", Ok("LOGOUT")),
            ("logout", Ok("LOGOUT")),
            ("LOGOUT ", Err("expected the end of the line at byte 9")),
            ("LOGOUT x", Err("expected the end of the line at byte 9")),
            ("LOGOUT()", Err("expected the end of the line at byte 9")),
        ]);
    }
}
