//! APPEND, whose messages stream: the head and what stands between messages are read apart.
//!
//! RFC 9051 §6.3.12; several messages: RFC 3502; literal8: RFC 3516 §4.2; UTF8: RFC 6855 §4.

use super::{Append, AppendMessage};
use crate::error::SyntaxError;
use crate::literal::LiteralSpec;
use crate::parse::Syntax;

/// The head of APPEND up to and with the announcement of its first message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendHead {
    /// The command's tag.
    pub tag: String,
    /// The target.
    pub append: Append,
    /// What stands before the first message's literal.
    pub message: AppendMessage,
    /// The first message's literal.
    pub literal: LiteralSpec,
}

/// What follows a message literal of APPEND.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppendNext {
    /// The end of the command.
    End,
    /// One more message (RFC 3502): what stands before its literal, and the literal.
    Message(AppendMessage, LiteralSpec),
}

/// Decides whether the literal announced at the end of `bytes` is APPEND's first message. `bytes`
/// is the command so far, from its tag, with the line that announces the literal and its line
/// ending. `None`: another command, or a literal that still belongs to the head (a mailbox name).
///
/// # Errors
/// It is APPEND, and does not fit the grammar.
pub fn parse_head(bytes: &[u8], cx: &Syntax) -> Result<Option<AppendHead>, SyntaxError> {
    let _ = (bytes, cx);
    Ok(None)
}

/// Reads what follows a message literal: the line after it with its line ending. `after` is the
/// message whose literal just ended: with `UTF8 (` the line must begin with `)`.
///
/// # Errors
/// It is neither the end of the command nor the head of one more message.
pub fn parse_next(bytes: &[u8], after: &AppendMessage) -> Result<AppendNext, SyntaxError> {
    let _ = (bytes, after);
    Ok(AppendNext::End)
}
