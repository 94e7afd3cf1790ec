//! APPEND, whose messages stream: the head and what stands between messages are read apart.
//!
//! RFC 9051 §6.3.12; several messages: RFC 3502; literal8: RFC 3516 §4.2; UTF8: RFC 6855 §4.

use base::{DateTime, Flags};

use super::Command;
use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style, push};
use crate::error::{SyntaxError, SyntaxErrorKind};
use crate::grammar::{self, Recent};
use crate::literal::LiteralSpec;
use crate::parse::{self, Syntax};
use crate::value::{FlagList, MailboxName};

/// The head of APPEND. The messages follow as [`AppendMessage`] heads with literals that stream and
/// never become part of a value (RFC 9051 §6.3.12, RFC 3502, RFC 3516 §4.2, RFC 6855 §4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// The target.
    pub mailbox: MailboxName,
}

/// What stands before one message's literal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendMessage {
    /// Flags to set.
    pub flags: FlagList,
    /// The internal date, if given.
    pub date: Option<DateTime>,
    /// `UTF8 (~{...})` (RFC 6855 §4).
    pub utf8: bool,
}

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
pub fn parse_head(bytes: &[u8], cx: &Syntax) -> Result<Option<AppendHead>> {
    let mut c = Cursor::new(bytes, *cx);
    let Ok(tag) = c.tag() else {
        return Ok(None);
    };
    if !c.eat(b' ') || !c.eat_word("APPEND") {
        return Ok(None);
    }
    match head(&mut c, tag) {
        Ok(head) => Ok(Some(head)),
        Err(error) if error.kind == SyntaxErrorKind::Incomplete => Ok(None),
        Err(error) => Err(SyntaxError { tag: Some(tag.to_owned()), ..error }),
    }
}

fn head(c: &mut Cursor<'_>, tag: &str) -> Result<AppendHead> {
    c.sp()?;
    let append = Append { mailbox: grammar::mailbox(c)? };
    c.sp()?;
    let (message, literal) = message(c)?;
    at_end(c)?;
    Ok(AppendHead { tag: tag.to_owned(), append, message, literal })
}

/// Reads what follows a message literal: the line after it with its line ending. `after` is the
/// message whose literal just ended: with `UTF8 (` the line must begin with `)`.
///
/// # Errors
/// It is neither the end of the command nor the head of one more message. The error has no tag, and
/// its offset counts from the start of `bytes`.
pub fn parse_next(bytes: &[u8], after: &AppendMessage) -> Result<AppendNext> {
    // No strings can follow, so that it does not matter what has been enabled.
    let syntax = Syntax { utf8: false, rev2: false, nesting_max: 1 };
    let mut c = Cursor::new(bytes, syntax);
    let next = next(&mut c, after)?;
    at_end(&c)?;
    Ok(next)
}

fn at_end(c: &Cursor<'_>) -> Result<()> {
    if c.rest().is_empty() { Ok(()) } else { Err(c.fail("the message")) }
}

fn next(c: &mut Cursor<'_>, after: &AppendMessage) -> Result<AppendNext> {
    if after.utf8 {
        c.expect(b')', "a closing parenthesis after the message")?;
    }
    if c.eat(b' ') {
        let (message, literal) = message(c)?;
        return Ok(AppendNext::Message(message, literal));
    }
    c.end()?;
    Ok(AppendNext::End)
}

/// `[flag-list SP] [date-time SP] literal`, up to the literal's first byte.
fn message(c: &mut Cursor<'_>) -> Result<(AppendMessage, LiteralSpec)> {
    let mut message = AppendMessage { flags: Flags::default(), date: None, utf8: false };
    if c.peek() == Some(b'(') {
        // Clients copy all flags they were told, and `\Recent` is among them.
        message.flags = grammar::flag_list(c, Recent::Ignore)?;
        c.sp()?;
    }
    if c.peek() == Some(b'"') {
        message.date = Some(grammar::date_time(c)?);
        c.sp()?;
    }
    if c.eat_word("UTF8") {
        c.sp()?;
        c.expect(b'(', "an opening parenthesis")?;
        message.utf8 = true;
    }
    if !matches!(c.peek(), Some(b'{' | b'~')) {
        return Err(c.fail("flags, a date or the message as a literal"));
    }
    let literal = c.literal_spec()?;
    Ok((message, literal))
}

/// APPEND with its messages inline, as the bytes of a whole command have it.
pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let append = Append { mailbox: grammar::mailbox(c)? };
    c.sp()?;
    let (mut message, mut literal) = message(c)?;
    loop {
        match usize::try_from(literal.bytes) {
            Ok(count) if count <= c.rest().len() => c.skip(count),
            _ => {
                let mut error = c.fail("the rest of the message");
                error.kind = SyntaxErrorKind::Incomplete;
                return Err(error);
            }
        }
        let mut ahead = c.clone();
        match next(&mut ahead, &message)? {
            AppendNext::Message(another, its_literal) => {
                (message, literal) = (another, its_literal);
                *c = ahead;
            }
            AppendNext::End => {
                // The line's end is the caller's.
                c.skip(usize::from(message.utf8));
                return Ok(Command::Append(append));
            }
        }
    }
}

/// Appends the head of a message and its literal's announcement as a client writes them, with the
/// space before: ` (\Seen) {310+}` and CRLF. The message follows, then `)` if it is `utf8`.
pub fn print_message(message: &AppendMessage, literal: LiteralSpec, out: &mut Vec<u8>) {
    out.push(b' ');
    if !message.flags.is_empty() {
        push(out, format_args!("({}) ", message.flags));
    }
    if let Some(date) = message.date {
        push(out, format_args!("\"{date}\" "));
    }
    let utf8 = if message.utf8 { "UTF8 (" } else { "" };
    let tilde = if literal.binary { "~" } else { "" };
    let plus = if literal.sync { "" } else { "+" };
    push(out, format_args!("{utf8}{tilde}{{{}{plus}}}\r\n", literal.bytes));
}

/// The value has no messages: an empty one is written.
pub(super) fn print(append: &Append, out: &mut Vec<u8>, style: Style) {
    print_head(append, out, style);
    out.extend_from_slice(b" {0+}\r\n");
}

fn print_head(append: &Append, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"APPEND ");
    emit::mailbox(out, &append.mailbox, style);
}

/// One whole APPEND of one message as a client writes it, without its tag.
pub fn print_whole(append: &Append, message: &AppendMessage, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    print_head(append, &mut out, parse::CLIENT);
    let binary = message.utf8 || text.contains(&0);
    let literal = LiteralSpec { bytes: text.len() as u64, sync: false, binary };
    print_message(message, literal, &mut out);
    out.extend_from_slice(text);
    out.extend_from_slice(if message.utf8 { b")\r\n" } else { b"\r\n" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{check, rev1};

    fn head_of(input: &str) -> std::result::Result<Option<String>, String> {
        let head = parse_head(input.as_bytes(), &rev1()).map_err(|e| e.to_string())?;
        Ok(head.map(|head| {
            let mut out = Vec::new();
            print_head(&head.append, &mut out, parse::CLIENT);
            print_message(&head.message, head.literal, &mut out);
            format!("{} {}", head.tag, String::from_utf8(out).unwrap())
        }))
    }

    #[test]
    fn heads() {
        for (input, expected) in [
            ("a APPEND INBOX {310}\r\n", Ok(Some("a APPEND INBOX {310}\r\n"))),
            ("a append inbox {310+}\r\n", Ok(Some("a APPEND INBOX {310+}\r\n"))),
            ("1.1 APPEND x () ~{0}\n", Ok(Some("1.1 APPEND x ~{0}\r\n"))),
            (
                "a APPEND \"a b\" (\\Seen \\Recent $X) \" 7-Feb-1994 21:52:25 -0800\" {310}\r\n",
                Ok(Some("a APPEND \"a b\" (\\Seen $X) \" 7-Feb-1994 21:52:25 -0800\" {310}\r\n")),
            ),
            (
                "a APPEND x \"17-Jul-1996 02:44:25 +0530\" {1}\r\n",
                Ok(Some("a APPEND x \"17-Jul-1996 02:44:25 +0530\" {1}\r\n")),
            ),
            (
                "a APPEND x \"7-Jul-1996 02:44:25 +0000\" {1}\r\n",
                Ok(Some("a APPEND x \" 7-Jul-1996 02:44:25 +0000\" {1}\r\n")),
            ),
            ("a APPEND x UTF8 (~{310+}\r\n", Ok(Some("a APPEND x UTF8 (~{310+}\r\n"))),
            ("a APPEND {1}\r\nx {2}\r\n", Ok(Some("a APPEND x {2}\r\n"))),
            ("a APPEND {5}\r\n", Ok(None)),
            ("a LOGIN {5}\r\n", Ok(None)),
            ("a APPENDIX x {5}\r\n", Ok(None)),
            ("{5}\r\n", Ok(None)),
            (
                "a APPEND x (\\Foo) {5}\r\n",
                Err("expected \\Answered, \\Flagged, \\Deleted, \\Seen, \\Draft or a keyword as \
                     the flag at byte 13"),
            ),
            ("a APPEND x \"yesterday\" {5}\r\n", Err("expected digits at byte 13")),
            (
                "a APPEND x \"31-Feb-1994 21:52:25 -0800\" {5}\r\n",
                Err("expected a day that exists at byte 13"),
            ),
            (
                "a APPEND x \"01-Feb-1994 25:52:25 -0800\" {5}\r\n",
                Err("expected a time that exists at byte 13"),
            ),
            (
                "a APPEND x \"01-Feb-1994 21:52:25 -0860\" {5}\r\n",
                Err("expected a time zone at byte 35"),
            ),
            (
                "a APPEND x y {5}\r\n",
                Err("expected flags, a date or the message as a literal at byte 12"),
            ),
            ("a APPEND x (a {5}\r\n", Err("expected a flag at byte 15")),
            (
                "a APPEND x  {5}\r\n",
                Err("expected flags, a date or the message as a literal at byte 12"),
            ),
            ("a APPEND x {1}\r\nx {5}\r\n", Err("expected the message at byte 17")),
        ] {
            let expected = expected.map(|e| e.map(str::to_owned)).map_err(str::to_owned);
            assert_eq!(head_of(input), expected, "{input:?}");
        }
        let error = parse_head(b"a APPEND x y {5}\r\n", &rev1()).unwrap_err();
        assert_eq!(error.tag.as_deref(), Some("a"));
    }

    #[test]
    fn what_follows() {
        let plain = AppendMessage { flags: Flags::default(), date: None, utf8: false };
        let utf8 = AppendMessage { utf8: true, ..plain.clone() };
        let spec = LiteralSpec { bytes: 7, sync: true, binary: false };
        let more = |m: &AppendMessage| Ok(AppendNext::Message(m.clone(), spec));
        let no_end = "expected the end of the line at byte 1";
        for (input, after, expected) in [
            ("\r\n", &plain, Ok(AppendNext::End)),
            ("\n", &plain, Ok(AppendNext::End)),
            (")\r\n", &utf8, Ok(AppendNext::End)),
            (" {7}\r\n", &plain, more(&plain)),
            (" UTF8 ({7}\r\n", &plain, more(&utf8)),
            (") {7}\r\n", &utf8, more(&plain)),
            (")\r\n", &plain, Err(no_end)),
            ("x\r\n", &plain, Err(no_end)),
            ("", &plain, Err(no_end)),
            ("\r\n", &utf8, Err("expected a closing parenthesis after the message at byte 1")),
            (" \r\n", &plain, Err("expected flags, a date or the message as a literal at byte 2")),
            (" {7}\r\nx", &plain, Err("expected the message at byte 7")),
        ] {
            let next = parse_next(input.as_bytes(), after).map_err(|e| e.to_string());
            assert_eq!(next, expected.map_err(str::to_owned), "{input:?}");
        }
    }

    #[test]
    fn whole() {
        check(&[
            ("APPEND x {3}\r\nabc", Ok("APPEND x {0+}\r\n")),
            ("APPEND x ~{3}\r\na\0c (a) {1+}\r\n) UTF8 (~{1}\r\n))", Ok("APPEND x {0+}\r\n")),
            ("APPEND x", Err("expected a space at byte 11")),
            ("APPEND x {3}\r\nabcd", Err("expected the end of the line at byte 20")),
            (
                "APPEND x {30}\r\nabc",
                Err("command ends at byte 18, expected the rest of the message"),
            ),
        ]);
        let append = Append { mailbox: MailboxName("a b".into()) };
        let message = AppendMessage { flags: Flags::default(), date: None, utf8: true };
        assert_eq!(
            print_whole(&append, &message, b"x\r\n"),
            b"APPEND \"a b\" UTF8 (~{3+}\r\nx\r\n)\r\n"
        );
    }
}
