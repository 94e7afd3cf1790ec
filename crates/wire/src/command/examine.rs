//! EXAMINE: SELECT to read only.
//!
//! RFC 9051 §6.3.3.

use super::Select;
use super::select;
use crate::cursor::{Cursor, Result};
use crate::emit::Style;

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Select> {
    select::parse(c)
}

pub(super) fn print(arguments: &Select, out: &mut Vec<u8>, style: Style) {
    select::print("EXAMINE", arguments, out, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn examine() {
        check(&[
            ("EXAMINE \"a b\"", Ok("EXAMINE \"a b\"")),
            ("examine x (QRESYNC (1 2 3))", Ok("EXAMINE x (QRESYNC (1 2 3))")),
            ("EXAMINE", Err("expected a space at byte 10")),
        ]);
    }
}
