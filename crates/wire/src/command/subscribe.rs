//! SUBSCRIBE: add a name to the list of subscriptions.
//!
//! RFC 9051 §6.3.7.

use super::Command;
use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};
use crate::grammar;
use crate::value::MailboxName;

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    grammar::mailbox(c).map(Command::Subscribe)
}

pub(super) fn print(mailbox: &MailboxName, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"SUBSCRIBE ");
    emit::mailbox(out, mailbox, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn one_mailbox() {
        check(&[
            ("SUBSCRIBE a/b", Ok("SUBSCRIBE a/b")),
            ("subscribe \"inBox\"", Ok("SUBSCRIBE INBOX")),
            ("SUBSCRIBE {3}\r\na b", Ok("SUBSCRIBE \"a b\"")),
            ("SUBSCRIBE Entw&APw-rfe", Ok("SUBSCRIBE Entw&APw-rfe")),
            ("SUBSCRIBE \"Entwürfe\"", Ok("SUBSCRIBE Entw&APw-rfe")),
            ("SUBSCRIBE R&D", Ok("SUBSCRIBE R&-D")),
            ("SUBSCRIBE", Err("expected a space at byte 12")),
            ("SUBSCRIBE ", Err("expected a mailbox name at byte 13")),
            ("SUBSCRIBE a b", Err("expected the end of the line at byte 14")),
            ("SUBSCRIBE *", Err("expected a mailbox name at byte 13")),
        ]);
    }
}
