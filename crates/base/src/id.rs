//! Identifiers. Each is a type of its own, so that a UID never passes for a sequence number.

use std::fmt;
use std::num::NonZeroU32;

/// A number of 1..=2³²-1 that a [`crate::NumSet`] may hold.
pub trait Num: Copy + Ord + fmt::Debug {
    /// The smallest value.
    const MIN: Self;
    /// The largest value.
    const MAX: Self;
    /// `n` as this type; `None` for 0.
    fn new(n: u32) -> Option<Self>;
    /// The plain number, 1..=2³²-1.
    fn get(self) -> u32;
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// 1, the smallest value.
            pub const MIN: Self = Self(NonZeroU32::MIN);
            /// 2³²-1, the largest value.
            pub const MAX: Self = Self(NonZeroU32::MAX);

            /// `n` as this type; `None` for 0.
            pub const fn new(n: u32) -> Option<Self> {
                match NonZeroU32::new(n) {
                    Some(n) => Some(Self(n)),
                    None => None,
                }
            }

            /// The plain number, 1..=2³²-1.
            pub const fn get(self) -> u32 {
                self.0.get()
            }

            /// The next higher value; `None` at the end of the number space.
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(n) => Some(Self(n)),
                    None => None,
                }
            }
        }

        impl Num for $name {
            const MIN: Self = Self::MIN;
            const MAX: Self = Self::MAX;
            fn new(n: u32) -> Option<Self> {
                Self::new(n)
            }
            fn get(self) -> u32 {
                self.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

number! {
    /// A message's unique identifier in its mailbox; never reused (RFC 9051 §2.3.1.1).
    Uid
}
number! {
    /// A message's position in one session's view, from 1 (RFC 9051 §2.3.1.2). Never stored.
    SeqNum
}
number! {
    /// Together with a UID it names a message for ever (RFC 9051 §2.3.1.1).
    UidValidity
}

/// A position in an account's log: the sequence number of a record, from 1.
///
/// It is the mod-sequence of every message that record touches (RFC 7162 §3.1), and therefore stays
/// below 2⁶³. [`ModSeq::ZERO`] is the position before the first record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ModSeq(u64);

impl ModSeq {
    /// Before the first record.
    pub const ZERO: Self = Self(0);
    /// The largest mod-sequence, 2⁶³-1 (RFC 7162 §7).
    pub const MAX: Self = Self(i64::MAX as u64);

    /// `n` as a log position; `None` from 2⁶³ on.
    pub const fn new(n: u64) -> Option<Self> {
        if n <= Self::MAX.0 { Some(Self(n)) } else { None }
    }

    /// The plain number, 0..2⁶³.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The next position. A log never comes near 2⁶³ records.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The position `n` records further.
    #[must_use]
    pub const fn plus(self, n: u64) -> Self {
        Self(self.0 + n)
    }
}

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModSeq({})", self.0)
    }
}

/// A mailbox for its whole life, across renames: the log position of the record that created it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MailboxId(ModSeq);

impl MailboxId {
    /// The mailbox created by the record at `created`.
    pub const fn new(created: ModSeq) -> Self {
        Self(created)
    }

    /// The log position of the record that created the mailbox.
    pub const fn created(self) -> ModSeq {
        self.0
    }
}

impl fmt::Display for MailboxId {
    /// The MAILBOXID object identifier (RFC 8474 §4).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "M{:x}", self.0.get())
    }
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

hex_id! {
    /// An account: the owner of one log. Random, so that a name can be reused after removal.
    AccountId, ""
}
hex_id! {
    /// A message's content: the first 16 bytes of its BLAKE3 hash. EMAILID of RFC 8474 §5.1.
    EmailId, "E"
}

impl AccountId {
    /// The account that holds the directory of users and the server's own settings.
    pub const SYSTEM: Self = Self([0; 16]);

    /// Reads the form that `Display` prints: 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 32 || bytes.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(bytes.chunks_exact(2)) {
            let digit = |c: u8| char::from(c).to_digit(16);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
        }
        Some(Self(id))
    }
}

/// The conversation a message belongs to. THREADID of RFC 8474 §5.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ThreadId(pub u64);

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_id_prints_and_parses() {
        let id = AccountId([0x3f, 0x9a, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 255]);
        assert_eq!(AccountId::parse(&id.to_string()), Some(id));
        for bad in ["", "3f", "../../../../../../../../etc/pass", &id.to_string().to_uppercase()] {
            assert_eq!(AccountId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn modseq_stays_below_two_to_the_63() {
        assert_eq!(ModSeq::new(u64::MAX), None);
        assert_eq!(ModSeq::new(i64::MAX as u64), Some(ModSeq::MAX));
    }
}
