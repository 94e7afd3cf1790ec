//! Administration of the directory: what to write, or why not. Pure: the caller commits the entries
//! and decides again if another was faster.

use base::AccountId;
use bytes::Bytes;

use crate::entry::Entry;
use crate::prepare::{self, Unusable};
use crate::{Credential, Directory};

/// Why the directory can't be changed that way.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// An account or alias of this name exists.
    #[error("the name {0} is taken")]
    Taken(String),
    /// There is no account of this name.
    #[error("there is no account {0}")]
    NoAccount(String),
    /// There is no such alias.
    #[error("there is no alias {0}")]
    NoAlias(String),
    /// The name can't be a name.
    #[error("{0} cannot be a name: {1}")]
    BadName(String, Unusable),
}

/// The setting that holds the secret behind salts of unknown users.
pub const SCRAM_SECRET: &str = "scram-secret";

fn new_name(directory: &Directory, name: &str) -> Result<String, Refusal> {
    let compared = prepare::new_name(name)
        .map_err(|why| Refusal::BadName(prepare::for_log(name.as_bytes()), why))?;
    match directory.by_name(&compared) {
        Some(_) => Err(Refusal::Taken(compared)),
        None => Ok(compared),
    }
}

fn account(directory: &Directory, name: &str) -> Result<AccountId, Refusal> {
    let found = directory.find(name).map(|user| user.id);
    found.ok_or_else(|| Refusal::NoAccount(prepare::for_log(name.as_bytes())))
}

/// A new account. `id` is random; `now` is in milliseconds since 1970 UTC.
pub fn add_account(
    directory: &Directory,
    id: AccountId,
    name: &str,
    credential: Option<Credential>,
    now: i64,
) -> Result<Vec<Bytes>, Refusal> {
    let name = new_name(directory, name)?;
    if directory.get(id).is_some() || id == AccountId::SYSTEM {
        return Err(Refusal::Taken(id.to_string()));
    }
    let mut entries = vec![Entry::AccountAdded { id, name, created: now }.encode()];
    if let Some(credential) = credential {
        entries.push(Entry::PasswordSet { id, credential: Some(credential) }.encode());
    }
    Ok(entries)
}

/// A new password, or none: then only certificates open the account.
pub fn set_password(
    directory: &Directory,
    name: &str,
    credential: Option<Credential>,
) -> Result<Vec<Bytes>, Refusal> {
    let id = account(directory, name)?;
    Ok(vec![Entry::PasswordSet { id, credential }.encode()])
}

/// Removes an account with its aliases. Its mail is the caller's to remove, after the commit.
pub fn remove_account(directory: &Directory, name: &str) -> Result<Vec<Bytes>, Refusal> {
    let id = account(directory, name)?;
    Ok(vec![Entry::AccountRemoved { id }.encode()])
}

/// Another name for an account.
pub fn add_alias(directory: &Directory, name: &str, alias: &str) -> Result<Vec<Bytes>, Refusal> {
    let id = account(directory, name)?;
    let alias = new_name(directory, alias)?;
    Ok(vec![Entry::AliasSet { alias, id }.encode()])
}

/// Removes an alias.
pub fn remove_alias(directory: &Directory, alias: &str) -> Result<Vec<Bytes>, Refusal> {
    let refused = || Refusal::NoAlias(prepare::for_log(alias.as_bytes()));
    let alias = prepare::name(alias.as_bytes()).map_err(|_| refused())?;
    match directory.by_name(&alias) {
        Some(user) if user.aliases.contains(&alias) => {
            Ok(vec![Entry::AliasRemoved { alias }.encode()])
        }
        _ => Err(refused()),
    }
}

/// The account's quota in bytes; nothing to write when it is so already.
pub fn set_quota(
    directory: &Directory,
    name: &str,
    bytes: Option<u64>,
) -> Result<Vec<Bytes>, Refusal> {
    let id = account(directory, name)?;
    let same = directory.get(id).is_some_and(|user| user.quota == bytes);
    Ok(if same { Vec::new() } else { vec![Entry::QuotaSet { id, bytes }.encode()] })
}

/// Whether nobody may log in; nothing to write when it is so already.
pub fn set_disabled(
    directory: &Directory,
    name: &str,
    disabled: bool,
) -> Result<Vec<Bytes>, Refusal> {
    let id = account(directory, name)?;
    let same = directory.get(id).is_some_and(|user| user.disabled == disabled);
    Ok(if same { Vec::new() } else { vec![Entry::Disabled { id, disabled }.encode()] })
}

/// A setting of the server; an empty value takes it away.
pub fn set_setting(directory: &Directory, key: &str, value: Bytes) -> Vec<Bytes> {
    let now = directory.setting(key).cloned().unwrap_or_default();
    match now == value {
        true => Vec::new(),
        false => vec![Entry::Setting { key: key.to_owned(), value }.encode()],
    }
}

/// What a directory needs before its first login: `random` becomes [`SCRAM_SECRET`] if there is none.
pub fn initialise(directory: &Directory, random: &[u8; 32]) -> Vec<Bytes> {
    match directory.setting(SCRAM_SECRET) {
        Some(_) => Vec::new(),
        None => set_setting(directory, SCRAM_SECRET, Bytes::copy_from_slice(random)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(entries: Vec<Bytes>, directory: &Directory) -> Directory {
        let mut directory = directory.clone();
        for entry in entries {
            directory.apply(&entry).unwrap();
        }
        directory
    }

    const A: AccountId = AccountId([1; 16]);
    const B: AccountId = AccountId([2; 16]);

    #[test]
    fn an_account_lives_and_dies() {
        let d = Directory::default();
        let d = with(add_account(&d, A, "Alice@Example.org", None, 5).unwrap(), &d);
        let d = with(add_alias(&d, "alice@example.org", "alice").unwrap(), &d);
        assert_eq!(d.find("ALICE").unwrap().id, A);
        assert_eq!(d.find("alice@example.ORG").unwrap().name, "alice@example.org");
        assert!(d.find("alice@example.com").is_none());
        let d = with(set_quota(&d, "alice", Some(7)).unwrap(), &d);
        assert_eq!(d.get(A).unwrap().quota, Some(7));
        assert_eq!(set_quota(&d, "alice", Some(7)), Ok(vec![]));
        let d = with(set_disabled(&d, "alice", true).unwrap(), &d);
        assert!(d.get(A).unwrap().disabled);
        assert_eq!(set_disabled(&d, "alice", true), Ok(vec![]));
        let d = with(remove_alias(&d, "Alice").unwrap(), &d);
        assert!(d.find("alice").is_none());
        let d = with(remove_account(&d, "alice@example.org").unwrap(), &d);
        assert_eq!(d, Directory::default());
    }

    #[test]
    fn names_are_given_once() {
        let d = Directory::default();
        let d = with(add_account(&d, A, "a", None, 0).unwrap(), &d);
        let d = with(add_alias(&d, "a", "x").unwrap(), &d);
        for name in ["a", "A", "x", "X"] {
            let taken = Err(Refusal::Taken(name.to_lowercase()));
            assert_eq!(add_account(&d, B, name, None, 0), taken);
            assert_eq!(add_alias(&d, "a", name), taken);
        }
        assert!(matches!(add_account(&d, A, "b", None, 0), Err(Refusal::Taken(_))));
        assert!(matches!(add_account(&d, AccountId::SYSTEM, "b", None, 0), Err(Refusal::Taken(_))));
        assert!(matches!(add_alias(&d, "nobody", "y"), Err(Refusal::NoAccount(_))));
        assert!(matches!(remove_alias(&d, "a"), Err(Refusal::NoAlias(_))), "a name is no alias");
        assert!(matches!(add_account(&d, B, "a/b", None, 0), Err(Refusal::BadName(..))));
        assert!(matches!(remove_account(&d, "b"), Err(Refusal::NoAccount(_))));
        assert!(matches!(set_password(&d, "\0", None), Err(Refusal::NoAccount(_))));
    }

    #[test]
    fn a_directory_is_initialised_once() {
        let d = Directory::default();
        let d = with(initialise(&d, &[3; 32]), &d);
        assert_eq!(d.setting(SCRAM_SECRET).map(|s| &s[..]), Some(&[3; 32][..]));
        assert_eq!(initialise(&d, &[4; 32]), Vec::<Bytes>::new());
    }
}
