//! The directory of users: the fold of the system account's log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use base::AccountId;
use bytes::Bytes;

use crate::entry::{Entry, Unreadable};
use crate::{Credential, Identity, prepare};

/// One account as the directory knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Its identity.
    pub id: AccountId,
    /// Its name in compared form.
    pub name: String,
    /// When it was added, milliseconds since 1970 UTC.
    pub created: i64,
    /// Its other names, in compared form.
    pub aliases: BTreeSet<String>,
    /// Whether nobody may log in.
    pub disabled: bool,
    /// Bytes of mail it may keep; `None` for no limit.
    pub quota: Option<u64>,
    /// What is kept of its password.
    pub credential: Option<Arc<Credential>>,
}

impl User {
    /// Who this is to the rest of the server.
    pub fn identity(&self) -> Identity {
        Identity { account: self.id, name: self.name.clone() }
    }
}

/// All users. Cloning costs per user, not per byte; readers hold an `Arc` of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Directory {
    users: BTreeMap<AccountId, Arc<User>>,
    /// Account names and aliases: one name space, each name once.
    names: BTreeMap<String, AccountId>,
    settings: BTreeMap<String, Bytes>,
}

/// An entry that can't follow the ones before it; nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Inconsistent {
    /// It can't be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It names an account that is not there.
    #[error("directory entry for an account that is not there: {0}")]
    NoAccount(AccountId),
    /// Its name or account exists already.
    #[error("directory entry for a name that is taken: {0}")]
    Taken(String),
    /// It removes an alias that is not there.
    #[error("directory entry for an alias that is not there: {0}")]
    NoAlias(String),
}

impl Directory {
    /// Folds in an entry. On error nothing has changed, and the fold may go on with the next one.
    pub fn apply(&mut self, bytes: &[u8]) -> Result<(), Inconsistent> {
        match Entry::decode(bytes)? {
            Entry::AccountAdded { id, name, created } => self.add(id, name, created),
            Entry::PasswordSet { id, credential } => {
                self.change(id)?.credential = credential.map(Arc::new);
                Ok(())
            }
            Entry::AliasSet { alias, id } => {
                if self.names.contains_key(&alias) {
                    return Err(Inconsistent::Taken(alias));
                }
                self.change(id)?.aliases.insert(alias.clone());
                self.names.insert(alias, id);
                Ok(())
            }
            Entry::AliasRemoved { alias } => {
                let Some(user) = self.by_name(&alias).filter(|user| user.aliases.contains(&alias))
                else {
                    return Err(Inconsistent::NoAlias(alias));
                };
                let id = user.id;
                self.change(id)?.aliases.remove(&alias);
                self.names.remove(&alias);
                Ok(())
            }
            Entry::QuotaSet { id, bytes } => {
                self.change(id)?.quota = bytes;
                Ok(())
            }
            Entry::Disabled { id, disabled } => {
                self.change(id)?.disabled = disabled;
                Ok(())
            }
            Entry::AccountRemoved { id } => {
                self.users.remove(&id).ok_or(Inconsistent::NoAccount(id))?;
                self.names.retain(|_, owner| *owner != id);
                Ok(())
            }
            Entry::Setting { key, value } => {
                match value.is_empty() {
                    true => self.settings.remove(&key),
                    false => self.settings.insert(key, value),
                };
                Ok(())
            }
            Entry::Emptied => {
                *self = Self::default();
                Ok(())
            }
        }
    }

    fn add(&mut self, id: AccountId, name: String, created: i64) -> Result<(), Inconsistent> {
        if id == AccountId::SYSTEM || self.users.contains_key(&id) || self.names.contains_key(&name)
        {
            return Err(Inconsistent::Taken(name));
        }
        self.names.insert(name.clone(), id);
        let user = User {
            id,
            name,
            created,
            aliases: BTreeSet::new(),
            disabled: false,
            quota: None,
            credential: None,
        };
        self.users.insert(id, Arc::new(user));
        Ok(())
    }

    fn change(&mut self, id: AccountId) -> Result<&mut User, Inconsistent> {
        self.users.get_mut(&id).map(Arc::make_mut).ok_or(Inconsistent::NoAccount(id))
    }

    /// The account with this name or alias, which is in compared form ([`prepare::name`]).
    pub fn by_name(&self, name: &str) -> Option<&Arc<User>> {
        self.users.get(self.names.get(name)?)
    }

    /// The account with this name or alias as a client or an administrator writes it.
    pub fn find(&self, name: &str) -> Option<&Arc<User>> {
        self.by_name(&prepare::name(name.as_bytes()).ok()?)
    }

    /// An account by identity.
    pub fn get(&self, id: AccountId) -> Option<&Arc<User>> {
        self.users.get(&id)
    }

    /// All accounts, by name.
    pub fn users(&self) -> Vec<&Arc<User>> {
        let mut users: Vec<_> = self.users.values().collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }

    /// Entries that make this directory from any other one.
    pub fn entries(&self) -> Vec<Bytes> {
        let mut entries = vec![Entry::Emptied];
        for user in self.users.values() {
            let id = user.id;
            let (name, created) = (user.name.clone(), user.created);
            entries.push(Entry::AccountAdded { id, name, created });
            if let Some(credential) = &user.credential {
                let credential = Some(Credential::clone(credential));
                entries.push(Entry::PasswordSet { id, credential });
            }
            for alias in &user.aliases {
                entries.push(Entry::AliasSet { alias: alias.clone(), id });
            }
            if user.quota.is_some() {
                entries.push(Entry::QuotaSet { id, bytes: user.quota });
            }
            if user.disabled {
                entries.push(Entry::Disabled { id, disabled: true });
            }
        }
        for (key, value) in &self.settings {
            entries.push(Entry::Setting { key: key.clone(), value: value.clone() });
        }
        entries.iter().map(Entry::encode).collect()
    }

    /// A setting of the server.
    pub fn setting(&self, key: &str) -> Option<&Bytes> {
        self.settings.get(key)
    }
}

/// Where an authenticator finds the directory as it is at this moment.
pub trait Source: Send + Sync {
    /// The directory; cheap.
    fn directory(&self) -> Arc<Directory>;
}

/// A directory that can be replaced while it is read.
#[derive(Debug, Default)]
pub struct Shared(RwLock<Arc<Directory>>);

impl Shared {
    /// Holds `directory`.
    pub fn new(directory: Directory) -> Self {
        Self(RwLock::new(Arc::new(directory)))
    }

    /// Folds entries in; those that do not fit are left out and returned with their index.
    pub fn apply<B: AsRef<[u8]>>(&self, entries: &[B]) -> Vec<(usize, Inconsistent)> {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let directory = Arc::make_mut(&mut held);
        let apply = |(at, entry): (usize, &B)| {
            directory.apply(entry.as_ref()).err().map(|error| (at, error))
        };
        entries.iter().enumerate().filter_map(apply).collect()
    }
}

impl Source for Shared {
    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::tests::entry;
    use proptest::prelude::*;

    fn check(directory: &Directory) {
        let mut names = BTreeMap::new();
        for user in directory.users() {
            assert_eq!(directory.get(user.id), Some(user));
            for name in user.aliases.iter().chain([&user.name]) {
                assert_eq!(names.insert(name.clone(), user.id), None, "{name} twice");
            }
        }
        assert_eq!(names, directory.names);
    }

    proptest! {
        /// Whatever the log says, each name belongs to one account, every fold of the same log is the
        /// same, and an entry that does not fit changes nothing.
        #[test]
        fn the_fold_is_consistent(entries in prop::collection::vec(entry(), 0..40)) {
            let (mut one, two) = (Directory::default(), Shared::default());
            let bytes: Vec<_> = entries.iter().map(Entry::encode).collect();
            for entry in &bytes {
                let before = one.clone();
                if one.apply(entry).is_err() {
                    prop_assert_eq!(&before, &one);
                }
                check(&one);
            }
            two.apply(&bytes);
            prop_assert_eq!(&one, &*two.directory());
            // What says it again says all of it, whatever was there.
            let mut other = Directory::default();
            other.apply(&Entry::Setting { key: "x".into(), value: "y".into() }.encode()).unwrap();
            for entry in one.entries() {
                other.apply(&entry).unwrap();
            }
            prop_assert_eq!(&one, &other);
        }
    }
}
