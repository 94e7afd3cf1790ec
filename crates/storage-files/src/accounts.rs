//! Which accounts exist, and which logs are open.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use base::{AccountId, ModSeq};
use futures_channel::oneshot;
use storage::{Error, Task};

use crate::frame::{FRAMES_AT, Segment, SegmentKind, VERSION};
use crate::log::{Log, Place};
use crate::pool::gone;
use crate::recover::Known;
use crate::segment::Handles;
use crate::writer::make_segment;
use crate::{Shared, account_dir, failed};

type Answer = Result<Arc<Log>, Error>;

/// The open logs.
#[derive(Default)]
pub(crate) struct Map {
    slots: HashMap<AccountId, Slot>,
    /// Where logs end that are not open, all of it durable: made or closed by this process.
    clean: HashMap<AccountId, Place>,
    /// Counts uses, to find the log that was not used longest.
    clock: u64,
    closed: bool,
}

enum Slot {
    /// Being opened; these wait.
    Opening(Vec<oneshot::Sender<Answer>>),
    Open(Arc<Log>, u64),
}

impl Shared {
    fn lock_map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account's log, opened if it is not. One that failed is opened again.
    pub(crate) fn log(self: &Arc<Self>, id: AccountId) -> Task<'static, Answer> {
        let mut map = self.lock_map();
        if map.closed {
            return Box::pin(std::future::ready(Err(gone())));
        }
        map.clock += 1;
        let clock = map.clock;
        let (tell, told) = oneshot::channel();
        let mut trust = None;
        match map.slots.get_mut(&id) {
            Some(Slot::Open(log, used)) => {
                let state = log.lock();
                if state.failed.is_none() {
                    *used = clock;
                    drop(state);
                    let log = log.clone();
                    if !log.awake.swap(true, Ordering::Relaxed) {
                        self.put_to_sleep(&map);
                    }
                    return Box::pin(std::future::ready(Ok(log)));
                }
                trust = Some(state.durable.1);
            }
            Some(Slot::Opening(waiters)) => {
                waiters.push(tell);
                return answer(told);
            }
            None => {}
        }
        map.slots.insert(id, Slot::Opening(vec![tell]));
        let clean = map.clean.remove(&id);
        drop(map);
        let shared = self.clone();
        self.pool.spawn(move || {
            let _forgets = ForgetsOnPanic(&shared, id);
            shared.open_slot(id, Known { trust, clean });
        });
        answer(told)
    }

    fn open_slot(self: &Arc<Self>, id: AccountId, known: Known) {
        let opened = Log::open_log(self, id, known).map(Arc::new);
        let mut map = self.lock_map();
        map.clock += 1;
        let clock = map.clock;
        let slot = match &opened {
            // Without the slot the account was removed in between.
            Ok(log) if map.slots.contains_key(&id) => {
                map.slots.insert(id, Slot::Open(log.clone(), clock))
            }
            _ => map.slots.remove(&id),
        };
        let closing = map.over(self.options.open_accounts_max);
        self.put_to_sleep(&map);
        drop(map);
        for log in closing {
            let clean = log.close();
            // Unless it was opened again.
            let mut map = self.lock_map();
            if let Some(clean) = clean.filter(|_| !map.slots.contains_key(&log.id)) {
                map.clean.insert(log.id, clean);
            }
        }
        if let Some(Slot::Opening(waiters)) = slot {
            for waiter in waiters {
                drop(waiter.send(opened.clone()));
            }
        }
    }

    /// Closes the files of the log that was not used longest, if too many logs have files open.
    fn put_to_sleep(self: &Arc<Self>, map: &Map) {
        let awake = map.slots.values().filter_map(|slot| match slot {
            Slot::Open(log, used) if log.awake.load(Ordering::Relaxed) => Some((used, log)),
            _ => None,
        });
        if awake.clone().count() > self.options.awake_accounts_max
            && let Some((_, log)) = awake.min_by_key(|&(used, _)| used)
        {
            log.awake.store(false, Ordering::Relaxed);
            let log = log.clone();
            self.pool.spawn(move || log.close_files());
        }
    }

    /// Refuses everything that is not accepted yet.
    pub(crate) fn close_all(&self) {
        let mut map = self.lock_map();
        map.closed = true;
        let slots = std::mem::take(&mut map.slots);
        drop(map);
        for slot in slots.into_values() {
            if let Slot::Open(log, _) = slot {
                let _ = log.close();
            }
        }
    }

    /// All accounts that exist.
    pub(crate) fn list_accounts(&self) -> Result<Vec<AccountId>, Error> {
        let mut found = Vec::new();
        let mut list = || -> io::Result<()> {
            for shard in self.disk.list("accounts")? {
                if shard.len() == 2 {
                    let names = self.disk.list(&format!("accounts/{shard}"))?;
                    found.extend(names.iter().filter_map(|name| AccountId::parse(name)));
                }
            }
            Ok(())
        };
        list().map_err(|error| failed("accounts", &error))?;
        found.sort_unstable();
        Ok(found)
    }

    /// Makes an account: prepared under another name, which the last step changes.
    pub(crate) fn create(self: &Arc<Self>, id: AccountId) -> Result<(), Error> {
        let dir = account_dir(id);
        let (shard, name) = dir.rsplit_once('/').expect("an account's directory is in a shard");
        let temporary = format!("{shard}/new-{name}");
        // One at a time: two creations of one account must not share the temporary name.
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let disk = &self.disk;
        let mut make = || -> io::Result<bool> {
            if !shards.contains(shard) {
                disk.make_dir(shard)?;
                disk.sync_dir("accounts")?;
                shards.insert(shard.to_owned());
            }
            if disk.list(shard)?.iter().any(|other| other == name) {
                return Ok(false);
            }
            remove_dir(self, &temporary)?;
            disk.make_dir(&temporary)?;
            disk.make_dir(&format!("{temporary}/log"))?;
            disk.make_dir(&format!("{temporary}/cache"))?;
            let header = Segment {
                version: VERSION,
                kind: SegmentKind::Log,
                number: 1,
                account: id,
                salt: disk.random()?,
                base: ModSeq::ZERO,
                index_at: 0,
            };
            make_segment(self, &format!("{temporary}/log"), &header)?;
            disk.sync_dir(&temporary)?;
            disk.rename(&temporary, &dir)?;
            disk.sync_dir(shard)?;
            Ok(true)
        };
        match make() {
            Ok(true) => {
                let end = Place { segment: 1, offset: FRAMES_AT };
                self.lock_map().clean.insert(id, end);
                Ok(())
            }
            Ok(false) => Err(Error::AccountExists),
            Err(error) => Err(failed(&dir, &error)),
        }
    }

    /// Removes an account: it loses its name first, in one step.
    pub(crate) fn remove(self: &Arc<Self>, id: AccountId) -> Result<(), Error> {
        let dir = account_dir(id);
        let (shard, name) = dir.rsplit_once('/').expect("an account's directory is in a shard");
        let temporary = format!("{shard}/removed-{name}");
        let _one = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let disk = &self.disk;
        let rename = || {
            remove_dir(self, &temporary)?;
            disk.rename(&dir, &temporary)?;
            disk.sync_dir(shard)
        };
        let renamed = rename();
        let slot = {
            let mut map = self.lock_map();
            map.clean.remove(&id);
            map.slots.remove(&id)
        };
        match slot {
            Some(Slot::Open(log, _)) => log.fail(&Error::NoAccount, None),
            Some(Slot::Opening(waiters)) => waiters.into_iter().for_each(|waiter| {
                drop(waiter.send(Err(Error::NoAccount)));
            }),
            None => {}
        }
        renamed.map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoAccount,
            _ => failed(&dir, &error),
        })?;
        if let Err(error) = remove_dir(self, &temporary) {
            // The next start goes on with it.
            tracing::warn!(path = temporary, %error, "cannot remove what is left of an account");
        }
        Ok(())
    }
}

/// A bug must not leave an account being opened for ever.
struct ForgetsOnPanic<'a>(&'a Shared, AccountId);

impl Drop for ForgetsOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock_map().slots.remove(&self.1);
        }
    }
}

fn answer(told: oneshot::Receiver<Answer>) -> Task<'static, Answer> {
    Box::pin(async move { told.await.unwrap_or_else(|_| Err(gone())) })
}

fn remove_dir(shared: &Shared, path: &str) -> io::Result<()> {
    match shared.disk.remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes accounts that were half made or half removed.
pub(crate) fn clean_up(shared: &Shared) -> Result<(), Error> {
    let clean = || -> io::Result<()> {
        for shard in shared.disk.list("accounts")? {
            if shard.len() != 2 {
                continue;
            }
            for name in shared.disk.list(&format!("accounts/{shard}"))? {
                if name.starts_with("new-") || name.starts_with("removed-") {
                    remove_dir(shared, &format!("accounts/{shard}/{name}"))?;
                }
            }
        }
        Ok(())
    };
    clean().map_err(|error| failed("accounts", &error))
}

impl Map {
    /// Takes out the logs that are too many: those that nobody uses, the oldest first.
    fn over(&mut self, most: usize) -> Vec<Arc<Log>> {
        let mut closing = Vec::new();
        while self.slots.len() > most {
            let idle = self.slots.iter().filter_map(|(&id, slot)| match slot {
                Slot::Open(log, used) if Arc::strong_count(log) == 1 => Some((*used, id)),
                _ => None,
            });
            let Some((_, id)) = idle.min() else { break };
            if let Some(Slot::Open(log, _)) = self.slots.remove(&id) {
                closing.push(log);
            }
        }
        closing
    }
}

impl Log {
    /// Closes all files; they are opened again when they are needed.
    pub(crate) fn close_files(&self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let end = {
            // While a job writes, the end is not known.
            let state = self.lock();
            (!state.busy && !writer.unsynced && state.failed.is_none()).then_some(state.written.1)
        };
        if let Some(end) = end {
            writer.trim(end);
        }
        drop(writer);
        *self.handles.lock().unwrap_or_else(PoisonError::into_inner) = Handles::default();
        self.close_extracts();
    }

    /// Accepts nothing more; writes what was accepted; gives back what was written ahead. Tells where
    /// the log ends if all of it is durable.
    fn close(self: &Arc<Self>) -> Option<Place> {
        self.write_kept_extracts();
        let mut state = self.lock();
        let well = state.failed.is_none();
        state.failed.get_or_insert_with(gone);
        if state.busy {
            return None;
        }
        let end = state.written.1;
        let clean = well && state.queue.is_empty() && state.durable == state.written;
        drop(state);
        // After a failure what is behind the end may be on the disk or not: opening settles which, and
        // has to see it.
        if well {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.trim(end);
        }
        clean.then_some(end)
    }
}
