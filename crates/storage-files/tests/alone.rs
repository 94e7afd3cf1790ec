//! Commits that nobody else's wait beside: they are taken to the disk by the caller's own thread, and
//! all that is promised of commits holds for them too.
#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::any::Any;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use base::ModSeq;
use storage::conformance::{account, block_on, inbox, read_all};
use storage::disk::{Disk, File, Open};
use storage::sim::{Fault, SimDisk};
use storage::{Batch, Durability, Error, Storage};
use storage_files::{Files, Options};

/// More than it takes until a commit is written by its caller: the pool has to be at rest, which takes
/// a moment after each of its jobs.
const PATIENCE: usize = 20_000;

/// A disk that remembers which threads wait for it.
struct Watched {
    disk: SimDisk,
    synced_by: Arc<Mutex<Vec<ThreadId>>>,
}

struct WatchedFile {
    file: Arc<dyn File>,
    synced_by: Arc<Mutex<Vec<ThreadId>>>,
}

impl Disk for Watched {
    fn make_dir(&self, path: &str) -> io::Result<()> {
        self.disk.make_dir(path)
    }
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn open(&self, path: &str, how: Open) -> io::Result<Arc<dyn File>> {
        let file = self.disk.open(path, how)?;
        Ok(Arc::new(WatchedFile { file, synced_by: self.synced_by.clone() }))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.disk.remove_dir(path)
    }
    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.disk.sync_dir(path)
    }
    fn lock(&self, path: &str) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.disk.lock(path)
    }
    fn random(&self) -> io::Result<[u8; 16]> {
        self.disk.random()
    }
}

impl File for WatchedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.synced_by.lock().unwrap().push(std::thread::current().id());
        self.file.sync_data()
    }
    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.file.allocate(bytes)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

struct Opened {
    disk: SimDisk,
    synced_by: Arc<Mutex<Vec<ThreadId>>>,
    files: Files,
    head: ModSeq,
}

/// None where there is one processor: it has others to serve.
fn opened() -> Option<Opened> {
    if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        return None;
    }
    let (disk, synced_by) = (SimDisk::new(1), Arc::default());
    let watched = Watched { disk: disk.clone(), synced_by: Arc::clone(&synced_by) };
    let files = Files::open_disk(Arc::new(watched), Options::default()).unwrap();
    block_on(files.create(account(1))).unwrap();
    Some(Opened { disk, synced_by, files, head: ModSeq::ZERO })
}

impl Opened {
    fn commit(&mut self, alone: bool) -> Result<(), Error> {
        let record = match self.head {
            ModSeq::ZERO => inbox(),
            _ => mailbox::Record::Subscribed { name: "INBOX".into() },
        };
        let durability = Durability::Synced;
        let batch = Batch { records: vec![record], staged: vec![], time: 0, durability, alone };
        let pending = block_on(self.files.commit(account(1), self.head, batch)).unwrap();
        block_on(pending.durable)?;
        self.head = pending.entries.last().unwrap().at;
        Ok(())
    }

    /// Whether one of the syncs since the last look was this thread's.
    fn was_here(&self) -> bool {
        let own = std::thread::current().id();
        std::mem::take(&mut *self.synced_by.lock().unwrap()).contains(&own)
    }

    /// Commits until one is written here.
    fn settle(&mut self) {
        let here = (0..PATIENCE).any(|_| {
            self.commit(true).unwrap();
            self.was_here()
        });
        assert!(here, "none was written by its caller");
    }
}

#[test]
fn a_row_of_lone_commits_is_written_by_the_caller() {
    let Some(mut opened) = opened() else { return };
    opened.settle();
    opened.settle();
    let head = opened.head;
    let entries = read_all(&opened.files, account(1)).unwrap();
    assert_eq!(entries.last().map(|entry| entry.at), Some(head));
}

#[test]
fn commits_with_company_are_left_to_the_pool() {
    let Some(mut opened) = opened() else { return };
    for _ in 0..200 {
        opened.commit(false).unwrap();
    }
    assert!(!opened.was_here());
    // One that has company ends a row.
    opened.settle();
    opened.commit(false).unwrap();
    opened.commit(true).unwrap();
    assert!(!opened.was_here());
}

#[test]
fn what_cannot_be_synced_here_is_not_acknowledged() {
    let Some(mut opened) = opened() else { return };
    opened.settle();
    opened.disk.fail(1, Fault::Once);
    let failed = (0..PATIENCE).find_map(|_| opened.commit(true).err());
    assert!(matches!(failed, Some(Error::Failed(_))), "{failed:?}");
    // The log is opened again, and has all that was acknowledged.
    let entries = read_all(&opened.files, account(1)).unwrap();
    assert!(entries.last().is_some_and(|entry| entry.at >= opened.head));
}
