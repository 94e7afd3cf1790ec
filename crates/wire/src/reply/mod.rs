//! Responses as a client reads them, by the letter: what the server prints is judged by this.
//!
//! RFC 9051 §7, §9 (response); extensions as cited in [`response`](crate::response).

mod code;
mod data;
mod fetch;

use base::{ModSeq, SeqNum, UidSet};
use bytes::Bytes;

use crate::cursor::{Cursor, Result};
use crate::response::{Condition, Encoding, Esearch, ThreadNode};
use crate::value::{MailboxName, StatusItem};

pub use code::ReplyCode;
pub use fetch::{FetchData, Value};

/// One response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// `+ text`
    Continuation(Bytes),
    /// The end of a command.
    Tagged {
        /// The command's tag.
        tag: String,
        /// How it ended.
        condition: Condition,
        /// Code and text.
        text: ReplyText,
    },
    /// `* ...`
    Untagged(Data),
}

/// A response code and text for people (RFC 9051 §9, resp-text).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplyText {
    /// The code.
    pub code: Option<ReplyCode>,
    /// The text, never empty.
    pub text: String,
}

/// Which of the three responses that list mailboxes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListKind {
    /// LIST
    List,
    /// LSUB
    Lsub,
    /// XLIST
    Xlist,
}

/// One namespace: prefixes and their delimiters.
pub type Namespace = Vec<(String, Option<char>)>;

/// An untagged response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Data {
    /// OK, NO, BAD
    Status(Condition, ReplyText),
    /// PREAUTH
    PreAuth(ReplyText),
    /// BYE
    Bye(ReplyText),
    /// CAPABILITY
    Capability(Vec<String>),
    /// ENABLED
    Enabled(Vec<String>),
    /// ID
    Id(Option<Vec<(Bytes, Option<Bytes>)>>),
    /// LIST, LSUB, XLIST
    List {
        /// Which.
        kind: ListKind,
        /// Attributes with their backslashes, as written.
        attributes: Vec<String>,
        /// The delimiter.
        delimiter: Option<char>,
        /// The name, decoded.
        mailbox: MailboxName,
        /// Extended data: tags in upper case, and their values.
        extended: Vec<(String, Value)>,
    },
    /// NAMESPACE: personal, other users', shared; NIL is empty.
    Namespace([Namespace; 3]),
    /// STATUS: items and their values as written.
    StatusOf(MailboxName, Vec<(StatusItem, String)>),
    /// FLAGS
    Flags(Vec<String>),
    /// EXISTS
    Exists(u32),
    /// RECENT
    Recent(u32),
    /// EXPUNGE
    Expunge(SeqNum),
    /// VANISHED
    Vanished {
        /// EARLIER
        earlier: bool,
        /// UIDs
        uids: UidSet,
    },
    /// SEARCH
    Search(Vec<u32>, Option<ModSeq>),
    /// SORT
    Sort(Vec<u32>, Option<ModSeq>),
    /// ESEARCH
    Esearch(Esearch),
    /// THREAD
    Thread(Vec<ThreadNode>),
    /// FETCH
    Fetch(SeqNum, Vec<FetchData>),
}

pub(crate) fn parse(bytes: &[u8], encoding: Encoding) -> Result<Reply> {
    let mut c = Cursor::of_server(bytes, encoding);
    let reply = if c.eat(b'+') {
        c.sp()?;
        Reply::Continuation(Bytes::copy_from_slice(line(&mut c)?))
    } else if c.eat(b'*') {
        c.sp()?;
        Reply::Untagged(data::parse(&mut c)?)
    } else {
        let tag = c.tag()?.to_owned();
        c.sp()?;
        let condition = c.choose(CONDITIONS, "OK, NO or BAD")?;
        c.sp()?;
        Reply::Tagged { tag, condition, text: text(&mut c)? }
    };
    c.end()?;
    Ok(reply)
}

const CONDITIONS: &[(&str, Condition)] =
    &[("OK", Condition::Ok), ("NO", Condition::No), ("BAD", Condition::Bad)];

/// TEXT-CHARs up to the line's end; 8-bit only as UTF-8 after ENABLE IMAP4rev2.
fn line<'a>(c: &mut Cursor<'a>) -> Result<&'a [u8]> {
    let rest = c.rest();
    let fits = |&byte: &u8| !matches!(byte, 0 | b'\r' | b'\n');
    let end = rest.iter().position(|byte| !fits(byte)).unwrap_or(rest.len());
    let line = &rest[..end];
    let allowed = line.is_ascii() || (c.syntax.rev2 && std::str::from_utf8(line).is_ok());
    if !allowed {
        return Err(c.fail("ASCII text"));
    }
    c.skip(end);
    Ok(line)
}

/// RFC 9051 §9, resp-text; RFC 3501 wants the text not to be empty.
fn text(c: &mut Cursor<'_>) -> Result<ReplyText> {
    let mut code = None;
    if c.eat(b'[') {
        code = Some(code::parse(c)?);
        c.expect(b']', "the end of the response code")?;
        c.sp()?;
    }
    let text = line(c)?;
    match std::str::from_utf8(text) {
        Ok(text) if !text.is_empty() => Ok(ReplyText { code, text: text.to_owned() }),
        _ => Err(c.fail("text")),
    }
}

/// ASCII that was read as such.
fn ascii(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// RFC 9051 §9, capability-data without its name.
fn capabilities(c: &mut Cursor<'_>) -> Result<Vec<String>> {
    let names = atoms(c)?;
    if !names.iter().any(|name| name == "IMAP4rev1" || name == "IMAP4rev2") {
        return Err(c.fail("IMAP4rev1 or IMAP4rev2"));
    }
    Ok(names)
}

/// `*(SP atom)`
fn atoms(c: &mut Cursor<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    while c.eat(b' ') {
        names.push(ascii(c.atom("an atom")?));
    }
    Ok(names)
}

/// RFC 9051 §9, flag-fetch and flag-perm: `\*` only in the latter.
fn flags(c: &mut Cursor<'_>, permanent: bool) -> Result<Vec<String>> {
    c.list(|c| {
        let start = c.at();
        if c.eat(b'\\') && !(permanent && c.eat(b'*')) {
            let name = c.atom("a flag")?;
            let known = ["Answered", "Flagged", "Deleted", "Seen", "Draft", "Recent"];
            if !known.iter().any(|flag| name.eq_ignore_ascii_case(flag.as_bytes())) {
                return Err(c.fail_at(start, "a known system flag"));
            }
        } else if c.since(start).is_empty() {
            c.atom("a flag")?;
        }
        Ok(ascii(c.since(start)))
    })
}

/// A mod-sequence that is not 0 (RFC 7162 §7, mod-sequence-value).
fn mod_seq(c: &mut Cursor<'_>) -> Result<ModSeq> {
    let start = c.at();
    match c.mod_seq()? {
        ModSeq::ZERO => Err(c.fail_at(start, "a mod-sequence above 0")),
        mod_seq => Ok(mod_seq),
    }
}

#[cfg(test)]
mod tests;
