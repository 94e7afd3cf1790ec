//! Values of every kind, as the parsers give them.

use base::{Date, Flags, Keyword, ModSeq, SeqNum, SystemFlags, Uid, UidValidity};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::num::NonZeroU32;
use wire::command::*;
use wire::value::*;

pub(crate) fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![Just(String::new()), "[a-z&~+ \"\\\\()\\[\\]{}%*$]{0,8}", "[^\0]{0,8}"]
}

pub(crate) fn bytes() -> impl Strategy<Value = Bytes> + Clone {
    prop_oneof![text().prop_map(Bytes::from), vec(1u8..=255, 0..8).prop_map(Bytes::from)]
}

pub(crate) fn mailbox() -> impl Strategy<Value = MailboxName> + Clone {
    let other = text().prop_filter("not INBOX", |name| !name.eq_ignore_ascii_case("INBOX"));
    prop_oneof![1 => Just("INBOX".to_owned()), 9 => other].prop_map(MailboxName)
}

pub(crate) fn atom() -> impl Strategy<Value = String> + Clone {
    "[A-Za-z0-9$+=./_-]{1,8}"
}

pub(crate) fn nz() -> impl Strategy<Value = NonZeroU32> + Clone {
    prop_oneof![1u32..30, Just(u32::MAX)].prop_map(|n| NonZeroU32::new(n).unwrap())
}

pub(crate) fn mod_seq() -> impl Strategy<Value = ModSeq> + Clone {
    prop_oneof![0u64..100, Just(i64::MAX as u64)].prop_map(|n| ModSeq::new(n).unwrap())
}

fn numbering() -> impl Strategy<Value = Numbering> {
    select(vec![Numbering::Seq, Numbering::Uid])
}

pub(crate) fn set() -> impl Strategy<Value = SequenceSet> + Clone {
    let end = prop_oneof![4 => nz().prop_map(SetEnd::Number), 1 => Just(SetEnd::Star)];
    let range = prop_oneof![end.clone().prop_map(|end| (end, end)), (end.clone(), end)];
    prop_oneof![
        1 => Just(SequenceSet::Saved),
        9 => vec(range, 1..5).prop_map(SequenceSet::Ranges),
    ]
}

pub(crate) fn uids() -> impl Strategy<Value = base::UidSet> + Clone {
    vec(nz(), 1..6).prop_map(|all| all.into_iter().filter_map(|n| Uid::new(n.get())).collect())
}

fn seq_match() -> impl Strategy<Value = (base::SeqSet, base::UidSet)> {
    uids().prop_map(|uids| {
        let count = u32::try_from(uids.len()).unwrap();
        (base::SeqSet::range(SeqNum::MIN, SeqNum::new(count).unwrap()), uids)
    })
}

fn keyword() -> impl Strategy<Value = Keyword> + Clone {
    atom().prop_map(|name| Keyword::new(&name).unwrap())
}

fn flags() -> impl Strategy<Value = Flags> {
    (0u8..32, vec(keyword(), 0..4)).prop_map(|(bits, keywords)| {
        let mut flags =
            Flags { system: SystemFlags::from_bits(bits).unwrap(), keywords: Vec::new() };
        keywords.into_iter().for_each(|keyword| flags.add_keyword(keyword));
        flags
    })
}

fn status_items() -> impl Strategy<Value = Vec<StatusItem>> {
    use StatusItem::*;
    let all = vec![
        Messages,
        Recent,
        UidNext,
        UidValidity,
        Unseen,
        Deleted,
        Size,
        HighestModSeq,
        MailboxId,
        AppendLimit,
    ];
    subsequence(all, 1..=10).prop_shuffle()
}

pub(crate) fn special_uses() -> impl Strategy<Value = Vec<SpecialUse>> {
    use SpecialUse::*;
    subsequence(vec![All, Archive, Drafts, Flagged, Important, Junk, Sent, Trash], 0..=8)
        .prop_shuffle()
}

fn select_command() -> impl Strategy<Value = Select> {
    let qresync = (nz(), mod_seq(), option::of(uids()), option::of(seq_match())).prop_map(
        |(validity, mod_seq, known_uids, seq_match)| Qresync {
            uid_validity: UidValidity::new(validity.get()).unwrap(),
            mod_seq,
            known_uids,
            seq_match,
        },
    );
    (mailbox(), any::<bool>(), option::of(qresync))
        .prop_map(|(mailbox, condstore, qresync)| Select { mailbox, condstore, qresync })
}

fn list() -> impl Strategy<Value = List> {
    let options = (any::<[bool; 5]>(), any::<[bool; 3]>(), option::of(status_items()));
    (options, text(), vec(text(), 1..4)).prop_map(|((s, r, status), reference, patterns)| {
        let select = ListSelect {
            subscribed: s[0],
            remote: s[1],
            recursive_match: s[2] && (s[0] || s[3]),
            special_use: s[3],
        };
        let returns = ListReturn {
            subscribed: r[0],
            children: r[1],
            special_use: r[2],
            status: status.unwrap_or_default(),
        };
        if s[4] {
            return List { extended: true, select, reference, patterns, returns };
        }
        List {
            extended: false,
            select: ListSelect::default(),
            reference,
            patterns: patterns[..1].to_vec(),
            returns: ListReturn::default(),
        }
    })
}

fn path() -> impl Strategy<Value = PartPath> {
    vec(nz(), 0..3)
}

fn section() -> impl Strategy<Value = Section> {
    let fields = (any::<bool>(), vec(bytes(), 1..3))
        .prop_map(|(not, fields)| SectionText::HeaderFields { not, fields });
    let text = prop_oneof![
        select(vec![SectionText::Whole, SectionText::Header, SectionText::Text, SectionText::Mime]),
        fields
    ];
    (path(), text).prop_map(|(path, text)| match text {
        SectionText::Mime if path.is_empty() => Section { path, text: SectionText::Header },
        text => Section { path, text },
    })
}

fn partial() -> impl Strategy<Value = Option<Partial>> {
    let end = i64::MAX as u64;
    option::of((0..=end, 1..=end).prop_map(|(offset, length)| Partial { offset, length }))
}

fn fetch_item() -> impl Strategy<Value = FetchItem> {
    use FetchItem::*;
    prop_oneof![
        select(vec![
            Envelope,
            Flags,
            InternalDate,
            Rfc822,
            Rfc822Header,
            Rfc822Size,
            Rfc822Text,
            Body,
            BodyStructure,
            Uid,
            ModSeq,
            EmailId,
            ThreadId,
            SaveDate,
        ]),
        (any::<bool>(), section(), partial()).prop_map(|(peek, section, partial)| BodySection {
            peek,
            section,
            partial
        }),
        (any::<bool>(), path(), partial()).prop_map(|(peek, path, partial)| Binary {
            peek,
            path,
            partial
        }),
        path().prop_map(BinarySize),
    ]
}

fn fetch() -> impl Strategy<Value = Fetch> {
    let modifiers = (option::of(mod_seq()), any::<bool>());
    (numbering(), set(), vec(fetch_item(), 1..4), modifiers).prop_map(
        |(numbering, set, items, (changed_since, vanished))| {
            let vanished = vanished && changed_since.is_some() && numbering == Numbering::Uid;
            Fetch { numbering, set, items, changed_since, vanished }
        },
    )
}

fn store() -> impl Strategy<Value = Store> {
    let mode = select(vec![StoreMode::Replace, StoreMode::Add, StoreMode::Remove]);
    ((numbering(), set()), mode, any::<bool>(), flags(), option::of(mod_seq())).prop_map(
        |((numbering, set), mode, silent, flags, unchanged_since)| Store {
            numbering,
            set,
            mode,
            silent,
            flags,
            unchanged_since,
        },
    )
}

fn date() -> impl Strategy<Value = Date> + Clone {
    (-100_000i64..100_000).prop_map(Date::from_days_since_epoch)
}

fn simple_key() -> impl Strategy<Value = SearchKey> {
    use SearchKey::*;
    let size = prop_oneof![0..99u64, Just(i64::MAX as u64)];
    let field = prop_oneof![select(vec!["Bcc", "To", "to"]).prop_map(str::to_owned), text()];
    let id = "[A-Za-z0-9_-]{1,9}";
    prop_oneof![
        select(vec![All, Recent, SaveDateSupported]),
        select(base::SystemFlag::ALL.to_vec()).prop_map(Flag),
        keyword().prop_map(Keyword),
        (field, text()).prop_map(|(field, text)| Header { field, text }),
        text().prop_map(Body),
        text().prop_map(Text),
        prop_oneof![date().prop_map(Before), date().prop_map(On), date().prop_map(Since)],
        prop_oneof![
            date().prop_map(SentBefore),
            date().prop_map(SentOn),
            date().prop_map(SentSince)
        ],
        prop_oneof![
            date().prop_map(SavedBefore),
            date().prop_map(SavedOn),
            date().prop_map(SavedSince)
        ],
        prop_oneof![nz().prop_map(Older), nz().prop_map(Younger)],
        prop_oneof![size.clone().prop_map(Larger), size.prop_map(Smaller)],
        prop_oneof![set().prop_map(Uid), set().prop_map(Seq)],
        mod_seq().prop_map(ModSeq),
        prop_oneof![id.prop_map(EmailId), id.prop_map(ThreadId)],
    ]
}

/// Alternatives as the parser arranges them.
fn any_of(mut keys: Vec<SearchKey>) -> SearchKey {
    if keys.len() < 2 {
        return keys.pop().unwrap();
    }
    let right = keys.split_off(keys.len() / 2);
    SearchKey::Or(Box::new(any_of(keys)), Box::new(any_of(right)))
}

fn leaves(key: SearchKey) -> Vec<SearchKey> {
    match key {
        SearchKey::Or(a, b) => [leaves(*a), leaves(*b)].concat(),
        key => vec![key],
    }
}

fn key() -> impl Strategy<Value = SearchKey> {
    simple_key().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(SearchKey::And),
            vec(inner.clone(), 2..5)
                .prop_map(|keys| any_of(keys.into_iter().flat_map(leaves).collect())),
            inner.prop_map(|key| SearchKey::Not(Box::new(key))),
        ]
    })
}

fn returns() -> impl Strategy<Value = Option<SearchReturn>> {
    option::of(any::<[bool; 5]>().prop_map(|[min, max, all, count, save]| SearchReturn {
        min,
        max,
        all: all || !(min || max || count || save),
        count,
        save,
    }))
}

fn sort() -> impl Strategy<Value = Sort> {
    use SortKey::*;
    let keys = vec![Arrival, Cc, Date, From, Size, Subject, To, DisplayFrom, DisplayTo];
    let criterion =
        (select(keys), any::<bool>()).prop_map(|(key, reverse)| SortCriterion { key, reverse });
    (numbering(), returns(), vec(criterion, 1..4), key())
        .prop_map(|(numbering, returns, criteria, key)| Sort { numbering, returns, criteria, key })
}

fn copy() -> impl Strategy<Value = Copy> {
    (numbering(), set(), mailbox()).prop_map(|(numbering, set, mailbox)| Copy {
        numbering,
        set,
        mailbox,
    })
}

fn account_command() -> impl Strategy<Value = Command> {
    let authenticate = ("[A-Z0-9_-]{1,20}", option::of(vec(any::<u8>(), 0..9))).prop_map(
        |(mechanism, initial)| Authenticate { mechanism, initial: initial.map(Bytes::from) },
    );
    let fields = option::of(vec((bytes(), option::of(bytes())), 0..4));
    prop_oneof![
        select(vec![
            Command::Capability,
            Command::Noop,
            Command::Logout,
            Command::StartTls,
            Command::Namespace,
            Command::Idle,
            Command::Check,
            Command::Close,
            Command::Unselect,
            Command::Expunge(None),
        ]),
        fields.prop_map(Command::Id),
        authenticate.prop_map(Command::Authenticate),
        (bytes(), bytes()).prop_map(|(user, password)| Command::Login(Login { user, password })),
        vec(atom().prop_map(Bytes::from), 1..4).prop_map(Command::Enable),
    ]
}

fn mailbox_command() -> impl Strategy<Value = Command> {
    let lsub = || (text(), text()).prop_map(|(reference, pattern)| Lsub { reference, pattern });
    prop_oneof![
        select_command().prop_map(Command::Select),
        select_command().prop_map(Command::Examine),
        (mailbox(), special_uses())
            .prop_map(|(mailbox, special_use)| Command::Create(Create { mailbox, special_use })),
        mailbox().prop_map(Command::Delete),
        mailbox().prop_map(Command::Subscribe),
        mailbox().prop_map(Command::Unsubscribe),
        mailbox().prop_map(|mailbox| Command::Append(Append { mailbox })),
        (mailbox(), mailbox()).prop_map(|(from, to)| Command::Rename(Rename { from, to })),
        list().prop_map(Command::List),
        lsub().prop_map(Command::Lsub),
        lsub().prop_map(Command::Xlist),
        (mailbox(), status_items())
            .prop_map(|(mailbox, items)| Command::Status(Status { mailbox, items })),
    ]
}

fn source() -> impl Strategy<Value = Source> {
    let names = || vec(mailbox(), 1..3);
    prop_oneof![
        Just(Source::Selected),
        Just(Source::Inboxes),
        Just(Source::Personal),
        Just(Source::Subscribed),
        names().prop_map(Source::Subtree),
        names().prop_map(Source::SubtreeOne),
        names().prop_map(Source::Mailboxes),
    ]
}

fn message_command() -> impl Strategy<Value = Command> {
    let algorithm = select(vec![ThreadAlgorithm::OrderedSubject, ThreadAlgorithm::References]);
    let thread = (numbering(), algorithm, key()).prop_map(|(numbering, algorithm, key)| Thread {
        numbering,
        algorithm,
        key,
    });
    let search = (numbering(), returns(), key()).prop_map(|(numbering, returns, key)| Search {
        numbering,
        returns,
        key,
    });
    let multi = (vec(source(), 0..4), returns(), key())
        .prop_map(|(sources, returns, key)| MultiSearch { sources, returns, key });
    prop_oneof![
        multi.prop_map(Command::MultiSearch),
        set().prop_map(|set| Command::Expunge(Some(set))),
        search.prop_map(Command::Search),
        sort().prop_map(Command::Sort),
        thread.prop_map(Command::Thread),
        fetch().prop_map(Command::Fetch),
        store().prop_map(Command::Store),
        copy().prop_map(Command::Copy),
        copy().prop_map(Command::Move),
    ]
}

/// Every command.
pub(crate) fn command() -> impl Strategy<Value = Command> {
    prop_oneof![1 => account_command(), 2 => mailbox_command(), 3 => message_command()]
}
