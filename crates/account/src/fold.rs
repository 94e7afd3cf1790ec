//! The two folds of one account, and the only way they move.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_lock::Mutex as AsyncMutex;
use base::{AccountId, Limits, ModSeq};
use bytes::Bytes;
use event_listener::{Event, EventListener};
use futures_util::FutureExt;
use futures_util::future::Shared;
use mailbox::{Account, Position, Record};
use storage::{Batch, CommitError, Durability, Entry, Error, Pending, Staged, Storage, Task};

use crate::load::catch_up;
use crate::{Clock, Decision, Done, Failure};

/// Times one commit decides again because another node was faster.
const ATTEMPTS_MAX: usize = 32;

/// Records after which a new snapshot is worth writing. The more messages there are, the more a
/// snapshot costs, and the more records make up for it.
const SNAPSHOT_RECORDS_MIN: u64 = 5000;
const SNAPSHOT_MESSAGES_PER_RECORD: u64 = 8;

/// What all need that work with accounts.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
}

/// An account in memory.
pub(crate) struct Folds {
    pub(crate) id: AccountId,
    pub(crate) around: Surroundings,
    /// How many [`crate::Live`] there are; changes under the lock of [`crate::Accounts`].
    pub(crate) users: AtomicUsize,
    /// Ended by [`crate::Accounts::disconnect`].
    pub(crate) disconnected: AtomicBool,
    /// Commits that have begun and not ended.
    committing: AtomicUsize,
    newest: AsyncMutex<Newest>,
    published: Mutex<Published>,
    event: Event,
}

/// What decisions are made on. Its lock is held while deciding and until the commit has its place.
struct Newest {
    fold: Account,
    in_flight: Option<InFlight>,
}

/// A commit on its way to its place. It stays here when its caller goes away, so that whoever comes
/// next learns how it went.
struct InFlight {
    commit: Task<'static, Result<Pending, CommitError>>,
    durability: Durability,
    /// The fold after it, unless that depends on where the engine puts messages.
    fold: Option<Account>,
}

struct Published {
    durable: Arc<Account>,
    /// The last fold that is surely on the disk: lazy commits after it may be lost.
    synced: Arc<Account>,
    /// Position of the last snapshot, if the one on its way arrives.
    saved: ModSeq,
    saving: Option<Saving>,
    /// Commits that have their place and wait for the disk, in log order.
    waiting: VecDeque<Waiting>,
    end: Option<Error>,
}

/// A snapshot on its way to the disk. Nobody waits for it; whoever commits next looks after it.
struct Saving {
    /// Position of the snapshot before.
    before: ModSeq,
    done: Task<'static, Result<(), Error>>,
}

struct Waiting {
    fold: Arc<Account>,
    durability: Durability,
    done: Shared<Task<'static, Result<(), Error>>>,
}

impl Folds {
    /// An account as loaded, with its snapshot at `saved`.
    pub(crate) fn new(id: AccountId, around: Surroundings, fold: Account, saved: ModSeq) -> Self {
        let durable = Arc::new(fold.clone());
        let published = Published {
            synced: durable.clone(),
            durable,
            saved,
            saving: None,
            waiting: VecDeque::new(),
            end: None,
        };
        Self {
            id,
            around,
            users: AtomicUsize::new(0),
            disconnected: AtomicBool::new(false),
            committing: AtomicUsize::new(0),
            newest: AsyncMutex::new(Newest { fold, in_flight: None }),
            published: Mutex::new(published),
            event: Event::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Published> {
        // Every change under the lock is whole before anything can panic.
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> Arc<Account> {
        self.advance();
        self.lock().durable.clone()
    }

    pub(crate) fn listen(self: &Arc<Self>) -> News {
        let listener = self.event.listen();
        let first = self.lock().waiting.front().map(|waiting| waiting.done.clone());
        News { folds: self.clone(), listener, first }
    }

    /// Why the account cannot be used any more, if so.
    pub(crate) fn end(&self) -> Option<Error> {
        self.lock().end.clone()
    }

    /// Ends the use of this account; the first reason stays.
    pub(crate) fn end_with(&self, why: Error) {
        let mut published = self.lock();
        if published.end.is_none() {
            tracing::warn!(account = %self.id, reason = %why, "account closed");
            published.end = Some(why);
            published.waiting.clear();
        }
        drop(published);
        self.event.notify(usize::MAX);
    }

    /// As [`crate::Live::commit`].
    pub(crate) async fn commit<T, E>(
        &self,
        staged: Vec<Staged>,
        durability: Durability,
        mut decide: impl FnMut(&Account) -> Result<Decision<T>, E> + Send,
    ) -> Result<Done<T>, Failure<E>> {
        let has_staged = !staged.is_empty();
        let mut staged = Some(staged);
        let committing = Committing::begin(&self.committing);
        let mut newest = self.newest.lock().await;
        // That commit is another caller's, who left; if its failure concerns this one, `usable` says so.
        self.arrive(&mut newest).await.ok();
        for _ in 0..ATTEMPTS_MAX {
            self.usable()?;
            // Staged messages go with the first attempt, so that one has to fit.
            if has_staged && self.around.storage.head(self.id).await? > newest.fold.head() {
                self.follow(&mut newest).await?;
            }
            let decision = decide(&newest.fold).map_err(Failure::Refused)?;
            let head = newest.fold.head();
            if decision.records.is_empty() {
                drop(newest);
                // What the decision found true may still wait for the disk.
                if durability == Durability::Synced {
                    self.durable(head).await?;
                }
                return Ok(Done { value: decision.value, entries: Vec::new() });
            }
            let Some(staged) = staged.take().or_else(|| (!has_staged).then(Vec::new)) else {
                break;
            };
            let alone = committing.is_alone();
            self.depart(&mut newest, decision.records, (staged, alone), durability)?;
            match self.arrive(&mut newest).await {
                Ok(entries) => {
                    let head = newest.fold.head();
                    drop(newest);
                    if durability == Durability::Synced {
                        self.durable(head).await?;
                        self.save_if_worthwhile();
                    } else {
                        self.advance();
                    }
                    return Ok(Done { value: decision.value, entries });
                }
                Err(CommitError::Conflict { .. }) => self.follow(&mut newest).await?,
                Err(CommitError::Storage(error)) => return Err(error.into()),
            }
        }
        Err(Error::Failed("other nodes were faster every time".into()).into())
    }

    fn usable(&self) -> Result<(), Error> {
        self.end().map_or(Ok(()), Err)
    }

    /// Starts a commit, once it is sure that its records fit.
    fn depart(
        &self,
        newest: &mut Newest,
        records: Vec<Record>,
        (staged, alone): (Vec<Staged>, bool),
        durability: Durability,
    ) -> Result<(), Error> {
        let fold = tried_out(&newest.fold, &records, staged.len()).map_err(|error| {
            // A mistake of the one who decided: nothing is written.
            tracing::error!(account = %self.id, %error, "decided on records that do not fit");
            Error::Failed(error.to_string().into())
        })?;
        let fold = staged.is_empty().then_some(fold);
        let time = self.around.clock.now_ms();
        let batch = Batch { records, staged, time, durability, alone };
        let (storage, id, expected) = (self.around.storage.clone(), self.id, newest.fold.head());
        let commit = Box::pin(async move { storage.commit(id, expected, batch).await });
        newest.in_flight = Some(InFlight { commit, durability, fold });
        Ok(())
    }

    /// Waits until the commit in flight has its place, and folds it in. Without one in flight there
    /// are no entries.
    async fn arrive(&self, newest: &mut Newest) -> Result<Vec<Entry>, CommitError> {
        let Some(in_flight) = &mut newest.in_flight else { return Ok(Vec::new()) };
        let outcome = (&mut in_flight.commit).await;
        let Some(in_flight) = newest.in_flight.take() else { return Ok(Vec::new()) };
        let Pending { entries, durable } = outcome.inspect_err(|error| {
            if let CommitError::Storage(error @ (Error::Failed(_) | Error::NoAccount)) = error {
                self.end_with(error.clone());
            }
        })?;
        match in_flight.fold {
            Some(fold) => newest.fold = fold,
            None => {
                for entry in &entries {
                    if let Err(error) = newest.fold.apply(entry.at, &entry.record) {
                        let error = Error::Failed(error.to_string().into());
                        self.end_with(error.clone());
                        return Err(error.into());
                    }
                }
            }
        }
        self.wait_for(&newest.fold, in_flight.durability, durable);
        Ok(entries)
    }

    /// Folds in what others committed.
    async fn follow(&self, newest: &mut Newest) -> Result<(), Error> {
        let before = newest.fold.head();
        let followed = catch_up(&*self.around.storage, self.id, &mut newest.fold).await;
        if let Err(error @ (Error::Damaged(_) | Error::NoAccount)) = &followed {
            self.end_with(error.clone());
        }
        if newest.fold.head() > before {
            let done = Box::pin(std::future::ready(Ok(())));
            self.wait_for(&newest.fold, Durability::Synced, done);
        }
        followed
    }

    fn wait_for(
        &self,
        fold: &Account,
        durability: Durability,
        done: Task<'static, Result<(), Error>>,
    ) {
        let fold = Arc::new(fold.clone());
        let mut published = self.lock();
        if published.end.is_none() {
            published.waiting.push_back(Waiting { fold, durability, done: done.shared() });
        }
    }

    /// Publishes what is durable by now. Nobody has to wait for that: a commit whose caller went
    /// away is published by whoever looks next.
    fn advance(&self) {
        let mut published = self.lock();
        let mut moved = false;
        let mut failed = None;
        while let Some(first) = published.waiting.front() {
            match first.done.clone().now_or_never() {
                None => break,
                Some(Err(error)) => {
                    failed = Some(error);
                    break;
                }
                Some(Ok(())) => {
                    let Some(first) = published.waiting.pop_front() else { break };
                    if first.durability == Durability::Synced {
                        published.synced = first.fold.clone();
                    }
                    published.durable = first.fold;
                    moved = true;
                }
            }
        }
        drop(published);
        if moved {
            self.event.notify(usize::MAX);
        }
        if let Some(error) = failed {
            // What reached the disk is unknown, so the newest fold may be wrong.
            self.end_with(match error {
                Error::Failed(why) => Error::Failed(why),
                other => Error::Failed(other.to_string().into()),
            });
        }
    }

    /// Waits until the log is durable and published up to `head`.
    async fn durable(&self, head: ModSeq) -> Result<(), Error> {
        // Who goes away now leaves the publishing to those who listen.
        let mut handover = Handover(Some(&self.event));
        loop {
            let first = {
                let published = self.lock();
                if published.durable.head() >= head {
                    handover.0 = None;
                    return Ok(());
                }
                if let Some(end) = &published.end {
                    handover.0 = None;
                    return Err(end.clone());
                }
                published.waiting.front().map(|waiting| waiting.done.clone())
            };
            let Some(first) = first else {
                return Err(Error::Failed("a commit was lost".into()));
            };
            // Its outcome is looked at in `advance`, by the first who comes there.
            let _ = first.await;
            self.advance();
        }
    }

    fn save_if_worthwhile(&self) {
        let (worthwhile, before) = {
            let mut published = self.lock();
            let fold = &published.synced;
            let records = fold.head().get().saturating_sub(published.saved.get());
            // Counting messages takes its time in an account of many mailboxes.
            let worthwhile = records >= SNAPSHOT_RECORDS_MIN && {
                let messages: u64 = fold.mailboxes().map(|m| u64::from(m.mailbox.len())).sum();
                records >= messages / SNAPSHOT_MESSAGES_PER_RECORD
            };
            (worthwhile, published.saving.take())
        };
        // One at a time.
        let saving = before.or_else(|| worthwhile.then(|| self.start_saving()).flatten());
        if let Some(mut saving) = saving {
            match (&mut saving.done).now_or_never() {
                Some(outcome) => self.saved(saving.before, outcome),
                None => self.lock().saving = Some(saving),
            }
        }
    }

    /// Begins a snapshot if anything is new.
    fn start_saving(&self) -> Option<Saving> {
        let mut published = self.lock();
        let fold = published.synced.clone();
        if published.end.is_some() || fold.head() <= published.saved {
            return None;
        }
        // Taken first, so that no two write the same one.
        let before = std::mem::replace(&mut published.saved, fold.head());
        drop(published);
        let (storage, id) = (self.around.storage.clone(), self.id);
        let done = Box::pin(async move {
            let pages = Box::new(fold.pages().map(Bytes::from));
            storage.save_snapshot(id, fold.head(), pages).await
        });
        Some(Saving { before, done })
    }

    /// A failure costs time at the next load, no more.
    fn saved(&self, before: ModSeq, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            tracing::warn!(account = %self.id, %error, "snapshot not written");
            self.lock().saved = before;
        }
    }

    /// Writes a snapshot if anything is new, and waits for it.
    pub(crate) async fn save(&self) {
        self.advance();
        let saving = self.lock().saving.take();
        if let Some(Saving { before, done }) = saving {
            self.saved(before, done.await);
        }
        if let Some(Saving { before, done }) = self.start_saving() {
            self.saved(before, done.await);
        }
    }
}

/// One of an account's commits, from its beginning until the disk has it.
struct Committing<'a> {
    all: &'a AtomicUsize,
    /// Others were on their way when it began.
    had_company: bool,
}

impl<'a> Committing<'a> {
    fn begin(all: &'a AtomicUsize) -> Self {
        Self { all, had_company: all.fetch_add(1, Relaxed) > 0 }
    }

    fn is_alone(&self) -> bool {
        !self.had_company && self.all.load(Relaxed) == 1
    }
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Relaxed);
    }
}

/// Wakes those who listen when the one who waited for the disk goes away before it answered.
struct Handover<'a>(Option<&'a Event>);

impl Drop for Handover<'_> {
    fn drop(&mut self) {
        if let Some(event) = self.0 {
            event.notify(usize::MAX);
        }
    }
}

/// Resolves when the account's state may have moved on; see [`crate::Live::listen`].
pub struct News {
    folds: Arc<Folds>,
    listener: EventListener,
    /// The oldest commit that waits for the disk: its caller may be gone, so listeners wait too.
    first: Option<Shared<Task<'static, Result<(), Error>>>>,
}

impl Future for News {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Some(first) = &mut this.first
            && first.poll_unpin(cx).is_ready()
        {
            this.first = None;
            this.folds.advance();
            return Poll::Ready(());
        }
        this.listener.poll_unpin(cx)
    }
}

/// The fold after `records`, with staged messages at made-up positions.
fn tried_out(
    fold: &Account,
    records: &[Record],
    staged: usize,
) -> Result<Account, Box<dyn std::error::Error + Send + Sync>> {
    let mut fold = fold.clone();
    let nowhere = vec![Position { segment: 0, offset: 0, stored_bytes: 0 }; staged];
    for record in records {
        let at = fold.head().next();
        if matches!(record, Record::Appended { .. }) {
            let mut record = record.clone();
            record.resolve(&nowhere)?;
            fold.apply(at, &record)?;
        } else {
            fold.apply(at, record)?;
        }
    }
    Ok(fold)
}
