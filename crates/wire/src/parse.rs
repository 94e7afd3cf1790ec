//! Entry points of the parsers.

use crate::command::{self, Command};
use crate::cursor::Cursor;
use crate::emit::Style;
use crate::error::SyntaxError;
use crate::reply::{self, Reply};
use crate::response::Encoding;

/// How a command is to be read: what the client has enabled, and how much it may nest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Syntax {
    /// Whether mailbox names are UTF-8 and quoted strings may hold it: `ENABLE UTF8=ACCEPT` or
    /// `ENABLE IMAP4rev2`.
    pub utf8: bool,
    /// `ENABLE IMAP4rev2`.
    pub rev2: bool,
    /// The deepest nesting of parentheses: [`base::Limits::nesting_max`].
    pub nesting_max: usize,
}

/// A command with its tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// The tag.
    pub tag: String,
    /// The command.
    pub command: Command,
}

/// How a client writes that has enabled nothing.
pub(crate) const CLIENT: Style = Style { client: true, utf8: false };

/// Reads one complete command: `bytes` holds it with its inline literals and the line ending.
///
/// # Errors
/// Says what did not fit and where; see [`SyntaxErrorKind`](crate::SyntaxErrorKind) for how each
/// kind is answered.
pub fn command(bytes: &[u8], cx: &Syntax) -> Result<Parsed, SyntaxError> {
    let mut c = Cursor::new(bytes, *cx);
    let tag = c.tag()?.to_owned();
    let command = c.sp().and_then(|()| command::parse(&mut c));
    match command.and_then(|command| c.end().map(|()| command)) {
        Ok(command) => Ok(Parsed { tag, command }),
        Err(error) => Err(SyntaxError { tag: Some(tag), ..error }),
    }
}

/// Reads one complete response with its literals and its line ending, by the letter of the grammar
/// that a client with `encoding` may expect: a test's judge of what the server sent.
///
/// # Errors
/// The response is not valid; there is no leniency.
pub fn response(bytes: &[u8], encoding: Encoding) -> Result<Reply, SyntaxError> {
    reply::parse(bytes, encoding)
}
