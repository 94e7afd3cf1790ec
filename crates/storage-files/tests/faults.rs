//! The file engine on a disk that fails: at every step of a history, in every way, and after each the
//! images that a crash could leave. SQLite's loop: fail the 1st operation, the 2nd, … until none is
//! left to fail.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::collections::BTreeSet;
use std::sync::Arc;

use storage::conformance::crash::{Sizes, Told, check, history};
use storage::conformance::positions;
use storage::sim::{Fault, Left, SimDisk};
use storage::{Error, Storage};
use storage_files::{Files, Options, Threads};

const SIZES: Sizes = Sizes { small: 900, large: 5_000 };

fn options() -> Options {
    Options {
        segment_bytes: 4_000,
        large_bytes: 3_000,
        block_bytes: 1_700,
        group_bytes_max: 2_000,
        page_bytes: 128,
        grow_bytes_min: 256,
        grow_bytes_max: 1024,
        zeros_bytes_max: 200,
        allocate_bytes: 2048,
        threads: Threads::Inline,
        compact_dead_percent: 0,
        ..Options::default()
    }
}

fn open(disk: &SimDisk) -> Result<Arc<dyn Storage>, Error> {
    Ok(Arc::new(Files::open_disk(Arc::new(disk.clone()), options())?))
}

/// Runs the history with a fault at the `step`-th operation. What was told before is kept in `told`.
fn run(disk: &SimDisk, told: &mut Told) -> Result<(), Error> {
    history(&open(disk)?, &SIZES, told)
}

fn check_images(disk: &SimDisk, told: &Told, seeds: u64, context: &str) {
    let left = [Left::Nothing, Left::Everything].into_iter();
    for left in left.chain((0..seeds).map(Left::Some)) {
        let context = format!("{context}, {left:?}");
        let image = disk.crash(left);
        let storage = open(&image).unwrap_or_else(|error| panic!("{error}: {context}"));
        let after = check(&storage, told, &context);
        check_files(&image, &after, &context);
        drop(storage);
        // A second crash, right after the recovery.
        let storage = open(&image.crash(Left::Nothing)).expect("opens again");
        check(&storage, &after, &format!("{context}, and again"));
    }
}

/// There is no large message that no record names, and nothing half-made.
fn check_files(disk: &SimDisk, told: &Told, context: &str) {
    let named: BTreeSet<u32> = positions(&told.entries).iter().map(|at| at.segment).collect();
    for path in disk.files() {
        let name = path.rsplit('/').next().unwrap();
        let large = name.strip_suffix(".msg").map(|number| number.parse().unwrap());
        assert!(large.is_none_or(|number| named.contains(&number)), "{path}: {context}");
        assert!(!path.contains("/log/") || !path.ends_with(".tmp"), "{path}: {context}");
    }
}

fn fault_at_every_step(fault: Fault, seeds: u64) {
    for step in 0.. {
        let (disk, mut told) = (SimDisk::new(step), Told::default());
        disk.fail(step, fault);
        let outcome = run(&disk, &mut told);
        let context = format!("{fault:?} at operation {step}");
        let failed = disk.has_failed();
        disk.heal();
        if fault != Fault::Crash {
            // The process lives on, with the disk as good as new.
            let storage = open(&disk).expect("opens when the disk is well");
            told = check(&storage, &told, &format!("{context}, opened again"));
        }
        check_images(&disk, &told, seeds, &context);
        if !failed {
            outcome.expect("without a fault everything succeeds");
            assert!(step > 100, "the history is too short: {step}");
            break;
        }
    }
}

#[test]
fn a_crash_at_every_step() {
    fault_at_every_step(Fault::Crash, 6);
}

#[test]
fn one_failure_at_every_step() {
    fault_at_every_step(Fault::Once, 2);
}

#[test]
fn a_broken_disk_from_every_step_on() {
    fault_at_every_step(Fault::Always, 2);
}

#[test]
fn a_full_disk_from_every_step_on() {
    fault_at_every_step(Fault::Full, 2);
}
