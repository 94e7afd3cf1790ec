//! Which accounts were used lately: the list that outlives a start, and what is made of it.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use account::{Accounts, Prepared};
use base::{AccountId, Limits, ModSeq};
use common::{Gate, Slow, accounts, run, step};
use proptest::prelude::*;
use storage::{Error, Storage};
use testkit::log_lines::Lines;

fn id(n: u8) -> AccountId {
    AccountId([n; 16])
}

/// An engine that has these accounts, and the system's.
fn having(ids: &[AccountId]) -> Slow {
    let slow = Slow::default();
    let creator = accounts(&slow, Limits::default());
    run(slow.create(AccountId::SYSTEM)).unwrap();
    for &id in ids {
        run(creator.create(id)).unwrap();
    }
    slow.loads.store(0, Relaxed);
    slow
}

fn open(accounts: &Arc<Accounts>, id: AccountId) {
    drop(run(accounts.open(id)).unwrap());
}

#[test]
fn the_latest_come_first() {
    let slow = having(&[id(1), id(2), id(3)]);
    let accounts = accounts(&slow, Limits::default());
    assert_eq!(accounts.used(9), []);
    for n in 1..=3 {
        open(&accounts, id(n));
    }
    assert_eq!(accounts.used(9), [id(3), id(2), id(1)]);
    let one = run(accounts.open(id(1))).unwrap();
    open(&accounts, id(2));
    assert_eq!(accounts.used(9), [id(1), id(2), id(3)], "who is here comes before all others");
    assert_eq!(accounts.used(2), [id(1), id(2)]);
    drop(one);
    run(accounts.remove(id(2))).unwrap();
    assert_eq!(accounts.used(9), [id(1), id(3)]);
}

#[test]
fn an_account_that_was_prepared_is_not_loaded_again() {
    let slow = having(&[id(1)]);
    let accounts = accounts(&slow, Limits::default());
    assert_eq!(run(accounts.prepare(id(1))).unwrap(), Prepared::Loaded);
    assert_eq!(run(accounts.prepare(id(1))).unwrap(), Prepared::Present);
    let (all, unused, bytes) = accounts.in_memory();
    assert_eq!((all, unused, bytes > 0), (1, 1, true));
    let live = run(accounts.open(id(1))).unwrap();
    assert_eq!(run(accounts.prepare(id(1))).unwrap(), Prepared::Present);
    assert_eq!((slow.loads.load(Relaxed), accounts.in_memory().1), (1, 0));
    drop(live);
    assert_eq!(accounts.in_memory(), (1, 1, bytes));
}

#[test]
fn a_client_waits_for_the_load_that_has_begun() {
    let slow = having(&[id(1)]);
    let accounts = accounts(&slow, Limits::default());
    let gate = Gate::default();
    *slow.loading.lock().unwrap() = Some(gate.clone());
    let mut prepared = Box::pin(accounts.prepare(id(1)));
    let mut opened = Box::pin(accounts.open(id(1)));
    assert!(step(&mut prepared).is_none() && step(&mut opened).is_none());
    gate.open(Ok(()));
    assert_eq!(run(prepared).unwrap(), Prepared::Loaded);
    assert!(run(opened).is_ok());
    assert_eq!(slow.loads.load(Relaxed), 1);
}

#[test]
fn what_is_only_prepared_goes_first_and_takes_little_memory() {
    let ids: Vec<AccountId> = (1..=20).map(id).collect();
    let slow = having(&ids);
    let probe = accounts(&slow, Limits::default());
    let each = run(probe.open(id(1))).unwrap().state().memory_bytes();
    let limits = Limits { idle_accounts_bytes_max: each * 16, ..Limits::default() };
    let accounts = accounts(&slow, limits);
    for n in 1..=2 {
        assert_eq!(run(accounts.prepare(id(n))).unwrap(), Prepared::Loaded);
    }
    assert_eq!(run(accounts.prepare(id(3))).unwrap(), Prepared::Full);
    assert_eq!(accounts.used(9), [id(1), id(2)], "the first one stays longest");
    for n in 4..=18 {
        open(&accounts, id(n));
    }
    let used = accounts.used(20);
    assert_eq!((used.len(), used.first(), used.last()), (16, Some(&id(18)), Some(&id(1))));
}

#[test]
fn a_large_account_waits_for_its_client() {
    let slow = having(&[id(1), id(2)]);
    let first = accounts(&slow, Limits::default());
    open(&first, id(1));
    run(first.close());
    let snapshot = |id| run(slow.load_snapshot(id)).unwrap();
    let bytes: usize = snapshot(id(1)).unwrap().1.iter().map(|page| page.len()).sum();
    let with = |bytes: usize| {
        let limits = Limits { idle_accounts_bytes_max: bytes * 16, ..Limits::default() };
        accounts(&slow, limits)
    };
    let accounts = with(bytes - 1);
    assert_eq!(run(accounts.prepare(id(1))).unwrap(), Prepared::TooLarge);
    assert_eq!(accounts.in_memory(), (0, 0, 0));
    assert!(snapshot(id(2)).is_none());
    assert_eq!(run(accounts.prepare(id(2))).unwrap(), Prepared::Loaded, "a short log is read");
    assert_eq!(run(with(bytes).prepare(id(1))).unwrap(), Prepared::Loaded);
}

#[test]
fn nothing_is_made_or_written() {
    let slow = having(&[]);
    let accounts = accounts(&slow, Limits::default());
    assert!(matches!(run(accounts.prepare(id(1))), Err(Error::NoAccount)));
    assert_eq!(accounts.in_memory(), (0, 0, 0));
    // Its creation was cut short; whoever opens it completes that.
    run(slow.create(id(1))).unwrap();
    assert_eq!(run(accounts.prepare(id(1))).unwrap(), Prepared::Loaded);
    assert_eq!(run(slow.head(id(1))).unwrap(), ModSeq::ZERO);
    assert!(run(accounts.open(id(1))).unwrap().state().find("INBOX").is_some());
}

/// What is read from the file, and what the log says of it.
fn read(accounts: &Accounts) -> (Vec<AccountId>, String) {
    let lines = Lines::default();
    let used = tracing::subscriber::with_default(lines.clone(), || run(accounts.load_used()));
    let log = lines.take().join("\n");
    (used, log)
}

/// The file, whose name and length are the engine's to know.
fn file(slow: &Slow) -> Option<(String, Vec<u8>)> {
    let name = run(slow.memory.cache_list(AccountId::SYSTEM)).unwrap().pop()?;
    let whole = |length| {
        let range = std::iter::once(0..length).collect();
        let parts = run(slow.memory.cache_read(AccountId::SYSTEM, &name, range));
        Some(parts.unwrap()?[0].to_vec())
    };
    let bytes = (0..100_000).map_while(whole).last()?;
    Some((name, bytes))
}

fn put(slow: &Slow, name: &str, bytes: &[u8]) {
    run(slow.memory.cache_write(AccountId::SYSTEM, name, bytes.to_vec().into())).unwrap();
}

#[test]
fn a_list_that_is_not_whole_is_thrown_away_and_that_is_said() {
    let slow = having(&[]);
    let accounts = accounts(&slow, Limits::default());
    assert_eq!(read(&accounts), (vec![], String::new()), "none is no news");
    let list = [id(1), id(9)];
    run(accounts.save_used(&list)).unwrap();
    assert_eq!(read(&accounts), (list.to_vec(), String::new()));
    let (name, good) = file(&slow).unwrap();
    let flipped = (0..good.len()).map(|at| {
        let mut bad = good.clone();
        bad[at] ^= 1;
        bad
    });
    let cut = (16..good.len()).map(|at| good[..at].to_vec());
    for bad in flipped.chain(cut) {
        put(&slow, &name, &bad);
        let (used, log) = read(&accounts);
        // Two bytes have no meaning yet; the check sum is over them all the same.
        assert_eq!(used, [], "{bad:?}");
        assert!(log.contains("thrown away"), "{log}");
        assert_eq!(file(&slow), None);
    }
    put(&slow, &name, &good);
    assert_eq!(read(&accounts).0, list);
}

proptest! {
    #[test]
    fn any_list_comes_back(list in prop::collection::vec(any::<[u8; 16]>(), 0..100)) {
        let slow = having(&[]);
        let accounts = accounts(&slow, Limits::default());
        let list: Vec<AccountId> = list.into_iter().map(AccountId).collect();
        run(accounts.save_used(&list)).unwrap();
        prop_assert_eq!(run(accounts.load_used()), list);
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let slow = having(&[]);
        put(&slow, "used", &[&b"martused\x01\0\0\0"[..], &bytes].concat());
        prop_assert_eq!(run(accounts(&slow, Limits::default()).load_used()), []);
    }
}
