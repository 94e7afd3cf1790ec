//! Storage that is odd on purpose: it lets others go first, counts what is read, and loses messages.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::HashSet;
use std::future::poll_fn;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use base::{AccountId, ModSeq};
use bytes::Bytes;
use mailbox::Position;
use storage::memory::Memory;
use storage::{
    Batch, CommitError, Entry, Error, Extract, Extracts, Incoming, Outgoing, Pages, Pending,
    Snapshot, Storage, Task,
};

#[derive(Default)]
pub(crate) struct Odd {
    memory: Memory,
    /// Whether every commit waits before it has its place and before it is durable.
    pub(crate) hesitates: bool,
    /// Octets of messages that were read.
    pub(crate) octets_read: AtomicU64,
    /// Messages that were read.
    pub(crate) messages_read: AtomicU64,
    /// Summaries that were asked for and answered.
    pub(crate) summaries_read: AtomicU64,
    /// Messages that cannot be read.
    pub(crate) damaged: Mutex<HashSet<Position>>,
    /// Whether nothing that is kept beside messages can be read.
    pub(crate) hides_extracts: AtomicBool,
    /// Whether there is no room for records.
    pub(crate) is_full: Mutex<bool>,
}

impl Odd {
    pub(crate) fn hesitant() -> Self {
        Self { hesitates: true, ..Self::default() }
    }

    fn check(&self, at: Position) -> Result<(), Error> {
        match self.damaged.lock().expect("no test panicked with it").contains(&at) {
            true => Err(Error::Damaged("on purpose".to_owned())),
            false => Ok(()),
        }
    }
}

/// Goes to the end of the line once.
async fn step_back() {
    let mut waited = false;
    poll_fn(|cx| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Storage for Odd {
    fn accounts(&self) -> Task<'_, Result<Vec<AccountId>, Error>> {
        self.memory.accounts()
    }
    fn create(&self, account: AccountId) -> Task<'_, Result<(), Error>> {
        self.memory.create(account)
    }
    fn remove(&self, account: AccountId) -> Task<'_, Result<(), Error>> {
        self.memory.remove(account)
    }
    fn head(&self, account: AccountId) -> Task<'_, Result<ModSeq, Error>> {
        self.memory.head(account)
    }
    fn read(
        &self,
        account: AccountId,
        after: ModSeq,
        limit: usize,
    ) -> Task<'_, Result<Vec<Entry>, Error>> {
        self.memory.read(account, after, limit)
    }
    fn commit(
        &self,
        account: AccountId,
        expected: ModSeq,
        batch: Batch,
    ) -> Task<'_, Result<Pending, CommitError>> {
        Box::pin(async move {
            if *self.is_full.lock().expect("no test panicked with it") {
                return Err(Error::NoSpace.into());
            }
            if !self.hesitates {
                return self.memory.commit(account, expected, batch).await;
            }
            step_back().await;
            let Pending { entries, durable } = self.memory.commit(account, expected, batch).await?;
            let durable: Task<'static, Result<(), Error>> = Box::pin(async move {
                step_back().await;
                step_back().await;
                durable.await
            });
            Ok(Pending { entries, durable })
        })
    }
    fn incoming(
        &self,
        account: AccountId,
        size_hint: Option<u64>,
    ) -> Task<'_, Result<Box<dyn Incoming>, Error>> {
        self.memory.incoming(account, size_hint)
    }
    fn message(&self, account: AccountId, at: Position) -> Task<'_, Result<Bytes, Error>> {
        Box::pin(async move {
            if self.hesitates {
                step_back().await;
            }
            self.check(at)?;
            let bytes = self.memory.message(account, at).await?;
            self.octets_read.fetch_add(bytes.len() as u64, Ordering::SeqCst);
            self.messages_read.fetch_add(1, Ordering::SeqCst);
            Ok(bytes)
        })
    }
    fn open(&self, account: AccountId, at: Position) -> Task<'_, Result<Box<dyn Outgoing>, Error>> {
        Box::pin(async move {
            self.check(at)?;
            self.memory.open(account, at).await
        })
    }
    fn extracts(
        &self,
        account: AccountId,
        what: Extract,
        at: Vec<Position>,
    ) -> Task<'_, Result<Extracts, Error>> {
        Box::pin(async move {
            if self.hides_extracts.load(Ordering::SeqCst) {
                return Err(Error::Failed("hidden on purpose".into()));
            }
            let found = self.memory.extracts(account, what, at).await?;
            if what == Extract::Summary {
                self.summaries_read.fetch_add(found.len() as u64, Ordering::SeqCst);
            }
            Ok(found)
        })
    }
    fn put_extracts(
        &self,
        account: AccountId,
        what: Extract,
        new: Vec<(Position, Bytes)>,
    ) -> Task<'_, Result<(), Error>> {
        self.memory.put_extracts(account, what, new)
    }
    fn load_snapshot(&self, account: AccountId) -> Task<'_, Result<Option<Snapshot>, Error>> {
        self.memory.load_snapshot(account)
    }
    fn save_snapshot(
        &self,
        account: AccountId,
        at: ModSeq,
        pages: Pages,
    ) -> Task<'_, Result<(), Error>> {
        self.memory.save_snapshot(account, at, pages)
    }
    fn cache_list(&self, account: AccountId) -> Task<'_, Result<Vec<String>, Error>> {
        self.memory.cache_list(account)
    }
    fn cache_read(
        &self,
        account: AccountId,
        name: &str,
        ranges: Vec<Range<u64>>,
    ) -> Task<'_, Result<Option<Vec<Bytes>>, Error>> {
        self.memory.cache_read(account, name, ranges)
    }
    fn cache_write(
        &self,
        account: AccountId,
        name: &str,
        bytes: Bytes,
    ) -> Task<'_, Result<(), Error>> {
        self.memory.cache_write(account, name, bytes)
    }
    fn cache_remove(&self, account: AccountId, name: &str) -> Task<'_, Result<(), Error>> {
        self.memory.cache_remove(account, name)
    }
}
