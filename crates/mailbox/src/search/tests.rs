use super::*;
use crate::Position;
use base::SystemFlags;
use proptest::prelude::*;

struct Plain {
    recent: bool,
    keywords: Vec<Keyword>,
}

impl Marks for Plain {
    fn has_keyword(&self, _: Uid, keyword: &Keyword) -> bool {
        self.keywords.contains(keyword)
    }
    fn is_recent(&self, _: Uid) -> bool {
        self.recent
    }
}

fn day(year: i32, month: u8, day: u8) -> Date {
    Date::new(year, month, day).unwrap()
}

fn row() -> Row {
    Row {
        uid: Uid::new(7).unwrap(),
        mod_seq: ModSeq::new(40).unwrap(),
        system: SystemFlags::EMPTY.with(SystemFlag::Seen),
        size: 1000,
        // 23:30 on 1 February at -05:00, which is 2 February in UTC.
        internal_date: DateTime::from_civil(day(2020, 2, 1), (23, 30, 0), -300).unwrap(),
        save_date: day(2021, 6, 5).days_since_epoch() * 86_400 + 86_399,
        email_id: EmailId([0xab; 16]),
        thread_id: ThreadId(0x1234),
        position: Position { segment: 1, offset: 0, stored_bytes: 0 },
    }
}

fn ask(key: Key) -> Verdict {
    let keyword = Keyword::new("$Work").unwrap();
    let marks = Plain { recent: false, keywords: vec![keyword.clone()] };
    let now = row().internal_date.seconds() + 100;
    let plan = Plan::new(key, &[keyword, Keyword::new("other").unwrap()], now);
    plan.verdict(&Facts { row: &row(), marks: &marks, sent: None, content: &[] })
}

#[test]
fn columns_decide() {
    use Key::*;
    let not = |key| Not(Box::new(key));
    let keyword = |name| Keyword(base::Keyword::new(name).unwrap());
    let uids = |n| Uids(UidSet::range(Uid::MIN, Uid::new(n).unwrap()));
    let yes = [
        All,
        And(vec![]),
        not(Nothing),
        Flag(SystemFlag::Seen),
        not(Flag(SystemFlag::Deleted)),
        keyword("$WORK"),
        not(keyword("absent")),
        not(keyword("other")),
        not(Recent),
        Internal(Day::On(day(2020, 2, 1))),
        Internal(Day::Since(day(2020, 2, 1))),
        Internal(Day::Before(day(2020, 2, 2))),
        Saved(Day::On(day(2021, 6, 5))),
        Older(100),
        not(Older(101)),
        Younger(100),
        not(Younger(99)),
        Larger(999),
        not(Larger(1000)),
        Smaller(1001),
        not(Smaller(1000)),
        uids(7),
        not(uids(6)),
        ModSeq(base::ModSeq::new(40).unwrap()),
        not(ModSeq(base::ModSeq::new(41).unwrap())),
        Key::email_id(&email_id_text()),
        Key::thread_id("T0000000000001234"),
        Or(Box::new(Nothing), Box::new(Flag(SystemFlag::Seen))),
    ];
    for key in yes {
        assert_eq!(ask(key.clone()), Verdict::Yes, "{key:?}");
        assert_eq!(ask(not(key.clone())), Verdict::No, "NOT {key:?}");
    }
}

fn email_id_text() -> String {
    base::EmailId([0xab; 16]).to_string()
}

#[test]
fn foreign_object_ids_match_nothing() {
    let upper = email_id_text().to_uppercase();
    for text in ["", "E", "M1", "Eabé", &upper, "E+0000000000000000000000000000000", "T1234"] {
        assert_eq!(Key::email_id(text), Key::Nothing, "{text:?}");
        assert_eq!(Key::thread_id(text), Key::Nothing, "{text:?}");
    }
}

#[test]
fn text_is_asked_only_when_it_matters() {
    let text = |s: &str| Key::Content(Content::Text(s.into()));
    let sent = Key::Sent(Day::On(day(2020, 1, 1)));
    assert_eq!(ask(Key::And(vec![text("a"), Key::Recent])), Verdict::No);
    let seen = Box::new(Key::Flag(SystemFlag::Seen));
    assert_eq!(ask(Key::Or(Box::new(text("a")), seen)), Verdict::Yes);
    assert_eq!(ask(Key::And(vec![text("a"), sent.clone()])), Verdict::NeedsSent);
    assert_eq!(ask(text("a")), Verdict::NeedsContent);

    // (recent AND a) OR (b AND sent): once the date is known to match, only b is left.
    let key = Key::Or(
        Box::new(Key::And(vec![Key::Recent, text("a")])),
        Box::new(Key::And(vec![text("b"), sent])),
    );
    let plan = Plan::new(key, &[], 0);
    let marks = Plain { recent: false, keywords: vec![] };
    let row = row();
    let mut facts = Facts { row: &row, marks: &marks, sent: None, content: &[] };
    assert_eq!(plan.verdict(&facts), Verdict::NeedsSent);
    facts.sent = Some(Some(day(2020, 1, 1)));
    assert_eq!(plan.verdict(&facts), Verdict::NeedsContent);
    let mut wanted = [false; 2];
    plan.needed(&facts, &mut wanted);
    assert_eq!(plan.contents()[0], Content::Text("a".into()));
    assert_eq!(wanted, [false, true]);
    facts.content = &[None, Some(true)];
    assert_eq!(plan.verdict(&facts), Verdict::Yes);
    facts.sent = Some(None);
    assert_eq!(plan.verdict(&facts), Verdict::No);
}

#[test]
fn candidates_narrow() {
    let uids = |a, b| Key::Uids(UidSet::range(Uid::new(a).unwrap(), Uid::new(b).unwrap()));
    let plan = Plan::new(Key::And(vec![Key::Recent, uids(3, 9), uids(5, 20)]), &[], 0);
    assert_eq!(plan.candidates(&[]).unwrap().to_string(), "5:9");
    let text = |text: &str| Key::Content(Content::Body(text.to_owned()));
    let either = Key::Or(Box::new(text("a")), Box::new(text("b")));
    let plan = Plan::new(Key::And(vec![either, uids(2, 20)]), &[], 0);
    let told = |contents: &[Option<UidSet>]| plan.candidates(contents).unwrap().to_string();
    let some = |a, b| match uids(a, b) {
        Key::Uids(uids) => Some(uids),
        _ => None,
    };
    assert_eq!(told(&[]), "2:20");
    assert_eq!(told(&[some(1, 3), None]), "2:20", "the other may be anywhere");
    assert_eq!(told(&[some(1, 3), some(15, 30)]), "2:3,15:20");
    let plan = Plan::new(Key::Not(Box::new(text("a"))), &[], 0);
    assert_eq!(plan.candidates(&[some(1, 3)]), None);
    assert_eq!(Plan::new(Key::Not(Box::new(uids(1, 2))), &[], 0).candidates(&[]), None);
    assert!(Plan::new(Key::Uids(UidSet::new()), &[], 0).is_nothing());
}

fn any_key() -> impl Strategy<Value = Key> {
    let leaf = prop_oneof![
        Just(Key::All),
        Just(Key::Nothing),
        Just(Key::Recent),
        Just(Key::Flag(SystemFlag::Seen)),
        Just(Key::Flag(SystemFlag::Deleted)),
        (990u64..1010).prop_map(Key::Larger),
        (0u8..4).prop_map(|n| Key::Content(Content::Text(n.to_string()))),
        Just(Key::Sent(Day::On(day(2020, 1, 1)))),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Key::And),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Key::Or(a.into(), b.into())),
            inner.prop_map(|key| Key::Not(key.into())),
        ]
    })
}

/// The meaning of a key by its definition, everything known.
fn naive(key: &Key, recent: bool, sent: bool, texts: &[bool; 4]) -> bool {
    let again = |key: &Key| naive(key, recent, sent, texts);
    match key {
        Key::All => true,
        Key::And(keys) => keys.iter().all(again),
        Key::Or(a, b) => again(a) || again(b),
        Key::Not(key) => !again(key),
        Key::Recent => recent,
        Key::Flag(flag) => *flag == SystemFlag::Seen,
        Key::Larger(n) => 1000 > *n,
        Key::Sent(_) => sent,
        Key::Content(Content::Text(n)) => texts[n.parse::<usize>().unwrap()],
        _ => false,
    }
}

proptest! {
    /// Asking step by step, as little as needed, gives what asking for all would.
    #[test]
    fn lazy_equals_eager(key in any_key(), recent: bool, sent: bool, texts: [bool; 4]) {
        let plan = Plan::new(key.clone(), &[], 0);
        let (marks, row) = (Plain { recent, keywords: vec![] }, row());
        let date = if sent { day(2020, 1, 1) } else { day(2020, 1, 2) };
        let mut known = vec![None; plan.contents().len()];
        let mut wanted = vec![false; known.len()];
        let mut date_known = None;
        let verdict = loop {
            let facts = Facts { row: &row, marks: &marks, sent: date_known, content: &known };
            match plan.verdict(&facts) {
                Verdict::NeedsSent => {
                    prop_assert!(date_known.is_none());
                    date_known = Some(Some(date));
                }
                Verdict::NeedsContent => {
                    plan.needed(&facts, &mut wanted);
                    // One at a time: each step must still ask for something new.
                    let at = wanted.iter().position(|&wanted| wanted).unwrap();
                    prop_assert!(known[at].is_none());
                    let Content::Text(n) = &plan.contents()[at] else { unreachable!() };
                    known[at] = Some(texts[n.parse::<usize>().unwrap()]);
                }
                done => break done == Verdict::Yes,
            }
        };
        prop_assert_eq!(verdict, naive(&key, recent, sent, &texts));
    }
}
