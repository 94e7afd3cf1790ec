//! Random histories: steps that become records that fit, whatever the state.

use std::collections::BTreeSet;

use base::{MailboxId, Uid, UidSet, UidValidity};
use mailbox::{Account, FlagOp, Mailbox, NewMessage, Record, Role};
use proptest::prelude::*;

use super::{flags, message, uid};

pub const NAMES: [&str; 4] = ["INBOX", "a", "a/b", "c"];
pub const KEYWORDS: [&str; 4] = ["$Forwarded", "work", "$MDNSent", "later"];

/// Which of the existing messages a step is about.
#[derive(Clone, Copy, Debug)]
pub enum Pick {
    All,
    One(u16),
    Every(u8),
    Last(u8),
}

#[derive(Clone, Debug)]
pub enum Step {
    Create(usize, u8),
    Rename(usize, usize),
    Delete(usize),
    Subscribe(usize, bool),
    Append(usize, u16, u8, u8),
    Copy(usize, usize, Pick),
    Move(usize, usize, Pick),
    Flags(usize, Pick, FlagOp, u8, u8),
    Expunge(usize, Pick),
    Claim(usize),
}

fn any_pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        1 => Just(Pick::All),
        4 => any::<u16>().prop_map(Pick::One),
        2 => (2u8..5).prop_map(Pick::Every),
        2 => (1u8..4).prop_map(Pick::Last),
    ]
}

/// Mostly what happens to messages; `many` is how many come in at once at most.
pub fn any_step(many: u16) -> impl Strategy<Value = Step> {
    let mailbox = || 0usize..NAMES.len();
    let op = prop_oneof![Just(FlagOp::Replace), Just(FlagOp::Add), Just(FlagOp::Remove)];
    prop_oneof![
        1 => (mailbox(), any::<u8>()).prop_map(|(n, roles)| Step::Create(n, roles)),
        1 => (mailbox(), mailbox()).prop_map(|(a, b)| Step::Rename(a, b)),
        1 => mailbox().prop_map(Step::Delete),
        1 => (mailbox(), any::<bool>()).prop_map(|(n, yes)| Step::Subscribe(n, yes)),
        6 => (mailbox(), 1u16..4, 0u8..32, 0u8..16)
            .prop_map(|(m, n, bits, words)| Step::Append(m, n, bits, words)),
        1 => (mailbox(), 1u16..=many, 0u8..32, 0u8..16)
            .prop_map(|(m, n, bits, words)| Step::Append(m, n, bits, words)),
        2 => (mailbox(), mailbox(), any_pick()).prop_map(|(a, b, p)| Step::Copy(a, b, p)),
        2 => (mailbox(), mailbox(), any_pick()).prop_map(|(a, b, p)| Step::Move(a, b, p)),
        8 => (mailbox(), any_pick(), op, 0u8..32, 0u8..16)
            .prop_map(|(m, p, op, bits, words)| Step::Flags(m, p, op, bits, words)),
        5 => (mailbox(), any_pick()).prop_map(|(m, p)| Step::Expunge(m, p)),
        2 => mailbox().prop_map(Step::Claim),
    ]
}

pub fn keywords(words: u8) -> Vec<&'static str> {
    (0..4).filter(|n| words & (1 << n) != 0).map(|n| KEYWORDS[n]).collect()
}

fn picked(mailbox: &Mailbox, pick: Pick) -> UidSet {
    let all: BTreeSet<Uid> = mailbox.rows().map(|row| row.uid).collect();
    match pick {
        Pick::All => all.into_iter().collect(),
        Pick::One(n) => {
            all.iter().nth(usize::from(n) % all.len().max(1)).copied().into_iter().collect()
        }
        Pick::Every(n) => all.into_iter().step_by(n.into()).collect(),
        Pick::Last(n) => all.into_iter().rev().take(n.into()).collect(),
    }
}

/// The record a step means in this state; `None` if it means nothing.
pub fn record(account: &Account, step: &Step) -> Option<Record> {
    let find = |n: usize| account.find(NAMES[n]);
    Some(match *step {
        Step::Create(n, roles) => {
            if find(n).is_some() {
                return None;
            }
            let roles = Role::ALL.into_iter().enumerate().filter(|(at, _)| roles & (1 << at) != 0);
            Record::MailboxCreated {
                name: NAMES[n].into(),
                uid_validity: account.next_uid_validity(100),
                uid_next: uid(1 + u32::try_from(n).unwrap()),
                roles: roles.map(|(_, role)| role).collect(),
            }
        }
        Step::Rename(from, to) if find(to).is_none() => {
            Record::MailboxRenamed { mailbox: find(from)?.id, name: NAMES[to].into() }
        }
        Step::Rename(..) => return None,
        Step::Delete(n) => Record::MailboxDeleted { mailbox: find(n)?.id },
        Step::Subscribe(n, true) => Record::Subscribed { name: NAMES[n].into() },
        Step::Subscribe(n, false) => Record::Unsubscribed { name: NAMES[n].into() },
        Step::Append(n, count, bits, words) => {
            let info = find(n)?;
            let next = info.mailbox.uid_next().get();
            let one = |nth: u16| -> NewMessage {
                // Some UIDs are left out, as an import may.
                let gap = u32::from(bits == 3);
                let nth = u32::from(nth);
                message(next + gap + nth * (1 + gap), flags(bits, &keywords(words)))
            };
            Record::Appended { mailbox: info.id, messages: (0..count).map(one).collect() }
        }
        Step::Copy(from, to, pick) | Step::Move(from, to, pick) => {
            let (source, target) = (find(from)?, find(to)?);
            let uids = picked(source.mailbox, pick);
            if uids.is_empty() {
                return None;
            }
            let (from, to, first_uid) = (source.id, target.id, target.mailbox.uid_next());
            let save_date = 7;
            match step {
                Step::Copy(..) => Record::Copied { from, uids, to, first_uid, save_date },
                _ => Record::Moved { from, uids, to, first_uid, save_date },
            }
        }
        Step::Flags(n, pick, op, bits, words) => {
            let info = find(n)?;
            let mut uids = picked(info.mailbox, pick);
            if matches!(pick, Pick::All) {
                // `1:*` names UIDs that are gone, too.
                uids = UidSet::range(Uid::MIN, Uid::MAX);
            }
            Record::FlagsChanged {
                mailbox: info.id,
                uids,
                op,
                flags: flags(bits, &keywords(words)),
            }
        }
        Step::Expunge(n, pick) => {
            let info = find(n)?;
            Record::Expunged { mailbox: info.id, uids: picked(info.mailbox, pick) }
        }
        Step::Claim(n) => {
            let info = find(n)?;
            Record::RecentClaimed { mailbox: info.id, below: info.mailbox.uid_next() }
        }
    })
}

/// An account with mailbox 1, `INBOX`.
pub fn with_inbox() -> (Account, MailboxId) {
    let mut account = Account::default();
    let record = Record::MailboxCreated {
        name: "INBOX".into(),
        uid_validity: UidValidity::new(42).unwrap(),
        uid_next: Uid::MIN,
        roles: Vec::new(),
    };
    account.apply(account.head().next(), &record).unwrap();
    (account, super::id(1))
}
