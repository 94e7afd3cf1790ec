//! Which accounts are in memory, and how they come there.
#![allow(clippy::unwrap_used)]

mod common;

use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;

use account::{Decision, Live};
use base::{AccountId, Limits, ModSeq};
use common::{Gate, ID, Slow, accounts, run, step};
use mailbox::{Account, Record, Role};
use storage::{Durability, Error, Storage};

fn subscribe(live: &Live, names: std::ops::Range<u32>) {
    let decide = |_: &Account| {
        let subscribed = |n| Record::Subscribed { name: format!("n{n}") };
        Ok::<_, Infallible>(Decision {
            records: names.clone().map(subscribed).collect(),
            value: (),
        })
    };
    assert!(run(live.commit(vec![], Durability::Synced, decide)).is_ok());
}

#[test]
fn a_new_account_has_its_first_mailboxes() {
    let slow = Slow::default();
    let accounts = accounts(&slow, Limits::default());
    let live = run(accounts.create(ID)).unwrap();
    let state = live.state();
    let found: Vec<_> =
        state.mailboxes().map(|info| (info.name, info.roles.first().copied())).collect();
    assert_eq!(
        found,
        [
            ("Archive", Some(Role::Archive)),
            ("Drafts", Some(Role::Drafts)),
            ("INBOX", None),
            ("Junk", Some(Role::Junk)),
            ("Sent", Some(Role::Sent)),
            ("Trash", Some(Role::Trash)),
        ]
    );
    assert_eq!(state.subscriptions().count(), 6);
    let mut validities: Vec<_> =
        state.mailboxes().map(|info| info.mailbox.uid_validity().get()).collect();
    validities.sort_unstable();
    assert_eq!(validities, (1_700_000_000..1_700_000_006).collect::<Vec<_>>());
    assert!(matches!(run(accounts.create(ID)).err(), Some(Error::AccountExists)));
    let system = run(accounts.create(AccountId::SYSTEM)).unwrap();
    assert_eq!(system.state().head(), ModSeq::ZERO);
}

#[test]
fn a_creation_that_was_cut_short_is_completed() {
    let slow = Slow::default();
    run(slow.create(ID)).unwrap();
    let live = run(accounts(&slow, Limits::default()).open(ID)).unwrap();
    assert!(live.state().find("INBOX").is_some());
}

#[test]
fn all_who_open_at_once_share_one_load() {
    let slow = Slow::default();
    run(accounts(&slow, Limits::default()).create(ID)).unwrap();
    let accounts = accounts(&slow, Limits::default());
    slow.loads.store(0, Relaxed);
    let gate = Gate::default();
    *slow.loading.lock().unwrap() = Some(gate.clone());
    let mut cut = Box::pin(accounts.open(ID));
    let mut one = Box::pin(accounts.open(ID));
    let mut two = Box::pin(accounts.open(ID));
    assert!(step(&mut cut).is_none() && step(&mut one).is_none() && step(&mut two).is_none());
    // Whoever loads may go away; the next one takes over.
    drop(cut);
    assert!(step(&mut one).is_none());
    gate.open(Ok(()));
    let one = run(one).unwrap();
    let two = run(two).unwrap();
    assert_eq!(slow.loads.load(Relaxed), 2, "the one that was cut, and one for both");
    subscribe(&one, 0..1);
    assert!(two.state().is_subscribed("n0"));
}

#[test]
fn unused_accounts_stay_while_memory_lasts() {
    let slow = Slow::default();
    let ids: Vec<AccountId> = (1..=4).map(|n| AccountId([n; 16])).collect();
    let creator = accounts(&slow, Limits::default());
    let mut each = 0;
    for &id in &ids {
        each = run(creator.create(id)).unwrap().state().memory_bytes();
    }
    let limits = Limits { idle_accounts_bytes_max: each * 2, ..Limits::default() };
    let accounts = accounts(&slow, limits);
    slow.loads.store(0, Relaxed);
    let used = run(accounts.open(ids[0])).unwrap();
    let also = run(accounts.open(ids[0])).unwrap();
    drop(also);
    for &id in &ids[1..] {
        drop(run(accounts.open(id)).unwrap());
    }
    assert_eq!(accounts.in_memory(), (3, 2, each * 2));
    let loads = |id| {
        let before = slow.loads.load(Relaxed);
        drop(run(accounts.open(id)).unwrap());
        slow.loads.load(Relaxed) - before
    };
    assert_eq!(loads(ids[2]), 0);
    assert_eq!(loads(ids[1]), 1, "longest unused, so it went first");
    assert_eq!(loads(ids[0]), 0);
    drop(used);
    assert_eq!(accounts.in_memory(), (2, 2, each * 2));
    run(accounts.close());
    assert_eq!(accounts.in_memory(), (0, 0, 0));
}

#[test]
fn loads_from_the_snapshot_and_the_tail() {
    let slow = Slow::default();
    let first = accounts(&slow, Limits::default());
    let live = run(first.create(ID)).unwrap();
    subscribe(&live, 0..30);
    run(first.close());
    let (at, _) = run(slow.load_snapshot(ID)).unwrap().unwrap();
    assert_eq!(at, live.state().head());
    subscribe(&live, 30..40);
    let expected = live.state().encode();
    let open = || run(accounts(&slow, Limits::default()).open(ID)).unwrap().state();
    assert_eq!(open().encode(), expected);

    // A snapshot that is damaged, of another form, or ahead of a log that lost its lazy end.
    let ahead = live.state().head().next();
    for (at, bytes) in [(at, b"\x01noise".to_vec()), (at, vec![]), (ahead, expected.clone())] {
        run(slow.memory.save_snapshot(ID, at, Box::new([bytes.into()].into_iter()))).unwrap();
        assert_eq!(open().encode(), expected);
    }
}

#[test]
fn long_tails_are_saved() {
    let slow = Slow::default();
    let accounts = accounts(&slow, Limits::default());
    let live = run(accounts.create(ID)).unwrap();
    for n in 0..5 {
        assert!(run(slow.load_snapshot(ID)).unwrap().is_none());
        subscribe(&live, n * 1000..(n + 1) * 1000);
    }
    assert_eq!(run(slow.load_snapshot(ID)).unwrap().map(|(at, _)| at), Some(live.state().head()));
}

#[test]
fn whoever_is_disconnected_comes_again() {
    let slow = Slow::default();
    let accounts = accounts(&slow, Limits::default());
    run(accounts.disconnect(ID));
    let live = run(accounts.create(ID)).unwrap();
    let listener = live.listen();
    run(accounts.disconnect(ID));
    run(listener);
    assert!(live.is_disconnected() && !live.is_removed());
    assert!(matches!(run(live.incoming(None)).err(), Some(Error::Failed(_))));
    let again = run(accounts.open(ID)).unwrap();
    assert!(again.end().is_none() && !again.is_disconnected());
    assert_eq!(again.state().head(), live.state().head());
    drop(live);
    assert_eq!(accounts.in_memory().0, 1);
}

#[test]
fn sessions_find_that_their_account_is_gone() {
    let slow = Slow::default();
    let accounts = accounts(&slow, Limits::default());
    assert!(matches!(run(accounts.open(ID)).err(), Some(Error::NoAccount)));
    assert!(matches!(run(accounts.remove(ID)), Err(Error::NoAccount)));
    let live = run(accounts.create(ID)).unwrap();
    let listener = live.listen();
    run(accounts.remove(ID)).unwrap();
    run(listener);
    assert!(live.is_removed());
    assert!(live.state().find("INBOX").is_some(), "what was read stays readable");
    assert!(matches!(run(live.incoming(None)).err(), Some(Error::NoAccount)));
    assert!(matches!(run(accounts.open(ID)).err(), Some(Error::NoAccount)));
    // The same identity again is another account.
    let again = run(accounts.create(ID)).unwrap();
    drop(live);
    assert!(!again.is_removed());
    assert_eq!(accounts.in_memory().0, 1);
}
