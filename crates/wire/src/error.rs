//! What is wrong with a command line, and where.

use std::fmt;

/// What every parser here gives.
pub type Result<T> = std::result::Result<T, SyntaxError>;

/// Why a command was not understood, in words for the person who wrote the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyntaxError {
    /// The command's tag, if that much could be read; without one the answer is untagged.
    pub tag: Option<String>,
    /// Offset of the byte that did not fit, from the start of the command.
    pub at: usize,
    /// What would have fitted there.
    pub expected: &'static str,
    /// What kind of error it is.
    pub kind: SyntaxErrorKind,
}

/// The kinds of [`SyntaxError`]: each has an answer of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyntaxErrorKind {
    /// The arguments do not fit the command's grammar: BAD.
    Syntax,
    /// There is no such command: BAD.
    UnknownCommand,
    /// SEARCH, SORT or THREAD in a charset nobody knows: NO \[BADCHARSET\] (RFC 9051 §6.4.4).
    BadCharset {
        /// The result was to be saved: now nothing is (RFC 5182 §2.1).
        save: bool,
    },
    /// CREATE with a role that nobody knows: NO \[USEATTR\] (RFC 6154 §3).
    UnknownSpecialUse,
    /// Parentheses nest deeper than [`Syntax::nesting_max`](crate::Syntax::nesting_max): BAD.
    NestingLimit,
    /// The bytes end before the command does, or a literal is cut short: a fault of the caller's
    /// framing, or the end of the connection.
    Incomplete,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at + 1;
        match self.kind {
            SyntaxErrorKind::Syntax => write!(f, "expected {} at byte {at}", self.expected),
            SyntaxErrorKind::UnknownCommand => write!(f, "unknown command at byte {at}"),
            SyntaxErrorKind::BadCharset { .. } => write!(f, "unknown charset at byte {at}"),
            SyntaxErrorKind::UnknownSpecialUse => write!(f, "unknown special use at byte {at}"),
            SyntaxErrorKind::NestingLimit => write!(f, "too many open parentheses at byte {at}"),
            SyntaxErrorKind::Incomplete => {
                write!(f, "command ends at byte {at}, expected {}", self.expected)
            }
        }
    }
}

impl std::error::Error for SyntaxError {}
