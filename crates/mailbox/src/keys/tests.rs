//! A column is the same however it came about.

use std::collections::HashMap;

use message::{Ids, KeysView};
use proptest::prelude::*;

use super::*;

/// Columns of all kinds of the messages, whose UIDs ascend.
pub(crate) fn columns<'a>(messages: impl Iterator<Item = (Uid, KeysView<'a>)>) -> Columns {
    let messages: Vec<(Uid, KeysView<'a>)> = messages.collect();
    let mut columns = Columns::default();
    for kind in Kind::ALL {
        columns.add(kind, Arc::new(grow(kind, None, &messages)));
    }
    columns
}

fn uid_validity() -> UidValidity {
    UidValidity::new(7).unwrap()
}

/// A column of `messages`, with what is kept of them and perhaps of others.
fn grow(kind: Kind, kept: Option<Arc<Column>>, messages: &[(Uid, KeysView<'_>)]) -> Column {
    let uids: UidSet = messages.iter().map(|&(uid, _)| uid).collect();
    let mut growing = Growing::new(kind, kept, (uid_validity(), uids.clone()), (1, 2));
    messages.iter().for_each(|(uid, keys)| growing.push(*uid, Some(keys)));
    let mut placing = growing.placing();
    if let Some(placing) = &mut placing {
        loop {
            let asks = placing.asks();
            if asks.is_empty() {
                break;
            }
            assert!(asks.difference(&uids).is_empty(), "only messages that are there are asked");
            let text = |(uid, keys): &(Uid, KeysView<'_>)| {
                asks.contains(*uid).then(|| (*uid, keys.text(placing.key()).to_owned()))
            };
            let texts: HashMap<Uid, String> = messages.iter().filter_map(text).collect();
            assert!(placing.tell(&texts));
        }
    }
    growing.finish(placing)
}

/// A message as it is made up: id, references, subject, sender, date.
type Mail = (u8, Vec<u8>, String, u8, Option<i64>);

const IDS: [&str; 6] = ["", "a@x", "b@x", "c@x", "d@x", "e@x"];

/// The mails of some UIDs.
#[derive(Debug)]
struct Mails(Vec<(Uid, Mail, Vec<&'static str>)>);

impl Mails {
    fn new(mails: Vec<Mail>) -> Self {
        let mail = |(uid, mail): (u32, Mail)| {
            let references = mail.1.iter().map(|&id| IDS[1 + id as usize]).collect();
            (Uid::new(uid).unwrap(), mail, references)
        };
        // A gap between some.
        Self((0..).map(|n: u32| n + n / 5 + 1).zip(mails).map(mail).collect())
    }

    fn keys(&self) -> Vec<(Uid, KeysView<'_>)> {
        let mut all = Vec::new();
        for (uid, (id, _, subject, from, sent), references) in &self.0 {
            let view = KeysView {
                sent: *sent,
                is_reply: id % 2 == 0,
                message_id: Some(IDS[*id as usize]).filter(|id| !id.is_empty()),
                ids: Ids::Plain(references),
                ..KeysView::default()
            };
            let view = view.with_text(SortKey::Subject, subject);
            all.push((*uid, view.with_text(SortKey::From, IDS[*from as usize])));
        }
        all
    }
}

fn mails(most: usize) -> impl Strategy<Value = Mails> {
    let mail = (
        0u8..6,
        prop::collection::vec(0u8..5, 0..5),
        "(|[ab]{1,3}|zz[a-c]{8,10})",
        0u8..6,
        prop::option::of(-5i64..5),
    );
    prop::collection::vec(mail, 0..most).prop_map(Mails::new)
}

/// All that a column tells, whatever its numbers are.
fn told(column: &Column) -> String {
    let values: Vec<String> = match &column.values {
        Values::Sent(seconds) => seconds.iter().map(|at| format!("{at}")).collect(),
        Values::Ranks(ranks) => {
            let mut used: Vec<u32> = ranks.ranks.clone();
            used.sort_unstable();
            used.dedup();
            assert!(used.iter().copied().eq(0..ranks.count), "dense");
            let numbers = (0..ranks.ranks.len()).map(|at| ranks.number(at));
            numbers.map(|number| number.to_string()).collect()
        }
        Values::Links(links) => {
            let hash = |id: u32| links.hashes[id as usize];
            let mut references = Vec::new();
            let one = |at: usize| {
                links.references(at, &mut references);
                let hashes: Vec<u64> = references.iter().map(|&id| hash(id)).collect();
                format!("{:?} {} {hashes:x?}", links.own(at).map(hash), links.is_reply(at))
            };
            (0..links.len()).map(one).collect()
        }
    };
    format!("{:?} {values:?}", column.uids)
}

fn pick(keys: &[(Uid, KeysView<'_>)], which: &[bool]) -> UidSet {
    let which = which.iter().copied().cycle();
    keys.iter().zip(which).filter(|(_, is_in)| *is_in).map(|((uid, _), _)| *uid).collect()
}

fn only<'a>(keys: &[(Uid, KeysView<'a>)], uids: &UidSet) -> Vec<(Uid, KeysView<'a>)> {
    keys.iter().filter(|(uid, _)| uids.contains(*uid)).copied().collect()
}

proptest! {
    /// A column that grew out of one of other messages, some of which are gone, is the one that is
    /// made from nothing.
    #[test]
    fn growing_is_making(
        mails in mails(60),
        before in prop::collection::vec(prop::bool::weighted(0.95), 1..30),
        after in prop::collection::vec(prop::bool::weighted(0.9), 1..30),
    ) {
        let keys = mails.keys();
        let (before, after) = (pick(&keys, &before), pick(&keys, &after));
        for kind in Kind::ALL {
            let kept = Arc::new(grow(kind, None, &only(&keys, &before)));
            let grown = grow(kind, Some(kept.clone()), &only(&keys, &after));
            let made = grow(kind, None, &only(&keys, &after));
            prop_assert_eq!(told(&grown), told(&made), "{:?}", kind);
            let stays = before.intersection(&after);
            let part = Column::clone(&kept).only(&after);
            prop_assert_eq!(told(&part), told(&grow(kind, None, &only(&keys, &stays))));
        }
    }

    /// What comes out of a file is what went in, but for messages that are not the same any more and
    /// those in their blocks.
    #[test]
    fn files(mails in mails(40), flip in any::<prop::sample::Index>(), bit in 0u32..8) {
        let keys = mails.keys();
        let uids: UidSet = keys.iter().map(|&(uid, _)| uid).collect();
        let mailbox = file::tests::mailbox(&uids, |_| 1);
        for kind in Kind::ALL {
            let column = grow(kind, None, &keys);
            let bytes = column.encode(kind, file::tests::id(), &mailbox).unwrap();
            let read = |bytes: &[u8], mailbox| file::tests::read(bytes, kind, mailbox);
            prop_assert_eq!(told(&read(&bytes, &mailbox).unwrap()), told(&column));
            let mut damaged = bytes.clone();
            let at = flip.index(bytes.len());
            damaged[at] ^= 1 << bit;
            prop_assert!(read(&damaged, &mailbox).is_none());
            prop_assert!(read(&bytes[..at], &mailbox).is_none());
            let other = if kind == Kind::Sent { Kind::Links } else { Kind::Sent };
            prop_assert!(file::tests::read(&bytes, other, &mailbox).is_none());
        }
    }

    /// Bytes that are no file, with sums that say they are, do no harm.
    #[test]
    fn any_bytes(payload in prop::collection::vec(any::<u8>(), 0..60), start in 0u32..3) {
        let uids: UidSet = (1..10).filter_map(Uid::new).collect();
        let mailbox = file::tests::mailbox(&uids, |_| 1);
        for kind in Kind::ALL {
            let mut bytes = Vec::new();
            if start > 0 {
                crate::codec::put_uids(&mut bytes, &uids);
            }
            if start > 1 {
                bytes.extend_from_slice(&file::tests::check(&uids, &mailbox).to_le_bytes());
            }
            bytes.extend_from_slice(&payload);
            let column = file::tests::read_payload(&bytes, kind, &mailbox);
            if let Some(column) = column {
                prop_assert_eq!(column.only(&uids).uids.difference(&uids), UidSet::new());
            }
        }
    }
}

#[test]
fn a_chain_of_replies_takes_a_number_a_message() {
    let ids: Vec<String> = (0..1000).map(|n| format!("{n}@x")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mail = |n: usize| KeysView {
        message_id: Some(ids[n]),
        ids: Ids::Plain(&ids[..n]),
        ..KeysView::default()
    };
    let mails: Vec<_> = (0..1000).map(|n| (Uid::new(n as u32 + 1).unwrap(), mail(n))).collect();
    let column = grow(Kind::Links, None, &mails);
    assert!(column.memory_bytes() < 40 * 1000, "{}", column.memory_bytes());
    let mailbox = file::tests::mailbox(column.uids(), |_| 1);
    let bytes = column.encode(Kind::Links, file::tests::id(), &mailbox).unwrap();
    assert!(bytes.len() < 12 * 1000, "{}", bytes.len());
    assert_eq!(told(&file::tests::read(&bytes, Kind::Links, &mailbox).unwrap()), told(&column));
}

#[test]
fn what_could_not_be_read_is_not_kept() {
    let uids: UidSet = (1..5).filter_map(Uid::new).collect();
    let mut growing = Growing::new(Kind::Sent, None, (uid_validity(), uids.clone()), (1, 2));
    uids.iter().for_each(|uid| growing.push(uid, None));
    let column = growing.finish(None);
    assert!(!column.is_worth_saving());
    let mailbox = file::tests::mailbox(&uids, |_| 1);
    assert!(column.encode(Kind::Sent, file::tests::id(), &mailbox).is_none());
}
