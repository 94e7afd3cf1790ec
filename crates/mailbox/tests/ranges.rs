//! What is asked of whole ranges, against the same questions asked message by message.
#![allow(clippy::unwrap_used)]

mod common;

use base::{Flags, SystemFlag, UidSet};
use common::history::{Step, any_step, keywords};
use common::{flags, uid};
use mailbox::{Account, FlagOp, Mailbox};
use proptest::prelude::*;

fn would_change(mailbox: &Mailbox, n: base::Uid, op: FlagOp, wanted: &Flags) -> bool {
    let has = mailbox.flags(n).unwrap();
    let system = match op {
        FlagOp::Replace => wanted.system,
        FlagOp::Add => has.system.union(wanted.system),
        FlagOp::Remove => has.system.difference(wanted.system),
    };
    let named = |keyword: &_| wanted.keywords.contains(keyword);
    let keywords = match op {
        FlagOp::Replace => {
            has.keywords.len() != wanted.keywords.len() || !has.keywords.iter().all(named)
        }
        FlagOp::Add => !wanted.keywords.iter().all(|keyword| has.keywords.contains(keyword)),
        FlagOp::Remove => has.keywords.iter().any(named),
    };
    system != has.system || keywords
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn ranges_answer_as_messages_do(
        steps in prop::collection::vec(any_step(1500), 1..40),
        asked in prop::collection::vec((1u32..3000, 0u32..1500), 0..5),
        (bits, words) in (0u8..32, 0u8..16),
    ) {
        let account = steps.iter().fold(common::history::with_inbox().0, step_on);
        let asked: UidSet = asked.into_iter().map(|(a, n)| (uid(a), uid(a + n))).collect();
        let all = UidSet::range(uid(1), uid(u32::MAX));
        let wanted = flags(bits, &keywords(words));
        for info in account.mailboxes() {
            let mailbox = info.mailbox;
            for set in [&asked, &all] {
                let naive = |fits: &dyn Fn(base::Uid) -> bool| -> UidSet {
                    mailbox.rows().map(|row| row.uid).filter(|&n| set.contains(n) && fits(n)).collect()
                };
                prop_assert_eq!(mailbox.uids_in(set), naive(&|_| true));
                for flag in SystemFlag::ALL {
                    let has = |n| mailbox.flags(n).unwrap().system.contains(flag);
                    prop_assert_eq!(mailbox.uids_in_with(set, flag), naive(&has));
                }
                for op in [FlagOp::Replace, FlagOp::Add, FlagOp::Remove] {
                    let found = mailbox.uids_changed_by(set, op, &wanted);
                    prop_assert_eq!(found, naive(&|n| would_change(mailbox, n, op, &wanted)));
                }
            }
        }
    }
}

fn step_on(mut account: Account, step: &Step) -> Account {
    if let Some(record) = common::history::record(&account, step) {
        account.apply(account.head().next(), &record).unwrap();
    }
    account
}
