//! The live account: one fold per account in use on this node, shared by all its sessions.
//!
//! Two folds are kept. Decisions are made on the newest one, which counts commits that wait for the
//! disk, so that they can share a sync; sessions see only the durable one, so that nothing a client
//! was told can be lost.

#![forbid(unsafe_code)]

mod accounts;
mod append;
mod fold;
mod live;
mod load;
pub mod memo;
mod used;

pub use accounts::Accounts;
pub use append::{Appended, NewMail, Received, Receiving};
pub use fold::News;
pub use live::Live;
pub use used::Prepared;

use mailbox::Record;
use storage::Entry;

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

/// A commit that is durable and published; a lazy one only has its place in the log.
pub struct Done<T> {
    /// What the decision told.
    pub value: T,
    /// The records as stored.
    pub entries: Vec<Entry>,
}
