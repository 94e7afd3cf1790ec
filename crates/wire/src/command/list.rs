//! LIST with everything of LIST-EXTENDED.
//!
//! RFC 9051 §6.3.9, RFC 5258; STATUS: RFC 5819; SPECIAL-USE: RFC 6154 §5.

use super::status;
use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};
use crate::grammar;
use crate::value::StatusItem;

/// LIST with RFC 5258's options.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    /// Whether options or several patterns were given: an extended LIST.
    pub extended: bool,
    /// Selection options.
    pub select: ListSelect,
    /// The reference name, decoded.
    pub reference: String,
    /// Patterns, decoded; at least one.
    pub patterns: Vec<String>,
    /// Return options.
    pub returns: ListReturn,
}

/// LIST's selection options (RFC 5258 §3.1, RFC 6154 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ListSelect {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// REMOTE
    pub remote: bool,
    /// RECURSIVEMATCH: never alone or only with REMOTE.
    pub recursive_match: bool,
    /// SPECIAL-USE
    pub special_use: bool,
}

/// LIST's return options (RFC 5258 §3.2, RFC 5819, RFC 6154).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListReturn {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// CHILDREN
    pub children: bool,
    /// SPECIAL-USE
    pub special_use: bool,
    /// STATUS (...)
    pub status: Vec<StatusItem>,
}

#[derive(Clone, Copy)]
enum SelectOption {
    Subscribed,
    Remote,
    RecursiveMatch,
    SpecialUse,
}

#[derive(Clone, Copy)]
enum ReturnOption {
    Subscribed,
    Children,
    SpecialUse,
    Status,
}

/// Patterns of one LIST: each may have to be matched with every mailbox.
const PATTERNS_MAX: usize = 256;

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<List> {
    c.sp()?;
    let mut extended = false;
    let mut select = ListSelect::default();
    if c.peek() == Some(b'(') {
        extended = true;
        select = select_options(c)?;
        c.sp()?;
    }
    let reference = grammar::mailbox_text(c)?;
    c.sp()?;
    let patterns = if c.peek() == Some(b'(') {
        extended = true;
        let mut count = 0;
        c.list1("a mailbox pattern", |c| {
            count += 1;
            if count > PATTERNS_MAX {
                return Err(c.fail("fewer patterns"));
            }
            grammar::pattern(c)
        })?
    } else {
        vec![grammar::pattern(c)?]
    };
    let mut returns = ListReturn::default();
    if c.eat(b' ') {
        extended = true;
        returns = return_options(c)?;
    }
    Ok(List { extended, select, reference, patterns, returns })
}

fn select_options(c: &mut Cursor<'_>) -> Result<ListSelect> {
    const EXPECTED: &str = "SUBSCRIBED, REMOTE, RECURSIVEMATCH or SPECIAL-USE";
    let table = [
        ("SUBSCRIBED", SelectOption::Subscribed),
        ("REMOTE", SelectOption::Remote),
        ("RECURSIVEMATCH", SelectOption::RecursiveMatch),
        ("SPECIAL-USE", SelectOption::SpecialUse),
    ];
    let start = c.at();
    let mut select = ListSelect::default();
    c.list(|c| {
        match c.choose(&table, EXPECTED)? {
            SelectOption::Subscribed => select.subscribed = true,
            SelectOption::Remote => select.remote = true,
            SelectOption::RecursiveMatch => select.recursive_match = true,
            SelectOption::SpecialUse => select.special_use = true,
        }
        Ok(())
    })?;
    // RFC 5258 §3.1; SPECIAL-USE narrows what is listed as SUBSCRIBED does, so it counts too.
    if select.recursive_match && !select.subscribed && !select.special_use {
        return Err(c.fail_at(start, "SUBSCRIBED or SPECIAL-USE with RECURSIVEMATCH"));
    }
    Ok(select)
}

fn return_options(c: &mut Cursor<'_>) -> Result<ListReturn> {
    c.choose(&[("RETURN", ())], "RETURN")?;
    c.sp()?;
    let table = [
        ("SUBSCRIBED", ReturnOption::Subscribed),
        ("CHILDREN", ReturnOption::Children),
        ("SPECIAL-USE", ReturnOption::SpecialUse),
        ("STATUS", ReturnOption::Status),
    ];
    let mut returns = ListReturn::default();
    c.list(|c| {
        match c.choose(&table, "SUBSCRIBED, CHILDREN, SPECIAL-USE or STATUS")? {
            ReturnOption::Subscribed => returns.subscribed = true,
            ReturnOption::Children => returns.children = true,
            ReturnOption::SpecialUse => returns.special_use = true,
            ReturnOption::Status => {
                c.sp()?;
                returns.status = status::items(c)?;
            }
        }
        Ok(())
    })?;
    Ok(returns)
}

pub(super) fn print(list: &List, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"LIST ");
    let ListSelect { subscribed, remote, recursive_match, special_use } = list.select;
    let select = [
        (subscribed, "SUBSCRIBED"),
        (remote, "REMOTE"),
        (recursive_match, "RECURSIVEMATCH"),
        (special_use, "SPECIAL-USE"),
    ];
    if list.extended {
        let given = select.into_iter().filter(|(given, _)| *given);
        emit::list(out, given, |out, (_, name)| out.extend_from_slice(name.as_bytes()));
        out.push(b' ');
    }
    emit::name(out, &list.reference, style);
    out.push(b' ');
    match &list.patterns[..] {
        [pattern] => emit::name(out, pattern, style),
        patterns => emit::list(out, patterns, |out, pattern| emit::name(out, pattern, style)),
    }
    let returns = &list.returns;
    if *returns == ListReturn::default() {
        return;
    }
    let options = [
        (returns.subscribed, "SUBSCRIBED"),
        (returns.children, "CHILDREN"),
        (returns.special_use, "SPECIAL-USE"),
        (!returns.status.is_empty(), "STATUS"),
    ];
    out.extend_from_slice(b" RETURN ");
    let given = options.into_iter().filter(|(given, _)| *given);
    emit::list(out, given, |out, (_, name)| {
        out.extend_from_slice(name.as_bytes());
        if name == "STATUS" {
            out.push(b' ');
            status::print_items(&returns.status, out);
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn plain() {
        check(&[
            ("LIST \"\" \"\"", Ok("LIST \"\" \"\"")),
            ("LIST \"\" *", Ok("LIST \"\" \"*\"")),
            ("list \"INBOX.\" sent-mail", Ok("LIST INBOX. sent-mail")),
            ("LIST \"\" %/a]b", Ok("LIST \"\" \"%/a]b\"")),
            ("LIST \"\" Entw&APw-*", Ok("LIST \"\" \"Entw&APw-*\"")),
            ("LIST \"\" {2}\r\n%*", Ok("LIST \"\" \"%*\"")),
            ("LIST \"\"", Err("expected a space at byte 10")),
            ("LIST \"\" ", Err("expected a mailbox pattern at byte 11")),
            ("LIST \"\" a b", Err("expected RETURN at byte 13")),
        ]);
    }

    #[test]
    fn extended() {
        check(&[
            ("LIST () \"\" *", Ok("LIST () \"\" \"*\"")),
            ("LIST (SUBSCRIBED) \"\" (a b%)", Ok("LIST (SUBSCRIBED) \"\" (a \"b%\")")),
            (
                "list (remote recursivematch subscribed special-use) \"\" *",
                Ok("LIST (SUBSCRIBED REMOTE RECURSIVEMATCH SPECIAL-USE) \"\" \"*\""),
            ),
            ("LIST \"\" * RETURN ()", Ok("LIST () \"\" \"*\"")),
            (
                "LIST \"\" % return (special-use STATUS (MESSAGES unseen) children subscribed)",
                Ok("LIST () \"\" \"%\" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES \
                    UNSEEN))"),
            ),
            (
                "LIST (RECURSIVEMATCH) \"\" *",
                Err("expected SUBSCRIBED or SPECIAL-USE with RECURSIVEMATCH at byte 8"),
            ),
            (
                "LIST (RECURSIVEMATCH REMOTE) \"\" *",
                Err("expected SUBSCRIBED or SPECIAL-USE with RECURSIVEMATCH at byte 8"),
            ),
            (
                "LIST (FOO) \"\" *",
                Err("expected SUBSCRIBED, REMOTE, RECURSIVEMATCH or SPECIAL-USE at byte 9"),
            ),
            (
                &format!("LIST \"\" (a{})", " a".repeat(256)),
                Err("expected fewer patterns at byte 524"),
            ),
            ("LIST \"\" ()", Err("expected a mailbox pattern at byte 12")),
            (
                "LIST \"\" * RETURN (FOO)",
                Err("expected SUBSCRIBED, CHILDREN, SPECIAL-USE or STATUS at byte 21"),
            ),
            ("LIST \"\" * RETURN (STATUS)", Err("expected a space at byte 27")),
        ]);
    }
}
