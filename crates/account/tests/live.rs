//! Commits: decided on the newest fold, seen when durable, right whatever is cut short.
#![allow(clippy::unwrap_used)]

mod common;

use std::convert::Infallible;
use std::sync::Arc;

use account::{Accounts, Decision, Done, Failure, Live};
use base::{Limits, ModSeq};
use common::{Gate, ID, Slow, accounts, run, step};
use mailbox::{Account, Record};
use proptest::prelude::*;
use storage::{Batch, Durability, Error, Staged, Storage};

fn opened() -> (Slow, Arc<Accounts>, Arc<Live>) {
    let slow = Slow::default();
    let accounts = accounts(&slow, Limits::default());
    let live = run(accounts.create(ID)).unwrap();
    (slow, accounts, live)
}

fn subscribed(name: &str) -> Record {
    Record::Subscribed { name: name.into() }
}

/// Subscribes to a name unless it is subscribed; tells whether it was.
async fn subscribe(
    live: &Live,
    name: &str,
    durability: Durability,
) -> Result<Done<bool>, Failure<Infallible>> {
    let decide = |account: &Account| {
        let value = account.is_subscribed(name);
        let records = if value { vec![] } else { vec![subscribed(name)] };
        Ok(Decision { records, value })
    };
    live.commit(Vec::new(), durability, decide).await
}

/// Another node commits.
fn elsewhere(slow: &Slow, record: Record) {
    let head = run(slow.memory.head(ID)).unwrap();
    let durability = Durability::Synced;
    let batch = Batch { records: vec![record], staged: vec![], time: 0, durability, alone: true };
    assert!(run(slow.memory.commit(ID, head, batch)).is_ok());
}

#[test]
fn sessions_see_what_is_durable() {
    let (slow, _accounts, live) = opened();
    let before = live.state().head();
    slow.slow(true);
    let mut one = Box::pin(subscribe(&live, "one", Durability::Synced));
    assert!(step(&mut one).is_none());
    // The second is decided on a fold with the first, and so shares its sync.
    let mut again = Box::pin(subscribe(&live, "one", Durability::Synced));
    let mut two = Box::pin(subscribe(&live, "two", Durability::Synced));
    assert!(step(&mut again).is_none(), "what it found true may still be lost");
    assert!(step(&mut two).is_none());
    assert_eq!(slow.syncs.lock().unwrap().len(), 2);
    assert_eq!(live.state().head(), before);

    let listener = live.listen();
    slow.sync(Ok(()));
    assert!(!step(&mut one).unwrap().unwrap().value);
    assert!(live.state().is_subscribed("one") && !live.state().is_subscribed("two"));
    run(listener);
    let done = step(&mut again).unwrap().unwrap();
    assert!(done.value && done.entries.is_empty());
    slow.sync(Ok(()));
    assert_eq!(step(&mut two).unwrap().unwrap().entries[0].at, before.plus(2));
    assert!(live.state().is_subscribed("two"));
}

#[test]
fn a_commit_says_whether_others_are_on_their_way() {
    let (slow, _accounts, live) = opened();
    slow.alone.lock().unwrap().clear();
    assert!(run(subscribe(&live, "one", Durability::Synced)).is_ok());
    assert!(run(subscribe(&live, "two", Durability::Synced)).is_ok());
    assert_eq!(std::mem::take(&mut *slow.alone.lock().unwrap()), [true, true]);
    slow.slow(true);
    let mut first = Box::pin(subscribe(&live, "three", Durability::Synced));
    let mut second = Box::pin(subscribe(&live, "four", Durability::Synced));
    assert!(step(&mut first).is_none() && step(&mut second).is_none());
    assert_eq!(std::mem::take(&mut *slow.alone.lock().unwrap()), [true, false]);
    // Who went away keeps nobody from being alone.
    drop((first, second));
    slow.slow(false);
    assert!(run(subscribe(&live, "five", Durability::Lazy)).is_ok());
    assert_eq!(*slow.alone.lock().unwrap(), [true]);
}

#[test]
fn a_lazy_commit_never_shows_before_those_ahead_of_it() {
    let (slow, _accounts, live) = opened();
    slow.slow(true);
    let mut synced = Box::pin(subscribe(&live, "synced", Durability::Synced));
    assert!(step(&mut synced).is_none());
    assert!(run(subscribe(&live, "lazy", Durability::Lazy)).is_ok());
    assert!(!live.state().is_subscribed("lazy"));
    slow.sync(Ok(()));
    assert!(step(&mut synced).unwrap().is_ok());
    assert!(live.state().is_subscribed("synced") && live.state().is_subscribed("lazy"));
}

#[test]
fn a_caller_may_go_away_at_any_point() {
    let (slow, _accounts, live) = opened();
    slow.slow(true);
    // Before the commit has its place.
    let entrance = Gate::default();
    *slow.entrance.lock().unwrap() = Some(entrance.clone());
    let mut cut = Box::pin(subscribe(&live, "entering", Durability::Synced));
    assert!(step(&mut cut).is_none());
    drop(cut);
    entrance.open(Ok(()));
    // While it waits for the disk.
    let mut cut = Box::pin(subscribe(&live, "waiting", Durability::Synced));
    assert!(step(&mut cut).is_none());
    drop(cut);
    assert_eq!(slow.syncs.lock().unwrap().len(), 2, "both have their place");
    slow.sync(Ok(()));
    assert!(live.state().is_subscribed("entering"), "whoever looks finds it");
    slow.sync(Ok(()));
    assert!(live.state().is_subscribed("waiting"));
    slow.slow(false);
    assert!(run(subscribe(&live, "next", Durability::Synced)).is_ok());
}

#[test]
fn listeners_publish_what_its_caller_left() {
    let (slow, _accounts, live) = opened();
    slow.slow(true);
    // One listens before the commit begins, one while it waits for the disk.
    let before = live.listen();
    let mut cut = Box::pin(subscribe(&live, "left", Durability::Synced));
    assert!(step(&mut cut).is_none());
    let mut during = Box::pin(live.listen());
    assert!(step(&mut during).is_none());
    drop(cut);
    run(before);
    let mut again = Box::pin(live.listen());
    step(&mut during);
    assert!(!live.state().is_subscribed("left"));
    assert!(step(&mut again).is_none());
    slow.sync(Ok(()));
    run(again);
    assert!(live.state().is_subscribed("left"), "published without anybody's next commit");
}

#[test]
fn a_failed_sync_closes_the_account_until_it_is_opened_again() {
    let (slow, accounts, live) = opened();
    slow.slow(true);
    let mut one = Box::pin(subscribe(&live, "one", Durability::Synced));
    let mut two = Box::pin(subscribe(&live, "two", Durability::Synced));
    assert!(step(&mut one).is_none() && step(&mut two).is_none());
    let listener = live.listen();
    slow.sync(Err(Error::NoSpace));
    let failed = |outcome| matches!(outcome, Err(Failure::Storage(Error::Failed(_))));
    assert!(failed(step(&mut one).unwrap().map(drop)));
    assert!(failed(step(&mut two).unwrap().map(drop)));
    run(listener);
    assert!(!live.state().is_subscribed("one"));
    assert!(failed(run(subscribe(&live, "three", Durability::Synced)).map(drop)));
    assert!(matches!(live.end(), Some(Error::Failed(_))));
    slow.slow(false);
    // The memory kept what was in doubt; the new fold is what the storage has.
    let reopened = run(accounts.open(ID)).unwrap();
    assert!(reopened.state().is_subscribed("two") && reopened.end().is_none());
    assert!(run(subscribe(&reopened, "three", Durability::Synced)).is_ok());
    // What the old ones let go of is not taken for the account.
    drop((one, two));
    drop(live);
    assert!(run(accounts.open(ID)).unwrap().state().is_subscribed("three"));
}

#[test]
fn decides_again_when_another_node_was_faster() {
    let (slow, _accounts, live) = opened();
    elsewhere(&slow, subscribed("theirs"));
    let mut decisions = 0;
    let decide = |account: &Account| {
        decisions += 1;
        let value = account.is_subscribed("theirs");
        Ok::<_, Infallible>(Decision { records: vec![subscribed("ours")], value })
    };
    assert!(run(live.commit(vec![], Durability::Synced, decide)).is_ok_and(|done| done.value));
    assert_eq!(decisions, 2);
    assert!(live.state().is_subscribed("theirs") && live.state().is_subscribed("ours"));
}

/// A staged message cannot be offered twice, so the head is asked for first.
#[test]
fn staged_messages_survive_another_node() {
    let (slow, _accounts, live) = opened();
    elsewhere(&slow, subscribed("theirs"));
    let staged = run(async {
        let mut incoming = slow.incoming(ID, None).await?;
        incoming.write(b"Subject: x\r\n\r\n").await?;
        incoming.finish().await
    });
    let staged: Vec<Staged> = vec![staged.unwrap()];
    let decide =
        |_: &Account| Ok::<_, Infallible>(Decision { records: vec![subscribed("a")], value: () });
    assert!(run(live.commit(staged, Durability::Synced, decide)).is_ok());
    assert!(live.state().is_subscribed("theirs"));
}

#[test]
fn refusals_and_misfits_write_nothing() {
    let (slow, _accounts, live) = opened();
    let head = live.state().head();
    let refuse = |_: &Account| Err::<Decision<()>, _>("no");
    let refused = run(live.commit(vec![], Durability::Synced, refuse));
    assert!(matches!(refused, Err(Failure::Refused("no"))));
    let misfit = |_: &Account| {
        let records = vec![subscribed("fits"), Record::Subscribed { name: String::new() }];
        Ok::<_, Infallible>(Decision { records, value: () })
    };
    let failed = run(live.commit(vec![], Durability::Synced, misfit));
    assert!(matches!(failed, Err(Failure::Storage(Error::Failed(_)))));
    assert_eq!(run(slow.memory.head(ID)).unwrap(), head);
    assert!(run(subscribe(&live, "next", Durability::Synced)).is_ok(), "the account stays usable");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Invariant 2, over cuts, slow disks and other nodes: what is published is a fold of the log.
    #[test]
    fn published_is_the_fold_of_the_log(acts in prop::collection::vec((0u8..6, 0u8..20), 1..60)) {
        let (slow, _accounts, live) = opened();
        let mut waiting = Vec::new();
        slow.slow(true);
        for (act, n) in acts {
            let name = format!("n{n}");
            match act {
                0 => elsewhere(&slow, Record::Unsubscribed { name }),
                1 | 2 => {
                    let (live, lazy) = (live.clone(), act == 2);
                    let durability = if lazy { Durability::Lazy } else { Durability::Synced };
                    let mut commit =
                        Box::pin(async move { subscribe(&live, &name, durability).await.map(drop) });
                    if step(&mut commit).is_none() {
                        waiting.push(commit);
                    }
                }
                3 if !waiting.is_empty() => drop(waiting.remove(usize::from(n) % waiting.len())),
                4 if !slow.syncs.lock().unwrap().is_empty() => slow.sync(Ok(())),
                _ => waiting.retain_mut(|commit| step(commit).is_none()),
            }
            check(&slow, &live);
        }
        while !slow.syncs.lock().unwrap().is_empty() {
            slow.sync(Ok(()));
        }
        for commit in waiting {
            prop_assert!(run(commit).is_ok());
        }
        slow.slow(false);
        prop_assert!(run(subscribe(&live, "last", Durability::Synced)).is_ok());
        check(&slow, &live);
        prop_assert_eq!(live.state().head(), run(slow.memory.head(ID)).unwrap());
    }
}

fn check(slow: &Slow, live: &Live) {
    let state = live.state();
    let mut fold = Account::default();
    for entry in run(slow.memory.read(ID, ModSeq::ZERO, usize::MAX)).unwrap() {
        if entry.at <= state.head() {
            fold.apply(entry.at, &entry.record).unwrap();
        }
    }
    assert_eq!(fold.encode(), state.encode());
}
