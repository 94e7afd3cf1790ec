//! A search program asked of many messages at once says what it says of each, and messages are
//! numbered alike one by one and all together.
#![allow(clippy::unwrap_used)]

mod common;

use base::{DateTime, Keyword, ModSeq, SystemFlag, Uid, UidSet};
use common::history::{Step, any_step, record, with_inbox};
use common::uid;
use mailbox::search::{Content, Day, Facts, Key, Plan, Split, Texts, Verdict};
use mailbox::{Expunges, View};
use proptest::prelude::*;

fn any_key() -> impl Strategy<Value = Key> {
    let day = DateTime::new(1_700_000_500, 0).date();
    let leaf = prop_oneof![
        Just(Key::All),
        Just(Key::Nothing),
        Just(Key::Recent),
        prop::sample::select(SystemFlag::ALL.to_vec()).prop_map(Key::Flag),
        prop::sample::select(common::history::KEYWORDS.to_vec())
            .prop_map(|name| Key::Keyword(Keyword::new(name).unwrap())),
        Just(Key::Internal(Day::Since(day))),
        (0u64..1100).prop_map(Key::Larger),
        (0u64..40).prop_map(|n| Key::ModSeq(ModSeq::new(n).unwrap_or(ModSeq::ZERO))),
        prop::collection::vec((1u32..40, 0u32..9), 0..4).prop_map(|ranges| {
            Key::Uids(ranges.into_iter().map(|(a, n)| (uid(a), uid(a + n))).collect())
        }),
        (0u8..3).prop_map(|n| Key::Content(Content::Text(n.to_string()))),
        Just(Key::Sent(Day::On(day))),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Key::And),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Key::Or(a.into(), b.into())),
            inner.prop_map(|key| Key::Not(key.into())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn sets_say_what_rows_say(
        steps in prop::collection::vec(any_step(6), 1..40),
        key in any_key(),
        answers in prop::collection::vec(prop::option::of(any::<u64>()), 3),
        exact in any::<[bool; 3]>(),
        absorbed in any::<bool>(),
    ) {
        let (mut account, inbox) = with_inbox();
        let mut view = View::new(account.get(inbox).unwrap().mailbox.clone(), Uid::MIN, true);
        for (at, step) in steps.iter().enumerate() {
            // The view is one of a mailbox that stays.
            let stays = !matches!(step, Step::Delete(_) | Step::Rename(..));
            if let Some(record) = record(&account, step).filter(|_| stays) {
                account.apply(account.head().next(), &record).unwrap();
            }
            if at % 3 == 0 {
                view.absorb(account.get(inbox).unwrap().mailbox);
                view.sync(if at % 2 == 0 { Expunges::Tell } else { Expunges::Hold });
            }
        }
        if absorbed {
            view.absorb(account.get(inbox).unwrap().mailbox);
        }
        let mailbox = view.mailbox();
        let plan = Plan::new(key, mailbox.keywords(), 1_700_000_600);
        // What is known of a text holds for the messages whose bits are set.
        let contents: Vec<Option<UidSet>> = (0..plan.contents().len())
            .map(|at| answers[at].map(|bits| {
                (1..64).filter(|n| bits & 1 << n != 0).map(uid).collect()
            }))
            .collect();
        let all = mailbox.uids_between(0, mailbox.rank(view.announced()));
        // Another half is only known not to be elsewhere.
        let (has, may): (Vec<_>, Vec<_>) = contents
            .iter()
            .zip(exact)
            .map(|(known, exact)| match exact {
                true => (known.clone(), None),
                false => (None, known.clone()),
            })
            .unzip();
        let split = plan.split(&view, Texts { has: &has, may: &may }, &all);
        let mut expected = Split::default();
        for row in mailbox.rows_in(&all) {
            let content: Vec<Option<bool>> = contents
                .iter()
                .zip(exact)
                .map(|(known, exact)| {
                    let known = known.as_ref().map(|known| known.contains(row.uid));
                    known.filter(|has| exact || !has)
                })
                .collect();
            let facts = Facts { row: &row, marks: &view, sent: None, content: &content };
            match plan.verdict(&facts) {
                Verdict::Yes => expected.yes.insert(row.uid),
                Verdict::No => {}
                _ => expected.open.insert(row.uid),
            }
        }
        prop_assert_eq!(&split, &expected);
        if let Some(few) = plan.few_unseen(mailbox, view.announced()) {
            prop_assert_eq!(few, split.yes.clone());
        }
        let is = |flag| Key::Flag(flag);
        let unseen = Key::Not(is(SystemFlag::Seen).into());
        for flag in SystemFlag::ALL {
            let keys = vec![unseen.clone(), is(flag), Key::Not(is(SystemFlag::Draft).into())];
            for key in [unseen.clone(), Key::And(keys)] {
                let plan = Plan::new(key, mailbox.keywords(), 1_700_000_600);
                let few = plan.few_unseen(mailbox, view.announced());
                let split = plan.split(&view, Texts::default(), &all);
                prop_assert_eq!(few, Some(split.yes).filter(|_| !plan.is_nothing()));
            }
        }
        if let Some(candidates) = plan.candidates(&contents) {
            prop_assert!(split.yes.difference(&candidates).is_empty());
        }
        for ((first, last), number) in view.numbered(&split.yes) {
            prop_assert_eq!(view.seq_of(first).unwrap().get(), number);
            let count = last.get() - first.get();
            prop_assert_eq!(view.seq_of(last).unwrap().get(), number + count);
        }
        let highest = mailbox.rows_in(&all).map(|row| row.mod_seq).max();
        prop_assert_eq!(mailbox.highest_among(&all), highest.unwrap_or(ModSeq::ZERO));
    }
}
