//! EXPUNGE and UID EXPUNGE: remove what is `\Deleted`.
//!
//! RFC 9051 §6.4.3, RFC 4315 §2.1.

use super::Command;
use crate::cursor::{Cursor, Result};
use crate::emit;
use crate::grammar;
use crate::value::{Numbering, SequenceSet};

pub(super) fn parse(c: &mut Cursor<'_>, numbering: Numbering) -> Result<Command> {
    if numbering == Numbering::Seq {
        return Ok(Command::Expunge(None));
    }
    c.sp()?;
    grammar::sequence_set(c).map(|set| Command::Expunge(Some(set)))
}

pub(super) fn print(set: Option<&SequenceSet>, out: &mut Vec<u8>) {
    match set {
        None => out.extend_from_slice(b"EXPUNGE"),
        Some(set) => {
            out.extend_from_slice(b"UID EXPUNGE ");
            emit::sequence_set(out, set);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn expunge() {
        check(&[
            ("EXPUNGE", Ok("EXPUNGE")),
            ("uid expunge 3000:3002", Ok("UID EXPUNGE 3000:3002")),
            ("UID EXPUNGE $", Ok("UID EXPUNGE $")),
            ("EXPUNGE 1", Err("expected the end of the line at byte 10")),
            ("UID EXPUNGE", Err("expected a space at byte 14")),
        ]);
    }
}
