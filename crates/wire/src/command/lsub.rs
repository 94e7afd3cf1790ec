//! LSUB: the subscriptions, for clients before LIST (SUBSCRIBED).
//!
//! RFC 3501 §6.3.9.

use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style, push};
use crate::grammar;

/// LSUB.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lsub {
    /// The reference name, decoded.
    pub reference: String,
    /// The pattern, decoded.
    pub pattern: String,
}

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Lsub> {
    c.sp()?;
    let reference = grammar::mailbox_text(c)?;
    c.sp()?;
    Ok(Lsub { reference, pattern: grammar::pattern(c)? })
}

pub(super) fn print(verb: &str, lsub: &Lsub, out: &mut Vec<u8>, style: Style) {
    push(out, format_args!("{verb} "));
    emit::name(out, &lsub.reference, style);
    out.push(b' ');
    emit::name(out, &lsub.pattern, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn lsub() {
        check(&[
            ("LSUB \"\" *", Ok("LSUB \"\" \"*\"")),
            ("lsub \"\" \"a/%\"", Ok("LSUB \"\" \"a/%\"")),
            ("LSUB \"\"", Err("expected a space at byte 10")),
            ("LSUB \"\" (a)", Err("expected a mailbox pattern at byte 11")),
        ]);
    }
}
