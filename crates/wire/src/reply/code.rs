//! Response codes as a client reads them.

use super::{capabilities, flags, mod_seq};
use crate::cursor::{Cursor, Result};
use crate::grammar;

/// A response code: its name in upper case, and what follows it as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplyCode {
    /// The name.
    pub name: String,
    /// The arguments, without the space before them; empty if there are none.
    pub arguments: String,
}

/// Codes without arguments.
const PLAIN: &[&str] = &[
    "ALERT",
    "ALREADYEXISTS",
    "AUTHENTICATIONFAILED",
    "AUTHORIZATIONFAILED",
    "CANNOT",
    "CLIENTBUG",
    "CLOSED",
    "CONTACTADMIN",
    "CORRUPTION",
    "EXPIRED",
    "EXPUNGEISSUED",
    "HASCHILDREN",
    "INUSE",
    "LIMIT",
    "NOMODSEQ",
    "NONEXISTENT",
    "NOPERM",
    "NOTSAVED",
    "OVERQUOTA",
    "PARSE",
    "PRIVACYREQUIRED",
    "READ-ONLY",
    "READ-WRITE",
    "SERVERBUG",
    "TOOBIG",
    "TRYCREATE",
    "UIDNOTSTICKY",
    "UNAVAILABLE",
    "UNKNOWN-CTE",
    "USEATTR",
];

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<ReplyCode> {
    let at = c.at();
    let name = super::ascii(c.atom("a response code")?).to_ascii_uppercase();
    let start = c.at();
    match name.as_str() {
        plain if PLAIN.contains(&plain) => {}
        "APPENDUID" => {
            c.sp()?;
            c.nz_number()?;
            c.sp()?;
            grammar::known_uids(c)?;
        }
        "BADCHARSET" => {
            if c.eat(b' ') {
                c.list1("a charset", |c| c.astring("a charset"))?;
            }
        }
        "CAPABILITY" => {
            capabilities(c)?;
        }
        "COPYUID" => {
            c.sp()?;
            c.nz_number()?;
            c.sp()?;
            let from = grammar::known_uids(c)?;
            c.sp()?;
            if from.len() != grammar::known_uids(c)?.len() {
                return Err(c.fail_at(start, "two sets of one size"));
            }
        }
        "HIGHESTMODSEQ" => {
            c.sp()?;
            mod_seq(c)?;
        }
        "INPROGRESS" => {
            if c.eat(b' ') {
                in_progress(c)?;
            }
        }
        "MAILBOXID" => {
            c.sp()?;
            c.expect(b'(', "an opening parenthesis")?;
            grammar::object_id(c)?;
            c.expect(b')', "a closing parenthesis")?;
        }
        "MODIFIED" => {
            c.sp()?;
            grammar::known_uids(c)?;
        }
        "PERMANENTFLAGS" => {
            c.sp()?;
            flags(c, true)?;
        }
        "UIDNEXT" | "UIDVALIDITY" | "UNSEEN" => {
            c.sp()?;
            c.nz_number()?;
        }
        _ => return Err(c.fail_at(at, "a known response code")),
    }
    let arguments = super::ascii(c.since(start));
    let arguments = arguments.strip_prefix(' ').unwrap_or_default().to_owned();
    Ok(ReplyCode { name, arguments })
}

/// RFC 9585 §4: tag, done and goal, each of them maybe NIL.
fn in_progress(c: &mut Cursor<'_>) -> Result<()> {
    c.expect(b'(', "an opening parenthesis")?;
    c.nstring(false)?;
    for _ in ["done", "goal"] {
        c.sp()?;
        if !c.eat_nil() {
            c.number64()?;
        }
    }
    c.expect(b')', "a closing parenthesis")
}
