//! The live account: one fold per account in use on this node, shared by all its sessions.
//!
//! Two folds are kept. Decisions are made on the newest one, which counts commits that wait for the
//! disk, so that they can share a sync; sessions see only the durable one, so that nothing a client
//! was told can be lost.

#![forbid(unsafe_code)]

use std::sync::Arc;

use base::{AccountId, Limits};
use mailbox::{Account, Record, Row};
use message::Summary;
use storage::{Durability, Entry, Staged, Storage};

/// The time, as an argument, so that tests decide it.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970 UTC.
    fn now_ms(&self) -> i64;
}

/// What a decision wants written, and what it has to tell its caller.
pub struct Decision<T> {
    /// Records to commit; none means that nothing has to change.
    pub records: Vec<Record>,
    /// Told back after the commit.
    pub value: T,
}

/// Why [`Live::commit`] failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure<E> {
    /// The decision said no; nothing was written.
    #[error("refused")]
    Refused(E),
    /// The engine failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

/// A commit that is durable and published.
pub struct Done<T> {
    /// What the decision told.
    pub value: T,
    /// The records as stored.
    pub entries: Vec<Entry>,
}

/// All live accounts of this node.
pub struct Accounts {
    // The owner of this file replaces the bodies; the methods are the contract.
    storage: Arc<dyn Storage>,
}

impl Accounts {
    /// Accounts over `storage`.
    pub fn new(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>, limits: Limits) -> Arc<Self> {
        let _ = (clock, limits);
        Arc::new(Self { storage })
    }

    /// The engine.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// The live account, loaded from its snapshot and the log's tail if it is not in memory. The
    /// fold stays while somebody holds the `Arc`, and after that while memory lasts.
    pub async fn open(self: &Arc<Self>, id: AccountId) -> Result<Arc<Live>, storage::Error> {
        let _ = id;
        unimplemented!()
    }

    /// Makes an account with its first mailboxes: INBOX, and Drafts, Sent, Junk, Trash, Archive with
    /// their roles, all subscribed.
    pub async fn create(self: &Arc<Self>, id: AccountId) -> Result<Arc<Live>, storage::Error> {
        let _ = id;
        unimplemented!()
    }

    /// Removes an account; its sessions find that it is gone.
    pub async fn remove(&self, id: AccountId) -> Result<(), storage::Error> {
        let _ = id;
        unimplemented!()
    }

    /// Writes snapshots of what changed and lets go of everything: for a graceful stop.
    pub async fn close(&self) {
        unimplemented!()
    }
}

/// An account in use.
pub struct Live {
    id: AccountId,
}

impl Live {
    /// Which account.
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// The durable fold. A reference; cheap.
    pub fn state(&self) -> Arc<Account> {
        unimplemented!()
    }

    /// Decides on the newest fold, commits, waits for the disk, publishes. `decide` runs again if
    /// another node was faster. `staged` is what the records' contents name.
    pub async fn commit<T, E>(
        &self,
        staged: Vec<Staged>,
        durability: Durability,
        decide: impl FnMut(&Account) -> Result<Decision<T>, E> + Send,
    ) -> Result<Done<T>, Failure<E>> {
        let _ = (staged, durability, decide);
        unimplemented!()
    }

    /// A hint that [`Live::state`] may have moved on: register, then look, then wait.
    pub fn listen(&self) -> event_listener::EventListener {
        unimplemented!()
    }

    /// Summaries of messages, in order: from the cache, or parsed from the bytes and put into the
    /// cache. An `Err` concerns that message only.
    pub async fn summaries(&self, rows: &[Row]) -> Vec<Result<Arc<Summary>, storage::Error>> {
        let _ = rows;
        unimplemented!()
    }
}
