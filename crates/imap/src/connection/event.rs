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
}

impl Refusal {
    pub(super) fn bad(tag: Option<String>, text: &str) -> Self {
        Self { tag, no: false, code: None, text: text.to_owned() }
    }
}

impl From<SyntaxError> for Refusal {
    fn from(error: SyntaxError) -> Self {
        let text = error.to_string();
        match error.kind {
            SyntaxErrorKind::BadCharset => Self {
                tag: error.tag,
                no: true,
                code: Some(Code::BadCharset(CHARSETS.to_vec())),
                text,
            },
            SyntaxErrorKind::UnknownSpecialUse => {
                Self { tag: error.tag, no: true, code: Some(Code::UseAttr), text }
            }
            _ => Self { tag: error.tag, no: false, code: None, text },
        }
    }
}
