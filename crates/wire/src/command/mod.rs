//! Commands: one variant a verb, one file a verb below `command/` with its struct's parser, printer
//! and table of tests.

pub mod append;
mod authenticate;
mod capability;
mod check;
mod close;
mod copy;
mod create;
mod delete;
mod enable;
mod esearch;
mod examine;
mod expunge;
mod fetch;
mod id;
mod idle;
mod list;
mod login;
mod logout;
mod lsub;
mod r#move;
mod namespace;
mod noop;
mod rename;
pub mod search;
mod select;
mod sort;
mod starttls;
mod status;
mod store;
mod subscribe;
mod thread;
mod unselect;
mod unsubscribe;
mod xlist;

use bytes::Bytes;

use crate::cursor::{Cursor, Result};
use crate::emit::{Style, push};
use crate::error::SyntaxErrorKind;
use crate::value::{MailboxName, Numbering, SequenceSet};

pub use append::{Append, AppendHead, AppendMessage, AppendNext};
pub use authenticate::Authenticate;
pub use copy::Copy;
pub use create::Create;
pub use esearch::{MultiSearch, Source};
pub use fetch::{Fetch, FetchItem};
pub use list::{List, ListReturn, ListSelect};
pub use login::Login;
pub use lsub::Lsub;
pub use rename::Rename;
pub use search::Search;
pub use select::{Qresync, Select};
pub use sort::Sort;
pub use status::Status;
pub use store::Store;
pub use thread::Thread;

/// A complete command after its tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// RFC 9051 §6.1.1
    Capability,
    /// RFC 9051 §6.1.2
    Noop,
    /// RFC 9051 §6.1.3
    Logout,
    /// RFC 2971
    Id(Option<Vec<(Bytes, Option<Bytes>)>>),
    /// RFC 9051 §6.2.1
    StartTls,
    /// RFC 9051 §6.2.2
    Authenticate(Authenticate),
    /// RFC 9051 §6.2.3
    Login(Login),
    /// RFC 9051 §6.3.1: the capability names as sent; unknown ones are ignored.
    Enable(Vec<Bytes>),
    /// RFC 9051 §6.3.2
    Select(Select),
    /// RFC 9051 §6.3.3
    Examine(Select),
    /// RFC 9051 §6.3.4
    Create(Create),
    /// RFC 9051 §6.3.5
    Delete(MailboxName),
    /// RFC 9051 §6.3.6
    Rename(Rename),
    /// RFC 9051 §6.3.7
    Subscribe(MailboxName),
    /// RFC 9051 §6.3.8
    Unsubscribe(MailboxName),
    /// RFC 9051 §6.3.9
    List(List),
    /// RFC 3501 §6.3.9
    Lsub(Lsub),
    /// The unannounced ancestor of SPECIAL-USE that Outlook 2013 sends; answered like LIST.
    Xlist(Lsub),
    /// RFC 9051 §6.3.10
    Namespace,
    /// RFC 9051 §6.3.11
    Status(Status),
    /// RFC 9051 §6.3.12: only the part before the first message; see [`Append`].
    Append(Append),
    /// RFC 9051 §6.3.13
    Idle,
    /// RFC 3501 §6.4.1
    Check,
    /// RFC 9051 §6.4.1
    Close,
    /// RFC 9051 §6.4.2
    Unselect,
    /// RFC 9051 §6.4.3; with UIDs: RFC 4315 §2.1.
    Expunge(Option<SequenceSet>),
    /// RFC 9051 §6.4.4
    Search(Search),
    /// RFC 7377 §2
    MultiSearch(MultiSearch),
    /// RFC 5256 §3
    Sort(Sort),
    /// RFC 5256 §3
    Thread(Thread),
    /// RFC 9051 §6.4.5
    Fetch(Fetch),
    /// RFC 9051 §6.4.6
    Store(Store),
    /// RFC 9051 §6.4.7
    Copy(Copy),
    /// RFC 9051 §6.4.8
    Move(Copy),
}

/// Reads a command after its tag and space, up to its line's end.
pub(crate) fn parse(c: &mut Cursor<'_>) -> Result<Command> {
    let start = c.at();
    let verb = c.label("a command")?;
    if verb.eq_ignore_ascii_case(b"UID") {
        c.sp()?;
        let start = c.at();
        let verb = c.label("a command after UID")?;
        let command = numbered(c, verb, Numbering::Uid)?;
        return command.ok_or_else(|| unknown(c, start));
    }
    if let Some(command) = numbered(c, verb, Numbering::Seq)? {
        return Ok(command);
    }
    match &verb.to_ascii_uppercase()[..] {
        b"CAPABILITY" => capability::parse(c),
        b"NOOP" => noop::parse(c),
        b"LOGOUT" => logout::parse(c),
        b"ID" => id::parse(c),
        b"STARTTLS" => starttls::parse(c),
        b"AUTHENTICATE" => authenticate::parse(c).map(Command::Authenticate),
        b"LOGIN" => login::parse(c).map(Command::Login),
        b"ENABLE" => enable::parse(c),
        b"SELECT" => select::parse(c).map(Command::Select),
        b"EXAMINE" => examine::parse(c).map(Command::Examine),
        b"CREATE" => create::parse(c).map(Command::Create),
        b"DELETE" => delete::parse(c),
        b"RENAME" => rename::parse(c).map(Command::Rename),
        b"SUBSCRIBE" => subscribe::parse(c),
        b"UNSUBSCRIBE" => unsubscribe::parse(c),
        b"LIST" => list::parse(c).map(Command::List),
        b"LSUB" => lsub::parse(c).map(Command::Lsub),
        b"XLIST" => xlist::parse(c).map(Command::Xlist),
        b"NAMESPACE" => namespace::parse(c),
        b"STATUS" => status::parse(c).map(Command::Status),
        b"ESEARCH" => esearch::parse(c).map(Command::MultiSearch),
        b"APPEND" => append::parse(c),
        b"IDLE" => idle::parse(c),
        b"CHECK" => check::parse(c),
        b"CLOSE" => close::parse(c),
        b"UNSELECT" => unselect::parse(c),
        _ => Err(unknown(c, start)),
    }
}

/// The commands that have a UID form; `None` if `verb` is another.
fn numbered(c: &mut Cursor<'_>, verb: &[u8], numbering: Numbering) -> Result<Option<Command>> {
    let command = match &verb.to_ascii_uppercase()[..] {
        b"EXPUNGE" => expunge::parse(c, numbering)?,
        b"SEARCH" => Command::Search(search::parse(c, numbering)?),
        b"SORT" => Command::Sort(sort::parse(c, numbering)?),
        b"THREAD" => Command::Thread(thread::parse(c, numbering)?),
        b"FETCH" => Command::Fetch(fetch::parse(c, numbering)?),
        b"STORE" => Command::Store(store::parse(c, numbering)?),
        b"COPY" => Command::Copy(copy::parse(c, numbering)?),
        b"MOVE" => Command::Move(r#move::parse(c, numbering)?),
        _ => return Ok(None),
    };
    Ok(Some(command))
}

fn unknown(c: &Cursor<'_>, at: usize) -> crate::SyntaxError {
    let mut error = c.fail_at(at, "a command");
    error.kind = SyntaxErrorKind::UnknownCommand;
    error
}

/// Appends `UID ` if it belongs there, the verb and a space.
fn print_verb(verb: &str, numbering: Numbering, out: &mut Vec<u8>) {
    let uid = if numbering == Numbering::Uid { "UID " } else { "" };
    push(out, format_args!("{uid}{verb} "));
}

/// Appends a command without its tag and its line's end.
pub(crate) fn print(command: &Command, out: &mut Vec<u8>, style: Style) {
    match command {
        Command::Capability => capability::print(out),
        Command::Noop => noop::print(out),
        Command::Logout => logout::print(out),
        Command::Id(pairs) => id::print(pairs.as_ref(), out, style),
        Command::StartTls => starttls::print(out),
        Command::Authenticate(authenticate) => authenticate::print(authenticate, out),
        Command::Login(login) => login::print(login, out, style),
        Command::Enable(names) => enable::print(names, out),
        Command::Select(select) => select::print("SELECT", select, out, style),
        Command::Examine(select) => examine::print(select, out, style),
        Command::Create(create) => create::print(create, out, style),
        Command::Delete(mailbox) => delete::print(mailbox, out, style),
        Command::Rename(rename) => rename::print(rename, out, style),
        Command::Subscribe(mailbox) => subscribe::print(mailbox, out, style),
        Command::Unsubscribe(mailbox) => unsubscribe::print(mailbox, out, style),
        Command::List(list) => list::print(list, out, style),
        Command::Lsub(lsub) => lsub::print("LSUB", lsub, out, style),
        Command::Xlist(lsub) => xlist::print(lsub, out, style),
        Command::Namespace => namespace::print(out),
        Command::Status(status) => status::print(status, out, style),
        Command::Append(append) => append::print(append, out, style),
        Command::Idle => idle::print(out),
        Command::Check => check::print(out),
        Command::Close => close::print(out),
        Command::Unselect => unselect::print(out),
        Command::Expunge(set) => expunge::print(set.as_ref(), out),
        Command::Search(search) => search::print(search, out, style),
        Command::MultiSearch(search) => esearch::print(search, out, style),
        Command::Sort(sort) => sort::print(sort, out, style),
        Command::Thread(thread) => thread::print(thread, out, style),
        Command::Fetch(fetch) => fetch::print(fetch, out, style),
        Command::Store(store) => store::print(store, out),
        Command::Copy(copy) => copy::print("COPY", copy, out, style),
        Command::Move(copy) => r#move::print(copy, out, style),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! The one place where the tables of this directory call the parser and the printer.

    use crate::error::SyntaxError;
    use crate::parse::{Parsed, Syntax, command};
    use crate::print::print_for;

    pub(crate) fn rev1() -> Syntax {
        Syntax { utf8: false, rev2: false, nesting_max: 64 }
    }

    pub(crate) fn utf8_accept() -> Syntax {
        Syntax { utf8: true, ..rev1() }
    }

    pub(crate) fn rev2() -> Syntax {
        Syntax { rev2: true, ..utf8_accept() }
    }

    pub(crate) fn parse_in(input: &str, cx: &Syntax) -> Result<Parsed, SyntaxError> {
        command(format!("a {input}\r\n").as_bytes(), cx)
    }

    /// Each input, after the tag `a` and a space, prints as the text beside it, or fails with it;
    /// what is printed means the same.
    pub(crate) fn check(cases: &[(&str, Result<&str, &str>)]) {
        check_in(cases, &rev1());
    }

    pub(crate) fn check_in(cases: &[(&str, Result<&str, &str>)], cx: &Syntax) {
        for (input, expected) in cases {
            let parsed = parse_in(input, cx);
            let printed = parsed.as_ref().map(|p| print_for(&p.command, cx.utf8));
            let text = printed.as_ref().map(|bytes| {
                let text = std::str::from_utf8(bytes).unwrap();
                text.strip_suffix("\r\n").unwrap()
            });
            assert_eq!(
                text.map_err(|e| e.to_string()),
                expected.map_err(str::to_owned),
                "{input:.300}"
            );
            if let (Ok(printed), Ok(parsed)) = (&printed, &parsed) {
                let again = command(&[b"a ", &printed[..]].concat(), cx).unwrap();
                assert_eq!(again, *parsed, "{input:.300}");
            }
            if let Err(error) = parsed {
                assert_eq!(error.tag.as_deref(), Some("a"), "{input:.300}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{check, check_in, rev1, utf8_accept};
    use crate::parse::command;

    #[test]
    fn verbs() {
        check(&[
            ("FOO", Err("unknown command at byte 3")),
            ("UID FOO 1", Err("unknown command at byte 7")),
            ("UID NOOP", Err("unknown command at byte 7")),
            ("UID", Err("expected a space at byte 6")),
            ("GETQUOTA x", Err("unknown command at byte 3")),
            ("", Err("expected a command at byte 3")),
            (" NOOP", Err("expected a command at byte 3")),
            ("NOOP\0", Err("expected the end of the line at byte 7")),
            ("NOOP\r\nb NOOP", Err("expected one command only at byte 7")),
            ("(((", Err("expected a command at byte 3")),
        ]);
    }

    #[test]
    fn tags() {
        for tag in ["1.1", "EX32", "WIR00001", "k7mo", "A4", "a]b", "[", "~", "a-b/c"] {
            let parsed = command(format!("{tag} NOOP\r\n").as_bytes(), &rev1()).unwrap();
            assert_eq!(parsed.tag, tag);
            assert!(command(format!("{tag} NOOP\n").as_bytes(), &rev1()).is_ok());
        }
        for bad in
            ["", "\r\n", " NOOP\r\n", "+ NOOP\r\n", "a+b NOOP\r\n", "\"a\" NOOP\r\n", "é NOOP\r\n"]
        {
            assert!(command(bad.as_bytes(), &rev1()).is_err(), "{bad:?}");
        }
        let error = command(b"a", &rev1()).unwrap_err();
        assert_eq!((error.tag.as_deref(), error.at), (Some("a"), 1));
    }

    #[test]
    fn names_after_enable() {
        // After UTF8=ACCEPT "&" stands for itself (RFC 6855 §3), whatever Thunderbird did before.
        check_in(
            &[
                ("SELECT \"R&D\"", Ok("SELECT R&D")),
                ("SELECT \"Entw&APw-rfe\"", Ok("SELECT Entw&APw-rfe")),
                ("SELECT \"Entwürfe\"", Ok("SELECT \"Entwürfe\"")),
                ("SELECT {9}\r\nEntwürfe", Ok("SELECT \"Entwürfe\"")),
            ],
            &utf8_accept(),
        );
        for input in [&b"a SELECT \"\xff\"\r\n"[..], b"a SELECT {1}\r\n\xff\r\n"] {
            assert!(command(input, &rev1()).is_err());
            assert!(command(input, &utf8_accept()).is_err());
        }
        check(&[(
            "FETCH 1 BODY[HEADER.FIELDS (\"é\")]",
            Err("expected only ASCII in quotes before ENABLE UTF8=ACCEPT at byte 32"),
        )]);
    }

    #[test]
    fn long_sets_take_linear_time() {
        let set = (0..100_000u32).rev().map(|n| format!("{}", 2 * n + 1)).collect::<Vec<_>>();
        let set = set.join(",");
        for input in [
            format!("a UID FETCH {set} FLAGS\r\n"),
            format!("a SELECT x (QRESYNC (1 1 {set}))\r\n"),
        ] {
            assert!(command(input.as_bytes(), &rev1()).is_ok());
        }
    }
}
