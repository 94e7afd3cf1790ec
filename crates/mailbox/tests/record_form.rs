//! The binary form of records: every record comes back as it was, and nothing else is accepted.
#![allow(clippy::unwrap_used)]

mod common;

use base::{Flags, Keyword, MailboxId, ModSeq, SystemFlag, SystemFlags, Uid, UidSet};
use common::any_record;
use mailbox::{BadRecord, Content, FlagOp, Position, Record};
use proptest::prelude::*;

fn encode(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&[], &mut out).unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn records_round_trip(record in any_record()) {
        let bytes = encode(&record);
        prop_assert_eq!(Record::decode(&bytes), Ok(record));
        for cut in 2..bytes.len().min(60) {
            // A directory entry has no length of its own; the frame around it does.
            if bytes[0] != 13 {
                prop_assert!(Record::decode(&bytes[..cut]).is_err());
            }
        }
    }

    /// Whatever is accepted has no other form, so equal logs are equal bytes.
    #[test]
    fn damaged_records_never_panic(
        record in any_record(),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&record);
        for (at, byte) in noise {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(record) = Record::decode(&bytes) {
            prop_assert_eq!(encode(&record), bytes);
        }
    }

    #[test]
    fn random_bytes_never_panic(kind in 0u8..16, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Record::decode(&[&[kind, 1], &bytes[..]].concat());
    }
}

#[test]
fn store_on_a_hundred_thousand_messages_is_one_small_record() {
    let record = Record::FlagsChanged {
        mailbox: MailboxId::new(ModSeq::new(7).unwrap()),
        uids: UidSet::range(Uid::MIN, Uid::new(100_000).unwrap()),
        op: FlagOp::Add,
        flags: Flags {
            system: SystemFlags::EMPTY.with(SystemFlag::Seen),
            keywords: vec![Keyword::new("$Forwarded").unwrap()],
        },
    };
    assert!(encode(&record).len() < 32, "{}", encode(&record).len());
}

#[test]
fn staged_contents_take_their_positions() {
    let at = |segment| Position { segment, offset: 8, stored_bytes: 100 };
    let mut record = common::appended(&[(1, 0), (2, 1)]);
    let Record::Appended { messages, .. } = &mut record else { panic!("appended") };
    messages[0].content = Content::Staged(1);
    messages[1].content = Content::Staged(0);

    let before = record.clone();
    assert!(record.resolve(&[at(1)]).is_err());
    assert_eq!(record, before);
    let missing = BadRecord("content names no staged blob");
    assert_eq!(record.encode(&[at(1)], &mut Vec::new()), Err(missing));

    let mut staged = Vec::new();
    record.encode(&[at(1), at(2)], &mut staged).unwrap();
    record.resolve(&[at(1), at(2)]).unwrap();
    let Record::Appended { messages, .. } = &record else { panic!("appended") };
    assert_eq!(messages[0].content, Content::At(at(2)));
    assert_eq!(Record::decode(&staged), Ok(record));
}
