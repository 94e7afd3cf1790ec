//! LIST, LSUB and XLIST responses.
//!
//! RFC 9051 §7.3.1; CHILDINFO: RFC 5258 §3.5; OLDNAME: RFC 9051 §6.3.9.7.

use super::DELIMITER;
use crate::emit::{self, Style, push};
use crate::grammar::{SPECIAL_USES, name_of};
use crate::value::{MailboxName, SpecialUse};

/// A mailbox attribute of LIST (RFC 9051 §7.3.1, RFC 5258).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListAttribute {
    /// `\NonExistent`
    NonExistent,
    /// `\Noselect`
    NoSelect,
    /// `\Noinferiors`
    NoInferiors,
    /// `\HasChildren`
    HasChildren,
    /// `\HasNoChildren`
    HasNoChildren,
    /// `\Marked`
    Marked,
    /// `\Unmarked`
    Unmarked,
    /// `\Subscribed`
    Subscribed,
    /// `\Remote`
    Remote,
    /// A role.
    Use(SpecialUse),
}

impl ListAttribute {
    /// The attribute as it is written, with its backslash.
    pub fn name(self) -> &'static str {
        match self {
            Self::NonExistent => "\\NonExistent",
            Self::NoSelect => "\\Noselect",
            Self::NoInferiors => "\\Noinferiors",
            Self::HasChildren => "\\HasChildren",
            Self::HasNoChildren => "\\HasNoChildren",
            Self::Marked => "\\Marked",
            Self::Unmarked => "\\Unmarked",
            Self::Subscribed => "\\Subscribed",
            Self::Remote => "\\Remote",
            Self::Use(role) => name_of(SPECIAL_USES, &role),
        }
    }
}

pub(super) fn print(
    kind: &str,
    attributes: &[ListAttribute],
    mailbox: &MailboxName,
    out: &mut Vec<u8>,
    style: Style,
) {
    push(out, format_args!("{kind} "));
    emit::list(out, attributes, |out, attribute| {
        out.extend_from_slice(attribute.name().as_bytes());
    });
    push(out, format_args!(" \"{DELIMITER}\" "));
    emit::mailbox(out, mailbox, style);
}

/// Appends RFC 9051 §9, mbox-list-extended, with the space before, if there is anything in it.
pub(super) fn print_extended(
    child_info: &[&str],
    old_name: Option<&MailboxName>,
    out: &mut Vec<u8>,
    style: Style,
) {
    if child_info.is_empty() && old_name.is_none() {
        return;
    }
    out.extend_from_slice(b" (");
    if !child_info.is_empty() {
        out.extend_from_slice(b"\"CHILDINFO\" ");
        emit::list(out, child_info, |out, option| push(out, format_args!("\"{option}\"")));
    }
    if let Some(old_name) = old_name {
        let space = if child_info.is_empty() { "" } else { " " };
        push(out, format_args!("{space}\"OLDNAME\" ("));
        emit::mailbox(out, old_name, style);
        out.push(b')');
    }
    out.push(b')');
}
