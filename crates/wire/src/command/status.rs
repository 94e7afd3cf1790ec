//! STATUS: numbers about a mailbox that need not be selected.
//!
//! RFC 9051 §6.3.11; HIGHESTMODSEQ: RFC 7162 §3.1.7; SIZE: RFC 8438; MAILBOXID: RFC 8474 §4.3;
//! APPENDLIMIT: RFC 7889 §4.

use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};
use crate::grammar::{self, STATUS_ITEMS, name_of};
use crate::value::{MailboxName, StatusItem};

/// STATUS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// What is asked, in the client's order.
    pub items: Vec<StatusItem>,
}

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Status> {
    c.sp()?;
    let mailbox = grammar::mailbox(c)?;
    c.sp()?;
    Ok(Status { mailbox, items: items(c)? })
}

/// The list of STATUS and of LIST's RETURN (STATUS ...) (RFC 5819 §4). What is asked twice is
/// answered once.
pub(super) fn items(c: &mut Cursor<'_>) -> Result<Vec<StatusItem>> {
    let mut items = Vec::new();
    c.list1("a status item", |c| {
        let item = c.choose(STATUS_ITEMS, "a status item")?;
        if !items.contains(&item) {
            items.push(item);
        }
        Ok(())
    })?;
    Ok(items)
}

pub(super) fn print_items(items: &[StatusItem], out: &mut Vec<u8>) {
    emit::list(out, items, |out, item| {
        out.extend_from_slice(name_of(STATUS_ITEMS, item).as_bytes());
    });
}

pub(super) fn print(status: &Status, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"STATUS ");
    emit::mailbox(out, &status.mailbox, style);
    out.push(b' ');
    print_items(&status.items, out);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn status() {
        check(&[
            ("STATUS INBOX (MESSAGES)", Ok("STATUS INBOX (MESSAGES)")),
            (
                "status x (uidnext UIDVALIDITY unseen recent deleted size highestmodseq mailboxid \
                 appendlimit)",
                Ok("STATUS x (UIDNEXT UIDVALIDITY UNSEEN RECENT DELETED SIZE HIGHESTMODSEQ \
                    MAILBOXID APPENDLIMIT)"),
            ),
            ("STATUS x (MESSAGES MESSAGES)", Ok("STATUS x (MESSAGES)")),
            ("STATUS x ()", Err("expected a status item at byte 13")),
            ("STATUS x (FOO)", Err("expected a status item at byte 13")),
            ("STATUS x MESSAGES", Err("expected an opening parenthesis at byte 12")),
            ("STATUS x (MESSAGES )", Err("expected a status item at byte 22")),
        ]);
    }
}
