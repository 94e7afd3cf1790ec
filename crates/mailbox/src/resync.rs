//! Quick resynchronisation: what a client that was away has missed (RFC 7162 §3.2.5).

use base::{ModSeq, SeqSet, Uid, UidSet, UidValidity};

use crate::Mailbox;

/// What the client remembers: the parameter of SELECT and EXAMINE.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The last known UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The last known mod-sequence.
    pub mod_seq: ModSeq,
    /// The UIDs it knows; without them all up to UIDNEXT-1.
    pub uids: Option<&'a UidSet>,
    /// Numbers and the UIDs they had, pairwise in ascending order (RFC 7162 §3.2.5.2).
    pub matches: Option<(&'a SeqSet, &'a UidSet)>,
}

/// What it has missed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missed {
    /// For VANISHED (EARLIER); not sent if empty.
    pub vanished: UidSet,
    /// The messages whose flags, with UID and MODSEQ, are to be sent.
    pub changed: UidSet,
}

/// What a client with this knowledge has missed in `mailbox`; `None` if UIDVALIDITY differs, and
/// then everything is as if the client had not asked.
pub fn resync(mailbox: &Mailbox, known: &Known<'_>) -> Option<Missed> {
    if known.uid_validity != mailbox.uid_validity() {
        return None;
    }
    let changed = mailbox.uids_changed_since(known.mod_seq);
    let mut vanished = mailbox.vanished_since(known.mod_seq).uids;
    if let Some(told) = known.matches.and_then(|matches| last_match(mailbox, matches)) {
        vanished = vanished.difference(&UidSet::range(Uid::MIN, told));
    }
    Some(match known.uids {
        Some(uids) => {
            Missed { vanished: vanished.intersection(uids), changed: changed.intersection(uids) }
        }
        None => Missed { vanished, changed },
    })
}

/// The last UID that still has the number the client knows it by. UIDs only ever go away, so that
/// the client knows of everything that went before it.
fn last_match(mailbox: &Mailbox, (seqs, uids): (&SeqSet, &UidSet)) -> Option<Uid> {
    // The sets are as large as a client likes, the mailbox is not.
    let pairs = seqs.iter().take_while(|seq| seq.get() <= mailbox.len()).zip(uids.iter());
    let matching = pairs.filter(|&(seq, uid)| mailbox.nth_uid(seq.get() - 1) == Some(uid));
    matching.map(|(_, uid)| uid).last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Account, FlagOp, Record};
    use base::{Flags, MailboxId, SeqNum, SystemFlag, SystemFlags};

    fn set(ranges: &[(u32, u32)]) -> UidSet {
        ranges.iter().map(|&(a, b)| (Uid::new(a).unwrap(), Uid::new(b).unwrap())).collect()
    }

    fn seqs(numbers: &[u32]) -> SeqSet {
        numbers.iter().filter_map(|&n| SeqNum::new(n)).collect()
    }

    /// 1:10 appended by 2, 2:3 expunged by 3, 7 flagged by 4, 8 expunged by 5.
    fn account() -> Account {
        let mailbox = MailboxId::new(ModSeq::new(1).unwrap());
        let seen = Flags { system: SystemFlags::EMPTY.with(SystemFlag::Seen), keywords: vec![] };
        let messages = (1..=10).map(crate::record::tests::message).collect();
        let mut account = Account::default();
        for record in [
            Record::MailboxCreated {
                name: "a".into(),
                uid_validity: UidValidity::new(9).unwrap(),
                uid_next: Uid::MIN,
                roles: vec![],
            },
            Record::Appended { mailbox, messages },
            Record::Expunged { mailbox, uids: set(&[(2, 3)]) },
            Record::FlagsChanged { mailbox, uids: set(&[(7, 7)]), op: FlagOp::Add, flags: seen },
            Record::Expunged { mailbox, uids: set(&[(8, 8)]) },
        ] {
            account.apply(account.head().next(), &record).unwrap();
        }
        account
    }

    #[test]
    fn tells_what_was_missed() {
        let mut account = account();
        let all = seqs(&[1, 2, 3, 4, 5, 6, 7]);
        let now = set(&[(1, 1), (4, 7), (9, 10)]);
        let (first, other) = (seqs(&[1, 4]), set(&[(1, 1), (4, 4)]));
        for (forget, since, uids, matches, expected) in [
            (0, 2, None, None, Some(("2:3,8", "7"))),
            (0, 3, None, None, Some(("8", "7"))),
            (0, 5, None, None, Some(("", ""))),
            (0, 2, Some(set(&[(3, 7)])), None, Some(("3", "7"))),
            (0, 2, None, Some((&all, &now)), Some(("", "7"))),
            (0, 2, None, Some((&first, &other)), Some(("2:3,8", "7"))),
            (4, 2, None, None, Some(("2:3,8", "7"))),
            (4, 3, None, None, Some(("8", "7"))),
            (4, 2, None, Some((&seqs(&[2]), &set(&[(4, 4)]))), Some(("8", "7"))),
        ] {
            account.forget_before(ModSeq::new(forget).unwrap());
            let mailbox = account.find("a").unwrap().mailbox;
            let known = Known {
                uid_validity: mailbox.uid_validity(),
                mod_seq: ModSeq::new(since).unwrap(),
                uids: uids.as_ref(),
                matches,
            };
            let missed = resync(mailbox, &known);
            let texts = missed.map(|m| (m.vanished.to_string(), m.changed.to_string()));
            let texts = texts.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
            assert_eq!(texts, expected, "forget {forget}, since {since}, {uids:?}, {matches:?}");
            let other = Known { uid_validity: UidValidity::MIN, ..known };
            assert_eq!(resync(mailbox, &other), None);
        }
    }
}
