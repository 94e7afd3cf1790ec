//! ESEARCH: one search in many mailboxes.
//!
//! RFC 7377 §2; the mailboxes: RFC 5465 §6.

use super::search;
use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};
use crate::grammar;
use crate::value::{MailboxName, SearchKey, SearchReturn};

/// ESEARCH (RFC 7377 §2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MultiSearch {
    /// `IN (...)`; empty: the selected mailbox.
    pub sources: Vec<Source>,
    /// `RETURN (...)`.
    pub returns: Option<SearchReturn>,
    /// The program.
    pub key: SearchKey,
}

/// Some mailboxes (RFC 5465 §6.1 to §6.7, without `selected-delayed`; `subtree-one`: RFC 7377 §2.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// `selected`
    Selected,
    /// `inboxes`: those that mail is delivered to.
    Inboxes,
    /// `personal`: all of the user's own.
    Personal,
    /// `subscribed`
    Subscribed,
    /// `subtree`: these and all below them.
    Subtree(Vec<MailboxName>),
    /// `subtree-one`: these and their children.
    SubtreeOne(Vec<MailboxName>),
    /// `mailboxes`: these.
    Mailboxes(Vec<MailboxName>),
}

#[derive(Clone, Copy)]
enum Kind {
    Selected,
    Inboxes,
    Personal,
    Subscribed,
    Subtree,
    SubtreeOne,
    Mailboxes,
}

const KINDS: &[(&str, Kind)] = &[
    ("selected", Kind::Selected),
    ("inboxes", Kind::Inboxes),
    ("personal", Kind::Personal),
    ("subscribed", Kind::Subscribed),
    ("subtree", Kind::Subtree),
    ("subtree-one", Kind::SubtreeOne),
    ("mailboxes", Kind::Mailboxes),
];

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<MultiSearch> {
    c.sp()?;
    let mut sources = Vec::new();
    if c.eat_word("IN") {
        c.sp()?;
        sources = c.list1("which mailboxes", source)?;
        c.sp()?;
    }
    let (returns, key) = search::returns_and_program(c)?;
    Ok(MultiSearch { sources, returns, key })
}

/// RFC 5465 §8, filter-mailboxes.
fn source(c: &mut Cursor<'_>) -> Result<Source> {
    Ok(match c.choose(KINDS, "which mailboxes")? {
        Kind::Selected => Source::Selected,
        Kind::Inboxes => Source::Inboxes,
        Kind::Personal => Source::Personal,
        Kind::Subscribed => Source::Subscribed,
        Kind::Subtree => Source::Subtree(names(c)?),
        Kind::SubtreeOne => Source::SubtreeOne(names(c)?),
        Kind::Mailboxes => Source::Mailboxes(names(c)?),
    })
}

/// RFC 5465 §8, one-or-more-mailbox.
fn names(c: &mut Cursor<'_>) -> Result<Vec<MailboxName>> {
    c.sp()?;
    match c.peek() {
        Some(b'(') => c.list1("a mailbox", grammar::mailbox),
        _ => grammar::mailbox(c).map(|name| vec![name]),
    }
}

pub(super) fn print(search: &MultiSearch, out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"ESEARCH ");
    if !search.sources.is_empty() {
        out.extend_from_slice(b"IN ");
        emit::list(out, &search.sources, |out, source| print_source(source, out, style));
        out.push(b' ');
    }
    search::print_returns_and_program(search.returns, &search.key, out, style);
}

fn print_source(source: &Source, out: &mut Vec<u8>, style: Style) {
    let (word, names): (&[u8], &[MailboxName]) = match source {
        Source::Selected => (b"selected", &[]),
        Source::Inboxes => (b"inboxes", &[]),
        Source::Personal => (b"personal", &[]),
        Source::Subscribed => (b"subscribed", &[]),
        Source::Subtree(names) => (b"subtree ", names),
        Source::SubtreeOne(names) => (b"subtree-one ", names),
        Source::Mailboxes(names) => (b"mailboxes ", names),
    };
    out.extend_from_slice(word);
    if !names.is_empty() {
        emit::list(out, names, |out, name| emit::mailbox(out, name, style));
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn esearch() {
        check(&[
            ("ESEARCH UNSEEN", Ok("ESEARCH CHARSET UTF-8 UNSEEN")),
            (
                "esearch in (mailboxes \"folder1\" subtree folder2) unseen",
                Ok("ESEARCH IN (mailboxes (folder1) subtree (folder2)) CHARSET UTF-8 UNSEEN"),
            ),
            (
                "ESEARCH IN (selected inboxes personal subscribed) RETURN (MIN COUNT) CHARSET \
                 UTF-8 SUBJECT chad",
                Ok("ESEARCH IN (selected inboxes personal subscribed) RETURN (MIN COUNT) CHARSET \
                    UTF-8 SUBJECT \"chad\""),
            ),
            (
                "ESEARCH IN (SUBTREE-ONE (a \"b c\")) RETURN () 1:100",
                Ok("ESEARCH IN (subtree-one (a \"b c\")) RETURN (ALL) CHARSET UTF-8 1:100"),
            ),
            ("ESEARCH IN () ALL", Err("expected which mailboxes at byte 15")),
            ("ESEARCH IN (selected-delayed) ALL", Err("expected which mailboxes at byte 15")),
            ("ESEARCH IN (mailboxes) ALL", Err("expected a space at byte 24")),
            ("ESEARCH IN (mailboxes ()) ALL", Err("expected a mailbox at byte 26")),
            ("ESEARCH IN (personal (x y)) ALL", Err("expected which mailboxes at byte 24")),
            ("ESEARCH IN (personal)", Err("expected a space at byte 24")),
        ]);
    }
}
