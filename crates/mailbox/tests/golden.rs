//! Bytes written by earlier versions are read by every later one. A form that changes gets a new
//! version and a new file here; these lines stay.
#![allow(clippy::unwrap_used)]

mod common;

use base::{EmailId, Flags, Keyword, SystemFlags, ThreadId, Uid, UidSet, UidValidity};
use common::{id, uid, uids};
use mailbox::{Account, Content, FlagOp, NewMessage, Position, Record, Role};

fn flags() -> Flags {
    Flags {
        system: SystemFlags::from_bits(9).unwrap(),
        keywords: vec![Keyword::new("$Forwarded").unwrap()],
    }
}

fn records() -> Vec<Record> {
    let message = |n: u32| NewMessage {
        uid: uid(n),
        flags: flags(),
        internal_date: base::DateTime::new(837_596_665, -420),
        save_date: 1_700_000_000,
        size: 4286,
        email_id: EmailId(*b"0123456789abcdef"),
        thread_id: ThreadId(0x0123_4567_89ab_cdef),
        content: Content::At(Position { segment: 1, offset: 4096, stored_bytes: 2100 }),
    };
    let name = || "Entwürfe/2024".to_owned();
    vec![
        Record::MailboxCreated {
            name: "INBOX".into(),
            uid_validity: UidValidity::new(1_700_000_000).unwrap(),
            uid_next: Uid::MIN,
            roles: vec![],
        },
        Record::MailboxCreated {
            name: "Drafts".into(),
            uid_validity: UidValidity::new(1_700_000_001).unwrap(),
            uid_next: uid(300),
            roles: vec![Role::Drafts, Role::Trash],
        },
        Record::Appended {
            mailbox: id(1),
            messages: vec![message(1), message(2), message(3), message(7)],
        },
        Record::FlagsChanged {
            mailbox: id(1),
            uids: UidSet::range(uid(2), uid(100_000)),
            op: FlagOp::Remove,
            flags: flags(),
        },
        Record::Copied {
            from: id(1),
            uids: uids(&[1, 2, 7]),
            to: id(2),
            first_uid: uid(300),
            save_date: 1_700_000_002,
        },
        Record::Moved {
            from: id(2),
            uids: uids(&[300, 302]),
            to: id(1),
            first_uid: uid(8),
            save_date: -1,
        },
        Record::Expunged { mailbox: id(1), uids: uids(&[2, 3]) },
        Record::RecentClaimed { mailbox: id(1), below: uid(8) },
        Record::MailboxRenamed { mailbox: id(2), name: name() },
        Record::RolesSet { mailbox: id(2), roles: vec![Role::All] },
        Record::Subscribed { name: name() },
        Record::Subscribed { name: "INBOX".into() },
        Record::Unsubscribed { name: "INBOX".into() },
        Record::Directory(bytes::Bytes::from_static(b"\x00entry")),
        Record::MailboxCreated {
            name: "gone".into(),
            uid_validity: UidValidity::new(1_700_000_009).unwrap(),
            uid_next: Uid::MIN,
            roles: vec![],
        },
        Record::MailboxDeleted { mailbox: id(15) },
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}

#[test]
fn records_version_1() {
    let golden = include_str!("golden/records-1.hex");
    let records = records();
    assert_eq!(golden.lines().count(), records.len());
    for (line, record) in golden.lines().zip(&records) {
        assert_eq!(Record::decode(&unhex(line)).as_ref(), Ok(record), "{line}");
        let mut bytes = Vec::new();
        record.encode(&[], &mut bytes).unwrap();
        assert_eq!(hex(&bytes), line, "{record:?}");
    }
}

fn check_snapshot(golden: &[u8]) {
    let mut account = Account::default();
    for record in records() {
        account.apply(account.head().next(), &record).unwrap();
    }
    let read = Account::decode(golden).unwrap();
    assert_eq!(hex(&read.encode()), hex(&account.encode()));
    assert_eq!((read.head(), read.mailbox_count()), (account.head(), 2));
    let inbox = read.find("INBOX").unwrap().mailbox;
    assert_eq!(inbox.uids(), uids(&[1, 7, 8, 9]));
    assert_eq!(inbox.flags(uid(8)), Some(flags()));
    assert_eq!(inbox.vanished_since(base::ModSeq::ZERO).uids, uids(&[2, 3]));
}

#[test]
fn snapshot_version_1() {
    check_snapshot(&unhex(include_str!("golden/snapshot-1.hex")));
}

#[test]
fn snapshot_version_2() {
    let golden = unhex(include_str!("golden/snapshot-2.hex"));
    check_snapshot(&golden);
    assert_eq!(hex(&Account::decode(&golden).unwrap().encode()), hex(&golden));
}
