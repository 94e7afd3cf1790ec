//! What framing tells a session.

use bytes::Bytes;
use wire::command::AppendMessage;
use wire::command::append::AppendHead;
use wire::command::search::CHARSETS;
use wire::response::Code;
use wire::{LiteralSpec, Parsed, SyntaxError, SyntaxErrorKind};

/// What is asked of the session next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Read, and call [`Connection::receive`].
    NeedBytes,
    /// Send this at once: the client waits for it.
    Send(&'static [u8]),
    /// A whole command.
    Command(Parsed),
    /// A command that was not understood or is too big. All of it has been skipped.
    Bad(Refusal),
    /// APPEND begins: answer with [`Connection::accept`] or [`Connection::refuse`].
    Append(AppendHead),
    /// APPEND has one more message: answer likewise.
    AppendNext(AppendMessage, LiteralSpec),
    /// Bytes of the message that was accepted.
    Chunk(Bytes),
    /// That message is complete.
    MessageEnd,
    /// APPEND is complete.
    AppendEnd,
    /// What follows a message is no APPEND. All of it has been skipped.
    AppendBad(Refusal),
    /// What [`Connection::refuse`] refused has been skipped.
    Skipped,
    /// A line, without its ending, after [`Connection::expect_lines`].
    Line(Bytes),
    /// Such a line is too long; it has been skipped.
    LineTooLong,
    /// Not an IMAP client, or one that wants too much: close without ceremony.
    Close(&'static str),
}

/// Why a command is refused before anybody looks at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The command's tag, if it has one.
    pub tag: Option<String>,
    /// Whether it is `NO`, not `BAD`.
    pub no: bool,
    /// The response code.
    pub code: Option<Code>,
    /// Text for people.
    pub text: String,
    /// Whether the saved search result is empty now (RFC 5182 §2.1).
    pub forgets_saved: bool,
}

impl Refusal {
    pub(super) fn bad(tag: Option<String>, text: &str) -> Self {
        Self { tag, no: false, code: None, text: text.to_owned(), forgets_saved: false }
    }
}

impl From<SyntaxError> for Refusal {
    fn from(error: SyntaxError) -> Self {
        let (code, forgets_saved) = match error.kind {
            SyntaxErrorKind::BadCharset { save } => {
                (Some(Code::BadCharset(CHARSETS.to_vec())), save)
            }
            SyntaxErrorKind::UnknownSpecialUse => (Some(Code::UseAttr), false),
            _ => (None, false),
        };
        let text = error.to_string();
        Self { tag: error.tag, no: code.is_some(), code, text, forgets_saved }
    }
}
