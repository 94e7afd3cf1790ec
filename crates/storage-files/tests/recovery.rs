//! Single cases of opening a log again that random histories hit too rarely.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::sync::Arc;

use base::{ModSeq, SystemFlag, Uid, UidSet};
use mailbox::Record;
use storage::conformance::{
    account, appended, batch, block_on, commit, flagged, inbox, message, read_all, stage,
};
use storage::sim::{Fault, Left, SimDisk};
use storage::{Durability, Entry, Storage};
use storage_files::frame::{self, Found, Kind};
use storage_files::{Files, Options, Threads};

fn open(disk: &SimDisk, threads: Threads) -> Files {
    let options = Options { segment_bytes: 4_000, threads, ..Options::default() };
    Files::open_disk(Arc::new(disk.clone()), options).expect("opens")
}

fn seq(n: u64) -> ModSeq {
    ModSeq::ZERO.plus(n)
}

/// Records of one length that differ.
fn record(n: u32) -> Record {
    let uid = Uid::new(n + 1).unwrap();
    flagged(UidSet::range(uid, uid), SystemFlag::Seen)
}

fn log_file(disk: &SimDisk) -> String {
    disk.files().into_iter().filter(|path| path.ends_with(".seg")).max().unwrap()
}

fn records_frames(disk: &SimDisk) -> Vec<(u64, u64)> {
    let (_, found) = frame::parse(&disk.bytes(&log_file(disk)).unwrap()).unwrap();
    let frame = |found| match found {
        Found::Frame(header, at) if header.kind == Kind::Records => {
            Some((at, at + header.padded_bytes()))
        }
        _ => None,
    };
    found.into_iter().filter_map(frame).collect()
}

/// One account with a first record; then so many commits that are one group.
fn group(count: u32) -> (SimDisk, Vec<Entry>) {
    let disk = SimDisk::new(2);
    let files = open(&disk, Threads::Inline);
    block_on(files.create(account(1))).unwrap();
    let mut entries = commit(&files, account(1), seq(0), batch(vec![inbox()], vec![])).unwrap();
    drop(files);
    let files = open(&disk, Threads::Manual);
    let mut head = files.head(account(1));
    while storage::conformance::poll_once(&mut head).is_none() {
        files.step();
    }
    drop(head);
    let syncs = disk.syncs();
    for n in 0..count {
        let at = seq(u64::from(n) + 1);
        let pending = block_on(files.commit(account(1), at, batch(vec![record(n)], vec![])));
        entries.extend(pending.unwrap().entries);
    }
    while files.step() {}
    assert_eq!(disk.syncs(), syncs + 1, "one sync for all of them");
    (disk, entries)
}

#[test]
fn what_was_cut_never_comes_back() {
    let (disk, entries) = group(2);
    let frames = records_frames(&disk);
    // The crash lost the first commit of the group and kept the second.
    let image = disk.crash(Left::Everything);
    let (from, to) = frames[1];
    image.spoil(&log_file(&disk), |bytes| bytes[from as usize..to as usize].fill(0)).unwrap();
    let files = open(&image, Threads::Inline);
    assert_eq!(read_all(&files, account(1)).unwrap(), entries[..1]);
    // What comes in its place has the same length, so that the second would follow it.
    let new = commit(&files, account(1), seq(1), batch(vec![record(9)], vec![])).unwrap();
    drop(files);
    assert_eq!(records_frames(&image)[1], frames[1]);
    for left in [Left::Nothing, Left::Everything] {
        let files = open(&image.crash(left), Threads::Inline);
        let expected = [&entries[..1], &new].concat();
        assert_eq!(read_all(&files, account(1)).unwrap(), expected, "{left:?}");
    }
}

#[test]
fn a_group_that_is_whole_is_kept() {
    let (disk, entries) = group(5);
    for left in [Left::Nothing, Left::Everything] {
        let files = open(&disk.crash(left), Threads::Inline);
        assert_eq!(read_all(&files, account(1)).unwrap(), entries);
    }
}

#[test]
fn lazy_records_at_the_end_of_a_segment_are_durable_with_the_next() {
    for seed in 0..20 {
        let disk = SimDisk::new(3);
        let files = open(&disk, Threads::Inline);
        block_on(files.create(account(1))).unwrap();
        let mut entries = commit(&files, account(1), seq(0), batch(vec![inbox()], vec![])).unwrap();
        let big = vec![stage(&files, account(1), &message(1, 2_000)).unwrap()];
        let new = batch(vec![appended(1, &big)], big);
        entries.extend(commit(&files, account(1), seq(1), new).unwrap());
        let mut lazy = batch(vec![record(1)], vec![]);
        lazy.durability = Durability::Lazy;
        entries.extend(commit(&files, account(1), seq(2), lazy).unwrap());
        let big = vec![stage(&files, account(1), &message(3, 2_000)).unwrap()];
        let new = batch(vec![appended(2, &big)], big);
        entries.extend(commit(&files, account(1), seq(3), new).unwrap());
        assert!(log_file(&disk).ends_with("00000002.seg"));
        let left = if seed == 0 { Left::Nothing } else { Left::Some(seed) };
        let files = open(&disk.crash(left), Threads::Inline);
        assert_eq!(read_all(&files, account(1)).unwrap(), entries, "{left:?}");
    }
}

#[test]
fn a_commit_that_failed_is_not_there_in_this_process() {
    // The write and the sync.
    for step in 0..2 {
        let disk = SimDisk::new(4);
        let files = open(&disk, Threads::Inline);
        block_on(files.create(account(1))).unwrap();
        let mut entries = commit(&files, account(1), seq(0), batch(vec![inbox()], vec![])).unwrap();
        disk.fail(step, Fault::Once);
        let failed = commit(&files, account(1), seq(1), batch(vec![record(1)], vec![]));
        assert!(failed.is_err() && disk.has_failed());
        assert_eq!(read_all(&files, account(1)).unwrap(), entries, "{step}");
        let head = seq(entries.len() as u64);
        entries.extend(commit(&files, account(1), head, batch(vec![record(2)], vec![])).unwrap());
        assert_eq!(read_all(&files, account(1)).unwrap(), entries, "{step}");
    }
}

#[test]
fn quiet_accounts_own_no_zeros() {
    let disk = SimDisk::new(5);
    let files = open(&disk, Threads::Inline);
    block_on(files.create(account(1))).unwrap();
    commit(&files, account(1), seq(0), batch(vec![inbox()], vec![])).unwrap();
    let open_bytes = disk.bytes(&log_file(&disk)).unwrap().len();
    drop(files);
    let closed_bytes = disk.bytes(&log_file(&disk)).unwrap().len();
    assert!(open_bytes >= 4_000, "written ahead: {open_bytes}");
    assert!(closed_bytes < 1_200, "given back: {closed_bytes}");
}

/// What is durable is not made durable again: an account that is made or opened waits for the disk
/// as seldom as can be.
#[test]
fn an_account_is_opened_with_few_syncs() {
    let disk = SimDisk::new(2);
    let options = Options {
        segment_bytes: 4_000,
        threads: Threads::Inline,
        open_accounts_max: 1,
        ..Options::default()
    };
    let files = Files::open_disk(Arc::new(disk.clone()), options).expect("opens");
    let mut before = disk.syncs();
    let mut since = || {
        let syncs = disk.syncs();
        syncs - std::mem::replace(&mut before, syncs)
    };
    block_on(files.create(account(1))).unwrap();
    assert_eq!(since(), 5, "the shard's name, the segment, its name, log, account");
    commit(&files, account(1), seq(0), batch(vec![inbox()], vec![])).unwrap();
    assert_eq!(since(), 1, "the commit");
    // The other one pushes it out; it comes back as it was.
    block_on(files.create(account(2))).unwrap();
    since();
    block_on(files.head(account(2))).unwrap();
    assert_eq!(read_all(&files, account(1)).unwrap().len(), 1);
    block_on(files.head(account(2))).unwrap();
    assert_eq!(since(), 0, "both were closed in order");
    drop(files);
    let files = open(&disk, Threads::Inline);
    since();
    block_on(files.head(account(1))).unwrap();
    assert_eq!(since(), 1, "nobody knows what the last process left");
    block_on(files.head(account(2))).unwrap();
    assert_eq!(since(), 5, "nor whether it came so far as to make all names durable");
    for id in [1, 2] {
        let saved = files.save_snapshot(
            account(id),
            seq(2 - u64::from(id)),
            Box::new(["fold".into()].into_iter()),
        );
        block_on(saved).unwrap();
    }
    drop(files);
    let files = open(&disk, Threads::Inline);
    since();
    block_on(files.head(account(1))).unwrap();
    assert_eq!(since(), 0, "the snapshot says that all of it is durable");
}
