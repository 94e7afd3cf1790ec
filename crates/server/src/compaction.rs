//! Gives space back in all accounts: once a day, one after the other, a tenth of the time at most.
//!
//! Busy accounts are compacted by the engine each time they fill a segment. Here those have their
//! turn that fill none: what retention kept for them is too old some day though nothing happens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use account::Clock;
use base::{AccountId, ModSeq};
use storage::{Error, Storage};
use storage_files::Files;

use crate::directory::{self, LiveDirectory};

/// Nobody waits for it: what follows a start comes first.
const FIRST: Duration = Duration::from_secs(10 * 60);
/// Retention is counted in days.
const INTERVAL: Duration = Duration::from_secs(86_400);
/// It rests so many times as long as it worked.
const REST: u32 = 9;
/// It rests at least so long between two accounts.
const REST_LEAST: Duration = Duration::from_millis(20);

/// Looks for what can be given back.
pub struct Compactor {
    files: Arc<Files>,
    directory: Arc<LiveDirectory>,
    clock: Arc<dyn Clock>,
    /// Milliseconds.
    retention: i64,
    /// Where the logs end of which everything was old enough when they were looked at last: as long
    /// as they end there, there is no more to be found.
    settled: Mutex<HashMap<AccountId, ModSeq>>,
}

impl Compactor {
    pub(crate) fn new(
        files: Arc<Files>,
        directory: Arc<LiveDirectory>,
        clock: Arc<dyn Clock>,
        retention: Duration,
    ) -> Self {
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        Self { files, directory, clock, retention, settled: Mutex::default() }
    }

    /// Looks at every account, again and again. Dropping the future leaves all as it should be.
    pub(crate) async fn run(&self) {
        tokio::time::sleep(FIRST).await;
        loop {
            let begin = Instant::now();
            match self.files.accounts().await {
                Ok(accounts) => self.look_at_all(&accounts).await,
                Err(error) => tracing::warn!(%error, "cannot look for space to give back"),
            }
            tokio::time::sleep(INTERVAL.saturating_sub(begin.elapsed()).max(FIRST)).await;
        }
    }

    async fn look_at_all(&self, accounts: &[AccountId]) {
        self.lock().retain(|id, _| accounts.binary_search(id).is_ok());
        for &id in accounts {
            let begin = Instant::now();
            match self.look_at(id).await {
                Ok(()) | Err(directory::Error::Storage(Error::NoAccount)) => {}
                Err(error) => tracing::warn!(account = %id, %error, "cannot give space back"),
            }
            tokio::time::sleep((begin.elapsed() * REST).max(REST_LEAST)).await;
        }
    }

    /// Gives back what one account does not need any more.
    pub async fn look_at(&self, id: AccountId) -> Result<(), directory::Error> {
        if id == AccountId::SYSTEM {
            if let Some(upto) = self.directory.begin_again().await? {
                self.files.compact_directory(id, upto).await?;
            }
            return Ok(());
        }
        let head = self.files.head(id).await?;
        let is_settled = self.lock().get(&id) == Some(&head);
        if is_settled || !self.files.is_worth_compacting(id).await? {
            return Ok(());
        }
        let keep_after = self.clock.now_ms().saturating_sub(self.retention);
        let found = self.files.compact(id, keep_after).await?;
        if found.head == head && found.time <= keep_after {
            self.lock().insert(id, head);
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, ModSeq>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicI64, Ordering};

    use account::Accounts;
    use auth::{Source, decide};
    use base::{Uid, UidSet};
    use bytes::Bytes;
    use mailbox::Record;
    use storage::Staged;
    use storage::conformance::{
        appended, batch, block_on, commit, inbox, inbox_id, message, stage,
    };

    use super::*;

    const DAY: i64 = 86_400_000;
    const ID: AccountId = AccountId([1; 16]);

    #[derive(Default)]
    struct Manual(AtomicI64);

    impl Clock for Manual {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    struct World {
        files: Arc<Files>,
        directory: Arc<LiveDirectory>,
        clock: Arc<Manual>,
        compactor: Compactor,
    }

    impl World {
        fn open(data: &Path) -> Self {
            let options = storage_files::Options {
                segment_bytes: 1 << 20,
                retention_ms: 30 * DAY,
                ..storage_files::Options::default()
            };
            let files = Arc::new(Files::open(data, options).unwrap());
            let clock = Arc::new(Manual::default());
            let accounts = Accounts::new(files.clone(), clock.clone(), base::Limits::default());
            let directory = LiveDirectory::open(accounts, clock.clone());
            let directory = block_on(directory).unwrap();
            let retention = Duration::from_secs(30 * 86_400);
            let compactor =
                Compactor::new(files.clone(), directory.clone(), clock.clone(), retention);
            Self { files, directory, clock, compactor }
        }

        fn put(&self, record: impl FnOnce(&[Staged]) -> Record, message: Option<Bytes>) {
            let staged = message.iter().map(|bytes| stage(&*self.files, ID, bytes).unwrap());
            let staged: Vec<_> = staged.collect();
            let mut batch = batch(vec![record(&staged)], staged);
            batch.time = self.clock.now_ms();
            let head = block_on(self.files.head(ID)).unwrap();
            commit(&*self.files, ID, head, batch).unwrap();
        }

        fn expunge(&self, from: u32, to: u32) {
            let uids = UidSet::range(Uid::new(from).unwrap(), Uid::new(to).unwrap());
            self.put(|_| Record::Expunged { mailbox: inbox_id(), uids }, None);
        }

        fn look_on_day(&self, day: i64) {
            self.clock.0.store(day * DAY, Ordering::Relaxed);
            let accounts = block_on(self.files.accounts()).unwrap();
            for id in accounts {
                block_on(self.compactor.look_at(id)).unwrap();
            }
        }
    }

    fn bytes(path: &Path) -> u64 {
        let paths = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let length = |path: std::path::PathBuf| match path.is_dir() {
            true => bytes(&path),
            false => path.metadata().unwrap().len(),
        };
        paths.map(length).sum()
    }

    fn mail(data: &Path) -> u64 {
        bytes(&data.join("accounts/01").join(ID.to_string()).join("log"))
    }

    #[test]
    fn expunged_mail_gives_its_bytes_back_when_retention_is_over() {
        let data = tempfile::tempdir().unwrap();
        let world = World::open(data.path());
        block_on(world.files.create(ID)).unwrap();
        world.put(|_| inbox(), None);
        for n in 1..=40 {
            let message = message(2 * u64::from(n) + 1, 5_000);
            world.put(|staged| appended(n, staged), Some(message));
        }
        world.clock.0.store(DAY, Ordering::Relaxed);
        world.expunge(1, 15);
        world.clock.0.store(20 * DAY, Ordering::Relaxed);
        world.expunge(16, 35);
        // Gives back what is written ahead, and nothing else: 40 messages stay.
        world.look_on_day(20);
        let full = mail(data.path());
        assert!(full > 200_000);
        world.look_on_day(29);
        assert_eq!(mail(data.path()), full, "what is young stays");
        world.look_on_day(32);
        assert!((125_000..145_000).contains(&mail(data.path())), "{}", mail(data.path()));
        world.look_on_day(49);
        assert!((125_000..145_000).contains(&mail(data.path())), "{}", mail(data.path()));
        world.look_on_day(51);
        let least = mail(data.path());
        assert!((25_000..45_000).contains(&least), "{least}");
        let head = block_on(world.files.head(ID)).unwrap();
        assert_eq!(world.compactor.lock().get(&ID), Some(&head), "there is no more to be found");
        world.look_on_day(52);
        assert_eq!(mail(data.path()), least);
        world.put(|staged| appended(41, staged), Some(message(1, 5_000)));
        world.look_on_day(53);
        assert!(mail(data.path()) > least);
        let (_, fold) = block_on(world.files.load_snapshot(ID)).unwrap().unwrap();
        let fold = mailbox::Account::decode_pages(fold).unwrap();
        assert_eq!(fold.find("INBOX").unwrap().mailbox.len(), 5);
    }

    #[test]
    fn the_directory_begins_again() {
        let data = tempfile::tempdir().unwrap();
        let log = data.path().join("accounts/00").join(AccountId::SYSTEM.to_string()).join("log");
        let world = World::open(data.path());
        let add =
            |directory: &auth::Directory| decide::add_account(directory, ID, "alice", None, 7);
        block_on(world.directory.change(add)).unwrap();
        block_on(world.directory.change(|d| decide::add_alias(d, "alice", "a"))).unwrap();
        let many = |d: &auth::Directory| {
            let set = |n| decide::set_quota(d, "alice", Some(n)).unwrap().remove(0);
            Ok((1..=3000).map(set).collect())
        };
        world.look_on_day(1);
        assert_eq!(block_on(world.files.begin(AccountId::SYSTEM)).unwrap(), ModSeq::ZERO);
        block_on(world.directory.change(many)).unwrap();
        let (before, full) = (world.directory.directory(), bytes(&log));
        world.look_on_day(2);
        assert!(bytes(&log) < full / 10, "{full} bytes were {}", bytes(&log));
        assert_eq!(world.directory.directory(), before);
        block_on(world.directory.change(|d| decide::set_quota(d, "alice", None))).unwrap();
        let (before, kept) = (world.directory.directory(), bytes(&log));
        world.look_on_day(3);
        assert_eq!(bytes(&log), kept);
        drop(world);
        let world = World::open(data.path());
        assert_eq!(world.directory.directory(), before);
        assert!(block_on(world.files.begin(AccountId::SYSTEM)).unwrap() > ModSeq::ZERO);
    }
}
