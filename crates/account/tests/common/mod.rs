//! An engine whose disk waits to be told, and a small executor.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use account::{Accounts, Clock};
use base::{AccountId, Limits, ModSeq};
use bytes::Bytes;
use mailbox::Position;
use storage::{
    Batch, CommitError, Durability, Entry, Error, Extract, Extracts, Incoming, Memory, Outgoing,
    Pages, Pending, Snapshot, Storage, Task,
};

pub const ID: AccountId = AccountId([7; 16]);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end. A future that nobody will wake makes the test hang, which is a failure.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// One step of a future.
pub fn step<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Something that is awaited until the test opens it.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<Opened>>);

/// How it was opened, and who waits for that.
type Opened = (Option<Result<(), Error>>, Vec<Waker>);

impl Gate {
    pub fn open(&self, how: Result<(), Error>) {
        let mut inner = self.0.lock().unwrap();
        inner.0 = Some(how);
        inner.1.drain(..).for_each(Waker::wake);
    }

    async fn wait(self) -> Result<(), Error> {
        std::future::poll_fn(|cx| {
            let mut inner = self.0.lock().unwrap();
            match &inner.0 {
                Some(how) => Poll::Ready(how.clone()),
                None => {
                    inner.1.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// [`Memory`] behind a slow disk.
#[derive(Clone, Default)]
pub struct Slow {
    pub memory: Memory,
    /// While this is set, each commit waits for the gate pushed to `syncs`.
    pub slow: Arc<Mutex<bool>>,
    pub syncs: Arc<Mutex<VecDeque<Gate>>>,
    /// If set, the next commit waits for it before it gets its place.
    pub entrance: Arc<Mutex<Option<Gate>>>,
    pub loads: Arc<AtomicUsize>,
    pub reads: Arc<AtomicUsize>,
    /// If set, loading waits for it.
    pub loading: Arc<Mutex<Option<Gate>>>,
    /// What each commit said of its company.
    pub alone: Arc<Mutex<Vec<bool>>>,
}

impl Slow {
    pub fn slow(&self, yes: bool) {
        *self.slow.lock().unwrap() = yes;
    }

    /// The disk finishes its oldest sync.
    pub fn sync(&self, how: Result<(), Error>) {
        self.syncs.lock().unwrap().pop_front().expect("a commit waits").open(how);
    }
}

impl Storage for Slow {
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
        self.reads.fetch_add(1, Relaxed);
        self.memory.read(account, after, limit)
    }
    fn commit(
        &self,
        account: AccountId,
        expected: ModSeq,
        batch: Batch,
    ) -> Task<'_, Result<Pending, CommitError>> {
        Box::pin(async move {
            let entrance = self.entrance.lock().unwrap().take();
            if let Some(gate) = entrance {
                gate.wait().await?;
            }
            let durability = batch.durability;
            self.alone.lock().unwrap().push(batch.alone);
            let mut pending = self.memory.commit(account, expected, batch).await?;
            if *self.slow.lock().unwrap() && durability == Durability::Synced {
                let gate = Gate::default();
                self.syncs.lock().unwrap().push_back(gate.clone());
                pending.durable = Box::pin(gate.wait());
            }
            Ok(pending)
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
        self.memory.message(account, at)
    }
    fn open(&self, account: AccountId, at: Position) -> Task<'_, Result<Box<dyn Outgoing>, Error>> {
        self.memory.open(account, at)
    }
    fn extracts(
        &self,
        account: AccountId,
        what: Extract,
        at: Vec<Position>,
    ) -> Task<'_, Result<Extracts, Error>> {
        self.memory.extracts(account, what, at)
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
        Box::pin(async move {
            self.loads.fetch_add(1, Relaxed);
            let gate = self.loading.lock().unwrap().clone();
            if let Some(gate) = gate {
                gate.wait().await?;
            }
            self.memory.load_snapshot(account).await
        })
    }
    fn save_snapshot(
        &self,
        account: AccountId,
        at: ModSeq,
        pages: Pages,
    ) -> Task<'_, Result<(), Error>> {
        self.memory.save_snapshot(account, at, pages)
    }
    fn cache_read(
        &self,
        account: AccountId,
        name: &str,
        ranges: Vec<std::ops::Range<u64>>,
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

pub struct At(pub i64);

impl Clock for At {
    fn now_ms(&self) -> i64 {
        self.0
    }
}

pub fn accounts(storage: &Slow, limits: Limits) -> Arc<Accounts> {
    Accounts::new(Arc::new(storage.clone()), Arc::new(At(1_700_000_000_000)), limits)
}
