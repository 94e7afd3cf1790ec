//! Invariant 4: a client that believes only what it was told equals the fold after a sync that may
//! tell expunges, whatever happened meanwhile and whenever it was told.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use base::{Flags, MailboxId, SeqNum, SeqSet, Uid, UidSet};
use common::history::{Step, any_step, record, with_inbox};
use common::{appended, flags, uid, uids};
use mailbox::{Account, Event, Expunges, FlagOp, Record, View};
use proptest::prelude::*;

/// What a client believes of one message.
#[derive(Clone, Debug, PartialEq)]
struct Belief {
    uid: Uid,
    bits: u8,
    keywords: BTreeSet<String>,
}

struct Session {
    view: View,
    client: Vec<Belief>,
    recent: u32,
}

fn names(flags: &Flags) -> BTreeSet<String> {
    flags.keywords.iter().map(ToString::to_string).collect()
}

impl Session {
    fn new(account: &Account, id: MailboxId, claims: bool) -> Self {
        let mailbox = account.get(id).unwrap().mailbox.clone();
        let from = mailbox.recent_from();
        let mut session =
            Self { view: View::new(mailbox, from, claims), client: Vec::new(), recent: 0 };
        session.recent = session.view.recent();
        session.grow(session.view.exists());
        session
    }

    /// FETCH of the messages that are new to the client.
    fn grow(&mut self, exists: u32) {
        for n in self.client.len() as u32 + 1..=exists {
            let row = self.view.by_seq(SeqNum::new(n).unwrap()).expect("numbered");
            let flags = self.view.flags(row.uid).unwrap();
            let (bits, keywords) = (flags.system.bits(), names(&flags));
            self.client.push(Belief { uid: row.uid, bits, keywords });
        }
    }

    fn sync(&mut self, expunges: Expunges) {
        let news = self.view.has_news();
        let mut copy = self.view.clone();
        assert_eq!(news, !copy.sync(Expunges::Tell).is_empty());
        // Told in pieces of random size, and whole.
        let piece = if self.client.len().is_multiple_of(2) { usize::MAX } else { 1 };
        let mut events = self.view.sync_some(expunges, piece);
        while !events.is_empty() {
            events.into_iter().for_each(|event| self.hear(event, expunges));
            events = self.view.sync_some(expunges, piece);
        }
        self.check_numbers();
        assert_eq!(self.recent, self.view.recent());
        if expunges == Expunges::Tell {
            assert!(!self.view.has_news());
            let mailbox = self.view.mailbox();
            let truth = mailbox.rows().map(|row| Belief {
                uid: row.uid,
                bits: row.system.bits(),
                keywords: names(&mailbox.flags(row.uid).unwrap()),
            });
            assert_eq!(self.client, truth.collect::<Vec<_>>());
        }
    }

    fn hear(&mut self, event: Event, expunges: Expunges) {
        match event {
            Event::Expunged { uids, seqs } => {
                assert_eq!(expunges, Expunges::Tell);
                let gone = seqs.iter().map(|n| self.client.remove(n.get() as usize - 1).uid);
                assert_eq!(gone.collect::<UidSet>(), uids);
            }
            Event::Exists(n) => {
                assert!(n as usize > self.client.len(), "EXISTS never shrinks");
                self.grow(n);
            }
            Event::Recent(n) => self.recent = n,
            Event::NewKeywords => {}
            Event::Flags { seq, uid, mod_seq } => {
                let row = self.view.by_uid(uid).unwrap();
                let flags = self.view.flags(uid).unwrap();
                let belief = &mut self.client[seq.get() as usize - 1];
                assert_eq!((belief.uid, row.mod_seq), (uid, mod_seq));
                (belief.bits, belief.keywords) = (flags.system.bits(), names(&flags));
            }
        }
    }

    /// A client that is cut off and comes back with what it was told misses nothing.
    fn check_return(&self) {
        let (view, mailbox) = (&self.view, self.view.mailbox());
        let gone = mailbox.vanished_since(view.told()).uids;
        for belief in &self.client {
            match mailbox.get(belief.uid) {
                None => assert!(gone.contains(belief.uid), "{belief:?}"),
                Some(row) if row.mod_seq > view.told() => {}
                Some(row) => {
                    assert_eq!(belief.bits, row.system.bits());
                    assert_eq!(belief.keywords, names(&mailbox.flags(row.uid).unwrap()));
                }
            }
        }
    }

    /// Every question about numbers is answered as the client would.
    fn check_numbers(&self) {
        self.check_return();
        let view = &self.view;
        assert_eq!(view.exists() as usize, self.client.len());
        let all: UidSet = self.client.iter().map(|belief| belief.uid).collect();
        let span = UidSet::range(Uid::MIN, Uid::MAX);
        assert_eq!(view.known(&span), all);
        let told: Vec<_> = view.rows(&span).map(|(n, row)| (n.get(), row.uid)).collect();
        assert!(view.rows(&span).eq(view.collect_rows(&span)));
        let mut recent = 0;
        for (n, belief) in (1..).zip(&self.client) {
            let seq = SeqNum::new(n).unwrap();
            assert_eq!(view.by_seq(seq).map(|row| row.uid), Some(belief.uid));
            assert_eq!(view.seq_of(belief.uid), Some(seq));
            assert_eq!(told[n as usize - 1], (n, belief.uid));
            assert_eq!(view.is_ghost(belief.uid), !view.mailbox().contains(belief.uid));
            assert!(view.flags(belief.uid).is_some());
            recent += u32::from(view.is_recent(belief.uid));
        }
        assert_eq!((told.len(), recent), (self.client.len(), view.recent()));
        let Some(count) = SeqNum::new(view.exists()) else { return };
        assert_eq!(view.uids_of(&SeqSet::range(SeqNum::MIN, count)), Some(all));
        assert_eq!(view.by_seq(count.next().unwrap()), None);
        assert_eq!(view.uids_of(&SeqSet::range(count, count.next().unwrap())), None);
        let odd: SeqSet = (1..=count.get()).step_by(2).filter_map(SeqNum::new).collect();
        let expected: UidSet = self.client.iter().step_by(2).map(|belief| belief.uid).collect();
        assert_eq!(view.uids_of(&odd), Some(expected.clone()));
        let rows: UidSet = view.rows(&expected).map(|(_, row)| row.uid).collect();
        assert!(view.rows(&expected).eq(view.collect_rows(&expected)));
        assert_eq!((view.known(&expected), rows), (expected.clone(), expected));
    }

    /// STORE .SILENT of flags on what the client believes to be there, decided on the newest fold.
    fn store_silently(&mut self, account: &mut Account, id: MailboxId, bits: u8, every: usize) {
        let chosen: UidSet = self.client.iter().step_by(every).map(|belief| belief.uid).collect();
        let newest = account.get(id).unwrap().mailbox.clone();
        let at = account.head().next();
        let change = flags(bits, &["work"]);
        let record = Record::FlagsChanged {
            mailbox: id,
            uids: chosen.clone(),
            op: FlagOp::Add,
            flags: change,
        };
        account.apply(at, &record).unwrap();
        self.view.mute_on(at, &chosen, &newest);
        self.view.absorb(account.get(id).unwrap().mailbox);
        for belief in self.client.iter_mut().filter(|belief| chosen.contains(belief.uid)) {
            belief.bits |= bits;
            belief.keywords.insert("work".to_owned());
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Change(Step),
    Absorb(usize),
    Sync(usize, bool),
    Silent(usize, u8, usize),
    /// Retention drops the history of expunges.
    Forget,
}

fn any_act(sessions: usize) -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => any_step(40).prop_map(Act::Change),
        3 => (0..sessions).prop_map(Act::Absorb),
        4 => (0..sessions, any::<bool>()).prop_map(|(n, tell)| Act::Sync(n, tell)),
        1 => Just(Act::Forget),
        2 => (0..sessions, 0u8..32, 1usize..4).prop_map(|(n, bits, every)| Act::Silent(n, bits, every)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn clients_believe_the_truth(acts in prop::collection::vec(any_act(3), 1..80)) {
        let (mut account, id) = with_inbox();
        account.apply(account.head().next(), &common::created("a", 50)).unwrap();
        let mut sessions: Vec<_> =
            (0..3).map(|n| Session::new(&account, id, n != 2)).collect();
        for act in acts {
            match act {
                // The mailbox under test stays.
                Act::Change(Step::Delete(_) | Step::Rename(..)) => {}
                Act::Change(step) => {
                    if let Some(record) = record(&account, &step) {
                        account.apply(account.head().next(), &record).unwrap();
                    }
                }
                Act::Absorb(n) => {
                    sessions[n].view.absorb(account.get(id).unwrap().mailbox);
                    sessions[n].check_numbers();
                }
                Act::Sync(n, tell) => {
                    sessions[n].sync(if tell { Expunges::Tell } else { Expunges::Hold });
                }
                Act::Forget => account.forget_before(account.head()),
                Act::Silent(n, bits, every) => {
                    sessions[n].store_silently(&mut account, id, bits, every);
                }
            }
        }
        for session in &mut sessions {
            session.view.absorb(account.get(id).unwrap().mailbox);
            session.sync(Expunges::Tell);
        }
    }
}

fn step(account: &mut Account, record: &Record) {
    account.apply(account.head().next(), record).unwrap();
}

fn seqs(numbers: &[u32]) -> Vec<SeqNum> {
    numbers.iter().filter_map(|&n| SeqNum::new(n)).collect()
}

/// RFC 9051 §7.5.1, RFC 2180 §4.1: numbers stay while they must, and the message stays readable.
#[test]
fn expunges_wait_and_exists_counts_them() {
    let (mut account, id) = with_inbox();
    step(&mut account, &appended(&[(1, 0), (2, 0), (3, 0), (4, 0)]));
    let mailbox = |account: &Account| account.get(id).unwrap().mailbox.clone();
    let mut view = View::new(mailbox(&account), uid(5), false);
    step(&mut account, &Record::Expunged { mailbox: id, uids: uids(&[2, 3]) });
    step(&mut account, &appended(&[(5, 0), (6, 0)]));
    step(&mut account, &Record::Expunged { mailbox: id, uids: uids(&[5]) });
    view.absorb(&mailbox(&account));
    assert_eq!(view.exists(), 4, "nothing is announced yet");
    assert_eq!(view.by_uid(uid(6)), None);
    assert_eq!(view.sync(Expunges::Hold), [Event::Exists(5)]);
    assert_eq!(view.seq_of(uid(4)).map(SeqNum::get), Some(4));
    assert_eq!(view.by_seq(SeqNum::new(2).unwrap()).map(|row| row.uid), Some(uid(2)));
    assert!(view.is_ghost(uid(2)) && !view.is_ghost(uid(4)));
    assert_eq!(
        view.sync(Expunges::Tell),
        // 5 came and went between two syncs: it is never told.
        [Event::Expunged { uids: uids(&[2, 3]), seqs: seqs(&[2, 2]) }]
    );
    assert_eq!(view.exists(), 3);
    assert!(view.sync(Expunges::Tell).is_empty());
}

#[test]
fn silence_covers_the_own_change_only() {
    let (mut account, id) = with_inbox();
    step(&mut account, &appended(&[(1, 0), (2, 0), (3, 0)]));
    let mut view = View::new(account.get(id).unwrap().mailbox.clone(), uid(4), false);
    let change = |numbers: &[u32], bits| Record::FlagsChanged {
        mailbox: id,
        uids: uids(numbers),
        op: FlagOp::Add,
        flags: flags(bits, &[]),
    };
    // Another session flags 1; this one sets 1 and 2 silently; then the other one flags 2.
    step(&mut account, &change(&[1], 2));
    let decided_on = account.get(id).unwrap().mailbox.clone();
    step(&mut account, &change(&[1, 2, 3], 8));
    view.mute_on(account.head(), &uids(&[1, 2, 3]), &decided_on);
    step(&mut account, &change(&[2], 2));
    view.absorb(account.get(id).unwrap().mailbox);
    let told = view.sync(Expunges::Hold).into_iter().map(|event| match event {
        Event::Flags { uid, .. } => uid.get(),
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), [1, 2]);
}

/// RFC 3501 §2.3.2: recent in the first session that is told of it, when that can be known.
#[test]
fn the_first_claim_wins() {
    let (mut account, id) = with_inbox();
    step(&mut account, &appended(&[(1, 0)]));
    let mailbox = |account: &Account| account.get(id).unwrap().mailbox.clone();
    let mut first = View::new(mailbox(&account), mailbox(&account).recent_from(), true);
    assert_eq!((first.recent(), first.recent_claim()), (1, Some(uid(2))));
    step(&mut account, &Record::RecentClaimed { mailbox: id, below: uid(2) });
    first.absorb(&mailbox(&account));
    assert_eq!(first.recent_claim(), None);
    let mut second = View::new(mailbox(&account), mailbox(&account).recent_from(), true);
    assert_eq!(second.recent(), 0);

    step(&mut account, &appended(&[(2, 0)]));
    first.absorb(&mailbox(&account));
    assert_eq!(first.sync(Expunges::Tell), [Event::Exists(2), Event::Recent(2)]);
    let below = first.recent_claim().unwrap();
    step(&mut account, &Record::RecentClaimed { mailbox: id, below });
    second.absorb(&mailbox(&account));
    assert_eq!(second.sync(Expunges::Tell), [Event::Exists(2)]);
    assert!(first.is_recent(uid(2)) && !second.is_recent(uid(2)));
}
