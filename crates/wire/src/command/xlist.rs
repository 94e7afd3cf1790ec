//! XLIST: LIST with roles as Outlook 2013 knows it, from before SPECIAL-USE; in no RFC.
//!
//! Its arguments are those of RFC 3501 §6.3.8.

use super::Lsub;
use super::lsub;
use crate::cursor::{Cursor, Result};
use crate::emit::Style;

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Lsub> {
    lsub::parse(c)
}

pub(super) fn print(arguments: &Lsub, out: &mut Vec<u8>, style: Style) {
    lsub::print("XLIST", arguments, out, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn xlist() {
        check(&[
            ("XLIST \"\" \"*\"", Ok("XLIST \"\" \"*\"")),
            ("XLIST", Err("expected a space at byte 8")),
        ]);
    }
}
