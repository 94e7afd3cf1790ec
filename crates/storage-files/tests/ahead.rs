//! What a log is given ahead: zeros behind small commits, space that is not written behind large ones.
#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::sync::Arc;

use base::{AccountId, ModSeq};
use mailbox::Record;
use storage::conformance::{block_on, read_all};
use storage::sim::{Fault, SimDisk};
use storage::{Batch, Durability, Error, Storage};
use storage_files::frame::{self, Found, Kind};
use storage_files::{Files, Options, Threads};

const ID: AccountId = AccountId([5; 16]);
const LOG: &str = "accounts/05/05050505050505050505050505050505/log/00000001.seg";
const PAGE: u64 = 4096;
const SMALL: usize = 100;
const LARGE: usize = 20_000;

struct Opened {
    disk: SimDisk,
    files: Files,
    head: ModSeq,
}

fn options() -> Options {
    Options { threads: Threads::Inline, ..Options::default() }
}

impl Opened {
    fn new() -> Self {
        let disk = SimDisk::new(1);
        let files = Files::open_disk(Arc::new(disk.clone()), options()).unwrap();
        block_on(files.create(ID)).unwrap();
        Self { disk, files, head: ModSeq::ZERO }
    }

    /// Commits a record of so many bytes.
    fn commit(&mut self, bytes: usize) -> Result<(), Error> {
        let record = Record::Subscribed { name: "x".repeat(bytes) };
        let (records, staged) = (vec![record], vec![]);
        let (durability, alone) = (Durability::Synced, false);
        let batch = Batch { records, staged, time: 0, durability, alone };
        let pending = block_on(self.files.commit(ID, self.head, batch)).unwrap();
        block_on(pending.durable)?;
        self.head = pending.entries.last().unwrap().at;
        Ok(())
    }

    fn length(&self) -> usize {
        self.disk.bytes(LOG).unwrap().len()
    }

    /// Bytes that are written by so many commits.
    fn written(&mut self, count: usize, bytes: usize) -> u64 {
        let before = self.disk.written();
        (0..count).for_each(|_| self.commit(bytes).unwrap());
        self.disk.written() - before
    }
}

#[test]
fn large_commits_are_written_once_and_small_ones_over_zeros() {
    let mut opened = Opened::new();
    let written = opened.written(200, LARGE);
    assert!((200 * LARGE as u64..206 * LARGE as u64).contains(&written), "{written}");
    assert!(opened.length() > 300 * LARGE);
    // There are zeros for all but a few of the small ones.
    opened.commit(SMALL).unwrap();
    let written = opened.written(100, SMALL);
    assert!(written < 100 * 200, "{written}");
    // A large one does not find zeros enough, and makes no more of them.
    let written = opened.written(1, LARGE);
    assert!(written < LARGE as u64 + 200, "{written}");
}

/// Where the log's frames of a kind begin and end.
fn frames(disk: &SimDisk, kind: Kind) -> Vec<(u64, u64)> {
    let (_, found) = frame::parse(&disk.bytes(LOG).unwrap()).unwrap();
    let of_kind = found.into_iter().filter_map(|found| match found {
        Found::Frame(header, at) if header.kind == kind => Some((at, at + header.padded_bytes())),
        _ => None,
    });
    of_kind.collect()
}

#[test]
fn a_page_is_filled_where_that_takes_little() {
    let mut opened = Opened::new();
    // As many bytes more each time as are not a divisor of a page.
    (0..200).for_each(|n| opened.commit(8_000 + n * 72).unwrap());
    let fills = frames(&opened.disk, Kind::Fill);
    let commits = frames(&opened.disk, Kind::Records);
    assert!((30..70).contains(&fills.len()), "{}", fills.len());
    for &(at, end) in &fills {
        let commit = commits.iter().find(|commit| commit.1 == at).unwrap();
        assert!(end % PAGE == 0 && (end - at) * 16 <= at - commit.0, "{at} {end}");
    }
    // All others end too far from a page's end.
    for &(at, end) in commits.iter().filter(|&&(_, end)| fills.iter().all(|fill| fill.0 != end)) {
        let free = end.next_multiple_of(PAGE) - end;
        assert!(free < 32 || free * 16 > end - at || end - at < 2 * PAGE, "{at} {end}");
    }
    // Small ones have none.
    let mut opened = Opened::new();
    opened.written(500, 1000);
    assert_eq!(frames(&opened.disk, Kind::Fill), []);
}

#[test]
fn a_log_that_ends_with_a_fill_is_whole() {
    let mut opened = Opened::new();
    let ends_with_fill = |disk: &SimDisk| {
        let last = |kind| frames(disk, kind).last().map_or(0, |&(_, end)| end);
        last(Kind::Fill) > last(Kind::Records)
    };
    let tries = (0..100).find(|n| {
        opened.commit(10_000 + n * 72).unwrap();
        ends_with_fill(&opened.disk)
    });
    assert!(tries.is_some());
    let Opened { disk, files, head } = opened;
    drop(files);
    let closed = disk.bytes(LOG).unwrap();
    assert_eq!(closed.len() as u64 % PAGE, 0);
    let files = Files::open_disk(Arc::new(disk.clone()), options()).unwrap();
    assert_eq!(block_on(files.head(ID)).unwrap(), head);
    let mut opened = Opened { disk, files, head };
    // What comes next does not write that page again.
    opened.commit(LARGE).unwrap();
    let bytes = opened.disk.bytes(LOG).unwrap();
    assert_eq!(bytes[..closed.len()], closed);
    let next = frames(&opened.disk, Kind::Records).last().copied();
    assert_eq!(next.map(|(at, _)| at), Some(closed.len() as u64));
}

#[test]
fn a_log_that_is_closed_ends_where_it_ends() {
    for bytes in [SMALL, LARGE] {
        let mut opened = Opened::new();
        opened.written(30, bytes);
        let Opened { disk, files, head } = opened;
        let busy = disk.bytes(LOG).unwrap();
        drop(files);
        let closed = disk.bytes(LOG).unwrap();
        assert!(closed.len() < 40 * (bytes + 100) && closed.len() < busy.len());
        assert_eq!(busy[..closed.len()], closed);
        assert!(busy[closed.len()..].iter().all(|&byte| byte == 0));
        let files = Files::open_disk(Arc::new(disk), options()).unwrap();
        assert_eq!(read_all(&files, ID).unwrap().last().map(|entry| entry.at), Some(head));
    }
}

#[test]
fn space_ahead_is_given_back_by_the_daily_look() {
    let mut opened = Opened::new();
    opened.written(30, LARGE);
    assert!(opened.length() > 100 * LARGE);
    block_on(opened.files.compact(ID, 0)).unwrap();
    assert!(opened.length() < 31 * LARGE);
    opened.written(2, LARGE);
    let entries = read_all(&opened.files, ID).unwrap();
    assert_eq!(entries.last().map(|entry| entry.at), Some(opened.head));
}

#[test]
fn a_full_disk_costs_the_commit_that_it_has_no_space_for() {
    let mut opened = Opened::new();
    opened.written(30, LARGE);
    opened.disk.fail(0, Fault::Full);
    assert!(matches!(opened.commit(LARGE), Err(Error::NoSpace)));
    opened.disk.heal();
    let Opened { disk, files, head } = opened;
    drop(files);
    let files = Files::open_disk(Arc::new(disk), options()).unwrap();
    assert_eq!(read_all(&files, ID).unwrap().last().map(|entry| entry.at), Some(head));
}
