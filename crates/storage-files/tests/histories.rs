//! Random histories: commits that gather in groups, lazy ones, snapshots, crashes with anything left,
//! failures of one operation, compaction. After each reopening the log is what was acknowledged,
//! and perhaps some of what was not, in order; messages are whole.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::sync::Arc;

use base::{ModSeq, SystemFlag, Uid, UidSet};
use bytes::Bytes;
use mailbox::Account;
use proptest::prelude::*;
use storage::conformance::{
    account, appended, batch, block_on, flagged, inbox, message, pages, poll_once, positions,
};
use storage::sim::{Fault, Left, SimDisk};
use storage::{CommitError, Durability, Entry, Error, Storage, Task};
use storage_files::{Files, Options, Threads};

#[derive(Clone, Debug)]
enum Step {
    /// Commits messages of these sizes, or flags if there are none.
    Commit(Vec<usize>, bool),
    /// Lets so many pieces of waiting work be done.
    Work(u8),
    Snapshot,
    Compact(i64),
    /// The machine dies.
    Crash(u64),
    /// The process dies or stops.
    Stop(bool),
    /// One of the next operations fails, or all from it on.
    Fail(u64, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let sizes = prop::collection::vec(
        prop_oneof![Just(0usize), 1usize..300, 500usize..1500, 3_100usize..8_000],
        0..3,
    );
    let step = prop_oneof![
        10 => (sizes, prop::bool::weighted(0.2)).prop_map(|(sizes, lazy)| Step::Commit(sizes, lazy)),
        6 => (1u8..5).prop_map(Step::Work),
        1 => Just(Step::Snapshot),
        1 => (0i64..60).prop_map(Step::Compact),
        2 => any::<u64>().prop_map(Step::Crash),
        1 => any::<bool>().prop_map(Step::Stop),
        1 => (0u64..12, any::<bool>()).prop_map(|(n, once)| Step::Fail(n, once)),
    ];
    prop::collection::vec(step, 1..60)
}

fn open(disk: &SimDisk, threads: Threads) -> Files {
    let options = Options {
        segment_bytes: 5_000,
        large_bytes: 3_000,
        block_bytes: 1_700,
        group_bytes_max: 2_500,
        page_bytes: 128,
        grow_bytes_min: 256,
        grow_bytes_max: 1024,
        zeros_bytes_max: 200,
        allocate_bytes: 2048,
        threads,
        compact_dead_percent: 0,
        ..Options::default()
    };
    Files::open_disk(Arc::new(disk.clone()), options).expect("opens")
}

struct World {
    disk: SimDisk,
    files: Option<Files>,
    /// Every entry with a place, and the messages they name.
    entries: Vec<Entry>,
    messages: Vec<Bytes>,
    acknowledged: usize,
    waiting: Vec<(usize, Task<'static, Result<(), Error>>)>,
    fold: Account,
    seed: u64,
}

impl World {
    fn new() -> Self {
        let disk = SimDisk::new(5);
        let files = open(&disk, Threads::Inline);
        block_on(files.create(account(1))).unwrap();
        drop(files);
        Self {
            files: Some(open(&disk, Threads::Manual)),
            disk,
            entries: Vec::new(),
            messages: Vec::new(),
            acknowledged: 0,
            waiting: Vec::new(),
            fold: Account::default(),
            seed: 0,
        }
    }

    /// Runs a future, doing waiting work until it is ready.
    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let files = self.files.as_ref().unwrap();
        let mut future = std::pin::pin!(future);
        for _ in 0..10_000 {
            if let Some(value) = poll_once(future.as_mut()) {
                return value;
            }
            files.step();
        }
        panic!("nothing more to do, and no answer");
    }

    /// Sees what was answered.
    fn listen(&mut self) {
        let mut failed = false;
        let acknowledged = &mut self.acknowledged;
        self.waiting.retain_mut(|(entries, durable)| match poll_once(durable) {
            None => true,
            Some(Ok(())) => {
                assert!(!failed, "commits resolve in log order");
                *acknowledged = (*acknowledged).max(*entries);
                false
            }
            Some(Err(_)) => {
                failed = true;
                false
            }
        });
        if failed {
            self.reopen(None);
        }
    }

    fn commit(&mut self, sizes: &[usize], lazy: bool) {
        let files = self.files.as_ref().unwrap();
        let mut staged = Vec::new();
        let mut bodies = Vec::new();
        for &size in sizes {
            self.seed += 1;
            let bytes = message(self.seed, size);
            let incoming = async {
                let mut incoming = files.incoming(account(1), None).await?;
                incoming.write(&bytes).await?;
                incoming.finish().await
            };
            match self.wait(incoming) {
                Ok(new) => staged.push(new),
                Err(_) => return self.reopen(None),
            }
            bodies.push(bytes);
        }
        let uid = self.messages.len() as u32 + 1;
        let record = match (self.entries.is_empty(), staged.is_empty()) {
            (true, _) => inbox(),
            (_, true) => flagged(UidSet::range(Uid::MIN, Uid::MAX), SystemFlag::Seen),
            _ => appended(uid, &staged),
        };
        let lazy = lazy && staged.is_empty();
        if self.entries.is_empty() {
            bodies.clear();
        }
        let head = ModSeq::ZERO.plus(self.entries.len() as u64);
        let mut batch = batch(vec![record], staged);
        batch.time = self.entries.len() as i64;
        batch.durability = if lazy { Durability::Lazy } else { Durability::Synced };
        match self.wait(files.commit(account(1), head, batch)) {
            Ok(pending) => {
                let entry = &pending.entries[0];
                self.fold.apply(entry.at, &entry.record).unwrap();
                self.entries.extend(pending.entries);
                self.messages.append(&mut bodies);
                if !lazy {
                    self.waiting.push((self.entries.len(), pending.durable));
                }
            }
            Err(CommitError::Conflict { head }) => panic!("nobody else writes: {head:?}"),
            Err(CommitError::Storage(_)) => self.reopen(None),
        }
    }

    /// Reopens, on what a crash leaves if it is one, and checks everything.
    fn reopen(&mut self, crash: Option<Left>) {
        self.waiting.clear();
        if let Some(left) = crash {
            // What the process would still do must not happen.
            let image = self.disk.crash(left);
            self.disk.fail(0, Fault::Crash);
            drop(self.files.take());
            self.disk = image;
        } else {
            self.disk.heal();
            drop(self.files.take());
        }
        self.files = Some(open(&self.disk, Threads::Manual));
        self.check();
    }

    fn check(&mut self) {
        let files = self.files.as_ref().unwrap();
        let snapshot = self.wait(files.load_snapshot(account(1))).unwrap();
        let (mut fold, mut at) = (Account::default(), ModSeq::ZERO);
        if let Some((snapshot_at, pages)) = snapshot {
            fold = Account::decode_pages(pages).expect("a fold");
            at = snapshot_at;
            assert_eq!(fold.head(), at);
        }
        let tail = self.wait(files.read(account(1), at, usize::MAX)).unwrap();
        let found = at.get() as usize + tail.len();
        assert!(found >= self.acknowledged, "acknowledged: {}, found: {found}", self.acknowledged);
        assert!(found <= self.entries.len());
        self.entries.truncate(found);
        assert_eq!(tail, self.entries[at.get() as usize..]);
        for entry in tail {
            fold.apply(entry.at, &entry.record).unwrap();
        }
        self.fold = Account::default();
        for entry in &self.entries {
            self.fold.apply(entry.at, &entry.record).unwrap();
        }
        assert_eq!(fold.encode(), self.fold.encode());
        let places = positions(&self.entries);
        self.messages.truncate(places.len());
        for (at, bytes) in places.into_iter().zip(&self.messages) {
            assert_eq!(&self.wait(files.message(account(1), at)).unwrap(), bytes);
        }
        // What was found is what everybody has seen: it stays.
        self.acknowledged = found;
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Commit(sizes, lazy) => self.commit(sizes, *lazy),
            Step::Work(times) => {
                for _ in 0..*times {
                    self.files.as_ref().unwrap().step();
                }
            }
            Step::Snapshot => {
                let (at, bytes) = (self.fold.head(), pages(&self.fold.encode()));
                let files = self.files.as_ref().unwrap();
                if self.wait(files.save_snapshot(account(1), at, bytes)).is_err() {
                    self.reopen(None);
                }
            }
            Step::Compact(time) => {
                let files = self.files.as_ref().unwrap();
                if self.wait(files.compact(account(1), *time)).is_err() {
                    self.reopen(None);
                }
            }
            Step::Crash(seed) => self.reopen(Some(match seed % 8 {
                0 => Left::Nothing,
                1 => Left::Everything,
                _ => Left::Some(*seed),
            })),
            Step::Stop(kill) => self.reopen(kill.then_some(Left::Everything)),
            Step::Fail(n, once) => {
                self.disk.fail(*n, if *once { Fault::Once } else { Fault::Always });
            }
        }
        self.listen();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn histories(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.reopen(None);
    }
}

/// A commit whose sync failed may be on the disk. Once it was not found, it does not come back.
#[test]
fn a_commit_that_failed_does_not_come_back() {
    for seed in 0..64 {
        let mut world = World::new();
        let commit = Step::Commit(Vec::new(), false);
        let steps = [Step::Snapshot, Step::Fail(2, false), commit, Step::Work(1)];
        for step in steps.iter().chain(&[Step::Crash(seed)]) {
            world.run(step);
        }
    }
}
