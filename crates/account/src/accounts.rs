//! Which accounts are in memory.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_lock::Mutex as AsyncMutex;
use base::{AccountId, Limits, ModSeq, Uid, UidValidity};
use mailbox::{Account, Record, Role};
use storage::{Durability, Error, Storage};

use crate::fold::{Folds, Surroundings};
use crate::load::load;
use crate::memo::Memo;
use crate::{Clock, Decision, Failure, Live};

/// The mailboxes of a new account, with their roles (RFC 6154 §2).
const FIRST_MAILBOXES: [(&str, Option<Role>); 6] = [
    ("INBOX", None),
    ("Drafts", Some(Role::Drafts)),
    ("Sent", Some(Role::Sent)),
    ("Junk", Some(Role::Junk)),
    ("Trash", Some(Role::Trash)),
    ("Archive", Some(Role::Archive)),
];

/// All live accounts of this node.
pub struct Accounts {
    pub(crate) around: Surroundings,
    pub(crate) known: Mutex<Known>,
    memo: Memo,
}

#[derive(Default)]
pub(crate) struct Known {
    pub(crate) slots: HashMap<AccountId, Arc<Slot>>,
    pub(crate) idle: Idle,
}

/// An account's place. Whoever holds `loading` may load or remove the account.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) loading: AsyncMutex<()>,
    pub(crate) folds: Mutex<Weak<Folds>>,
}

/// Accounts that nobody uses, the one longest unused first.
#[derive(Default)]
pub(crate) struct Idle {
    by_age: BTreeMap<i64, (Arc<Folds>, usize)>,
    ages: HashMap<AccountId, i64>,
    next_age: i64,
    bytes: usize,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Accounts {
    /// Accounts over `storage`.
    pub fn new(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>, limits: Limits) -> Arc<Self> {
        let memo = Memo::new(limits.search_memory_bytes_max);
        let around = Surroundings { storage, clock, limits };
        Arc::new(Self { around, known: Mutex::default(), memo })
    }

    /// What is kept of whole mailboxes for searches, sorts and threads.
    pub fn memo(&self) -> &Memo {
        &self.memo
    }

    /// The bounds that accounts are kept in.
    pub fn limits(&self) -> &Limits {
        &self.around.limits
    }

    /// The engine.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.around.storage
    }

    /// The live account, loaded from its snapshot and the log's tail if it is not in memory. The
    /// fold stays while somebody holds the `Arc`, and after that while memory lasts.
    pub async fn open(self: &Arc<Self>, id: AccountId) -> Result<Arc<Live>, Error> {
        let slot = self.slot(id);
        let _loading = slot.loading.lock().await;
        let in_memory = lock(&slot.folds).upgrade().filter(|folds| folds.end().is_none());
        let folds = match in_memory {
            Some(folds) => folds,
            None => {
                let loaded = load(id, &self.around).await;
                let folds = Arc::new(loaded.inspect_err(|_| self.forget(id, &slot))?);
                *lock(&slot.folds) = Arc::downgrade(&folds);
                folds
            }
        };
        let live = self.use_of(folds);
        // Also heals an account whose creation was cut short.
        if id != AccountId::SYSTEM && live.state().head() == ModSeq::ZERO {
            self.make_first_mailboxes(&live).await?;
        }
        Ok(live)
    }

    /// Makes an account with its first mailboxes: INBOX, and Drafts, Sent, Junk, Trash, Archive with
    /// their roles, all subscribed. The system account gets none.
    pub async fn create(self: &Arc<Self>, id: AccountId) -> Result<Arc<Live>, Error> {
        self.around.storage.create(id).await?;
        self.open(id).await
    }

    /// Removes an account; its sessions find that it is gone.
    pub async fn remove(&self, id: AccountId) -> Result<(), Error> {
        let slot = self.slot(id);
        let _loading = slot.loading.lock().await;
        let removed = self.around.storage.remove(id).await;
        if removed.is_ok() || matches!(removed, Err(Error::NoAccount)) {
            if let Some(folds) = lock(&slot.folds).upgrade() {
                folds.end_with(Error::NoAccount);
            }
            self.forget(id, &slot);
        }
        removed
    }

    /// Ends all sessions of an account; whoever opens it again finds it as it is. Commits that wait
    /// for the disk may still happen.
    pub async fn disconnect(&self, id: AccountId) {
        let slot = self.slot(id);
        let _loading = slot.loading.lock().await;
        if let Some(folds) = lock(&slot.folds).upgrade() {
            folds.disconnected.store(true, Relaxed);
            folds.end_with(Error::Failed("disconnected by the administrator".into()));
        }
        self.forget(id, &slot);
    }

    /// Writes snapshots of what changed and lets go of everything: for a graceful stop.
    pub async fn close(&self) {
        let slots: Vec<Arc<Slot>> = lock(&self.known).slots.values().cloned().collect();
        for slot in slots {
            let folds = lock(&slot.folds).upgrade();
            if let Some(folds) = folds {
                folds.save().await;
            }
        }
        let idle = std::mem::take(&mut lock(&self.known).idle);
        drop(idle);
    }

    /// How many accounts are in memory, and of these the ones that nobody uses, with their bytes.
    pub fn in_memory(&self) -> (usize, usize, usize) {
        let known = lock(&self.known);
        let all = known.slots.values().filter(|slot| lock(&slot.folds).strong_count() > 0).count();
        (all, known.idle.by_age.len(), known.idle.bytes)
    }

    /// The accounts in memory and the head of each, for work in the background: it does not count as
    /// use.
    pub fn heads(&self) -> Vec<(AccountId, ModSeq)> {
        let known = lock(&self.known);
        let folds = known.slots.values().filter_map(|slot| lock(&slot.folds).upgrade());
        let folds: Vec<_> = folds.collect();
        drop(known);
        folds.iter().map(|folds| (folds.id, folds.state().head())).collect()
    }

    pub(crate) fn slot(&self, id: AccountId) -> Arc<Slot> {
        lock(&self.known).slots.entry(id).or_default().clone()
    }

    /// Drops a slot that leads nowhere, unless another caller waits for it.
    pub(crate) fn forget(&self, id: AccountId, slot: &Arc<Slot>) {
        let mut known = lock(&self.known);
        let _ = known.idle.take(id);
        // One is held by the map and one by the caller.
        if Arc::strong_count(slot) == 2 {
            known.slots.remove(&id);
        }
    }

    fn use_of(self: &Arc<Self>, folds: Arc<Folds>) -> Arc<Live> {
        let mut known = lock(&self.known);
        folds.users.fetch_add(1, Relaxed);
        let _ = known.idle.take(folds.id);
        Arc::new(Live::new(folds, Arc::downgrade(self)))
    }

    /// A [`Live`] of these folds is gone.
    pub(crate) fn release(&self, folds: &Arc<Folds>) {
        {
            let _known = lock(&self.known);
            if folds.users.fetch_sub(1, Relaxed) > 1 {
                return;
            }
        }
        // Counting takes a while: not under the lock. `folds` keeps the account until it is done.
        let bytes = folds.state().memory_bytes();
        let mut known = lock(&self.known);
        let current = known.slots.get(&folds.id).map(|slot| lock(&slot.folds).as_ptr());
        let is_current = current == Some(Arc::as_ptr(folds));
        if folds.users.load(Relaxed) > 0 || !is_current || folds.end().is_some() {
            return;
        }
        let _ = known.idle.take(folds.id);
        known.idle.put(folds.clone(), bytes);
        let dropped = known.over(self.around.limits.idle_accounts_bytes_max);
        drop(known);
        // Nor is freeing much memory.
        drop(dropped);
    }

    async fn make_first_mailboxes(&self, live: &Live) -> Result<(), Error> {
        let now = self.around.clock.now_ms().div_euclid(1000);
        let made = live.commit(Vec::new(), Durability::Synced, |account| {
            let records = match account.head() {
                ModSeq::ZERO => first_records(account, now),
                _ => Vec::new(),
            };
            Ok::<_, Infallible>(Decision { records, value: () })
        });
        match made.await {
            Ok(_) => Ok(()),
            Err(Failure::Storage(error)) => Err(error),
            Err(Failure::Refused(never)) => match never {},
        }
    }
}

fn first_records(account: &Account, now: i64) -> Vec<Record> {
    let first = account.next_uid_validity(now).get();
    let create = |(nth, (name, role)): (u32, (&str, Option<Role>))| Record::MailboxCreated {
        name: name.into(),
        uid_validity: UidValidity::new(first.saturating_add(nth)).unwrap_or(UidValidity::MAX),
        uid_next: Uid::MIN,
        roles: role.into_iter().collect(),
    };
    let created = (0..).zip(FIRST_MAILBOXES).map(create);
    let subscribe = FIRST_MAILBOXES.map(|(name, _)| Record::Subscribed { name: name.into() });
    created.chain(subscribe).collect()
}

impl Known {
    /// Takes out the accounts that nobody uses and that are too many, the longest unused first.
    pub(crate) fn over(&mut self, bytes_max: usize) -> Vec<Arc<Folds>> {
        let mut dropped = Vec::new();
        while self.idle.bytes > bytes_max {
            let Some(oldest) = self.idle.take_oldest() else { break };
            if self.slots.get(&oldest.id).is_some_and(|slot| Arc::strong_count(slot) == 1) {
                self.slots.remove(&oldest.id);
            }
            dropped.push(oldest);
        }
        dropped
    }
}

impl Idle {
    fn put(&mut self, folds: Arc<Folds>, bytes: usize) {
        let age = self.next_age;
        self.next_age += 1;
        self.put_at(age, folds, bytes);
    }

    /// Adds what goes before all others.
    pub(crate) fn put_first_to_go(&mut self, folds: Arc<Folds>, bytes: usize) {
        let age = self.by_age.first_key_value().map_or(self.next_age, |(&first, _)| first) - 1;
        self.put_at(age, folds, bytes);
    }

    fn put_at(&mut self, age: i64, folds: Arc<Folds>, bytes: usize) {
        self.ages.insert(folds.id, age);
        self.by_age.insert(age, (folds, bytes));
        self.bytes += bytes;
    }

    /// The accounts, the one used last first.
    pub(crate) fn latest(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.by_age.values().rev().map(|(folds, _)| folds.id)
    }

    fn take(&mut self, id: AccountId) -> Option<Arc<Folds>> {
        let age = self.ages.remove(&id)?;
        let (folds, bytes) = self.by_age.remove(&age)?;
        self.bytes -= bytes;
        Some(folds)
    }

    fn take_oldest(&mut self) -> Option<Arc<Folds>> {
        let id = self.by_age.first_key_value()?.1.0.id;
        self.take(id)
    }
}
