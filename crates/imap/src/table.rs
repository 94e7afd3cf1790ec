//! What is true of each verb, as data.

use mailbox::Expunges;
use wire::command::Command;
use wire::value::Numbering;

/// The states a command is legal in (RFC 9051 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Any.
    Nothing,
    /// Not authenticated.
    Stranger,
    /// Authenticated, with or without a selected mailbox.
    Account,
    /// A selected mailbox.
    Mailbox,
}

/// One verb.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The verb, with `UID ` before it where that makes a difference.
    pub verb: &'static str,
    /// The state it is legal in.
    pub needs: Needs,
    /// Whether its end may tell expunges (RFC 9051 §7.5.1).
    pub expunges: Expunges,
    /// The capability it belongs to: masked with it. Empty for the base protocol.
    pub capability: &'static str,
    /// Where it is specified.
    pub rfc: &'static str,
    /// Whether it waits for the disk or looks through messages: answers to the commands before it
    /// are sent first.
    pub takes_time: bool,
}

const fn row(
    verb: &'static str,
    needs: Needs,
    expunges: Expunges,
    capability: &'static str,
    rfc: &'static str,
) -> Row {
    Row { verb, needs, expunges, capability, rfc, takes_time: false }
}

const fn slow(row: Row) -> Row {
    Row { takes_time: true, ..row }
}

use Expunges::{Hold, Tell};
use Needs::{Account, Mailbox, Nothing, Stranger};

/// Every verb.
pub const TABLE: &[Row] = &[
    row("CAPABILITY", Nothing, Tell, "", "9051 6.1.1"),
    row("NOOP", Nothing, Tell, "", "9051 6.1.2"),
    row("LOGOUT", Nothing, Hold, "", "9051 6.1.3"),
    row("ID", Nothing, Tell, "ID", "2971 3.1"),
    row("STARTTLS", Stranger, Tell, "STARTTLS", "9051 6.2.1"),
    slow(row("AUTHENTICATE", Stranger, Tell, "", "9051 6.2.2")),
    slow(row("LOGIN", Stranger, Tell, "", "9051 6.2.3")),
    row("ENABLE", Account, Tell, "ENABLE", "9051 6.3.1"),
    row("SELECT", Account, Hold, "", "9051 6.3.2"),
    row("EXAMINE", Account, Hold, "", "9051 6.3.3"),
    slow(row("CREATE", Account, Tell, "", "9051 6.3.4")),
    slow(row("DELETE", Account, Tell, "", "9051 6.3.5")),
    slow(row("RENAME", Account, Tell, "", "9051 6.3.6")),
    slow(row("SUBSCRIBE", Account, Tell, "", "9051 6.3.7")),
    slow(row("UNSUBSCRIBE", Account, Tell, "", "9051 6.3.8")),
    row("LIST", Account, Tell, "", "9051 6.3.9"),
    row("LSUB", Account, Tell, "", "3501 6.3.9"),
    row("XLIST", Account, Tell, "", "6154 1"),
    row("NAMESPACE", Account, Tell, "NAMESPACE", "9051 6.3.10"),
    row("STATUS", Account, Tell, "", "9051 6.3.11"),
    slow(row("ESEARCH", Account, Tell, "MULTISEARCH", "7377 2")),
    row("APPEND", Account, Tell, "", "9051 6.3.12"),
    row("IDLE", Account, Tell, "IDLE", "9051 6.3.13"),
    row("CHECK", Mailbox, Tell, "", "3501 6.4.1"),
    slow(row("CLOSE", Mailbox, Hold, "", "9051 6.4.1")),
    row("UNSELECT", Mailbox, Hold, "UNSELECT", "9051 6.4.2"),
    slow(row("EXPUNGE", Mailbox, Tell, "", "9051 6.4.3")),
    slow(row("UID EXPUNGE", Mailbox, Tell, "UIDPLUS", "4315 2.1")),
    slow(row("SEARCH", Mailbox, Hold, "", "9051 6.4.4")),
    slow(row("UID SEARCH", Mailbox, Tell, "", "9051 6.4.9")),
    slow(row("SORT", Mailbox, Hold, "SORT", "5256 3")),
    slow(row("UID SORT", Mailbox, Tell, "SORT", "5256 3")),
    slow(row("THREAD", Mailbox, Hold, "", "5256 3")),
    slow(row("UID THREAD", Mailbox, Tell, "", "5256 3")),
    row("FETCH", Mailbox, Hold, "", "9051 6.4.5"),
    row("UID FETCH", Mailbox, Tell, "", "9051 6.4.9"),
    slow(row("STORE", Mailbox, Hold, "", "9051 6.4.6")),
    slow(row("UID STORE", Mailbox, Tell, "", "9051 6.4.9")),
    slow(row("COPY", Mailbox, Tell, "", "9051 6.4.7")),
    slow(row("UID COPY", Mailbox, Tell, "", "9051 6.4.9")),
    slow(row("MOVE", Mailbox, Tell, "MOVE", "9051 6.4.8")),
    slow(row("UID MOVE", Mailbox, Tell, "MOVE", "9051 6.4.9")),
];

/// The row of a verb as [`verb`] writes it.
pub fn find(verb: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.verb == verb)
}

/// A command's verb.
pub fn verb(command: &Command) -> &'static str {
    let uid = |numbering: Numbering| numbering == Numbering::Uid;
    let either = |numbering, plain, with_uid| if uid(numbering) { with_uid } else { plain };
    match command {
        Command::Capability => "CAPABILITY",
        Command::Noop => "NOOP",
        Command::Logout => "LOGOUT",
        Command::Id(_) => "ID",
        Command::StartTls => "STARTTLS",
        Command::Authenticate(_) => "AUTHENTICATE",
        Command::Login(_) => "LOGIN",
        Command::Enable(_) => "ENABLE",
        Command::Select(_) => "SELECT",
        Command::Examine(_) => "EXAMINE",
        Command::Create(_) => "CREATE",
        Command::Delete(_) => "DELETE",
        Command::Rename(_) => "RENAME",
        Command::Subscribe(_) => "SUBSCRIBE",
        Command::Unsubscribe(_) => "UNSUBSCRIBE",
        Command::List(_) => "LIST",
        Command::Lsub(_) => "LSUB",
        Command::Xlist(_) => "XLIST",
        Command::Namespace => "NAMESPACE",
        Command::Status(_) => "STATUS",
        Command::Append(_) => "APPEND",
        Command::Idle => "IDLE",
        Command::Check => "CHECK",
        Command::Close => "CLOSE",
        Command::Unselect => "UNSELECT",
        Command::Expunge(None) => "EXPUNGE",
        Command::Expunge(Some(_)) => "UID EXPUNGE",
        Command::MultiSearch(_) => "ESEARCH",
        Command::Search(args) => either(args.numbering, "SEARCH", "UID SEARCH"),
        Command::Sort(args) => either(args.numbering, "SORT", "UID SORT"),
        Command::Thread(args) => either(args.numbering, "THREAD", "UID THREAD"),
        Command::Fetch(args) => either(args.numbering, "FETCH", "UID FETCH"),
        Command::Store(args) => either(args.numbering, "STORE", "UID STORE"),
        Command::Copy(args) => either(args.numbering, "COPY", "UID COPY"),
        Command::Move(args) => either(args.numbering, "MOVE", "UID MOVE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_unique_and_cited() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(TABLE[..at].iter().all(|other| other.verb != row.verb), "{}", row.verb);
            assert!(row.rfc.split_once(' ').is_some(), "{}", row.verb);
        }
    }
}
