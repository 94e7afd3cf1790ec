//! The engine that keeps everything in memory: for tests, and as the model other engines equal.
//!
//! Every future is ready at once; no executor is needed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{AccountId, ModSeq};
use bytes::Bytes;
use mailbox::Position;

use crate::{
    Batch, CacheFile, CommitError, Entry, Error, Extract, Extracts, Incoming, Outgoing, Pages,
    Pending, Snapshot, Staged, Storage, Task,
};

/// Bytes of one piece of [`Outgoing::next`].
const PIECE_BYTES: usize = 256 * 1024;
/// Extracts of one answer: few, so that tests meet answers in pieces.
const EXTRACTS_MAX: usize = 50;
/// No size hint makes more than this be reserved: it is the client's word.
const RESERVE_BYTES_MAX: u64 = 1024 * 1024;

/// Accounts in memory. A clone is the same storage.
#[derive(Clone, Default)]
pub struct Memory {
    accounts: Arc<Mutex<BTreeMap<AccountId, Log>>>,
}

#[derive(Default)]
struct Log {
    entries: Vec<Entry>,
    messages: Vec<Bytes>,
    extracts: HashMap<(Extract, Position), Bytes>,
    snapshot: Option<Snapshot>,
    cache: BTreeMap<String, Bytes>,
}

impl Log {
    fn head(&self) -> ModSeq {
        self.entries.last().map_or(ModSeq::ZERO, |entry| entry.at)
    }

    fn message(&self, at: Position) -> Result<&Bytes, Error> {
        let found = self.messages.get(at.offset as usize);
        let found =
            found.filter(|bytes| at.segment == 1 && bytes.len() == at.stored_bytes as usize);
        found.ok_or_else(|| Error::Damaged(format!("no message at {at:?}")))
    }
}

impl Memory {
    /// Storage without accounts.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountId, Log>> {
        // A panic elsewhere leaves the maps whole: every change below is one step.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        account: AccountId,
        work: impl FnOnce(&mut Log) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.lock().get_mut(&account).ok_or(Error::NoAccount).and_then(work)
    }

    fn append(
        &self,
        account: AccountId,
        expected: ModSeq,
        batch: Batch,
    ) -> Result<Pending, CommitError> {
        let mut accounts = self.lock();
        let log = accounts.get_mut(&account).ok_or(Error::NoAccount)?;
        let head = log.head();
        let refused = |why: &str| CommitError::Storage(Error::Failed(why.into()));
        if expected > head {
            return Err(refused("a commit behind the end of the log"));
        }
        if head != expected {
            return Err(CommitError::Conflict { head });
        }
        let mut bodies = Vec::with_capacity(batch.staged.len());
        let mut positions = Vec::with_capacity(batch.staged.len());
        let mut extracts = Vec::new();
        for staged in batch.staged {
            let body = staged.body.downcast::<Bytes>();
            let body = *body.map_err(|_| refused("staged by another engine"))?;
            let offset = log.messages.len() + bodies.len();
            positions.push(Position {
                segment: 1,
                offset: u32::try_from(offset).map_err(|_| CommitError::Storage(Error::NoSpace))?,
                stored_bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
            });
            if let Some(&at) = positions.last() {
                let new = staged.extracts.into_iter();
                extracts.extend(new.map(|(what, bytes)| ((what, at), bytes)));
            }
            bodies.push(body);
        }
        let mut entries = Vec::with_capacity(batch.records.len());
        for (index, mut record) in (0u64..).zip(batch.records) {
            record.resolve(&positions).map_err(|bad| refused(&bad.to_string()))?;
            let at = head.plus(index + 1);
            entries.push(Entry { at, time: batch.time, record: Arc::new(record) });
        }
        log.messages.append(&mut bodies);
        log.extracts.extend(extracts);
        log.entries.extend(entries.iter().cloned());
        Ok(Pending { entries, durable: ready(Ok(())) })
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> Task<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Storage for Memory {
    fn accounts(&self) -> Task<'_, Result<Vec<AccountId>, Error>> {
        ready(Ok(self.lock().keys().copied().collect()))
    }

    fn create(&self, account: AccountId) -> Task<'_, Result<(), Error>> {
        let mut accounts = self.lock();
        if accounts.contains_key(&account) {
            return ready(Err(Error::AccountExists));
        }
        accounts.insert(account, Log::default());
        ready(Ok(()))
    }

    fn remove(&self, account: AccountId) -> Task<'_, Result<(), Error>> {
        ready(self.lock().remove(&account).map(drop).ok_or(Error::NoAccount))
    }

    fn head(&self, account: AccountId) -> Task<'_, Result<ModSeq, Error>> {
        ready(self.with(account, |log| Ok(log.head())))
    }

    fn read(
        &self,
        account: AccountId,
        after: ModSeq,
        limit: usize,
    ) -> Task<'_, Result<Vec<Entry>, Error>> {
        ready(self.with(account, |log| {
            let from = log.entries.partition_point(|entry| entry.at <= after);
            Ok(log.entries[from..].iter().take(limit).cloned().collect())
        }))
    }

    fn commit(
        &self,
        account: AccountId,
        expected: ModSeq,
        batch: Batch,
    ) -> Task<'_, Result<Pending, CommitError>> {
        ready(self.append(account, expected, batch))
    }

    fn incoming(
        &self,
        account: AccountId,
        size_hint: Option<u64>,
    ) -> Task<'_, Result<Box<dyn Incoming>, Error>> {
        let reserve = size_hint.unwrap_or(0).min(RESERVE_BYTES_MAX) as usize;
        ready(self.with(account, |_| {
            Ok(Box::new(Buffer(Vec::with_capacity(reserve))) as Box<dyn Incoming>)
        }))
    }

    fn message(&self, account: AccountId, at: Position) -> Task<'_, Result<Bytes, Error>> {
        ready(self.with(account, |log| log.message(at).cloned()))
    }

    fn open(&self, account: AccountId, at: Position) -> Task<'_, Result<Box<dyn Outgoing>, Error>> {
        ready(self.with(account, |log| {
            let bytes = log.message(at)?.clone();
            Ok(Box::new(Whole { size: bytes.len() as u64, rest: bytes }) as Box<dyn Outgoing>)
        }))
    }

    fn extracts(
        &self,
        account: AccountId,
        what: Extract,
        at: Vec<Position>,
    ) -> Task<'_, Result<Extracts, Error>> {
        ready(self.with(account, |log| {
            let one = |at: &Position| log.extracts.get(&(what, *at)).cloned();
            Ok(at.iter().take(EXTRACTS_MAX).map(one).collect())
        }))
    }

    fn put_extracts(
        &self,
        account: AccountId,
        what: Extract,
        new: Vec<(Position, Bytes)>,
    ) -> Task<'_, Result<(), Error>> {
        ready(self.with(account, |log| {
            log.extracts.extend(new.into_iter().map(|(at, bytes)| ((what, at), bytes)));
            Ok(())
        }))
    }

    fn load_snapshot(&self, account: AccountId) -> Task<'_, Result<Option<Snapshot>, Error>> {
        ready(self.with(account, |log| Ok(log.snapshot.clone())))
    }

    fn save_snapshot(
        &self,
        account: AccountId,
        at: ModSeq,
        pages: Pages,
    ) -> Task<'_, Result<(), Error>> {
        ready(self.with(account, |log| {
            if log.snapshot.as_ref().is_none_or(|&(newest, _)| newest <= at) {
                log.snapshot = Some((at, pages.collect()));
            }
            Ok(())
        }))
    }

    fn cache_list(&self, account: AccountId) -> Task<'_, Result<Vec<String>, Error>> {
        ready(self.with(account, |log| Ok(log.cache.keys().cloned().collect())))
    }

    fn cache_read(
        &self,
        account: AccountId,
        name: &str,
        ranges: Vec<Range<u64>>,
    ) -> Task<'_, Result<Option<Vec<Bytes>>, Error>> {
        ready(self.with(account, |log| {
            let Some(bytes) = log.cache.get(name) else { return Ok(None) };
            let part = |range: &Range<u64>| {
                let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
                let range = start.ok()?..end.ok()?;
                bytes.get(range.clone()).map(|_| bytes.slice(range))
            };
            Ok(ranges.iter().map(part).collect())
        }))
    }

    fn cache_write(
        &self,
        account: AccountId,
        name: &str,
        bytes: Bytes,
    ) -> Task<'_, Result<(), Error>> {
        ready(self.with(account, |log| {
            log.cache.insert(name.to_owned(), bytes);
            Ok(())
        }))
    }

    fn cache_create(
        &self,
        account: AccountId,
        name: &str,
    ) -> Task<'_, Result<Box<dyn CacheFile>, Error>> {
        let (memory, name) = (self.clone(), name.to_owned());
        ready(self.with(account, |_| {
            Ok(Box::new(Written { memory, account, name, bytes: Vec::new() }) as Box<dyn CacheFile>)
        }))
    }

    fn cache_remove(&self, account: AccountId, name: &str) -> Task<'_, Result<(), Error>> {
        ready(self.with(account, |log| {
            log.cache.remove(name);
            Ok(())
        }))
    }
}

/// A cached file before it has its name.
struct Written {
    memory: Memory,
    account: AccountId,
    name: String,
    bytes: Vec<u8>,
}

impl CacheFile for Written {
    fn write(&mut self, at: u64, bytes: Bytes) -> Task<'_, Result<(), Error>> {
        let at = at as usize;
        let end = at + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[at..end].copy_from_slice(&bytes);
        ready(Ok(()))
    }

    fn finish(self: Box<Self>) -> Task<'static, Result<(), Error>> {
        let Self { memory, account, name, bytes } = *self;
        ready(memory.with(account, |log| {
            log.cache.insert(name, bytes.into());
            Ok(())
        }))
    }
}

struct Buffer(Vec<u8>);

impl Incoming for Buffer {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Task<'a, Result<(), Error>> {
        self.0.extend_from_slice(bytes);
        ready(Ok(()))
    }

    fn finish(self: Box<Self>) -> Task<'static, Result<Staged, Error>> {
        let hash = *blake3::hash(&self.0).as_bytes();
        let bytes = Bytes::from(self.0);
        ready(Ok(Staged {
            size: bytes.len() as u64,
            hash,
            body: Box::new(bytes),
            extracts: Vec::new(),
        }))
    }
}

struct Whole {
    size: u64,
    rest: Bytes,
}

impl Outgoing for Whole {
    fn size(&self) -> u64 {
        self.size
    }

    fn next(&mut self) -> Task<'_, Result<Option<Bytes>, Error>> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        ready(Ok((!piece.is_empty()).then_some(piece)))
    }

    fn skip(&mut self, count: u64) -> Task<'_, Result<(), Error>> {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.rest.len());
        drop(self.rest.split_to(count));
        ready(Ok(()))
    }
}
