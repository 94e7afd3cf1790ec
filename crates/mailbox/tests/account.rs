//! Names, and what an account refuses.
#![allow(clippy::unwrap_used)]

mod common;

use base::{Flags, ModSeq, Uid, UidSet, UidValidity};
use common::{appended, created, flags, id, message, uid, uids};
use mailbox::{Account, Content, FlagOp, Record, Role};

fn fold(records: &[Record]) -> Account {
    let mut account = Account::default();
    for record in records {
        account.apply(account.head().next(), record).unwrap();
    }
    account
}

#[test]
fn inbox_is_one_name_in_any_case() {
    let account = fold(&[
        created("inbox", 1),
        created("Inbox/a", 2),
        created("inboxes", 3),
        Record::Subscribed { name: "iNbOx".into() },
    ]);
    let names: Vec<_> = account.mailboxes().map(|info| info.name).collect();
    assert_eq!(names, ["INBOX", "INBOX/a", "inboxes"]);
    for (name, found) in [("INBOX", 1), ("InBox", 1), ("inbox/a", 2), ("inboxes", 3)] {
        assert_eq!(account.find(name).map(|info| info.id), Some(id(found)), "{name}");
    }
    assert!(account.find("INBOX/A").is_none() && account.find("Inboxes").is_none());
    assert!(account.is_subscribed("inbox"));
    assert_eq!(account.subscriptions().collect::<Vec<_>>(), ["INBOX"]);
}

#[test]
fn a_renamed_mailbox_stays_itself() {
    let roles = vec![Role::Trash, Role::Junk];
    let account = fold(&[
        created("a", 7),
        appended(&[(1, 0)]),
        Record::MailboxRenamed { mailbox: id(1), name: "b".into() },
        Record::MailboxRenamed { mailbox: id(1), name: "b".into() },
        Record::RolesSet { mailbox: id(1), roles },
    ]);
    assert!(account.find("a").is_none());
    let info = account.find("b").unwrap();
    assert_eq!((info.id, info.mailbox.len(), info.mailbox.uid_validity().get()), (id(1), 1, 7));
    assert_eq!(info.roles, [Role::Junk, Role::Trash]);
    assert_eq!(account.mailbox_count(), 1);
}

/// RFC 9051 §2.3.1.1: a name that comes again comes with a greater UIDVALIDITY.
#[test]
fn uid_validity_only_grows() {
    let mut account = fold(&[created("a", 900), appended(&[(1, 0)])]);
    let validity = |n| UidValidity::new(n).unwrap();
    assert_eq!(account.next_uid_validity(100), validity(901));
    assert_eq!(account.next_uid_validity(5000), validity(5000));
    assert_eq!(account.next_uid_validity(-1), validity(901));
    assert!(account.accepts_uid_validity(validity(5)), "an import may bring an old one");
    account.apply(account.head().next(), &Record::MailboxDeleted { mailbox: id(1) }).unwrap();
    assert!(!account.accepts_uid_validity(validity(900)));
    assert_eq!(account.next_uid_validity(100), validity(901));
    let account = Account::decode(&account.encode()).unwrap();
    assert_eq!(account.next_uid_validity(100), validity(901));
    assert!(!account.accepts_uid_validity(validity(900)));
    // One that never gave a UID promised nothing.
    let account = fold(&[created("a", 900), Record::MailboxDeleted { mailbox: id(1) }]);
    assert!(account.accepts_uid_validity(validity(5)));
    assert_eq!(account.next_uid_validity(100), validity(901));
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let base = [created("a", 9), created("b", 9), appended(&[(1, 0), (5, 8)])];
    let copied = |numbers: &[u32], first: u32| Record::Copied {
        from: id(1),
        uids: uids(numbers),
        to: id(2),
        first_uid: uid(first),
        save_date: 0,
    };
    let mut staged = message(9, Flags::default());
    staged.content = Content::Staged(0);
    let append = |messages| Record::Appended { mailbox: id(1), messages };
    let gone = id(77);
    for (record, why) in [
        (created("a", 10), "name is taken"),
        (created("", 10), "empty name"),
        (Record::MailboxRenamed { mailbox: id(1), name: "b".into() }, "name is taken"),
        (Record::MailboxRenamed { mailbox: gone, name: "x".into() }, "no such mailbox"),
        (Record::MailboxDeleted { mailbox: gone }, "no such mailbox"),
        (Record::RolesSet { mailbox: gone, roles: vec![] }, "no such mailbox"),
        (Record::Subscribed { name: String::new() }, "empty name"),
        (append(vec![]), "no messages"),
        (append(vec![message(5, Flags::default())]), "UIDs do not ascend"),
        (
            append(vec![message(7, Flags::default()), message(7, Flags::default())]),
            "UIDs do not ascend",
        ),
        (append(vec![message(u32::MAX, Flags::default())]), "no UIDs left"),
        (append(vec![staged]), "content is not stored"),
        (copied(&[1], 2), "copies do not begin at UIDNEXT"),
        (copied(&[], 1), "copies messages that do not exist"),
        (copied(&[1, 2], 1), "copies messages that do not exist"),
        (
            Record::FlagsChanged {
                mailbox: gone,
                uids: uids(&[1]),
                op: FlagOp::Add,
                flags: flags(8, &[]),
            },
            "no such mailbox",
        ),
        (Record::Expunged { mailbox: gone, uids: uids(&[1]) }, "no such mailbox"),
        (
            Record::RecentClaimed { mailbox: id(1), below: uid(7) },
            "claims messages that are not there yet",
        ),
    ] {
        let mut account = fold(&base);
        let before = account.encode();
        let error = account.apply(account.head().next(), &record).unwrap_err();
        assert_eq!(error.why, why, "{record:?}");
        assert_eq!(account.encode(), before, "{record:?}");
    }
    let mut account = fold(&base);
    let gap = account.apply(ModSeq::new(9).unwrap(), &created("x", 99));
    assert_eq!(gap.unwrap_err().why, "not the next position");
}

/// Whatever UIDs a record names, only those that exist count.
#[test]
fn absent_uids_leave_no_trace() {
    let all = || UidSet::range(uid(2), Uid::MAX);
    let account = fold(&[
        created("a", 9),
        appended(&[(1, 0)]),
        Record::Expunged { mailbox: id(1), uids: all() },
        Record::FlagsChanged {
            mailbox: id(1),
            uids: all(),
            op: FlagOp::Replace,
            flags: flags(8, &["new"]),
        },
    ]);
    let mailbox = account.find("a").unwrap().mailbox;
    assert_eq!(mailbox.highest_mod_seq(), ModSeq::new(2).unwrap());
    assert!(mailbox.keywords().is_empty());
    assert!(mailbox.vanished_since(ModSeq::ZERO).uids.is_empty());
}

/// More keywords than fit into one word, then into two.
#[test]
fn keywords_have_no_limit() {
    let names: Vec<String> = (0..150).map(|n| format!("k{n}")).collect();
    let mut records = vec![created("a", 9), appended(&[(1, 0), (2, 0), (3, 0)]), created("b", 9)];
    for (n, name) in names.iter().enumerate() {
        records.push(Record::FlagsChanged {
            mailbox: id(1),
            uids: uids(&[1 + n as u32 % 2]),
            op: FlagOp::Add,
            flags: flags(0, &[name]),
        });
    }
    records.push(Record::Copied {
        from: id(1),
        uids: uids(&[2, 3]),
        to: id(3),
        first_uid: uid(1),
        save_date: 0,
    });
    let account = fold(&records);
    for account in [&account, &Account::decode(&account.encode()).unwrap()] {
        let (a, b) = (account.find("a").unwrap().mailbox, account.find("b").unwrap().mailbox);
        assert_eq!((a.keywords().len(), b.keywords().len()), (150, 75));
        let odd: Vec<_> = names.iter().skip(1).step_by(2).map(String::as_str).collect();
        assert_eq!(b.flags(uid(1)).unwrap(), flags(0, &odd));
        assert_eq!(b.flags(uid(2)).unwrap(), flags(0, &[]));
        let keyword = base::Keyword::new("K149").unwrap();
        assert!(a.has_keyword(uid(2), &keyword) && !a.has_keyword(uid(1), &keyword));
        assert_eq!(a.uids_with_keyword(&keyword), uids(&[2]));
    }
}
