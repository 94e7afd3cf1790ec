//! Compaction gives space back and changes nothing else, wherever it is stopped.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::sync::Arc;

use base::{ModSeq, Uid, UidSet};
use bytes::Bytes;
use mailbox::{Account, Record};
use storage::conformance::{
    account, appended, batch, block_on, commit, inbox, inbox_id, message, stage,
};
use storage::disk::Disk;
use storage::sim::{Fault, Left, SimDisk};
use storage::{Error, Storage};
use storage_files::{Files, Options, Threads};

fn options() -> Options {
    Options {
        segment_bytes: 6_000,
        large_bytes: 3_000,
        block_bytes: 1_700,
        threads: Threads::Inline,
        compact_dead_percent: 0,
        ..Options::default()
    }
}

fn open(disk: &SimDisk) -> Result<Files, Error> {
    Files::open_disk(Arc::new(disk.clone()), options())
}

/// The fold as an account is loaded: from the snapshot and what follows it.
fn fold(files: &Files) -> Account {
    let snapshot = block_on(files.load_snapshot(account(1))).expect("snapshot");
    let mut fold = match snapshot {
        Some((at, pages)) => {
            let fold = Account::decode_pages(pages).expect("a fold");
            assert_eq!(fold.head(), at);
            fold
        }
        None => Account::default(),
    };
    for entry in block_on(files.read(account(1), fold.head(), usize::MAX)).expect("read") {
        fold.apply(entry.at, &entry.record).expect("fits");
    }
    fold
}

/// All messages of a fold are there, with the content that their identity promises.
fn check_messages(files: &Files, fold: &Account, context: &str) {
    for row in fold.mailboxes().flat_map(|info| info.mailbox.rows().collect::<Vec<_>>()) {
        let read = block_on(files.message(account(1), row.position));
        let bytes = read.unwrap_or_else(|error| panic!("{:?}: {error}: {context}", row.uid));
        assert_eq!(blake3::hash(&bytes).as_bytes()[..16], row.email_id.0, "{context}");
    }
}

fn put(
    files: &Files,
    time: i64,
    record: impl FnOnce(&[storage::Staged]) -> Record,
    body: &[Bytes],
) {
    let head = block_on(files.head(account(1))).expect("head");
    let staged = body.iter().map(|bytes| stage(files, account(1), bytes).expect("staged"));
    let staged: Vec<_> = staged.collect();
    let mut batch = batch(vec![record(&staged)], staged);
    batch.time = time;
    commit(files, account(1), head, batch).expect("committed");
}

/// Messages, some large, until time 500; then four of five are expunged.
fn fill(disk: &SimDisk, count: u32) -> Account {
    let files = open(disk).expect("opens");
    block_on(files.create(account(1))).expect("created");
    put(&files, 1, |_| inbox(), &[]);
    for n in 0..count {
        let octets = if n % 10 == 3 { 7_000 } else { 900 };
        let body = [message(u64::from(n) * 2 + 1, octets)];
        put(&files, i64::from(n) * 10, |staged| appended(n + 1, staged), &body);
    }
    for n in (0..count).filter(|n| n % 5 != 0) {
        let uids = UidSet::range(Uid::new(n + 1).unwrap(), Uid::new(n + 1).unwrap());
        let record = Record::Expunged { mailbox: inbox_id(), uids };
        put(&files, 500 + i64::from(n) * 10, |_| record, &[]);
    }
    let fold = fold(&files);
    check_messages(&files, &fold, "before");
    fold
}

#[test]
fn space_comes_back_and_nothing_changes() {
    for keep_after in [-1, 850, i64::MAX] {
        let disk = SimDisk::new(1);
        let before = fill(&disk, 50);
        let files = open(&disk).expect("opens");
        let planned = block_on(files.statistics(account(1), keep_after)).expect("statistics");
        let after = block_on(files.compact(account(1), keep_after)).expect("compacted");
        let context = format!("{keep_after}: {planned:?} {after:?}");
        assert!(after.bytes <= planned.bytes - planned.dead_bytes * 2 / 3, "{context}");
        assert_eq!(fold(&files).encode(), before.encode(), "{context}");
        check_messages(&files, &before, &context);
        match keep_after {
            -1 => assert_eq!(planned.dead_bytes, 0, "{context}"),
            850 => assert!(after.begin.get() > 70 && after.begin < after.head, "{context}"),
            _ => {
                assert_eq!(after.begin, after.head, "{context}");
                assert!(after.bytes < planned.bytes / 2, "{context}");
            }
        }
        // What is dropped cannot be read, and says so.
        let from_start = block_on(files.read(account(1), ModSeq::ZERO, 10));
        assert_eq!(from_start.is_ok(), keep_after == -1, "{context}");
        // The log goes on, also after a restart and a second compaction.
        drop(files);
        let files = open(&disk).expect("opens");
        let body = [message(1000, 900)];
        put(&files, 1000, |staged| appended(100, staged), &body);
        let before = fold(&files);
        block_on(files.compact(account(1), i64::MAX)).expect("compacted again");
        assert_eq!(fold(&files).encode(), before.encode(), "{context}");
        check_messages(&files, &before, &context);
    }
}

#[test]
fn a_fault_at_every_step_leaves_old_or_new() {
    let full = SimDisk::new(7);
    let before = fill(&full, 16);
    for fault in [Fault::Crash, Fault::Once, Fault::Full] {
        for step in 0.. {
            let disk = full.crash(Left::Everything);
            let files = open(&disk).expect("opens");
            disk.fail(step, fault);
            let outcome = block_on(files.compact(account(1), i64::MAX));
            let failed = disk.has_failed();
            disk.heal();
            drop(files);
            for left in [Left::Nothing, Left::Everything, Left::Some(step), Left::Some(step + 99)] {
                let context = format!("{fault:?} at {step}, {left:?}");
                let image = disk.crash(left);
                let files = open(&image).expect("opens");
                assert_eq!(fold(&files).encode(), before.encode(), "{context}");
                check_messages(&files, &before, &context);
                block_on(files.compact(account(1), i64::MAX)).expect("compacts");
                assert_eq!(fold(&files).encode(), before.encode(), "{context}");
                check_messages(&files, &before, &context);
            }
            if !failed {
                outcome.expect("without a fault it succeeds");
                break;
            }
        }
    }
}

#[test]
fn it_happens_by_itself() {
    let disk = SimDisk::new(3);
    let options = Options { compact_dead_percent: 30, retention_ms: 100, ..options() };
    let files = Files::open_disk(Arc::new(disk.clone()), options).expect("opens");
    block_on(files.create(account(1))).expect("created");
    put(&files, 1, |_| inbox(), &[]);
    for n in 0..200u32 {
        let body = [message(u64::from(n) * 2 + 1, 900)];
        put(&files, i64::from(n) * 10, |staged| appended(n + 1, staged), &body);
        let uid = Uid::new(n + 1).unwrap();
        let record = Record::Expunged { mailbox: inbox_id(), uids: UidSet::range(uid, uid) };
        put(&files, i64::from(n) * 10 + 5, |_| record, &[]);
    }
    let bytes: usize = disk.files().iter().map(|path| disk.bytes(path).unwrap().len()).sum();
    assert!(bytes < 60_000, "180,000 bytes were written, {bytes} are kept");
    assert_eq!(fold(&files).head().get(), 401);
}

fn checkpoints(disk: &SimDisk) -> Vec<String> {
    disk.files().into_iter().filter(|path| path.ends_with(".chk")).collect()
}

/// Whatever happens to one of the two, also to a whole file, nothing is missed; the next compaction
/// makes another.
#[test]
fn one_checkpoint_is_enough() {
    let disk = SimDisk::new(9);
    let before = fill(&disk, 30);
    let files = open(&disk).expect("opens");
    block_on(files.compact(account(1), 600)).expect("compacted");
    drop(files);
    let both = checkpoints(&disk);
    assert_eq!(both.len(), 2);
    for path in &both {
        let length = disk.bytes(path).unwrap().len() as u64;
        let header = (0..64).map(|at| vec![at]);
        let headers = (0..64).map(|at| vec![at, 512 + at]);
        let frame = (1024..length).map(|at| vec![at]);
        for places in header.chain(headers).chain(frame).chain([vec![]]) {
            let image = disk.crash(Left::Everything);
            places.iter().for_each(|&at| image.flip(path, at, (at % 8) as u8).unwrap());
            if places.is_empty() {
                image.remove(path).unwrap();
            }
            let context = format!("{path} at {places:?}");
            let files = open(&image).expect("opens");
            assert_eq!(fold(&files).encode(), before.encode(), "{context}");
            if places.len() != 1 || places[0] % 16 == 0 {
                check_messages(&files, &before, &context);
                block_on(files.compact(account(1), 600)).expect("compacted");
                drop(files);
                assert_eq!(checkpoints(&image).len(), 2, "{context}");
                let other = both.iter().find(|other| *other != path).unwrap();
                if image.bytes(other).is_ok() {
                    image.remove(other).unwrap();
                }
                assert_eq!(fold(&open(&image).unwrap()).encode(), before.encode(), "{context}");
            }
        }
    }
}

/// All of a quiet account is in the segment that is written to: that one ends.
#[test]
fn a_quiet_account_gives_space_back() {
    let disk = SimDisk::new(3);
    let options = Options { segment_bytes: 1 << 20, large_bytes: 1 << 20, ..options() };
    let open = || Files::open_disk(Arc::new(disk.clone()), options.clone()).expect("opens");
    let bytes = || -> usize {
        let logs = disk.files().into_iter().filter(|path| path.contains("/log/"));
        logs.map(|path| disk.bytes(&path).unwrap().len()).sum()
    };
    let files = open();
    block_on(files.create(account(1))).expect("created");
    put(&files, 1, |_| inbox(), &[]);
    for n in 0..40u32 {
        let body = [message(u64::from(n) * 2 + 1, 5_000)];
        put(&files, i64::from(n), |staged| appended(n + 1, staged), &body);
    }
    let expunge = |files: &Files, time, from, to| {
        let uids = UidSet::range(Uid::new(from).unwrap(), Uid::new(to).unwrap());
        put(files, time, |_| Record::Expunged { mailbox: inbox_id(), uids }, &[]);
    };
    expunge(&files, 100, 1, 15);
    expunge(&files, 200, 21, 39);
    let before = fold(&files);
    // What is ahead of the log's end comes back in any case.
    block_on(files.compact(account(1), 0)).expect("nothing to do");
    let full = bytes();
    block_on(files.compact(account(1), 99)).expect("too early");
    assert!(bytes() >= full, "what retention keeps stays");
    block_on(files.compact(account(1), 150)).expect("compacted");
    assert!((125_000..140_000).contains(&bytes()), "15 of 40 are gone: {}", bytes());
    assert_eq!(fold(&files).encode(), before.encode());
    let read = block_on(files.compact(account(1), 300)).expect("compacted");
    assert!((25_000..40_000).contains(&bytes()), "34 of 40 are gone: {}", bytes());
    assert_eq!((read.begin, read.head), (before.head(), before.head()));
    let segments = disk.files();
    block_on(files.compact(account(1), 300)).expect("nothing to do");
    assert_eq!(disk.files(), segments);
    check_messages(&files, &before, "compacted");
    // It goes on, in another segment, and after a restart.
    put(&files, 400, |staged| appended(100, staged), &[message(1, 900)]);
    let before = fold(&files);
    drop(files);
    let files = open();
    assert_eq!(fold(&files).encode(), before.encode());
    check_messages(&files, &before, "after a restart");
}

/// What an account has of dead bytes comes back by itself where it lies close together, although all
/// of it is not much; where it lies scattered, it stays.
#[test]
fn mostly_dead_segments_go_first() {
    for (step, comes_back) in [(1, true), (4, false)] {
        let disk = SimDisk::new(5);
        let (segment_bytes, large_bytes) = (32_000, 8_000);
        let options = Options { segment_bytes, large_bytes, ..options() };
        let options = Options { compact_dead_percent: 50, retention_ms: 0, ..options };
        let files = Files::open_disk(Arc::new(disk.clone()), options).expect("opens");
        block_on(files.create(account(1))).expect("created");
        put(&files, 1, |_| inbox(), &[]);
        let fill = |time: i64, numbers: std::ops::Range<u32>| {
            for n in numbers {
                let body = [message(u64::from(n) * 2 + 1, 2_500)];
                put(&files, time, |staged| appended(n + 1, staged), &body);
            }
        };
        fill(1, 0..45);
        // Ten of forty-five.
        for n in (0..10).map(|n| n * step + 1) {
            let uids = UidSet::range(Uid::new(n).unwrap(), Uid::new(n).unwrap());
            put(&files, 2, |_| Record::Expunged { mailbox: inbox_id(), uids }, &[]);
        }
        let dead = || block_on(files.statistics(account(1), 3)).expect("statistics").dead_bytes;
        let doomed = dead();
        assert!(doomed > 20_000, "{doomed}");
        fill(4, 45..60);
        let left = dead();
        let context = format!("{left} of {doomed} dead bytes are left");
        assert_eq!(left < doomed / 2, comes_back, "{context}");
        check_messages(&files, &fold(&files), &context);
    }
}

#[test]
fn a_directory_begins_again_where_it_is_told() {
    let disk = SimDisk::new(3);
    let files = open(&disk).expect("opens");
    block_on(files.create(account(1))).expect("created");
    let entry = |n: u32| Record::Directory(Bytes::from(format!("{n:0>300}")));
    (0..100).for_each(|n| put(&files, 1, |_| entry(n), &[]));
    let upto = block_on(files.head(account(1))).unwrap();
    let head = upto.plus(5);
    let all = batch((100..105).map(entry).collect(), Vec::new());
    commit(&files, account(1), upto, all).expect("committed");
    let kept = disk.files();
    block_on(files.compact(account(1), i64::MAX)).expect("left alone");
    assert_eq!(disk.files(), kept);
    let after = block_on(files.compact_directory(account(1), upto)).expect("compacted");
    assert_eq!((after.begin, after.head), (upto, head));
    assert!(after.bytes < 12_000, "{after:?}");
    put(&files, 1, |_| entry(105), &[]);
    drop(files);
    let files = open(&disk).expect("opens");
    assert_eq!(block_on(files.begin(account(1))).unwrap(), upto);
    let read = block_on(files.read(account(1), upto, 1000)).unwrap();
    let records: Vec<_> = read.iter().map(|read| (*read.record).clone()).collect();
    assert_eq!(records, (100..106).map(entry).collect::<Vec<_>>());
}

#[test]
fn a_damaged_log_is_left_alone() {
    // Without its checkpoint nobody knows what the account had: it is no account without mail.
    let disk = SimDisk::new(9);
    let before = fill(&disk, 30);
    let files = open(&disk).expect("opens");
    block_on(files.compact(account(1), 600)).expect("compacted");
    drop(files);
    let image = disk.crash(Left::Everything);
    for checkpoint in checkpoints(&disk) {
        image.flip(&checkpoint, 40, 1).unwrap();
        image.flip(&checkpoint, 552, 1).unwrap();
    }
    let files = open(&image).expect("opens");
    assert!(matches!(block_on(files.head(account(1))), Err(Error::Damaged(_))));
    drop(files);

    // What lost records named must not pass for dead.
    let disk = SimDisk::new(9);
    fill(&disk, 30);
    let path = disk.files().into_iter().find(|path| path.ends_with("01.seg")).unwrap();
    let (_, found) = storage_files::frame::parse(&disk.bytes(&path).unwrap()).unwrap();
    let records = found.iter().rev().find_map(|found| match found {
        storage_files::frame::Found::Frame(header, at)
            if header.kind == storage_files::frame::Kind::Records =>
        {
            Some(*at)
        }
        _ => None,
    });
    disk.flip(&path, records.unwrap() + 40, 1).unwrap();
    let files = open(&disk).expect("opens");
    let kept = disk.files();
    block_on(files.compact(account(1), i64::MAX)).expect("nothing to do");
    assert_eq!(disk.files(), kept);
    check_messages(&files, &before, "after damage");
}
