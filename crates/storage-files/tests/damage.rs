//! Damage: bits that flip in what was durable. It is contained to its frames; everything on both
//! sides stays; nothing is cut.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::sync::Arc;

use base::{ModSeq, SystemFlag, Uid, UidSet};
use bytes::Bytes;
use mailbox::{Account, Position, Record};
use storage::conformance::{
    account, appended, batch, block_on, commit, flagged, inbox, message, pages, positions,
    read_all, stage, whole,
};
use storage::sim::{Left, SimDisk};
use storage::{Entry, Error, Extract, Storage};
use storage_files::frame::{self, Found, Kind, SegmentKind};
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

struct Filled {
    disk: SimDisk,
    entries: Vec<Entry>,
    messages: Vec<(Position, Bytes)>,
}

/// Twenty messages, each in a commit of its own, each followed by a change of flags.
fn fill() -> Filled {
    let disk = SimDisk::new(11);
    let files = open(&disk);
    block_on(files.create(account(1))).expect("created");
    let (mut entries, mut messages) = (Vec::new(), Vec::new());
    let mut put = |record: Record, staged: Vec<storage::Staged>| {
        let head = ModSeq::ZERO.plus(entries.len() as u64);
        let new = commit(&files, account(1), head, batch(vec![record], staged)).expect("committed");
        entries.extend(new.iter().cloned());
        positions(&new)
    };
    put(inbox(), Vec::new());
    for n in 0..20u32 {
        let bytes = message(u64::from(n), if n % 7 == 3 { 6_000 } else { 900 });
        let staged = vec![stage(&files, account(1), &bytes).expect("staged")];
        let at = put(appended(n + 1, &staged), staged);
        messages.push((at[0], bytes));
        put(flagged(UidSet::range(Uid::MIN, Uid::MAX), SystemFlag::Seen), Vec::new());
    }
    drop(files);
    Filled { disk, entries, messages }
}

/// The frames of all segments: path, kind, first byte, last byte.
fn frames(disk: &SimDisk) -> Vec<(String, frame::Header, u64)> {
    let mut all = Vec::new();
    for path in disk.files().into_iter().filter(|path| path.contains("/log/")) {
        let (_, found) = frame::parse(&disk.bytes(&path).unwrap()).expect("a segment");
        for found in found {
            if let Found::Frame(header, at) = found {
                all.push((path.clone(), header, at));
            }
        }
    }
    all
}

fn readable(files: &Files, messages: &[(Position, Bytes)]) -> Vec<bool> {
    let read = |(at, bytes): &(Position, Bytes)| match block_on(files.message(account(1), *at)) {
        Ok(read) => {
            assert_eq!(&read, bytes, "what is read is right");
            true
        }
        Err(Error::Damaged(_)) => false,
        Err(error) => panic!("{error}"),
    };
    messages.iter().map(read).collect()
}

#[test]
fn a_flipped_bit_costs_one_message_or_one_record() {
    let filled = fill();
    let all = frames(&filled.disk);
    assert!(all.len() > 60);
    let last = all.iter().map(|(path, ..)| path).filter(|path| path.ends_with(".seg")).max();
    let last_frame = all.iter().rposition(|(path, ..)| Some(path) == last);
    for (n, (path, header, at)) in all.iter().enumerate() {
        // In the header, at its end, in the payload's first byte, in the middle and at the end.
        let payload = at + frame::HEADER_BYTES as u64;
        let end = at + header.frame_bytes() - 1;
        for offset in [*at, at + 5, at + 20, payload - 1, payload, payload + 60, end] {
            let image = filled.disk.crash(Left::Everything);
            image.flip(path, offset.min(end), 3).unwrap();
            let context = format!("{path} {:?} at {at}, byte {offset}", header.kind);
            let before = image.bytes(path).unwrap();
            let files = open(&image);
            let lost = readable(&files, &filled.messages).iter().filter(|found| !**found).count();
            let entries = read_all(&files, account(1)).expect("readable");
            let gone = entries.iter().filter(|entry| matches!(*entry.record, Record::Lost { .. }));
            let gone = gone.count();
            if Some(n) == last_frame {
                // Nothing behind it: it cannot be told from what was in flight.
                assert_eq!(entries.len(), filled.entries.len() - 1, "{context}");
            } else {
                let expected = if header.kind == Kind::Records { (0, 1) } else { (1, 0) };
                assert_eq!((lost, gone), expected, "{context}");
                assert_eq!(entries.len(), filled.entries.len(), "{context}");
                let same = entries.iter().zip(&filled.entries).filter(|(a, b)| a == b).count();
                assert_eq!(same, entries.len() - gone, "{context}");
                assert_eq!(image.bytes(path).unwrap(), before, "nothing is cut: {context}");
            }
            // The log goes on, behind the damage, and the fold with it.
            let head = block_on(files.head(account(1))).unwrap();
            let staged = vec![stage(&files, account(1), b"new").unwrap()];
            let record = appended(500, &staged);
            let new = commit(&files, account(1), head, batch(vec![record], staged)).unwrap();
            drop(files);
            let files = open(&image);
            let read = block_on(files.message(account(1), positions(&new)[0])).unwrap();
            assert_eq!(read, &b"new"[..]);
            let mut fold = Account::default();
            for entry in read_all(&files, account(1)).unwrap() {
                // Without the record that made the mailbox nothing fits, and nothing fails.
                fold.apply(entry.at, &entry.record)
                    .unwrap_or_else(|error| panic!("{error}: {context}"));
            }
        }
    }
}

/// Reads all messages, one by one and together; whether each was served.
fn served(files: &Files, messages: &[(Position, Bytes)]) -> Vec<bool> {
    let found = readable(files, messages);
    let positions = messages.iter().map(|(at, _)| *at).collect();
    let together = block_on(files.messages(account(1), positions));
    for ((read, (_, bytes)), found) in together.iter().zip(messages).zip(&found) {
        assert_eq!(read.as_ref().ok(), found.then_some(bytes));
    }
    found
}

#[test]
fn every_byte_of_a_message_is_checked_when_it_is_read() {
    let filled = fill();
    let small = filled.messages.iter().position(|(at, _)| at.stored_bytes < 1500).unwrap();
    let large = filled.messages.iter().position(|(_, bytes)| bytes.len() == 6_000).unwrap();
    for hit in [small, large] {
        let at = filled.messages[hit].0;
        let file = frame::file_name(at.segment, SegmentKind::Log);
        let large = frame::file_name(at.segment, SegmentKind::Large);
        let paths = filled.disk.files();
        let path = paths.iter().find(|path| path.ends_with(&file) || path.ends_with(&large));
        let path = path.unwrap();
        for byte in 0..at.stored_bytes {
            let image = filled.disk.crash(Left::Everything);
            image.flip(path, u64::from(at.offset + byte), byte as u8 % 8).unwrap();
            let found = served(&open(&image), &filled.messages);
            let lost: Vec<_> = (0..found.len()).filter(|&n| !found[n]).collect();
            assert_eq!(lost, [hit], "byte {byte}");
        }
    }
}

#[test]
fn a_good_frame_at_the_wrong_place_is_not_served() {
    let disk = SimDisk::new(12);
    let files = open(&disk);
    block_on(files.create(account(1))).unwrap();
    let mut messages = Vec::new();
    for n in 0..4u32 {
        let bytes = message(u64::from(n) * 2, 900);
        let staged = vec![stage(&files, account(1), &bytes).unwrap()];
        let records = vec![inbox(), appended(n + 1, &staged)];
        let records = records.into_iter().skip(usize::from(n > 0)).collect();
        let head = block_on(files.head(account(1))).unwrap();
        let new = commit(&files, account(1), head, batch(records, staged)).unwrap();
        messages.push((positions(&new)[0], bytes));
    }
    drop(files);
    let same = |a: usize, b: usize| messages[a].0.stored_bytes == messages[b].0.stored_bytes;
    let pairs = (0..4).flat_map(|a| (0..4).map(move |b| (a, b)));
    let pairs: Vec<_> = pairs.filter(|&(a, b)| a != b && same(a, b)).collect();
    assert!(!pairs.is_empty());
    let path = disk.files().into_iter().find(|path| path.ends_with(".seg")).unwrap();
    for (from, to) in pairs {
        let image = disk.crash(Left::Everything);
        let (from, at) = (messages[from].0, messages[to].0);
        let bytes = image.bytes(&path).unwrap();
        let frame = &bytes[from.offset as usize..][..from.stored_bytes as usize];
        let file = storage::disk::Disk::open(&image, &path, storage::disk::Open::Write).unwrap();
        file.write_at(frame, u64::from(at.offset)).unwrap();
        let found = served(&open(&image), &messages);
        assert_eq!((0..4).filter(|&n| !found[n]).collect::<Vec<_>>(), [to]);
    }
}

#[test]
fn one_copy_of_a_segments_header_is_enough() {
    let filled = fill();
    for path in filled.disk.files().iter().filter(|path| path.contains("/log/")) {
        for copy in [3, 515] {
            let image = filled.disk.crash(Left::Everything);
            image.flip(path, copy, 1).unwrap();
            let files = open(&image);
            assert_eq!(read_all(&files, account(1)).unwrap(), filled.entries);
            assert!(readable(&files, &filled.messages).iter().all(|&found| found));
        }
        let image = filled.disk.crash(Left::Everything);
        image.flip(path, 3, 1).unwrap();
        image.flip(path, 515, 1).unwrap();
        // A large message is lost; a log segment's frames tell what its header said.
        let before = image.bytes(path).unwrap();
        let files = open(&image);
        let lost = usize::from(path.ends_with(".msg"));
        assert_eq!(read_all(&files, account(1)).unwrap(), filled.entries);
        let found = readable(&files, &filled.messages).iter().filter(|&&found| found).count();
        assert_eq!(found, filled.messages.len() - lost);
        let head = block_on(files.head(account(1))).unwrap();
        let flag = flagged(UidSet::range(Uid::MIN, Uid::MIN), SystemFlag::Draft);
        commit(&files, account(1), head, batch(vec![flag], Vec::new())).unwrap();
        drop(files);
        assert_eq!(read_all(&open(&image), account(1)).unwrap().len(), filled.entries.len() + 1);
        assert_eq!(image.bytes(path).unwrap(), before, "nothing is written to it");
    }
}

#[test]
fn damaged_caches_cost_nothing() {
    let filled = fill();
    let files = open(&filled.disk);
    let state = Bytes::from("not a fold, but no engine knows that".repeat(9));
    block_on(files.save_snapshot(account(1), ModSeq::ZERO.plus(30), pages(&state))).unwrap();
    let at = filled.messages[0].0;
    let summary = Bytes::from_static(b"a summary");
    for what in Extract::ALL {
        let new = vec![(at, summary.clone())];
        block_on(files.put_extracts(account(1), what, new)).unwrap();
    }
    drop(files);
    for path in filled.disk.files().iter().filter(|path| path.contains("/cache/")) {
        for byte in 0..filled.disk.bytes(path).unwrap().len() as u64 {
            let image = filled.disk.crash(Left::Everything);
            image.flip(path, byte, 6).unwrap();
            let files = open(&image);
            let found = block_on(files.load_snapshot(account(1))).unwrap().map(whole);
            assert!(found.is_none_or(|(at, found)| (at.get(), &found) == (30, &state)));
            for what in Extract::ALL {
                let found = block_on(files.extracts(account(1), what, vec![at])).unwrap();
                assert!(found.get(0).is_none_or(|found| found == summary));
            }
            if byte % 16 == 0 {
                assert_eq!(read_all(&files, account(1)).unwrap(), filled.entries);
            }
        }
    }
}
