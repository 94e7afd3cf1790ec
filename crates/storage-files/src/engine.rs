//! [`Storage`] for [`Files`]: finds the account's log and hands over.

use std::ops::Range;

use base::{AccountId, ModSeq};
use bytes::Bytes;
use mailbox::Position;
use storage::{
    Batch, CacheFile, CommitError, Entry, Error, Extract, Extracts, Incoming, Lookers, Outgoing,
    Pages, Pending, Run, Snapshot, Storage, Task, Wrapping,
};

use crate::Files;
use crate::incoming::Receiver;

impl Storage for Files {
    fn accounts(&self) -> Task<'_, Result<Vec<AccountId>, Error>> {
        let shared = self.shared.clone();
        self.shared.pool.run(move || shared.list_accounts())
    }

    fn create(&self, account: AccountId) -> Task<'_, Result<(), Error>> {
        let shared = self.shared.clone();
        self.shared.pool.run(move || shared.create(account))
    }

    fn remove(&self, account: AccountId) -> Task<'_, Result<(), Error>> {
        let shared = self.shared.clone();
        self.shared.pool.run(move || shared.remove(account))
    }

    fn begin(&self, account: AccountId) -> Task<'_, Result<ModSeq, Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            let begin = log.lock().begin;
            Ok(begin)
        })
    }

    fn head(&self, account: AccountId) -> Task<'_, Result<ModSeq, Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            let head = log.lock().head;
            Ok(head)
        })
    }

    fn read(
        &self,
        account: AccountId,
        after: ModSeq,
        limit: usize,
    ) -> Task<'_, Result<Vec<Entry>, Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            log.flushed().await?;
            self.shared.pool.run(move || log.read_entries(after, limit)).await
        })
    }

    fn commit(
        &self,
        account: AccountId,
        expected: ModSeq,
        batch: Batch,
    ) -> Task<'_, Result<Pending, CommitError>> {
        Box::pin(async move { self.shared.log(account).await?.commit(expected, batch) })
    }

    fn incoming(
        &self,
        account: AccountId,
        size_hint: Option<u64>,
    ) -> Task<'_, Result<Box<dyn Incoming>, Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            Ok(Box::new(Receiver::new(log, size_hint)) as Box<dyn Incoming>)
        })
    }

    fn message(&self, account: AccountId, at: Position) -> Task<'_, Result<Bytes, Error>> {
        Box::pin(async move { self.shared.log(account).await?.message(at).await })
    }

    fn messages(
        &self,
        account: AccountId,
        at: Vec<Position>,
    ) -> Task<'_, Vec<Result<Bytes, Error>>> {
        Box::pin(async move {
            match self.shared.log(account).await {
                Ok(log) => log.messages(at).await,
                Err(error) => at.iter().map(|_| Err(error.clone())).collect(),
            }
        })
    }

    fn wrapped(&self, account: AccountId, wrapping: Wrapping) -> Task<'_, Vec<Run>> {
        Box::pin(async move {
            match self.shared.log(account).await {
                Ok(log) => log.wrapped(wrapping).await,
                Err(error) => {
                    let count = wrapping.positions().len();
                    wrapping.join((0..count).map(|_| Err(error.clone())))
                }
            }
        })
    }

    fn show(&self, account: AccountId, at: Vec<Position>, lookers: Lookers) -> Task<'_, ()> {
        Box::pin(async move {
            match self.shared.log(account).await {
                Ok(log) => log.show(at, lookers).await,
                Err(error) => {
                    let mut look = lookers();
                    (0..at.len()).for_each(|nth| look(nth, Err(error.clone())));
                }
            }
        })
    }

    fn open(&self, account: AccountId, at: Position) -> Task<'_, Result<Box<dyn Outgoing>, Error>> {
        Box::pin(async move { self.shared.log(account).await?.open(at).await })
    }

    fn extracts(
        &self,
        account: AccountId,
        what: Extract,
        at: Vec<Position>,
    ) -> Task<'_, Result<Extracts, Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            if let Some(found) = log.read_extracts_now(what, &at) {
                return Ok(found);
            }
            self.shared.pool.run(move || Ok(log.read_extracts(what, &at))).await
        })
    }

    fn put_extracts(
        &self,
        account: AccountId,
        what: Extract,
        new: Vec<(Position, Bytes)>,
    ) -> Task<'_, Result<(), Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            let work = move || {
                log.write_extracts(what, new);
                Ok(())
            };
            self.shared.pool.run(work).await
        })
    }

    fn load_snapshot(&self, account: AccountId) -> Task<'_, Result<Option<Snapshot>, Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            self.shared.pool.run(move || log.load_snapshot()).await
        })
    }

    fn snapshot_bytes(&self, account: AccountId) -> Task<'_, Result<u64, Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            self.shared.pool.run(move || log.snapshot_bytes()).await
        })
    }

    fn save_snapshot(
        &self,
        account: AccountId,
        at: ModSeq,
        pages: Pages,
    ) -> Task<'_, Result<(), Error>> {
        Box::pin(async move { self.shared.log(account).await?.save_snapshot(at, pages).await })
    }

    fn cache_list(&self, account: AccountId) -> Task<'_, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            self.shared.pool.run(move || log.cache_list()).await
        })
    }

    fn cache_read(
        &self,
        account: AccountId,
        name: &str,
        ranges: Vec<Range<u64>>,
    ) -> Task<'_, Result<Option<Vec<Bytes>>, Error>> {
        let name = name.to_owned();
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            self.shared.pool.run(move || log.cache_read(&name, &ranges)).await
        })
    }

    fn cache_write(
        &self,
        account: AccountId,
        name: &str,
        bytes: Bytes,
    ) -> Task<'_, Result<(), Error>> {
        let name = name.to_owned();
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            self.shared.pool.run(move || log.cache_write(&name, &bytes)).await
        })
    }

    fn cache_create(
        &self,
        account: AccountId,
        name: &str,
    ) -> Task<'_, Result<Box<dyn CacheFile>, Error>> {
        let name = name.to_owned();
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            let create = move || Ok(Box::new(log.cache_create(&name)?) as Box<dyn CacheFile>);
            self.shared.pool.run(create).await
        })
    }

    fn cache_remove(&self, account: AccountId, name: &str) -> Task<'_, Result<(), Error>> {
        let name = name.to_owned();
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            self.shared.pool.run(move || log.cache_remove(&name)).await
        })
    }
}
