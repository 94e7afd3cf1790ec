//! COPY and UID COPY. MOVE has the same arguments.
//!
//! RFC 9051 §6.4.7, §6.4.9.

use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};
use crate::grammar;
use crate::value::{MailboxName, Numbering, SequenceSet};

/// COPY and MOVE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copy {
    /// How `set` is numbered.
    pub numbering: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// The target.
    pub mailbox: MailboxName,
}

pub(super) fn parse(c: &mut Cursor<'_>, numbering: Numbering) -> Result<Copy> {
    c.sp()?;
    let set = grammar::sequence_set(c)?;
    c.sp()?;
    Ok(Copy { numbering, set, mailbox: grammar::mailbox(c)? })
}

pub(super) fn print(verb: &str, copy: &Copy, out: &mut Vec<u8>, style: Style) {
    super::print_verb(verb, copy.numbering, out);
    emit::sequence_set(out, &copy.set);
    out.push(b' ');
    emit::mailbox(out, &copy.mailbox, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn copy() {
        check(&[
            ("COPY 2:4 MEETING", Ok("COPY 2:4 MEETING")),
            ("uid copy $ \"a b\"", Ok("UID COPY $ \"a b\"")),
            ("COPY 2:4", Err("expected a space at byte 11")),
            ("COPY x MEETING", Err("expected a number from 1 to 4294967295 or * at byte 8")),
        ]);
    }
}
