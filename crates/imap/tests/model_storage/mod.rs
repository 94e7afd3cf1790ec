//! Storage that lets others go first: every commit waits before it has its place and before it is
//! durable.

use std::future::poll_fn;
use std::task::Poll;

use base::{AccountId, ModSeq};
use bytes::Bytes;
use mailbox::Position;
use storage::memory::Memory;
use storage::{Batch, CommitError, Entry, Error, Incoming, Outgoing, Pending, Storage, Task};

#[derive(Default)]
pub(crate) struct Hesitant(Memory);

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

impl Storage for Hesitant {
    fn accounts(&self) -> Task<'_, Result<Vec<AccountId>, Error>> {
        self.0.accounts()
    }
    fn create(&self, account: AccountId) -> Task<'_, Result<(), Error>> {
        self.0.create(account)
    }
    fn remove(&self, account: AccountId) -> Task<'_, Result<(), Error>> {
        self.0.remove(account)
    }
    fn head(&self, account: AccountId) -> Task<'_, Result<ModSeq, Error>> {
        self.0.head(account)
    }
    fn read(
        &self,
        account: AccountId,
        after: ModSeq,
        limit: usize,
    ) -> Task<'_, Result<Vec<Entry>, Error>> {
        self.0.read(account, after, limit)
    }
    fn commit(
        &self,
        account: AccountId,
        expected: ModSeq,
        batch: Batch,
    ) -> Task<'_, Result<Pending, CommitError>> {
        Box::pin(async move {
            step_back().await;
            let Pending { entries, durable } = self.0.commit(account, expected, batch).await?;
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
        self.0.incoming(account, size_hint)
    }
    fn message(&self, account: AccountId, at: Position) -> Task<'_, Result<Bytes, Error>> {
        Box::pin(async move {
            step_back().await;
            self.0.message(account, at).await
        })
    }
    fn open(&self, account: AccountId, at: Position) -> Task<'_, Result<Box<dyn Outgoing>, Error>> {
        self.0.open(account, at)
    }
    fn summaries(
        &self,
        account: AccountId,
        at: Vec<Position>,
    ) -> Task<'_, Result<Vec<Option<Bytes>>, Error>> {
        self.0.summaries(account, at)
    }
    fn put_summaries(
        &self,
        account: AccountId,
        summaries: Vec<(Position, Bytes)>,
    ) -> Task<'_, Result<(), Error>> {
        self.0.put_summaries(account, summaries)
    }
    fn load_snapshot(
        &self,
        account: AccountId,
    ) -> Task<'_, Result<Option<(ModSeq, Bytes)>, Error>> {
        self.0.load_snapshot(account)
    }
    fn save_snapshot(
        &self,
        account: AccountId,
        at: ModSeq,
        bytes: Bytes,
    ) -> Task<'_, Result<(), Error>> {
        self.0.save_snapshot(account, at, bytes)
    }
}
