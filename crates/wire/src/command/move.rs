//! MOVE and UID MOVE.
//!
//! RFC 9051 §6.4.8, RFC 6851.

use super::Copy;
use super::copy;
use crate::cursor::{Cursor, Result};
use crate::emit::Style;
use crate::value::Numbering;

pub(super) fn parse(c: &mut Cursor<'_>, numbering: Numbering) -> Result<Copy> {
    copy::parse(c, numbering)
}

pub(super) fn print(arguments: &Copy, out: &mut Vec<u8>, style: Style) {
    copy::print("MOVE", arguments, out, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn moves() {
        check(&[
            ("MOVE 1,3 Trash", Ok("MOVE 1,3 Trash")),
            ("UID MOVE 42:69 foo", Ok("UID MOVE 42:69 foo")),
            ("MOVE", Err("expected a space at byte 7")),
        ]);
    }
}
