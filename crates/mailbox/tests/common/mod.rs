//! Random records and small helpers, shared by the tests.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod history;

use base::{
    DateTime, EmailId, Flags, Keyword, MailboxId, ModSeq, SystemFlags, ThreadId, Uid, UidSet,
    UidValidity,
};
use mailbox::{Content, FlagOp, NewMessage, Position, Record, Role};
use proptest::prelude::*;

pub fn uid(n: u32) -> Uid {
    Uid::new(n).unwrap()
}

pub fn uids(numbers: &[u32]) -> UidSet {
    numbers.iter().map(|&n| uid(n)).collect()
}

pub fn id(n: u64) -> MailboxId {
    MailboxId::new(ModSeq::new(n).unwrap())
}

pub fn flags(bits: u8, keywords: &[&str]) -> Flags {
    let mut flags = Flags { system: SystemFlags::from_bits(bits).unwrap(), keywords: Vec::new() };
    keywords.iter().for_each(|name| flags.add_keyword(Keyword::new(name).unwrap()));
    flags
}

/// A message whose other columns follow from its UID.
pub fn message(n: u32, flags: Flags) -> NewMessage {
    NewMessage {
        uid: uid(n),
        flags,
        internal_date: DateTime::new(1_700_000_000 + i64::from(n % 1000), 60),
        save_date: 1_700_000_000,
        size: 100 + n % 1000,
        email_id: EmailId([n as u8; 16]),
        thread_id: ThreadId(u64::from(n)),
        content: Content::At(Position { segment: 1, offset: n, stored_bytes: 80 }),
    }
}

/// Messages of mailbox 1 with (UID, system flag bits).
pub fn appended(messages: &[(u32, u8)]) -> Record {
    let messages = messages.iter().map(|&(n, bits)| message(n, flags(bits, &[]))).collect();
    Record::Appended { mailbox: id(1), messages }
}

pub fn created(name: &str, uid_validity: u32) -> Record {
    Record::MailboxCreated {
        name: name.into(),
        uid_validity: UidValidity::new(uid_validity).unwrap(),
        uid_next: Uid::MIN,
        roles: Vec::new(),
    }
}

pub fn any_flags() -> impl Strategy<Value = Flags> {
    let keyword = prop_oneof!["[$a-z]{1,8}", Just("$Forwarded".to_owned())];
    (0u8..32, prop::collection::vec(keyword, 0..4)).prop_map(|(bits, keywords)| {
        let names: Vec<&str> = keywords.iter().map(String::as_str).collect();
        flags(bits, &names)
    })
}

pub fn any_uids() -> impl Strategy<Value = UidSet> {
    prop::collection::vec((1u32.., 0u32..50), 0..8).prop_map(|ranges| {
        ranges.into_iter().map(|(a, n)| (uid(a), uid(a.saturating_add(n)))).collect()
    })
}

fn any_id() -> impl Strategy<Value = MailboxId> {
    (0u64..1 << 62).prop_map(id)
}

fn any_roles() -> impl Strategy<Value = Vec<Role>> {
    prop::sample::subsequence(Role::ALL.to_vec(), 0..=8)
}

fn any_message() -> impl Strategy<Value = NewMessage> {
    (
        1u32..,
        any_flags(),
        any::<(i64, i16, i64)>(),
        any::<(u32, [u8; 16], u64)>(),
        any::<[u32; 3]>(),
    )
        .prop_map(|(n, flags, (seconds, offset, save_date), (size, hash, thread), at)| {
            NewMessage {
                uid: uid(n),
                flags,
                internal_date: DateTime::new(seconds, offset),
                save_date,
                size,
                email_id: EmailId(hash),
                thread_id: ThreadId(thread),
                content: Content::At(Position {
                    segment: at[0],
                    offset: at[1],
                    stored_bytes: at[2],
                }),
            }
        })
}

pub fn any_record() -> impl Strategy<Value = Record> {
    let op = prop_oneof![Just(FlagOp::Replace), Just(FlagOp::Add), Just(FlagOp::Remove)];
    let step = || (any_id(), any_uids(), any_id(), 1u32.., any::<i64>());
    prop_oneof![
        (".{0,12}", 1u32.., 1u32.., any_roles()).prop_map(|(name, validity, next, roles)| {
            Record::MailboxCreated {
                name,
                uid_validity: UidValidity::new(validity).unwrap(),
                uid_next: uid(next),
                roles,
            }
        }),
        (any_id(), ".{0,12}").prop_map(|(mailbox, name)| Record::MailboxRenamed { mailbox, name }),
        any_id().prop_map(|mailbox| Record::MailboxDeleted { mailbox }),
        (any_id(), any_roles()).prop_map(|(mailbox, roles)| Record::RolesSet { mailbox, roles }),
        ".{0,12}".prop_map(|name| Record::Subscribed { name }),
        ".{0,12}".prop_map(|name| Record::Unsubscribed { name }),
        (any_id(), prop::collection::vec(any_message(), 0..3))
            .prop_map(|(mailbox, messages)| Record::Appended { mailbox, messages }),
        step().prop_map(|(from, uids, to, first, save_date)| Record::Copied {
            from,
            uids,
            to,
            first_uid: uid(first),
            save_date,
        }),
        step().prop_map(|(from, uids, to, first, save_date)| Record::Moved {
            from,
            uids,
            to,
            first_uid: uid(first),
            save_date,
        }),
        (any_id(), any_uids(), op, any_flags()).prop_map(|(mailbox, uids, op, flags)| {
            Record::FlagsChanged { mailbox, uids, op, flags }
        }),
        (any_id(), any_uids()).prop_map(|(mailbox, uids)| Record::Expunged { mailbox, uids }),
        (any_id(), 1u32..)
            .prop_map(|(mailbox, below)| Record::RecentClaimed { mailbox, below: uid(below) }),
        (any_id(), 1u32..2000)
            .prop_map(|(mailbox, next)| Record::UidNextRaised { mailbox, uid_next: uid(next) }),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Record::Directory(bytes.into())),
    ]
}
