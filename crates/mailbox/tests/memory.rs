//! A mailbox of a million messages stays below 100 bytes a message, and changes without a copy of
//! everything.
#![allow(clippy::unwrap_used)]

mod common;

use base::{ModSeq, SystemFlag, UidSet};
use common::{flags, history::with_inbox, id, message, uid};
use mailbox::{Account, FlagOp, Record};

const MESSAGES: u32 = 1_000_000;

/// Resident memory of this process; `None` where the system does not tell.
fn resident_bytes() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split(' ').nth(1)?.parse::<usize>().ok().map(|pages| pages * 4096)
}

fn check(what: &str, account: &Account, before: Option<usize>) {
    let counted = account.memory_bytes() / MESSAGES as usize;
    assert!(counted < 100, "{what}: {counted} bytes a message, counted");
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        let resident = after.saturating_sub(before) / MESSAGES as usize;
        assert!(resident < 100, "{what}: {resident} bytes a message, resident");
    }
}

#[test]
fn a_million_messages() {
    let before = resident_bytes();
    let (mut account, inbox) = with_inbox();
    for batch in 0..MESSAGES / 1000 {
        let one = |n| message(1 + batch * 1000 + n, flags(0, &["$Forwarded"]));
        let messages = (0..1000).map(one).collect();
        let record = Record::Appended { mailbox: inbox, messages };
        account.apply(account.head().next(), &record).unwrap();
    }
    check("appended", &account, before);
    assert_eq!(account.get(inbox).unwrap().mailbox.len(), MESSAGES);

    // Delivered one by one, with every fold held for a moment, as a server does.
    let published = account.clone();
    for n in 1..=100 {
        let record = Record::Appended {
            mailbox: inbox,
            messages: vec![message(MESSAGES + n, flags(0, &[]))],
        };
        let held = account.clone();
        account.apply(account.head().next(), &record).unwrap();
        drop(held);
    }
    assert_eq!(published.get(inbox).unwrap().mailbox.len(), MESSAGES);
    drop(published);
    check("delivered", &account, before);

    let record = Record::FlagsChanged {
        mailbox: inbox,
        uids: UidSet::range(uid(1), base::Uid::MAX),
        op: FlagOp::Add,
        flags: flags(SystemFlag::Seen as u8, &[]),
    };
    account.apply(account.head().next(), &record).unwrap();
    let mailbox = account.get(id(1)).unwrap().mailbox;
    assert_eq!((mailbox.unseen(), mailbox.highest_mod_seq()), (0, account.head()));
    assert_eq!(mailbox.changed_since(ModSeq::ZERO).count(), mailbox.len() as usize);
    assert_eq!(mailbox.uids().ranges().len(), 1);
    check("flagged", &account, before);
}
