//! The doctor sees every flipped bit, and repair leaves a log that is well and has all that was
//! readable.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::sync::Arc;

use base::{ModSeq, SystemFlag, Uid, UidSet};
use bytes::Bytes;
use mailbox::{Account, Position, Record};
use storage::conformance::{
    account, appended, batch, block_on, commit, flagged, inbox, message, pages, positions,
    read_all, stage,
};
use storage::sim::{Left, SimDisk};
use storage::{Error, Storage};
use storage_files::doctor::{Severity, check_disk, repair_disk};
use storage_files::frame::{self, Found, Kind};
use storage_files::{Files, Options, Threads};

fn open(disk: &SimDisk) -> Files {
    let options = Options {
        segment_bytes: 8_000,
        large_bytes: 3_000,
        block_bytes: 1_700,
        threads: Threads::Inline,
        compact_dead_percent: 0,
        ..Options::default()
    };
    Files::open_disk(Arc::new(disk.clone()), options).expect("opens")
}

fn fold(files: &Files) -> Account {
    let snapshot = block_on(files.load_snapshot(account(1))).expect("snapshot");
    let decoded = snapshot.and_then(|(_, pages)| Account::decode_pages(pages));
    let mut fold = decoded.unwrap_or_default();
    for entry in block_on(files.read(account(1), fold.head(), usize::MAX)).expect("read") {
        fold.apply(entry.at, &entry.record).expect("fits");
    }
    fold
}

/// Twelve messages and changes of flags between them; with a snapshot at the end, if wished.
fn fill(snapshot: bool) -> (SimDisk, Vec<(Position, Bytes)>) {
    let disk = SimDisk::new(12);
    let files = open(&disk);
    block_on(files.create(account(1))).expect("created");
    let (mut head, mut messages) = (ModSeq::ZERO, Vec::new());
    let mut put = |record: Record, staged: Vec<storage::Staged>| {
        let new = commit(&files, account(1), head, batch(vec![record], staged)).expect("committed");
        head = head.next();
        positions(&new)
    };
    put(inbox(), Vec::new());
    for n in 0..12u32 {
        let bytes = message(u64::from(n), if n % 5 == 3 { 6_000 } else { 900 });
        let staged = vec![stage(&files, account(1), &bytes).expect("staged")];
        let at = put(appended(n + 1, &staged), staged);
        messages.push((at[0], bytes));
        put(flagged(UidSet::range(Uid::MIN, Uid::MAX), SystemFlag::Seen), Vec::new());
    }
    if snapshot {
        let fold = fold(&files);
        let saved = files.save_snapshot(account(1), fold.head(), pages(&fold.encode()));
        block_on(saved).expect("saved");
    }
    drop(files);
    (disk, messages)
}

fn check(disk: &SimDisk) -> storage_files::doctor::Report {
    check_disk(Arc::new(disk.clone()), None, &mut |_| {}).expect("checked")
}

#[test]
fn a_good_directory_is_well() {
    let (disk, messages) = fill(true);
    let operations = disk.files();
    let report = check(&disk);
    assert_eq!(report.findings, []);
    assert_eq!((report.accounts, report.messages, report.records), (1, 12, 25));
    assert_eq!(report.octets, messages.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
    assert_eq!(disk.files(), operations, "a check makes nothing");
    let missing = check_disk(Arc::new(disk), Some(account(9)), &mut |_| {});
    assert!(matches!(missing, Err(Error::NoAccount)));
}

fn damage_and_repair(snapshot: bool) {
    let (disk, messages) = fill(snapshot);
    let logs = disk.files().into_iter().filter(|path| path.contains("/log/"));
    let logs: Vec<_> = logs.collect();
    let last = logs.iter().filter(|path| path.ends_with(".seg")).max().unwrap().clone();
    for path in &logs {
        let (_, found) = frame::parse(&disk.bytes(path).unwrap()).expect("a segment");
        let frames = found.into_iter().filter_map(|found| match found {
            Found::Frame(header, at) => Some((header, at)),
            _ => None,
        });
        let frames: Vec<_> = frames.collect();
        for (n, (header, at)) in frames.iter().enumerate() {
            if *path == last && n + 1 == frames.len() {
                continue;
            }
            for offset in
                [at + 2, at + frame::HEADER_BYTES as u64 + 50, at + header.frame_bytes() - 1]
            {
                let offset = offset.min(at + header.frame_bytes() - 1);
                let image = disk.crash(Left::Everything);
                image.flip(path, offset, 2).unwrap();
                let context = format!("{path} {:?} at {at}, byte {offset}", header.kind);
                check_repair(&image, &messages, header.kind, snapshot, &context);
            }
        }
    }
}

fn check_repair(
    image: &SimDisk,
    messages: &[(Position, Bytes)],
    kind: Kind,
    snapshot: bool,
    context: &str,
) {
    let report = check(image);
    assert!(!report.is_well(), "{context}");
    let of_message = |finding: &&storage_files::doctor::Finding| finding.message.is_some();
    let named = report.findings.iter().filter(of_message).count();
    assert_eq!(named, usize::from(kind != Kind::Records), "{context}: {:?}", report.findings);
    let repaired = repair_disk(Arc::new(image.clone()), None, &mut |_| {}).expect("repaired");
    assert_eq!(repaired.before, report, "{context}");
    assert!(repaired.after.is_well(), "{context}: {:?}", repaired.after.findings);
    assert_eq!(repaired.expunged as usize, named, "{context}");
    let files = open(image);
    for (at, bytes) in messages {
        match block_on(files.message(account(1), *at)) {
            Ok(read) => assert_eq!(&read, bytes, "{context}"),
            Err(error) => assert!(kind != Kind::Records, "{error}: {context}"),
        }
    }
    let fold = fold(&files);
    if !fold.is_lossy() {
        let inbox = fold.find("INBOX").expect("inbox").mailbox;
        assert_eq!(inbox.len() as usize, 12 - named, "{context}");
    }
    assert_eq!(fold.is_lossy(), kind == Kind::Records && !snapshot, "{context}");
    if !snapshot {
        read_all(&files, account(1)).expect("readable from the start");
    }
    for row in fold.mailboxes().flat_map(|info| info.mailbox.rows().collect::<Vec<_>>()) {
        block_on(files.message(account(1), row.position)).expect("all that is listed is there");
    }
    assert!(image.files().iter().any(|path| path.contains("/damaged/")), "{context}");
}

#[test]
fn repair_keeps_everything_readable() {
    damage_and_repair(false);
}

#[test]
fn a_snapshot_knows_what_the_log_lost() {
    damage_and_repair(true);
}

#[test]
fn a_segment_without_a_header_is_read_all_the_same() {
    let (disk, messages) = fill(false);
    for path in disk.files().iter().filter(|path| path.ends_with(".seg")) {
        let image = disk.crash(Left::Everything);
        image.flip(path, 20, 2).unwrap();
        image.flip(path, 520, 2).unwrap();
        assert!(!check(&image).is_well());
        let repaired = repair_disk(Arc::new(image.clone()), None, &mut |_| {}).expect("repaired");
        assert!(repaired.after.is_well(), "{path}: {:?}", repaired.after.findings);
        let files = open(&image);
        for (at, bytes) in &messages {
            assert_eq!(&block_on(files.message(account(1), *at)).expect("message"), bytes);
        }
        assert_eq!(read_all(&files, account(1)).expect("read").len(), 25);
        assert!(!fold(&files).is_lossy(), "{path}");
    }
}

#[test]
fn a_checkpoint_is_made_anew_from_the_other_one() {
    let (disk, messages) = fill(false);
    let files = open(&disk);
    let uids = UidSet::range(Uid::MIN, Uid::new(6).unwrap());
    let record = Record::Expunged { mailbox: storage::conformance::inbox_id(), uids };
    let head = block_on(files.head(account(1))).unwrap();
    commit(&files, account(1), head, batch(vec![record], Vec::new())).unwrap();
    let before = fold(&files);
    block_on(files.compact(account(1), i64::MAX)).unwrap();
    drop(files);
    assert_eq!(check(&disk).findings, []);
    for path in disk.files().iter().filter(|path| path.ends_with(".chk")) {
        for places in [vec![3], vec![515], vec![3, 515], vec![1030], vec![1060]] {
            let image = disk.crash(Left::Everything);
            places.iter().for_each(|&at| image.flip(path, at, 2).unwrap());
            assert!(!check(&image).is_well(), "{path} {places:?}");
            let repaired = repair_disk(Arc::new(image.clone()), None, &mut |_| {}).unwrap();
            assert_eq!(repaired.after.findings, [], "{path} {places:?}");
            assert_eq!(repaired.kept_aside, [path.as_str()]);
            let files = open(&image);
            assert_eq!(fold(&files).encode(), before.encode());
            let (at, bytes) = &messages[11];
            assert_eq!(&block_on(files.message(account(1), *at)).unwrap(), bytes);
        }
    }
}

#[test]
fn what_a_crash_left_is_only_noted() {
    let (disk, _) = fill(true);
    let image = disk.crash(Left::Everything);
    let last = image.files().into_iter().filter(|path| path.ends_with(".seg")).max().unwrap();
    image
        .spoil(&last, |bytes| bytes.extend_from_slice(&[0x6d, 0x66, 1, 2, 3, 4, 5, 6, 7]))
        .unwrap();
    let report = check(&image);
    assert!(report.is_well());
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Note));
    assert_eq!(report.findings.len(), 1);
}
