//! What is kept of messages beside them comes back, however it came in: one by one or many at once,
//! in any order, again and again, small and large.
#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::collections::BTreeMap;
use std::sync::Arc;

use base::ModSeq;
use bytes::Bytes;
use mailbox::Position;
use proptest::prelude::*;
use storage::conformance::{
    account, appended, batch, block_on, commit, inbox, message, positions, stage,
};
use storage::sim::{Left, SimDisk};
use storage::{Extract, Storage};
use storage_files::{Files, Options, Threads};

const WHAT: Extract = Extract::Fields;
const MESSAGES: u64 = 400;

fn open(disk: &SimDisk) -> Files {
    let options = Options { threads: Threads::Inline, segment_bytes: 60_000, ..Options::default() };
    Files::open_disk(Arc::new(disk.clone()), options).unwrap()
}

fn fill() -> (SimDisk, Vec<Position>) {
    let disk = SimDisk::new(3);
    let files = open(&disk);
    block_on(files.create(account(1))).unwrap();
    let mut at = Vec::new();
    let mut expected = ModSeq::ZERO;
    for nth in 0..4 {
        let messages = (0..MESSAGES / 4).map(|n| message(nth * MESSAGES / 4 + n, 300));
        let staged: Vec<_> =
            messages.map(|message| stage(&files, account(1), &message).unwrap()).collect();
        let record = appended((nth * MESSAGES / 4) as u32 + 1, &staged);
        let records = if nth == 0 { vec![inbox(), record] } else { vec![record] };
        let entries = commit(&files, account(1), expected, batch(records, staged)).unwrap();
        expected = entries.last().unwrap().at;
        at.extend(positions(&entries));
    }
    drop(files);
    (disk, at)
}

/// Like its neighbours, as extracts are.
fn extract(n: usize, round: usize, bytes: usize) -> Bytes {
    let text = format!("(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL {n} {round}) ");
    text.bytes().cycle().take(bytes).collect::<Vec<_>>().into()
}

fn check(
    files: &Files,
    at: &[Position],
    expected: &BTreeMap<usize, Bytes>,
    wanted: &[usize],
) -> Result<(), TestCaseError> {
    let mut rest = wanted;
    while !rest.is_empty() {
        let positions = rest.iter().map(|&n| at[n]).collect();
        let found = block_on(files.extracts(account(1), WHAT, positions)).unwrap();
        prop_assert!(!found.is_empty());
        for (nth, n) in rest.iter().enumerate().take(found.len()) {
            prop_assert_eq!(found.get(nth), expected.get(n).map(|extract| &**extract), "{}", n);
        }
        rest = &rest[found.len()..];
    }
    Ok(())
}

fn bytes_of(disk: &SimDisk) -> usize {
    let files = disk.files();
    let files = files.iter().filter(|path| path.ends_with(".fld"));
    files.map(|path| disk.bytes(path).unwrap().len()).sum()
}

/// Puts so many, from one on, in steps, of so many bytes.
fn puts() -> impl Strategy<Value = Vec<(usize, usize, usize, usize)>> {
    let bytes = prop_oneof![8 => 0usize..600, 2 => 2_000usize..12_000, 1 => 30_000usize..70_000];
    let count = prop_oneof![3 => 1usize..4, 1 => 50usize..250];
    let step = prop_oneof![Just(1usize), Just(7)];
    prop::collection::vec((0..MESSAGES as usize, count, step, bytes), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn what_is_put_is_found(
        puts in puts(),
        reopened in 0usize..5,
        wanted in prop::collection::vec(0..MESSAGES as usize, 1..200),
    ) {
        let (disk, at) = fill();
        let mut files = open(&disk);
        let mut expected = BTreeMap::new();
        for (round, &(from, count, step, bytes)) in puts.iter().enumerate() {
            // Large ones are few.
            let count = if bytes > 2_000 { count.min(3) } else { count };
            let numbers = (0..count).map(|n| (from + n * step) % at.len());
            let new = numbers.map(|n| (n, extract(n, round, bytes))).collect::<Vec<_>>();
            let put = new.iter().map(|(n, extract)| (at[*n], extract.clone())).collect();
            block_on(files.put_extracts(account(1), WHAT, put)).unwrap();
            expected.extend(new);
            if round % 5 == reopened {
                drop(files);
                files = open(&disk);
            }
            check(&files, &at, &expected, &wanted[..wanted.len().min(10)])?;
        }
        let all: Vec<usize> = (0..at.len()).chain(wanted).collect();
        check(&files, &at, &expected, &all)?;
        drop(files);
        check(&open(&disk), &at, &expected, &all)?;
    }
}

#[test]
fn neighbours_are_compressed_together_however_they_came() {
    let mut sizes = Vec::new();
    for at_once in [1, 20, MESSAGES as usize] {
        let (disk, at) = fill();
        let files = open(&disk);
        let new: Vec<_> = (0..at.len()).map(|n| (at[n], extract(n, 0, 400))).collect();
        for some in new.chunks(at_once) {
            block_on(files.put_extracts(account(1), WHAT, some.to_vec())).unwrap();
        }
        sizes.push(bytes_of(&disk));
    }
    // A part of each segment's file waits for more.
    let raw = 400 * MESSAGES as usize;
    assert!(sizes.iter().all(|&bytes| bytes < raw * 7 / 10), "{sizes:?} of {raw}");
}

#[test]
fn a_flipped_bit_is_never_served() {
    let (disk, at) = fill();
    let files = open(&disk);
    let new: Vec<_> = (0..at.len()).map(|n| (at[n], extract(n, 0, 400))).collect();
    let expected: BTreeMap<_, _> =
        new.iter().enumerate().map(|(n, (_, extract))| (n, extract.clone())).collect();
    block_on(files.put_extracts(account(1), WHAT, new)).unwrap();
    drop(files);
    let paths = disk.files();
    for path in paths.iter().filter(|path| path.ends_with(".fld")) {
        for byte in (0..disk.bytes(path).unwrap().len() as u64).step_by(397) {
            let image = disk.crash(Left::Everything);
            image.flip(path, byte, 3).unwrap();
            let files = open(&image);
            let found = block_on(files.extracts(account(1), WHAT, at.clone())).unwrap();
            assert_eq!(found.len(), at.len());
            let lost = (0..at.len()).filter(|&n| match found.get(n) {
                None => true,
                Some(found) => {
                    assert_eq!(found, expected[&n]);
                    false
                }
            });
            // A file is one group and what comes behind it.
            assert!(lost.count() <= MESSAGES as usize / 2, "{path} {byte}");
        }
    }
}
