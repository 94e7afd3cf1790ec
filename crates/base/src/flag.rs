//! Message flags: the five system flags and keywords (RFC 9051 §2.3.2).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A system flag that a client can change. `\Recent` is not one: it belongs to a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SystemFlag {
    /// `\Answered`
    Answered = 1,
    /// `\Flagged`
    Flagged = 2,
    /// `\Deleted`
    Deleted = 4,
    /// `\Seen`
    Seen = 8,
    /// `\Draft`
    Draft = 16,
}

impl SystemFlag {
    /// All, in the order RFC 9051 §7.3.5 shows them.
    pub const ALL: [Self; 5] =
        [Self::Answered, Self::Flagged, Self::Deleted, Self::Seen, Self::Draft];

    /// The flag as IMAP writes it, with its backslash.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Seen => "\\Seen",
            Self::Draft => "\\Draft",
        }
    }

    /// Reads `\Seen` and its like, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.name().eq_ignore_ascii_case(name))
    }
}

/// A set of system flags as bits; bits 5 to 7 are always 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct SystemFlags(u8);

impl SystemFlags {
    /// No flag.
    pub const EMPTY: Self = Self(0);
    /// All five.
    pub const ALL: Self = Self(0x1f);

    /// The set with these bits; `None` if a bit is no flag.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 { Some(Self(bits)) } else { None }
    }

    /// The bits of [`SystemFlag`].
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether `flag` is in the set.
    pub const fn contains(self, flag: SystemFlag) -> bool {
        self.0 & flag as u8 != 0
    }

    /// The set and `flag`.
    #[must_use]
    pub const fn with(self, flag: SystemFlag) -> Self {
        Self(self.0 | flag as u8)
    }

    /// The set without `flag`.
    #[must_use]
    pub const fn without(self, flag: SystemFlag) -> Self {
        Self(self.0 & !(flag as u8))
    }

    /// The flags of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags that are not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The flags in the set.
    pub fn iter(self) -> impl Iterator<Item = SystemFlag> {
        SystemFlag::ALL.into_iter().filter(move |&flag| self.contains(flag))
    }
}

impl fmt::Debug for SystemFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A keyword: an atom that does not begin with a backslash. Compared without regard to ASCII case,
/// kept in the case it was first seen in.
#[derive(Clone)]
pub struct Keyword(Arc<str>);

impl Keyword {
    /// The longest keyword that is accepted, in bytes.
    pub const BYTES_MAX: usize = 255;

    /// `name` as a keyword; `None` if it is not an atom (RFC 9051 §9, flag-keyword) or too long.
    pub fn new(name: &str) -> Option<Self> {
        let atom_char = |c: u8| {
            c.is_ascii_graphic()
                && !matches!(c, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
        };
        (!name.is_empty() && name.len() <= Self::BYTES_MAX && name.bytes().all(atom_char))
            .then(|| Self(name.into()))
    }

    /// The keyword as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl Hash for Keyword {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.bytes().for_each(|byte| state.write_u8(byte.to_ascii_lowercase()));
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The flags of a message, or those a command names.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Flags {
    /// System flags.
    pub system: SystemFlags,
    /// Keywords, each once.
    pub keywords: Vec<Keyword>,
}

impl Flags {
    /// Whether there is no flag.
    pub fn is_empty(&self) -> bool {
        self.system == SystemFlags::EMPTY && self.keywords.is_empty()
    }

    /// Adds a keyword unless it is there.
    pub fn add_keyword(&mut self, keyword: Keyword) {
        if !self.keywords.contains(&keyword) {
            self.keywords.push(keyword);
        }
    }
}

impl fmt::Display for Flags {
    /// Without parentheses: `\Seen $Forwarded`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.system.iter().map(|flag| -> &str { flag.name() });
        for (at, name) in names.chain(self.keywords.iter().map(Keyword::as_str)).enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_atoms() {
        for good in ["$Forwarded", "NonJunk", "a+b", "$label1", "["] {
            assert!(Keyword::new(good).is_some(), "{good:?}");
        }
        for bad in ["", "\\Seen", "a b", "a]", "a\"", "é", "x\0", &"k".repeat(256)] {
            assert!(Keyword::new(bad).is_none(), "{bad:?}");
        }
        assert_eq!(Keyword::new("$MDNSent"), Keyword::new("$mdnsent"));
    }
}
