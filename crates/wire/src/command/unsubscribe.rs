//! UNSUBSCRIBE: take a name off the list of subscriptions.
//!
//! RFC 9051 §6.3.8.

use super::Command;
use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};
use crate::grammar;
use crate::value::MailboxName;

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    grammar::mailbox(c).map(Command::Unsubscribe)
}

pub(super) fn print(mailbox: &MailboxName, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"UNSUBSCRIBE ");
    emit::mailbox(out, mailbox, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn one_mailbox() {
        check(&[
            ("UNSUBSCRIBE a/b", Ok("UNSUBSCRIBE a/b")),
            ("unsubscribe \"inBox\"", Ok("UNSUBSCRIBE INBOX")),
            ("UNSUBSCRIBE {3}\r\na b", Ok("UNSUBSCRIBE \"a b\"")),
            ("UNSUBSCRIBE Entw&APw-rfe", Ok("UNSUBSCRIBE Entw&APw-rfe")),
            ("UNSUBSCRIBE \"Entwürfe\"", Ok("UNSUBSCRIBE Entw&APw-rfe")),
            ("UNSUBSCRIBE R&D", Ok("UNSUBSCRIBE R&-D")),
            ("UNSUBSCRIBE", Err("expected a space at byte 14")),
            ("UNSUBSCRIBE ", Err("expected a mailbox name at byte 15")),
            ("UNSUBSCRIBE a b", Err("expected the end of the line at byte 16")),
            ("UNSUBSCRIBE *", Err("expected a mailbox name at byte 15")),
        ]);
    }
}
