//! STORE and UID STORE: change the flags of messages.
//!
//! RFC 9051 §6.4.6; UNCHANGEDSINCE: RFC 7162 §3.1.3.

use base::{Flags, ModSeq};

use crate::cursor::{Cursor, Result};
use crate::emit::{self, push};
use crate::grammar::{self, Recent};
use crate::value::{FlagList, Numbering, SequenceSet, StoreMode};

/// STORE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    /// How `set` is numbered.
    pub numbering: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// Set, add or remove.
    pub mode: StoreMode,
    /// `.SILENT`
    pub silent: bool,
    /// The flags.
    pub flags: FlagList,
    /// `(UNCHANGEDSINCE n)` (RFC 7162 §3.1.3).
    pub unchanged_since: Option<ModSeq>,
}

pub(super) fn parse(c: &mut Cursor<'_>, numbering: Numbering) -> Result<Store> {
    c.sp()?;
    let set = grammar::sequence_set(c)?;
    c.sp()?;
    let mut unchanged_since = None;
    if c.peek() == Some(b'(') {
        unchanged_since = Some(modifiers(c)?);
        c.sp()?;
    }
    let mode = match c.peek() {
        Some(b'+') => StoreMode::Add,
        Some(b'-') => StoreMode::Remove,
        _ => StoreMode::Replace,
    };
    c.skip(usize::from(mode != StoreMode::Replace));
    let silent = c.choose(&[("FLAGS", false), ("FLAGS.SILENT", true)], "FLAGS or FLAGS.SILENT")?;
    c.sp()?;
    Ok(Store { numbering, set, mode, silent, flags: flags(c)?, unchanged_since })
}

/// RFC 4466 §2.5, store-modifiers.
fn modifiers(c: &mut Cursor<'_>) -> Result<ModSeq> {
    let values = c.list1("UNCHANGEDSINCE", |c| {
        c.choose(&[("UNCHANGEDSINCE", ())], "UNCHANGEDSINCE")?;
        c.sp()?;
        c.mod_seq()
    })?;
    match values[..] {
        [value] => Ok(value),
        // RFC 7162 §7, store-modifier: "Only a single".
        _ => Err(c.fail("UNCHANGEDSINCE only once")),
    }
}

/// Flags with or without parentheses.
fn flags(c: &mut Cursor<'_>) -> Result<FlagList> {
    if c.peek() == Some(b'(') {
        return grammar::flag_list(c, Recent::Refuse);
    }
    let mut flags = Flags::default();
    grammar::flag(c, Recent::Refuse, &mut flags)?;
    while c.eat(b' ') {
        grammar::flag(c, Recent::Refuse, &mut flags)?;
    }
    Ok(flags)
}

pub(super) fn print(store: &Store, out: &mut Vec<u8>) {
    super::print_verb("STORE", store.numbering, out);
    emit::sequence_set(out, &store.set);
    if let Some(mod_seq) = store.unchanged_since {
        push(out, format_args!(" (UNCHANGEDSINCE {mod_seq})"));
    }
    let sign = match store.mode {
        StoreMode::Replace => "",
        StoreMode::Add => "+",
        StoreMode::Remove => "-",
    };
    let silent = if store.silent { ".SILENT" } else { "" };
    push(out, format_args!(" {sign}FLAGS{silent} ({})", store.flags));
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{check, parse_in, rev1};

    const NO_FLAG: &str =
        "expected \\Answered, \\Flagged, \\Deleted, \\Seen, \\Draft or a keyword as the flag";

    #[test]
    fn store() {
        check(&[
            ("STORE 2:4 +FLAGS (\\Deleted)", Ok("STORE 2:4 +FLAGS (\\Deleted)")),
            ("uid store * -flags.silent \\seen", Ok("UID STORE * -FLAGS.SILENT (\\Seen)")),
            ("STORE 1 FLAGS ()", Ok("STORE 1 FLAGS ()")),
            ("STORE 1 FLAGS \\Seen $a $A b", Ok("STORE 1 FLAGS (\\Seen $a b)")),
            (
                "STORE 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)",
                Ok("STORE 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)"),
            ),
            ("STORE 1 (unchangedsince 0) FLAGS (a)", Ok("STORE 1 (UNCHANGEDSINCE 0) FLAGS (a)")),
            ("STORE 1 FLAGS (a])", Err("expected a space or a closing parenthesis at byte 19")),
            ("STORE 1 FLAGS \"a\"", Err("expected a flag at byte 17")),
            ("STORE 1 FLAGS ", Err("expected a flag at byte 17")),
            ("STORE 1 FOO (a)", Err("expected FLAGS or FLAGS.SILENT at byte 11")),
            ("STORE 1 (FOO 1) FLAGS (a)", Err("expected UNCHANGEDSINCE at byte 12")),
            (
                "STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS (a)",
                Err("expected a number below 2^63 at byte 27"),
            ),
            ("STORE 1 FLAGS (\\Recent)", Err(&format!("{NO_FLAG} at byte 18"))),
            ("STORE 1 FLAGS (\\Foo)", Err(&format!("{NO_FLAG} at byte 18"))),
            ("STORE 1 FLAGS (\\*)", Err("expected a flag at byte 19")),
        ]);
    }
    #[test]
    fn floods_of_keywords_are_refused() {
        let flood = |count: usize| {
            let keywords: String = (0..count).map(|n| format!(" k{n}")).collect();
            parse_in(&format!("STORE 1 FLAGS \\Seen{keywords}"), &rev1())
        };
        assert!(flood(4096).is_ok());
        assert_eq!(flood(4097).unwrap_err().expected, "fewer keywords");
    }
}
