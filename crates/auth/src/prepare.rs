//! User names and passwords in one form, so that every client's spelling of the same one matches.
//!
//! SASLprep in its light form (RFC 4013 §2): mapping, NFKC and the prohibition of control
//! characters; the tables of unassigned and bidirectional characters are left out, because refusing
//! a password that the user's own keyboard produced helps nobody.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::Secret;

/// The longest user name, in bytes: RFC 4616 §2 asks for 255 octets.
pub const NAME_BYTES_MAX: usize = 255;
/// The longest password, in bytes. Longer ones are refused before any hashing.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Why a name or a password can't be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unusable {
    /// Nothing is left of it.
    #[error("it is empty")]
    Empty,
    /// Longer than [`NAME_BYTES_MAX`] or [`PASSWORD_BYTES_MAX`].
    #[error("it is too long")]
    TooLong,
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// A character that may not appear.
    #[error("it has a character that is not allowed")]
    Character,
}

/// RFC 3454 table B.1: characters that map to nothing.
fn maps_to_nothing(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{1806}' | '\u{180b}'..='\u{180d}' | '\u{200b}'..='\u{200d}'
        | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// RFC 3454 table C.1.2: spaces that become U+0020.
fn is_other_space(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// RFC 3454 tables C.2 to C.9 as far as they are controls, separators or markers.
fn is_prohibited(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2061}'..='\u{206f}' | '\u{fff9}'..='\u{fffd}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{e0001}' | '\u{e0020}'..='\u{e007f}'
        )
        || u32::from(c) & 0xfffe == 0xfffe
}

fn saslprep(text: &str) -> Result<String, Unusable> {
    let mapped = text
        .chars()
        .filter(|&c| !maps_to_nothing(c))
        .map(|c| if is_other_space(c) { ' ' } else { c });
    // The result may be three times as long in the worst case that matters (U+FDFA is 11 times, and
    // the input is bounded); the room is taken before, so that no copy of a password stays behind.
    let mut prepared = Zeroizing::new(String::with_capacity(text.len() * 12));
    prepared.extend(mapped.nfkc());
    match prepared.chars().any(is_prohibited) {
        true => Err(Unusable::Character),
        false if prepared.is_empty() => Err(Unusable::Empty),
        false => Ok(std::mem::take(&mut *prepared)),
    }
}

/// A user name from a client or an administrator, in the form in which names are compared: prepared,
/// ASCII letters in lower case.
pub fn name(bytes: &[u8]) -> Result<String, Unusable> {
    if bytes.len() > NAME_BYTES_MAX {
        return Err(Unusable::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unusable::NotUtf8)?;
    let mut name = saslprep(text)?;
    name.make_ascii_lowercase();
    if name.len() > NAME_BYTES_MAX { Err(Unusable::TooLong) } else { Ok(name) }
}

/// A name that an account or alias may have: `user` or `user@domain`, letters and digits of any
/// script and the punctuation that addresses use without quotes; no separators of paths, IMAP
/// wildcards or white space. In compared form.
pub fn new_name(text: &str) -> Result<String, Unusable> {
    let name = name(text.as_bytes())?;
    let usable = |c: char| c.is_alphanumeric() || !c.is_ascii() || "._-+=@'!#$&~".contains(c);
    let (local, domain) = name.split_once('@').unwrap_or((&name, "x"));
    let ends = |part: &str| part.starts_with(['.', '-']) || part.ends_with('.');
    if local.is_empty() || domain.is_empty() {
        return Err(Unusable::Empty);
    }
    let fine = name.chars().all(usable) && !domain.contains('@') && !ends(local) && !ends(domain);
    if fine { Ok(name) } else { Err(Unusable::Character) }
}

/// A password from a client or an administrator in the form that is hashed.
pub fn password(bytes: &[u8]) -> Result<Secret, Unusable> {
    if bytes.len() > PASSWORD_BYTES_MAX {
        return Err(Unusable::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unusable::NotUtf8)?;
    saslprep(text).map(|prepared| Secret::new(prepared.into_bytes()))
}

/// Text of a client in a form that may stand in a log line: escaped, and cut off.
pub fn for_log(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(64).is_some() { "..." } else { "" };
    format!("\"{shown}{more}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_compared_in_one_form() {
        for (given, compared) in [
            ("Alice", Ok("alice")),
            ("alice@Example.ORG", Ok("alice@example.org")),
            // RFC 4013 §3, examples 1 to 5.
            ("I\u{ad}X", Ok("ix")),
            ("\u{aa}", Ok("a")),
            ("\u{2168}", Ok("ix")),
            ("\u{7}", Err(Unusable::Character)),
            ("Jose\u{301}", Ok("jos\u{e9}")),
            ("a\0b", Err(Unusable::Character)),
            ("\u{200b}", Err(Unusable::Empty)),
            ("", Err(Unusable::Empty)),
        ] {
            assert_eq!(name(given.as_bytes()), compared.map(str::to_owned), "{given:?}");
        }
        assert_eq!(name(b"\xff\xfe"), Err(Unusable::NotUtf8));
        assert_eq!(name(b"caf\xc3"), Err(Unusable::NotUtf8));
        assert_eq!(name(&[b'a'; 256]), Err(Unusable::TooLong));
    }

    #[test]
    fn new_names_are_plain() {
        for good in ["bob", "bob.smith", "bob@example.org", "j\u{f6}rg", "b+x", "o'neil"] {
            assert!(new_name(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a b",
            "a/b",
            "../x",
            ".a",
            "-a",
            "a*",
            "a%",
            "a\"b",
            "a\\",
            "a.",
            "a@-b",
            "a(b",
            "a,b",
            "a\u{202e}b",
        ] {
            assert!(new_name(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (name(&bytes), password(&bytes), for_log(&bytes));
        }

        #[test]
        fn preparing_twice_changes_nothing(text in "\\PC{0,20}") {
            if let Ok(once) = name(text.as_bytes())
                && let Ok(twice) = name(once.as_bytes())
            {
                prop_assert_eq!(once, twice);
            }
        }
    }
}
