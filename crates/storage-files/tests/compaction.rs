//! Compaction gives space back and changes nothing else, wherever it is stopped.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::sync::Arc;

use base::{ModSeq, Uid, UidSet};
use bytes::Bytes;
use mailbox::{Account, Record};
use storage::conformance::{
    account, appended, batch, block_on, commit, inbox, inbox_id, message, stage,
};
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
        Some((at, bytes)) => {
            let fold = Account::decode(&bytes).expect("a fold");
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

#[test]
fn a_damaged_log_is_left_alone() {
    // Without its checkpoint nobody knows what the account had: it is no account without mail.
    let disk = SimDisk::new(9);
    let before = fill(&disk, 30);
    let files = open(&disk).expect("opens");
    block_on(files.compact(account(1), 600)).expect("compacted");
    drop(files);
    let checkpoint = disk.files().into_iter().find(|path| path.ends_with(".chk")).unwrap();
    let image = disk.crash(Left::Everything);
    image.flip(&checkpoint, 40, 1).unwrap();
    image.flip(&checkpoint, 552, 1).unwrap();
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
