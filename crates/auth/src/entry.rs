//! Entries of the directory's log: what `Record::Directory` carries.
//!
//! Form: a version byte (1), a kind byte, then the fields in the order of their declaration. Integers
//! are little-endian; strings and byte strings have a 4-byte length before them; an option is a byte
//! 0 or 1 before the value. Nothing may follow the last field.

use base::AccountId;
use bytes::Bytes;

use crate::{Credential, ScramKeys};

const VERSION: u8 = 1;

/// One change of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// An account, with its name in compared form.
    AccountAdded {
        /// Its identity.
        id: AccountId,
        /// Its name.
        name: String,
        /// When, milliseconds since 1970 UTC.
        created: i64,
    },
    /// The account's password is now this one; `None` takes it away.
    PasswordSet {
        /// Whose.
        id: AccountId,
        /// What is kept of it.
        credential: Option<Credential>,
    },
    /// Another name for an account.
    AliasSet {
        /// The name, in compared form.
        alias: String,
        /// Whose.
        id: AccountId,
    },
    /// The alias is gone.
    AliasRemoved {
        /// The name.
        alias: String,
    },
    /// The account's quota.
    QuotaSet {
        /// Whose.
        id: AccountId,
        /// Bytes of mail; `None` for no limit.
        bytes: Option<u64>,
    },
    /// Whether nobody may log in to the account. Mail still comes in.
    Disabled {
        /// Whose.
        id: AccountId,
        /// Whether.
        disabled: bool,
    },
    /// The account and its aliases are gone.
    AccountRemoved {
        /// Which.
        id: AccountId,
    },
    /// A setting of the server itself; an empty value takes it away.
    Setting {
        /// Its key.
        key: String,
        /// Its value.
        value: Bytes,
    },
    /// Nothing of what was said before holds; the entries behind it say all of it again, so that
    /// those before it can go.
    Emptied,
}

/// Bytes that are not an entry this version knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreadable {
    /// A newer version wrote it.
    #[error("directory entry of unknown version {0}")]
    Version(u8),
    /// A kind this version does not know.
    #[error("directory entry of unknown kind {0}")]
    Kind(u8),
    /// It ends too early, goes on too long or has a value that can't be.
    #[error("malformed directory entry")]
    Malformed,
}

impl Entry {
    /// The binary form.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(64);
        out.push(VERSION);
        match self {
            Self::AccountAdded { id, name, created } => {
                out.push(1);
                out.extend_from_slice(&id.0);
                put(&mut out, name.as_bytes());
                out.extend_from_slice(&created.to_le_bytes());
            }
            Self::PasswordSet { id, credential } => {
                out.push(2);
                out.extend_from_slice(&id.0);
                put_credential(&mut out, credential.as_ref());
            }
            Self::AliasSet { alias, id } => {
                out.push(3);
                put(&mut out, alias.as_bytes());
                out.extend_from_slice(&id.0);
            }
            Self::AliasRemoved { alias } => {
                out.push(4);
                put(&mut out, alias.as_bytes());
            }
            Self::QuotaSet { id, bytes } => {
                out.push(5);
                out.extend_from_slice(&id.0);
                out.push(u8::from(bytes.is_some()));
                if let Some(bytes) = bytes {
                    out.extend_from_slice(&bytes.to_le_bytes());
                }
            }
            Self::Disabled { id, disabled } => {
                out.push(6);
                out.extend_from_slice(&id.0);
                out.push(u8::from(*disabled));
            }
            Self::AccountRemoved { id } => {
                out.push(7);
                out.extend_from_slice(&id.0);
            }
            Self::Setting { key, value } => {
                out.push(8);
                put(&mut out, key.as_bytes());
                put(&mut out, value);
            }
            Self::Emptied => out.push(9),
        }
        out.into()
    }

    /// Reads [`Entry::encode`]'s form. Never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut input = Reader(bytes);
        let version = input.byte()?;
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let entry = match input.byte()? {
            1 => Self::AccountAdded {
                id: input.id()?,
                name: input.string()?,
                created: i64::from_le_bytes(input.array()?),
            },
            2 => Self::PasswordSet { id: input.id()?, credential: input.credential()? },
            3 => Self::AliasSet { alias: input.string()?, id: input.id()? },
            4 => Self::AliasRemoved { alias: input.string()? },
            5 => {
                let id = input.id()?;
                let bytes = match input.flag()? {
                    true => Some(u64::from_le_bytes(input.array()?)),
                    false => None,
                };
                Self::QuotaSet { id, bytes }
            }
            6 => Self::Disabled { id: input.id()?, disabled: input.flag()? },
            7 => Self::AccountRemoved { id: input.id()? },
            8 => {
                let key = input.string()?;
                Self::Setting { key, value: Bytes::copy_from_slice(input.bytes()?) }
            }
            9 => Self::Emptied,
            kind => return Err(Unreadable::Kind(kind)),
        };
        if input.0.is_empty() { Ok(entry) } else { Err(Unreadable::Malformed) }
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    // Names, hashes and settings are far below 4 GiB; what is not could not be read back, and the
    // reader says so.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_credential(out: &mut Vec<u8>, credential: Option<&Credential>) {
    out.push(u8::from(credential.is_some()));
    let Some(credential) = credential else { return };
    put(out, credential.phc.as_bytes());
    out.push(u8::from(credential.scram.is_some()));
    let Some(keys) = &credential.scram else { return };
    put(out, &keys.salt);
    out.extend_from_slice(&keys.iterations.to_le_bytes());
    out.extend_from_slice(&keys.stored_key);
    out.extend_from_slice(&keys.server_key);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Unreadable::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        self.take(N)?.try_into().map_err(|_| Unreadable::Malformed)
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Result<bool, Unreadable> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unreadable::Malformed),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], Unreadable> {
        let length = u32::from_le_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| Unreadable::Malformed)?)
    }

    fn string(&mut self) -> Result<String, Unreadable> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Unreadable::Malformed)
    }

    fn id(&mut self) -> Result<AccountId, Unreadable> {
        self.array().map(AccountId)
    }

    fn credential(&mut self) -> Result<Option<Credential>, Unreadable> {
        if !self.flag()? {
            return Ok(None);
        }
        let phc = self.string()?;
        let scram = match self.flag()? {
            false => None,
            true => Some(ScramKeys {
                salt: self.bytes()?.to_vec(),
                iterations: u32::from_le_bytes(self.array()?),
                stored_key: self.array()?,
                server_key: self.array()?,
            }),
        };
        Ok(Some(Credential { phc, scram }))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id() -> impl Strategy<Value = AccountId> {
        // Few accounts, so that entries meet.
        (0u8..4).prop_map(|n| AccountId([n; 16]))
    }

    fn credential() -> impl Strategy<Value = Credential> {
        let keys = (any::<[u8; 16]>(), any::<u32>(), any::<[u8; 32]>(), any::<[u8; 32]>());
        let keys = keys.prop_map(|(salt, iterations, stored_key, server_key)| ScramKeys {
            salt: salt.to_vec(),
            iterations,
            stored_key,
            server_key,
        });
        ("[a-z$]{0,8}", prop::option::of(keys)).prop_map(|(phc, scram)| Credential { phc, scram })
    }

    pub(crate) fn entry() -> impl Strategy<Value = Entry> {
        let name = || "[abc]";
        prop_oneof![
            (id(), name(), any::<i64>()).prop_map(|(id, name, created)| Entry::AccountAdded {
                id,
                name,
                created
            }),
            (id(), prop::option::of(credential()))
                .prop_map(|(id, credential)| Entry::PasswordSet { id, credential }),
            (name(), id()).prop_map(|(alias, id)| Entry::AliasSet { alias, id }),
            name().prop_map(|alias| Entry::AliasRemoved { alias }),
            (id(), any::<Option<u64>>()).prop_map(|(id, bytes)| Entry::QuotaSet { id, bytes }),
            (id(), any::<bool>()).prop_map(|(id, disabled)| Entry::Disabled { id, disabled }),
            id().prop_map(|id| Entry::AccountRemoved { id }),
            ("[kl]", prop::collection::vec(any::<u8>(), 0..4))
                .prop_map(|(key, value)| Entry::Setting { key, value: value.into() }),
            Just(Entry::Emptied),
        ]
    }

    /// The bytes on disk do not change between versions of the program.
    #[test]
    fn golden_bytes() {
        let entry =
            Entry::AccountAdded { id: AccountId([9; 16]), name: "bob".into(), created: 258 };
        let mut golden = vec![1, 1];
        golden.extend([9; 16]);
        golden.extend([3, 0, 0, 0, b'b', b'o', b'b', 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(entry.encode(), golden);
    }

    #[test]
    fn what_is_not_known_is_told_apart() {
        assert_eq!(Entry::decode(&[]), Err(Unreadable::Malformed));
        assert_eq!(Entry::decode(&[2, 1]), Err(Unreadable::Version(2)));
        assert_eq!(Entry::decode(&[1, 99]), Err(Unreadable::Kind(99)));
        assert_eq!(Entry::decode(&[1, 4, 255, 255, 255, 255]), Err(Unreadable::Malformed));
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(entry in entry(), cut in 0usize..400) {
            let bytes = entry.encode();
            prop_assert_eq!(Entry::decode(&bytes), Ok(entry));
            if cut < bytes.len() {
                prop_assert!(Entry::decode(&bytes[..cut]).is_err());
            }
            let mut longer = bytes.to_vec();
            longer.push(0);
            prop_assert!(Entry::decode(&longer).is_err());
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Entry::decode(&bytes);
        }
    }
}
