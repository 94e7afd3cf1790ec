//! Mailbox names: which mailbox one means, and which may be given (RFC 9051 §5.1).
//!
//! Names are Unicode in form C, levels separated by `/`; INBOX is INBOX in any case, also as the
//! first level of a name. A parent need not exist.

use base::Limits;
use mailbox::account::MailboxInfo;
use mailbox::{Account, Role};
use unicode_normalization::{UnicodeNormalization, is_nfc};
use wire::response::ListAttribute;
use wire::value::{MailboxName, SpecialUse};

use crate::error::No;

/// The hierarchy delimiter.
pub(crate) const DELIMITER: char = '/';

/// The one form of a name: form C, INBOX in capitals as first level, no delimiter at its end, which
/// Thunderbird adds.
pub(crate) fn canonical(name: &str) -> String {
    let name = name.strip_suffix(DELIMITER).unwrap_or(name);
    let mut name = if is_nfc(name) { name.to_owned() } else { name.nfc().collect() };
    let first = name.find(DELIMITER).unwrap_or(name.len());
    if name[..first].eq_ignore_ascii_case("INBOX") {
        name.replace_range(..first, "INBOX");
    }
    name
}

/// The mailbox a client means.
pub(crate) fn find<'a>(account: &'a Account, name: &MailboxName) -> Option<MailboxInfo<'a>> {
    account.find(&name.0).or_else(|| account.find(&canonical(&name.0)))
}

/// A name that a mailbox or a subscription may get.
pub(crate) fn valid(name: &MailboxName, limits: &Limits) -> Result<String, No> {
    let name = canonical(&name.0);
    if name.split(DELIMITER).any(str::is_empty) {
        return Err(No::Cannot("a level of the name is empty"));
    }
    if name.chars().any(char::is_control) {
        return Err(No::Cannot("the name has control characters"));
    }
    if name.len() > limits.mailbox_name_bytes_max {
        return Err(No::Limit("the name is too long"));
    }
    if name.split(DELIMITER).count() > limits.mailbox_depth_max {
        return Err(No::Limit("the name has too many levels"));
    }
    Ok(name)
}

/// Whether `name` lies below `parent`.
pub(crate) fn is_below(name: &str, parent: &str) -> bool {
    name.strip_prefix(parent).is_some_and(|rest| rest.starts_with(DELIMITER))
}

/// All names above `name`, nearest first.
pub(crate) fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.rmatch_indices(DELIMITER).map(move |(at, _)| &name[..at])
}

/// Whether a mailbox exists below `name`.
pub(crate) fn has_children(account: &Account, name: &str) -> bool {
    account.mailboxes().any(|info| is_below(info.name, name))
}

/// OLDNAME for a client that wrote a mailbox's name in another form (RFC 9051 §6.3.9.7). The
/// delimiter at the end and the case of INBOX are no other form.
pub(crate) fn old_name(asked: &MailboxName, name: &str) -> Option<MailboxName> {
    let asked = asked.0.strip_suffix(DELIMITER).unwrap_or(&asked.0);
    (!is_nfc(asked) && asked != name).then(|| MailboxName(asked.to_owned()))
}

/// LIST's attributes of a mailbox that exists, without `\Subscribed`.
pub(crate) fn attributes(account: &Account, name: &str) -> Vec<ListAttribute> {
    let children = match has_children(account, name) {
        true => ListAttribute::HasChildren,
        false => ListAttribute::HasNoChildren,
    };
    let roles = account.find(name).map(|info| info.roles).unwrap_or_default();
    std::iter::once(children)
        .chain(roles.iter().map(|&role| ListAttribute::Use(special_use(role))))
        .collect()
}

/// A role as IMAP names it.
pub(crate) fn special_use(role: Role) -> SpecialUse {
    match role {
        Role::All => SpecialUse::All,
        Role::Archive => SpecialUse::Archive,
        Role::Drafts => SpecialUse::Drafts,
        Role::Flagged => SpecialUse::Flagged,
        Role::Important => SpecialUse::Important,
        Role::Junk => SpecialUse::Junk,
        Role::Sent => SpecialUse::Sent,
        Role::Trash => SpecialUse::Trash,
    }
}

/// The role IMAP names.
pub(crate) fn role(special_use: SpecialUse) -> Role {
    match special_use {
        SpecialUse::All => Role::All,
        SpecialUse::Archive => Role::Archive,
        SpecialUse::Drafts => Role::Drafts,
        SpecialUse::Flagged => Role::Flagged,
        SpecialUse::Important => Role::Important,
        SpecialUse::Junk => Role::Junk,
        SpecialUse::Sent => Role::Sent,
        SpecialUse::Trash => Role::Trash,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form() {
        for (given, wanted) in [
            ("inbox", "INBOX"),
            ("Inbox/Sub", "INBOX/Sub"),
            ("Inboxes", "Inboxes"),
            ("a/b/", "a/b"),
            ("cafe\u{301}", "café"),
            ("", ""),
        ] {
            assert_eq!(canonical(given), wanted, "{given:?}");
        }
    }

    #[test]
    fn what_may_be_given() {
        let limits = Limits::default();
        for good in ["a", "a/b/", "50%", "*", "&", "[Gmail]/All Mail", "..", "テスト", "#x"] {
            assert!(valid(&MailboxName(good.to_owned()), &limits).is_ok(), "{good:?}");
        }
        let (long, deep) = ("x".repeat(1001), "x/".repeat(60));
        for bad in ["", "/", "/a", "a//b", "a//", "a\r\nb", "a\u{7f}", "a\u{85}", &long, &deep] {
            assert!(valid(&MailboxName(bad.to_owned()), &limits).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_above() {
        assert_eq!(parents("a/b/c").collect::<Vec<_>>(), ["a/b", "a"]);
        assert_eq!(parents("a").count(), 0);
    }
}
