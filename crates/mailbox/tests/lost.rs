//! The fold of a log from which damage took records.

use base::{DateTime, EmailId, Flags, MailboxId, ModSeq, ThreadId, Uid, UidSet, UidValidity};
use mailbox::{Account, Content, NewMessage, Position, Record};

fn uid(n: u32) -> Uid {
    Uid::new(n).expect("in range")
}

fn created(name: &str) -> Record {
    Record::MailboxCreated {
        name: name.to_owned(),
        uid_validity: UidValidity::new(7).expect("in range"),
        uid_next: Uid::MIN,
        roles: Vec::new(),
    }
}

fn mailbox(n: u64) -> MailboxId {
    MailboxId::new(ModSeq::new(n).expect("in range"))
}

fn appended(n: u64, first: u32) -> Record {
    let position = Position { segment: 1, offset: first, stored_bytes: 9 };
    let message = NewMessage {
        uid: uid(first),
        flags: Flags::default(),
        internal_date: DateTime::new(0, 0),
        save_date: 0,
        size: 1,
        email_id: EmailId([0; 16]),
        thread_id: ThreadId(0),
        content: Content::At(position),
    };
    Record::Appended { mailbox: mailbox(n), messages: vec![message] }
}

fn fold(records: &[Record]) -> Account {
    let mut account = Account::default();
    for record in records {
        account.apply(account.head().next(), record).expect("in range");
    }
    account
}

#[test]
fn what_was_lost_never_gives_a_uid_twice() {
    let before = [created("INBOX"), created("Sent"), appended(1, 1), appended(1, 2)];
    let lost = [Record::Lost { bytes: 1000 }, Record::Lost { bytes: 0 }];
    let account = fold(&[&before[..], &lost].concat());
    assert!(account.is_lossy());
    // The lost records may have appended 1000 / 34 messages to any mailbox, or copied.
    for (id, known) in [(1, 3), (2, 1)] {
        assert!(account.get(mailbox(id)).expect("in range").mailbox.uid_next() >= uid(known + 29));
    }
    let decoded = Account::decode(&account.encode()).expect("in range");
    assert_eq!(decoded.encode(), account.encode());
    // A record behind the gap knows better.
    let account = fold(&[&before[..], &lost, &[appended(1, 5)]].concat());
    let inbox = account.get(mailbox(1)).expect("in range").mailbox;
    assert_eq!((inbox.uid_next(), inbox.len()), (uid(6), 3));
}

#[test]
fn records_that_do_not_fit_are_passed_over() {
    let moved = Record::Moved {
        from: mailbox(1),
        uids: UidSet::range(uid(1), uid(4)),
        to: mailbox(2),
        first_uid: uid(10),
        save_date: 0,
    };
    let account = fold(&[
        created("INBOX"),
        created("Sent"),
        appended(1, 1),
        Record::Lost { bytes: 40 },
        appended(99, 1),
        moved,
        created("INBOX"),
        appended(2, 14),
    ]);
    assert_eq!(account.head().get(), 8);
    let lengths = account.mailboxes().map(|info| info.mailbox.len()).collect::<Vec<_>>();
    assert_eq!(lengths, [1, 1], "a message that cannot be moved stays where it is");
}
