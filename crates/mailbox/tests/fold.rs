//! The fold against a naive model: every record does what its documentation says, on columns, counts
//! and snapshots alike.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use base::{MailboxId, ModSeq, SystemFlag, SystemFlags, Uid, UidSet};
use common::history::{Step, any_step, record};
use common::uid;
use mailbox::{Account, Content, FlagOp, Mailbox, Position, Record};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
struct Mail {
    mod_seq: u64,
    bits: u8,
    keywords: BTreeSet<String>,
    size: u32,
    save_date: i64,
    position: Position,
}

#[derive(Clone, Debug, Default)]
struct Box {
    name: String,
    uid_next: u32,
    recent_from: u32,
    highest: u64,
    mail: BTreeMap<u32, Mail>,
    gone: Vec<(u64, u32)>,
}

#[derive(Default)]
struct Model {
    boxes: BTreeMap<MailboxId, Box>,
    subscribed: BTreeSet<String>,
}

impl Box {
    fn add(&mut self, at: u64, number: u32, mail: Mail) {
        self.mail.insert(number, Mail { mod_seq: at, ..mail });
        (self.uid_next, self.highest) = (number + 1, at);
    }

    fn expunge(&mut self, at: u64, uids: &UidSet) {
        for number in self.existing(uids) {
            self.mail.remove(&number);
            self.gone.push((at, number));
            self.highest = at;
        }
    }

    fn existing(&self, uids: &UidSet) -> Vec<u32> {
        self.mail.keys().copied().filter(|&n| uids.contains(uid(n))).collect()
    }
}

impl Model {
    fn apply(&mut self, at: ModSeq, record: &Record) {
        let n = at.get();
        match record {
            Record::MailboxCreated { name, uid_next, .. } => {
                let next = uid_next.get();
                let (name, gone) = (name.clone(), Vec::new());
                let mail = BTreeMap::new();
                let made = Box { name, uid_next: next, recent_from: next, highest: n, mail, gone };
                self.boxes.insert(MailboxId::new(at), made);
            }
            Record::MailboxRenamed { mailbox, name } => self.on(*mailbox).name = name.clone(),
            Record::MailboxDeleted { mailbox } => drop(self.boxes.remove(mailbox)),
            Record::Subscribed { name } => drop(self.subscribed.insert(name.clone())),
            Record::Unsubscribed { name } => drop(self.subscribed.remove(name)),
            Record::Appended { mailbox, messages } => {
                for new in messages {
                    let Content::At(position) = new.content else { panic!("stored") };
                    let mail = Mail {
                        mod_seq: n,
                        bits: new.flags.system.bits(),
                        keywords: new.flags.keywords.iter().map(ToString::to_string).collect(),
                        size: new.size,
                        save_date: new.save_date,
                        position,
                    };
                    self.on(*mailbox).add(n, new.uid.get(), mail);
                }
            }
            Record::Copied { from, uids, to, first_uid, save_date }
            | Record::Moved { from, uids, to, first_uid, save_date } => {
                let source = self.on(*from).clone();
                if matches!(record, Record::Moved { .. }) {
                    self.on(*from).expunge(n, uids);
                }
                for (number, old) in (first_uid.get()..).zip(source.existing(uids)) {
                    let mail = Mail { save_date: *save_date, ..source.mail[&old].clone() };
                    self.on(*to).add(n, number, mail);
                }
            }
            Record::FlagsChanged { mailbox, uids, op, flags } => {
                let names: BTreeSet<_> = flags.keywords.iter().map(ToString::to_string).collect();
                let here = self.on(*mailbox);
                for number in here.existing(uids) {
                    here.highest = n;
                    let mail = here.mail.get_mut(&number).unwrap();
                    mail.mod_seq = n;
                    let bits = flags.system.bits();
                    (mail.bits, mail.keywords) = match op {
                        FlagOp::Replace => (bits, names.clone()),
                        FlagOp::Add => (mail.bits | bits, &mail.keywords | &names),
                        FlagOp::Remove => (mail.bits & !bits, &mail.keywords - &names),
                    };
                }
            }
            Record::Expunged { mailbox, uids } => self.on(*mailbox).expunge(n, uids),
            Record::RecentClaimed { mailbox, below } => self.on(*mailbox).recent_from = below.get(),
            Record::UidNextRaised { mailbox, uid_next } => {
                let mailbox = self.on(*mailbox);
                mailbox.uid_next = mailbox.uid_next.max(uid_next.get());
            }
            Record::RolesSet { .. } | Record::Directory(_) | Record::Lost { .. } => {}
        }
    }

    fn on(&mut self, id: MailboxId) -> &mut Box {
        self.boxes.get_mut(&id).unwrap()
    }
}

fn check(account: &Account, model: &Model) {
    let names: Vec<_> = account.mailboxes().map(|info| (info.name.to_owned(), info.id)).collect();
    let mut expected: Vec<_> = model.boxes.iter().map(|(id, b)| (b.name.clone(), *id)).collect();
    expected.sort();
    assert_eq!(names, expected);
    assert!(account.subscriptions().eq(model.subscribed.iter()));
    for (id, expected) in &model.boxes {
        check_mailbox(account.get(*id).unwrap().mailbox, expected);
    }
}

fn check_mailbox(mailbox: &Mailbox, model: &Box) {
    assert_eq!(mailbox.uid_next().get(), model.uid_next);
    assert_eq!(mailbox.recent_from().get(), model.recent_from);
    assert_eq!(mailbox.highest_mod_seq().get(), model.highest);
    assert_eq!(mailbox.len() as usize, model.mail.len());
    let has = |flag: SystemFlag| move |mail: &&Mail| mail.bits & flag as u8 != 0;
    let (mail, seen) = (|| model.mail.values(), SystemFlag::Seen);
    assert_eq!(mailbox.unseen() as usize, mail().len() - mail().filter(has(seen)).count());
    assert_eq!(mailbox.deleted() as usize, mail().filter(has(SystemFlag::Deleted)).count());
    assert_eq!(mailbox.size_bytes(), mail().map(|mail| u64::from(mail.size)).sum::<u64>());
    let unseen = model.mail.iter().find(|(_, mail)| mail.bits & seen as u8 == 0);
    assert_eq!(mailbox.first_unseen().map(Uid::get), unseen.map(|(&number, _)| number));
    for (index, (row, (&number, mail))) in mailbox.rows().zip(&model.mail).enumerate() {
        let index = u32::try_from(index).unwrap();
        let flags = mailbox.flags(row.uid).unwrap();
        let found = Mail {
            mod_seq: row.mod_seq.get(),
            bits: row.system.bits(),
            keywords: flags.keywords.iter().map(ToString::to_string).collect(),
            size: row.size,
            save_date: row.save_date,
            position: row.position,
        };
        assert_eq!((row.uid.get(), &found), (number, mail));
        assert_eq!(flags.system, SystemFlags::from_bits(mail.bits).unwrap());
        assert_eq!((mailbox.rank(row.uid), mailbox.nth(index)), (index, Some(row)));
    }
    assert_eq!(mailbox.nth(mailbox.len()), None);
    let highest = model.highest;
    for since in [0, highest / 2, highest.saturating_sub(5), highest.saturating_sub(1), highest] {
        let changed = mailbox.changed_since(ModSeq::new(since).unwrap()).map(|row| row.uid.get());
        let expected = model.mail.iter().filter(|(_, mail)| mail.mod_seq > since);
        assert!(changed.eq(expected.clone().map(|(&number, _)| number)));
        let changed = mailbox.uids_changed_since(ModSeq::new(since).unwrap());
        assert_eq!(changed, expected.map(|(&number, _)| uid(number)).collect());
        let vanished = mailbox.vanished_since(ModSeq::new(since).unwrap());
        let expected = model.gone.iter().filter(|&&(at, _)| at > since).map(|&(_, n)| uid(n));
        assert!(vanished.exact);
        assert_eq!(vanished.uids, expected.collect());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn equals_the_model(steps in prop::collection::vec(any_step(3000), 1..60)) {
        let (mut account, mut model) = (Account::default(), Model::default());
        let mut held: Vec<(Account, Vec<u8>)> = Vec::new();
        let seed = [Step::Create(0, 0), Step::Create(1, 2)];
        for (nth, step) in seed.iter().chain(&steps).enumerate() {
            let Some(record) = record(&account, step) else { continue };
            let at = account.head().next();
            if nth % 8 == 0 {
                held.push((account.clone(), account.encode()));
            }
            account.apply(at, &record).unwrap();
            model.apply(at, &record);
            if nth % 4 == 0 {
                check(&account, &model);
            }
            if nth % 16 == 0 {
                // A fold that went through a snapshot goes on as if it had not.
                account = Account::decode(&account.encode()).unwrap();
            }
        }
        check(&account, &model);
        let bytes = account.encode();
        prop_assert_eq!(Account::decode(&bytes).unwrap().encode(), bytes.clone());
        for pages in [&bytes.chunks(7).collect::<Vec<_>>(), &bytes.chunks(4000).collect()] {
            let read = Account::decode_pages(pages.iter().copied()).unwrap();
            prop_assert_eq!(read.encode(), bytes.clone(), "wherever pages end");
        }
        for (account, bytes) in held {
            prop_assert_eq!(account.encode(), bytes, "a fold that is held changed");
        }
    }

    /// Invariant 2: the log alone decides, not how the fold came about.
    #[test]
    fn two_folds_of_one_log_are_equal(
        steps in prop::collection::vec(any_step(1500), 1..60),
        through_snapshots: bool,
    ) {
        let (mut one, mut other) = (Account::default(), Account::default());
        for step in [Step::Create(0, 0), Step::Create(1, 2)].iter().chain(&steps) {
            let Some(record) = record(&one, step) else { continue };
            let at = one.head().next();
            one.apply(at, &record).unwrap();
            other.apply(at, &record).unwrap();
            if through_snapshots {
                other = Account::decode(&other.encode()).unwrap();
            }
        }
        prop_assert_eq!(one.encode(), other.encode());
    }

    #[test]
    fn damaged_snapshots_never_panic(
        steps in prop::collection::vec(any_step(20), 1..30),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut: prop::sample::Index,
    ) {
        let mut account = Account::default();
        for step in [Step::Create(0, 0), Step::Create(1, 2)].iter().chain(&steps) {
            if let Some(record) = record(&account, step) {
                account.apply(account.head().next(), &record).unwrap();
            }
        }
        let mut bytes = account.encode();
        prop_assert!(Account::decode(&bytes[..cut.index(bytes.len())]).is_none());
        for (at, byte) in noise {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(account) = Account::decode(&bytes) {
            account.mailboxes().for_each(|info| drop(info.mailbox.uids()));
        }
    }
}
