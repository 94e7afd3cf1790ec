//! The directory of users: the fold of the system account's log, kept up to date.

use std::sync::{Arc, PoisonError, RwLock};

use account::{Accounts, Clock};
use auth::decide::{self, Refusal};
use auth::{Credential, Directory, Source};
use base::{AccountId, ModSeq};
use bytes::Bytes;
use mailbox::Record;
use storage::{Batch, CommitError, Durability, Entry};
use tokio::sync::Mutex;

/// Entries read from the log at a time.
const ENTRIES_AT_ONCE: usize = 1000;

/// A log with fewer records is short enough.
const LENGTH_LEAST: u64 = 2000;
/// And so is one with fewer records for each that is needed.
const LENGTH_FACTOR: u64 = 4;

/// Why the directory could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The change makes no sense; nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The engine failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// No random bytes for an identity or a secret.
    #[error("no random bytes: {0}")]
    NoRandomness(String),
}

/// The directory of this node. Reading is a reference; changes are durable when they return.
pub struct LiveDirectory {
    accounts: Arc<Accounts>,
    clock: Arc<dyn Clock>,
    folded: RwLock<Arc<Directory>>,
    /// The log position of `folded`; held while the log is written or read.
    head: Mutex<ModSeq>,
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

impl LiveDirectory {
    /// Reads the log; makes the system account at the first start.
    pub async fn open(accounts: Arc<Accounts>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Error> {
        match accounts.storage().create(AccountId::SYSTEM).await {
            Ok(()) | Err(storage::Error::AccountExists) => {}
            Err(error) => return Err(error.into()),
        }
        let directory = Arc::new(Self {
            accounts,
            clock,
            folded: RwLock::default(),
            head: Mutex::new(ModSeq::ZERO),
        });
        directory.refresh().await?;
        let secret = random()?;
        directory.change(|folded| Ok(decide::initialise(folded, &secret))).await?;
        Ok(directory)
    }

    /// Folds in what others have written.
    pub async fn refresh(&self) -> Result<(), Error> {
        let mut head = self.head.lock().await;
        self.catch_up(&mut head).await
    }

    async fn catch_up(&self, head: &mut ModSeq) -> Result<(), Error> {
        let storage = self.accounts.storage();
        // Where the log begins everything is said again.
        *head = storage.begin(AccountId::SYSTEM).await?.max(*head);
        loop {
            let entries = storage.read(AccountId::SYSTEM, *head, ENTRIES_AT_ONCE).await?;
            if entries.is_empty() {
                return Ok(());
            }
            self.fold(&entries, head);
        }
    }

    fn fold(&self, entries: &[Entry], head: &mut ModSeq) {
        let mut folded = self.folded.write().unwrap_or_else(PoisonError::into_inner);
        let directory = Arc::make_mut(&mut folded);
        for entry in entries {
            *head = entry.at;
            let Record::Directory(bytes) = &*entry.record else { continue };
            // One entry that does not fit must not take the other users away.
            if let Err(error) = directory.apply(bytes) {
                tracing::error!(at = %entry.at, %error, "an entry of the directory is left out");
            }
        }
    }

    /// Writes what `decide` wants; it runs again if another node was faster.
    pub async fn change(
        &self,
        decide: impl Fn(&Directory) -> Result<Vec<Bytes>, Refusal>,
    ) -> Result<(), Error> {
        let mut head = self.head.lock().await;
        self.change_at(&mut head, decide).await
    }

    async fn change_at(
        &self,
        head: &mut ModSeq,
        decide: impl Fn(&Directory) -> Result<Vec<Bytes>, Refusal>,
    ) -> Result<(), Error> {
        loop {
            let records = decide(&self.directory())?;
            if records.is_empty() {
                return Ok(());
            }
            let batch = Batch {
                records: records.into_iter().map(Record::Directory).collect(),
                staged: Vec::new(),
                time: self.clock.now_ms(),
                durability: Durability::Synced,
                alone: true,
            };
            match self.accounts.storage().commit(AccountId::SYSTEM, *head, batch).await {
                Ok(pending) => {
                    pending.durable.await?;
                    self.fold(&pending.entries, head);
                    return Ok(());
                }
                Err(CommitError::Conflict { .. }) => self.catch_up(head).await?,
                Err(CommitError::Storage(error)) => return Err(error.into()),
            }
        }
    }

    /// If the log is much longer than what it says, says all of it again at its end. What is up to
    /// the position told here is not needed any more.
    pub async fn begin_again(&self) -> Result<Option<ModSeq>, Error> {
        let mut head = self.head.lock().await;
        self.catch_up(&mut head).await?;
        let begin = self.accounts.storage().begin(AccountId::SYSTEM).await?;
        let needed = self.directory().entries().len() as u64;
        let length = head.get().saturating_sub(begin.get());
        if length < LENGTH_LEAST.max(needed * LENGTH_FACTOR) {
            return Ok(None);
        }
        self.change_at(&mut head, |folded| Ok(folded.entries())).await?;
        let upto = head.get().saturating_sub(self.directory().entries().len() as u64);
        Ok(ModSeq::new(upto))
    }

    /// Makes an account with its first mailboxes. The name appears last, so that whoever can log in
    /// finds an INBOX.
    pub async fn add_account(
        &self,
        name: &str,
        credential: Option<Credential>,
    ) -> Result<AccountId, Error> {
        let (id, now) = (AccountId(random()?), self.clock.now_ms());
        let add =
            |folded: &Directory| decide::add_account(folded, id, name, credential.clone(), now);
        add(&self.directory())?;
        self.accounts.create(id).await?;
        let added = self.change(add).await;
        if matches!(added, Err(Error::Refused(_))) {
            // Another node was faster with the name.
            self.accounts.remove(id).await?;
        }
        added.map(|()| id)
    }

    /// Accounts with mail and without a user: the machine stopped while one was made, whose name was
    /// never given, or removed, whose name was gone already. `martlet doctor` reports them.
    pub async fn without_owner(&self) -> Result<Vec<AccountId>, Error> {
        let mut accounts = self.accounts.storage().accounts().await?;
        // Read behind the list: an account just being made has no user for a moment at most.
        self.refresh().await?;
        let directory = self.directory();
        accounts.retain(|&id| id != AccountId::SYSTEM && directory.get(id).is_none());
        Ok(accounts)
    }

    /// Users whose account does not exist: somebody removed its files by hand.
    pub async fn without_mail(&self) -> Result<Vec<String>, Error> {
        let directory = self.directory();
        let accounts = self.accounts.storage().accounts().await?;
        let users = directory.users();
        let absent = users.iter().filter(|user| !accounts.contains(&user.id));
        Ok(absent.map(|user| user.name.clone()).collect())
    }

    /// Removes an account and its mail. The name goes first; should the machine stop between the two,
    /// `martlet doctor` finds mail without an owner.
    pub async fn remove_account(&self, name: &str) -> Result<AccountId, Error> {
        let removed = RwLock::new(None);
        self.change(|folded| {
            let id = folded.find(name).map(|user| user.id);
            *removed.write().unwrap_or_else(PoisonError::into_inner) = id;
            decide::remove_account(folded, name)
        })
        .await?;
        let removed = removed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let id = removed.ok_or_else(|| Refusal::NoAccount(name.to_owned()))?;
        self.accounts.remove(id).await?;
        Ok(id)
    }
}

impl Source for LiveDirectory {
    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.folded.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::memory::Memory;

    struct Still;

    impl Clock for Still {
        fn now_ms(&self) -> i64 {
            1_700_000_000_000
        }
    }

    async fn open(storage: &Arc<Memory>) -> Arc<LiveDirectory> {
        let accounts = Accounts::new(storage.clone(), Arc::new(Still), base::Limits::default());
        LiveDirectory::open(accounts, Arc::new(Still)).await.unwrap()
    }

    fn add(n: u8) -> impl Fn(&Directory) -> Result<Vec<Bytes>, Refusal> {
        move |d| decide::add_account(d, AccountId([n; 16]), &format!("user{n}"), None, 0)
    }

    #[tokio::test]
    async fn a_restart_finds_the_same_directory() {
        let storage = Arc::new(Memory::new());
        let one = open(&storage).await;
        one.change(add(1)).await.unwrap();
        one.change(|d| decide::add_alias(d, "user1", "alias")).await.unwrap();
        let two = open(&storage).await;
        assert_eq!(one.directory(), two.directory());
        assert!(two.directory().find("alias").is_some());
        assert!(two.directory().setting(decide::SCRAM_SECRET).is_some());
    }

    #[tokio::test]
    async fn what_a_crash_leaves_is_found() {
        let storage = Arc::new(Memory::new());
        let directory = open(&storage).await;
        let alice = directory.add_account("alice", None).await.unwrap();
        let bob = directory.add_account("bob", None).await.unwrap();
        assert_eq!(directory.without_owner().await.unwrap(), []);
        assert!(directory.without_mail().await.unwrap().is_empty());
        // As if the machine had stopped in the middle of a removal, and of a creation.
        directory.change(|d| decide::remove_account(d, "alice")).await.unwrap();
        directory.accounts.create(AccountId([9; 16])).await.unwrap();
        let mut found = vec![alice, AccountId([9; 16])];
        found.sort_unstable();
        assert_eq!(directory.without_owner().await.unwrap(), found);
        directory.accounts.remove(bob).await.unwrap();
        assert_eq!(directory.without_mail().await.unwrap(), ["bob"]);
    }

    #[tokio::test]
    async fn two_nodes_do_not_give_a_name_twice() {
        let storage = Arc::new(Memory::new());
        let (one, two) = (open(&storage).await, open(&storage).await);
        one.change(add(1)).await.unwrap();
        let same = |d: &Directory| decide::add_account(d, AccountId([9; 16]), "USER1", None, 0);
        let refused = two.change(same).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::Taken(_)))), "{refused:?}");
        two.change(add(2)).await.unwrap();
        one.refresh().await.unwrap();
        assert_eq!(one.directory(), two.directory());
        assert_eq!(one.directory().users().len(), 2);
    }
}
