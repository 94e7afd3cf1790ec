//! DELETE: remove a mailbox.
//!
//! RFC 9051 §6.3.5.

use super::Command;
use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};
use crate::grammar;
use crate::value::MailboxName;

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    grammar::mailbox(c).map(Command::Delete)
}

pub(super) fn print(mailbox: &MailboxName, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"DELETE ");
    emit::mailbox(out, mailbox, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn one_mailbox() {
        check(&[
            ("DELETE a/b", Ok("DELETE a/b")),
            ("delete \"inBox\"", Ok("DELETE INBOX")),
            ("DELETE {3}\r\na b", Ok("DELETE \"a b\"")),
            ("DELETE Entw&APw-rfe", Ok("DELETE Entw&APw-rfe")),
            ("DELETE \"Entwürfe\"", Ok("DELETE Entw&APw-rfe")),
            ("DELETE R&D", Ok("DELETE R&-D")),
            ("DELETE", Err("expected a space at byte 9")),
            ("DELETE ", Err("expected a mailbox name at byte 10")),
            ("DELETE a b", Err("expected the end of the line at byte 11")),
            ("DELETE *", Err("expected a mailbox name at byte 10")),
        ]);
    }
}
