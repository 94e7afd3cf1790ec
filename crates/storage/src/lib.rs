//! The seam between meaning and bytes: a log per account, message bytes, and caches.
//!
//! An engine never sees IMAP; everything above it never sees a file. What an engine promises is
//! written as laws in [`conformance`], which every engine's tests run.

#![forbid(unsafe_code)]

pub mod conformance;
pub mod disk;
mod extract;
pub mod memory;
pub mod sim;
mod wrapping;

pub use extract::{Extract, Extracts};
pub use memory::Memory;
pub use wrapping::{Run, Wrapping};

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use base::{AccountId, EmailId, ModSeq};
use bytes::Bytes;
use mailbox::{Position, Record};

/// A future of an engine: engines choose their own threads, callers their own executor.
pub type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Looks at some of the messages that [`Storage::show`] was asked for: which of the positions it is, and
/// the message.
pub type Looker = Box<dyn FnMut(usize, Result<&[u8], Error>)>;

/// Makes a [`Looker`] on each thread that has messages to show.
pub type Lookers = std::sync::Arc<dyn Fn() -> Looker + Send + Sync>;

/// Why an engine could not do something. One log line is written where it arises.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No such account.
    #[error("no such account")]
    NoAccount,
    /// The account exists already.
    #[error("the account exists already")]
    AccountExists,
    /// Stored bytes failed their check. The message, or the log, is damaged at one place.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The disk is full or a quota of the system is reached.
    #[error("no space left")]
    NoSpace,
    /// A write or sync failed; the log is closed until it is opened again, because what reached the
    /// disk is unknown.
    #[error("storage failed: {0}")]
    Failed(Arc<str>),
}

/// Why a commit did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// The log went on; fold in the newer records and decide again.
    #[error("the log has moved on to {head:?}")]
    Conflict {
        /// Where it ends.
        head: ModSeq,
    },
    /// The engine failed. The commit may or may not be found after a restart, whole or not at all.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// A record and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position.
    pub at: ModSeq,
    /// When its commit was decided, milliseconds since 1970 UTC.
    pub time: i64,
    /// What happened.
    pub record: Arc<Record>,
}

/// A commit that has its place in the log.
pub struct Pending {
    /// The records as stored, with positions.
    pub entries: Vec<Entry>,
    /// Resolves when they are durable (at once for lazy ones). Commits resolve in log order. Needs
    /// not be polled for the commit to happen.
    pub durable: Task<'static, Result<(), Error>>,
}

/// A message's bytes on their way in. Small ones wait in memory for their commit; large ones are
/// already on their way to the disk. Dropping it gives everything back.
pub trait Incoming: Send {
    /// Adds bytes. Resolves when the engine can take more.
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Task<'a, Result<(), Error>>;
    /// No more bytes follow.
    fn finish(self: Box<Self>) -> Task<'static, Result<Staged, Error>>;
}

/// A message's bytes, complete, waiting for the commit that names them.
pub struct Staged {
    /// Octets.
    pub size: u64,
    /// BLAKE3 of the bytes; its first half is the EMAILID.
    pub hash: [u8; 32],
    /// The engine's own part, which it knows again by downcast.
    pub body: Box<dyn std::any::Any + Send>,
    /// What [`Storage::extracts`] is to answer once the message is durable. As with
    /// [`Storage::put_extracts`] it may be dropped, and nobody waits for it.
    pub extracts: Vec<(Extract, Bytes)>,
}

impl Staged {
    /// The content's identity.
    pub fn email_id(&self) -> EmailId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.hash[..16]);
        EmailId(id)
    }
}

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Acknowledged means durable.
    Synced,
    /// For records that no client was told of: they may be lost with the machine, never reordered.
    Lazy,
}

/// What one commit writes: all of it or nothing.
pub struct Batch {
    /// Records in order; [`mailbox::Content::Staged`] indexes `staged`.
    pub records: Vec<Record>,
    /// Message bytes that the records name.
    pub staged: Vec<Staged>,
    /// When it was decided, milliseconds since 1970 UTC.
    pub time: i64,
    /// When to answer.
    pub durability: Durability,
    /// Nobody else waits to commit to this account: the engine may take it to the disk before it
    /// answers, on the caller's thread, where that is quicker than to wake another one.
    pub alone: bool,
}

/// A snapshot as it was kept: its position and its pages.
pub type Snapshot = (ModSeq, Vec<Bytes>);

/// The pages of a snapshot to be kept, in order; how they are cut has no meaning.
pub type Pages = Box<dyn Iterator<Item = Bytes> + Send>;

/// A log per account, message bytes and caches. See [`conformance`] for the laws.
pub trait Storage: Send + Sync {
    /// All accounts that exist.
    fn accounts(&self) -> Task<'_, Result<Vec<AccountId>, Error>>;
    /// Makes an account with an empty log; durable on return.
    fn create(&self, account: AccountId) -> Task<'_, Result<(), Error>>;
    /// Removes an account and all it has; durable on return.
    fn remove(&self, account: AccountId) -> Task<'_, Result<(), Error>>;
    /// The log begins behind this position: what was before is only in the snapshot there.
    fn begin(&self, _account: AccountId) -> Task<'_, Result<ModSeq, Error>> {
        Box::pin(std::future::ready(Ok(ModSeq::ZERO)))
    }
    /// Position of the last committed record.
    fn head(&self, account: AccountId) -> Task<'_, Result<ModSeq, Error>>;
    /// Entries after `after`, gapless and in order, at most `limit`; fewer only at the end. Right
    /// after compaction the log may begin above `after`: then the answer is [`Error::Damaged`] and a
    /// snapshot at or above the beginning exists.
    fn read(
        &self,
        account: AccountId,
        after: ModSeq,
        limit: usize,
    ) -> Task<'_, Result<Vec<Entry>, Error>>;
    /// Appends `batch.records` if the log still ends at `expected`, counting commits that are still
    /// pending. If it ends before `expected`, which happens when a failure took away what was not
    /// durable, the answer is [`Error::Failed`]: whoever asks has folded in what does not exist, and
    /// must load the account again. On return the records have their place; they count as done when `durable` resolves. All
    /// commits of one account that wait for the disk at the same time share one sync.
    fn commit(
        &self,
        account: AccountId,
        expected: ModSeq,
        batch: Batch,
    ) -> Task<'_, Result<Pending, CommitError>>;
    /// Begins to take in a message; `size_hint` is its octets if known.
    fn incoming(
        &self,
        account: AccountId,
        size_hint: Option<u64>,
    ) -> Task<'_, Result<Box<dyn Incoming>, Error>>;
    /// A whole message. An engine shows by checksums that these are the bytes that were written;
    /// that they have the hash they had is for its doctor to say.
    fn message(&self, account: AccountId, at: Position) -> Task<'_, Result<Bytes, Error>>;
    /// Whole messages as [`Storage::message`] reads them, one answer for each position, in order.
    /// Engines read neighbours together: ask for as many as may be in memory at once.
    fn messages(
        &self,
        account: AccountId,
        at: Vec<Position>,
    ) -> Task<'_, Vec<Result<Bytes, Error>>> {
        Box::pin(async move {
            let mut messages = Vec::with_capacity(at.len());
            for at in at {
                messages.push(self.message(account, at).await);
            }
            messages
        })
    }
    /// The same with text around each message, joined as it is to be sent. A run that has an error
    /// says nothing of its other messages.
    fn wrapped(&self, account: AccountId, wrapping: Wrapping) -> Task<'_, Vec<Run>> {
        Box::pin(async move {
            let messages = self.messages(account, wrapping.positions()).await;
            wrapping.join(messages)
        })
    }
    /// Shows whole messages, as [`Storage::message`] reads them, where they were read: on threads of
    /// the engine, several at once, in no order, each once. All have been shown when the task
    /// resolves; some may not have been if a looker panicked. What is done with a message is done in
    /// time that nobody else waits for: ask for as many as it takes milliseconds to look at.
    fn show(&self, account: AccountId, at: Vec<Position>, lookers: Lookers) -> Task<'_, ()> {
        Box::pin(async move {
            for (nth, at) in at.into_iter().enumerate() {
                let message = self.message(account, at).await;
                lookers()(nth, message.as_deref().map_err(Error::clone));
            }
        })
    }
    /// A message as a stream in bounded memory. The hash is checked at the end of a full read: a
    /// mismatch is the last item.
    fn open(&self, account: AccountId, at: Position) -> Task<'_, Result<Box<dyn Outgoing>, Error>>;
    /// Cached extracts of messages, one answer for each position, in order. An engine may answer
    /// only the first ones, at least one, so that no answer grows beyond about 1 MiB.
    fn extracts(
        &self,
        account: AccountId,
        what: Extract,
        at: Vec<Position>,
    ) -> Task<'_, Result<Extracts, Error>>;
    /// Adds to the cache. Not durable, may be dropped at any time.
    fn put_extracts(
        &self,
        account: AccountId,
        what: Extract,
        new: Vec<(Position, Bytes)>,
    ) -> Task<'_, Result<(), Error>>;
    /// The newest usable snapshot of the fold: its position and its bytes, which are in order and
    /// cut anywhere.
    fn load_snapshot(&self, account: AccountId) -> Task<'_, Result<Option<Snapshot>, Error>>;
    /// How many bytes there are to load of a snapshot, about; 0 if that is not known without loading it.
    fn snapshot_bytes(&self, _account: AccountId) -> Task<'_, Result<u64, Error>> {
        Box::pin(std::future::ready(Ok(0)))
    }
    /// Keeps a snapshot of the fold at `at`. Its pages are made when they are written, where nobody
    /// waits for them.
    fn save_snapshot(
        &self,
        account: AccountId,
        at: ModSeq,
        pages: Pages,
    ) -> Task<'_, Result<(), Error>>;

    /// The names of what [`Storage::cache_write`] keeps. What is cached has no durability, may be
    /// damaged, and may be dropped at any time; an engine that caches nothing keeps the defaults.
    fn cache_list(&self, _account: AccountId) -> Task<'_, Result<Vec<String>, Error>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
    /// Reads byte ranges of a cached file, in order; `None` if there is no such file or it is too
    /// short.
    fn cache_read(
        &self,
        _account: AccountId,
        _name: &str,
        _ranges: Vec<Range<u64>>,
    ) -> Task<'_, Result<Option<Vec<Bytes>>, Error>> {
        Box::pin(std::future::ready(Ok(None)))
    }
    /// Keeps a file, or replaces it whole. Names are ASCII letters, digits, `-` and `.`, and do not
    /// begin with a `.`.
    fn cache_write(
        &self,
        _account: AccountId,
        _name: &str,
        _bytes: Bytes,
    ) -> Task<'_, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }
    /// Begins a file that is written in parts: it takes its name, and the place of what has it, when
    /// it is finished. One name is made once at a time.
    fn cache_create(
        &self,
        _account: AccountId,
        _name: &str,
    ) -> Task<'_, Result<Box<dyn CacheFile>, Error>> {
        Box::pin(std::future::ready(Ok(Box::new(Nowhere) as Box<dyn CacheFile>)))
    }
    /// Forgets a file; none is no error.
    fn cache_remove(&self, _account: AccountId, _name: &str) -> Task<'_, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A cached file that is being written. Dropping it gives it up; what was written may stay below
/// another name of [`Storage::cache_list`].
pub trait CacheFile: Send + Sync {
    /// Writes bytes at an offset; what was never written reads as zeros.
    fn write(&mut self, at: u64, bytes: Bytes) -> Task<'_, Result<(), Error>>;
    /// All is written.
    fn finish(self: Box<Self>) -> Task<'static, Result<(), Error>>;
}

/// The file of an engine that caches nothing.
struct Nowhere;

impl CacheFile for Nowhere {
    fn write(&mut self, _: u64, _: Bytes) -> Task<'_, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn finish(self: Box<Self>) -> Task<'static, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A message's bytes on their way out.
pub trait Outgoing: Send {
    /// Octets of the whole message.
    fn size(&self) -> u64;
    /// The next bytes, 1 to about 256 KiB; `None` at the end.
    fn next(&mut self) -> Task<'_, Result<Option<Bytes>, Error>>;
    /// Leaves out the next `count` bytes.
    fn skip(&mut self, count: u64) -> Task<'_, Result<(), Error>>;
}
