//! RENAME: give a mailbox another name.
//!
//! RFC 9051 §6.3.6.

use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};
use crate::grammar;
use crate::value::MailboxName;

/// RENAME.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rename {
    /// Old name.
    pub from: MailboxName,
    /// New name.
    pub to: MailboxName,
}

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Rename> {
    c.sp()?;
    let from = grammar::mailbox(c)?;
    c.sp()?;
    Ok(Rename { from, to: grammar::mailbox(c)? })
}

pub(super) fn print(rename: &Rename, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"RENAME ");
    emit::mailbox(out, &rename.from, style);
    out.push(b' ');
    emit::mailbox(out, &rename.to, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn rename() {
        check(&[
            ("RENAME a b", Ok("RENAME a b")),
            ("RENAME {1}\r\na \"b c\"", Ok("RENAME a \"b c\"")),
            ("RENAME a", Err("expected a space at byte 11")),
            ("RENAME a b c", Err("expected the end of the line at byte 13")),
        ]);
    }
}
