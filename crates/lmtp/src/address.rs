//! Addresses of the envelope (RFC 5321 §4.1.2, RFC 6531 §3.3).

use std::fmt;

/// The longest local part taken, in bytes. RFC 5321 §4.5.3.1.1 has 64; bounce addresses are longer.
const LOCAL_BYTES_MAX: usize = 256;
/// The longest domain, in bytes (RFC 5321 §4.5.3.1.2).
const DOMAIN_BYTES_MAX: usize = 255;

/// A mailbox name as the envelope carries it, without quotes and source route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// The local part, unquoted; may be empty.
    pub local: String,
    /// The domain or address literal; mail for a local user may come without one.
    pub domain: Option<String>,
}

/// A reverse path: `None` is the null one of bounces, `<>`.
pub type Sender = Option<Address>;

impl Address {
    /// Whether all of it is ASCII.
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && self.domain.as_ref().is_none_or(|domain| domain.is_ascii())
    }

    /// As a directory names users: `local` or `local@domain`, without quotes.
    pub fn plain(&self) -> String {
        match &self.domain {
            Some(domain) => format!("{}@{domain}", self.local),
            None => self.local.clone(),
        }
    }

    /// The address without its plus-detail, and the detail; `None` if there is none.
    pub fn split_detail(&self) -> Option<(Self, &str)> {
        let (user, detail) = self.local.split_once('+')?;
        if user.is_empty() {
            return None;
        }
        Some((Self { local: user.to_owned(), domain: self.domain.clone() }, detail))
    }
}

/// RFC 6531 §3.3; control characters beyond ASCII have no place in an address.
fn is_utf8(c: char) -> bool {
    !c.is_ascii() && !c.is_control()
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_utf8(c)
}

fn is_domain_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_' || is_utf8(c)
}

impl fmt::Display for Address {
    /// As it stands between `<` and `>`: the local part is quoted if it has to be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |atom: &str| !atom.is_empty() && atom.chars().all(is_atext);
        if self.local.split('.').all(plain) {
            f.write_str(&self.local)?;
        } else {
            f.write_str("\"")?;
            for c in self.local.chars() {
                if c == '"' || c == '\\' {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            f.write_str("\"")?;
        }
        match &self.domain {
            Some(domain) => write!(f, "@{domain}"),
            None => Ok(()),
        }
    }
}

/// Reads `<>` or a path; gives what follows it.
pub fn reverse_path(text: &str) -> Option<(Sender, &str)> {
    match text.strip_prefix("<>") {
        Some(rest) => Some((None, rest)),
        None => forward_path(text).map(|(address, rest)| (Some(address), rest)),
    }
}

/// Reads a path, `<[@route:]local[@domain]>`; gives what follows it. The source route is ignored
/// (RFC 5321 appendix C).
pub fn forward_path(text: &str) -> Option<(Address, &str)> {
    let text = text.strip_prefix('<')?;
    let text = if text.starts_with('@') { skip_route(text)? } else { text };
    let (local, text) = match text.strip_prefix('"') {
        Some(quoted) => quoted_local(quoted)?,
        None => dot_local(text)?,
    };
    let (domain, text) = match text.strip_prefix('@') {
        Some(text) => {
            let (domain, text) = domain(text)?;
            (Some(domain.to_owned()), text)
        }
        None => (None, text),
    };
    let rest = text.strip_prefix('>')?;
    (local.len() <= LOCAL_BYTES_MAX).then_some((Address { local, domain }, rest))
}

/// `@one,@two:`
fn skip_route(mut text: &str) -> Option<&str> {
    loop {
        let (_, rest) = domain(text.strip_prefix('@')?)?;
        match rest.strip_prefix(',') {
            Some(next) => text = next,
            None => return rest.strip_prefix(':'),
        }
    }
}

/// Dots may be anywhere: addresses like that exist, and quoting them is what their owners never do.
fn dot_local(text: &str) -> Option<(String, &str)> {
    let end = text.find(|c: char| !is_atext(c) && c != '.')?;
    let (local, rest) = text.split_at(end);
    (!local.is_empty()).then(|| (local.to_owned(), rest))
}

/// What follows the opening quote (RFC 5321 §4.1.2, Quoted-string).
fn quoted_local(text: &str) -> Option<(String, &str)> {
    let mut local = String::new();
    let mut chars = text.char_indices();
    loop {
        let (at, c) = chars.next()?;
        match c {
            '"' => return Some((local, &text[at + 1..])),
            '\\' => {
                let (_, escaped) = chars.next()?;
                if !(' '..='~').contains(&escaped) {
                    return None;
                }
                local.push(escaped);
            }
            _ if c.is_control() => return None,
            _ => local.push(c),
        }
    }
}

fn domain(text: &str) -> Option<(&str, &str)> {
    let end = match text.strip_prefix('[') {
        Some(literal) => {
            let end = literal.find(|c: char| !c.is_ascii_graphic() || c == '[' || c == ']')?;
            if end == 0 || !literal[end..].starts_with(']') {
                return None;
            }
            end + 2
        }
        None => text.find(|c| !is_domain_char(c) && c != '.').unwrap_or(text.len()),
    };
    let (domain, rest) = text.split_at(end);
    let labels = domain.starts_with('[') || domain.split('.').all(|label| !label.is_empty());
    (labels && !domain.is_empty() && domain.len() <= DOMAIN_BYTES_MAX).then_some((domain, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths() {
        let long = format!("<{}@x>", "a".repeat(257));
        for (text, expected) in [
            ("<a@b>", Some("a@b")),
            ("<a@b> SIZE=1", Some("a@b")),
            ("<alice>", Some("alice")),
            ("<Alice+lists@Example.ORG>", Some("Alice+lists@Example.ORG")),
            ("<\"a b\"@c>", Some("\"a b\"@c")),
            ("<\"ab\"@c>", Some("ab@c")),
            ("<\"a\\\"b\\\\\"@c>", Some("\"a\\\"b\\\\\"@c")),
            ("<\"a>b\"@c>", Some("\"a>b\"@c")),
            ("<\"\"@c>", Some("\"\"@c")),
            ("<\"\">", Some("\"\"")),
            ("<\"a@b\"@c>", Some("\"a@b\"@c")),
            ("<@one,@two.example:a@b>", Some("a@b")),
            ("<a@[192.0.2.1]>", Some("a@[192.0.2.1]")),
            ("<a@[IPv6:2001:db8::1]>", Some("a@[IPv6:2001:db8::1]")),
            ("<j\u{f6}rg@b\u{fc}cher.example>", Some("j\u{f6}rg@b\u{fc}cher.example")),
            ("<a..b@c>", Some("\"a..b\"@c")),
            ("<.a@c>", Some("\".a\"@c")),
            ("", None),
            ("<", None),
            ("<>", None),
            ("<a", None),
            ("<a@", None),
            ("<a@>", None),
            ("<@b>", None),
            ("<@b:>", None),
            ("<@b,a@c>", None),
            ("<a@b", None),
            ("<a@b..c>", None),
            ("<a@.b>", None),
            ("<a@b.>", None),
            ("<a@[]>", None),
            ("<a@[x>", None),
            ("<a@[x]y>", None),
            ("<\"a@b>", None),
            ("<\"a\\", None),
            ("<\"a\u{1}\"@b>", None),
            ("<\"a\\\u{7f}\"@b>", None),
            ("<\"a\"b@c>", None),
            ("<a b@c>", None),
            ("<a@b@c>", None),
            ("<a,b@c>", None),
            ("<a\u{85}@c>", None),
            ("a@b", None),
            (&long, None),
        ] {
            let found = forward_path(text).map(|(address, _)| address.to_string());
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
        assert_eq!(reverse_path("<> SIZE=1"), Some((None, " SIZE=1")));
        assert!(reverse_path("<a@b>").is_some_and(|(sender, _)| sender.is_some()));
    }

    #[test]
    fn details() {
        for (local, expected) in [
            ("alice+lists", Some(("alice", "lists"))),
            ("alice+a+b", Some(("alice", "a+b"))),
            ("alice+", Some(("alice", ""))),
            ("+lists", None),
            ("alice", None),
            ("", None),
        ] {
            let address = Address { local: local.into(), domain: Some("x".into()) };
            let found = address.split_detail();
            let found = found.as_ref().map(|(user, detail)| (user.local.as_str(), *detail));
            assert_eq!(found, expected, "{local:?}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_prints(local in "[ -~\u{e9}]{0,12}", domain in "[a-z]{1,5}(\\.[a-z]{1,3})?") {
            let address = Address { local, domain: Some(domain) };
            let text = format!("<{address}> X");
            prop_assert_eq!(forward_path(&text), Some((address, " X")));
        }

        #[test]
        fn any_text_is_read(text in "[<>@:,\"\\\\.\\[\\]a +\u{e9}\u{1}]{0,16}") {
            let _ = (forward_path(&text), reverse_path(&text));
        }
    }
}
