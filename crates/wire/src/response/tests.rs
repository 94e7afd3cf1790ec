//! Tables for responses: a value, and the line it prints as.

use base::{DateTime, EmailId, MailboxId, ThreadId, Uid, UidValidity};

use super::fetch::{SectionName, Small, section_name};
use super::*;
use crate::value::{Section, SectionText, SpecialUse};

const PLAIN: Encoding = Encoding { utf8: false, rev2: false };
const UTF8: Encoding = Encoding { utf8: true, rev2: false };
const REV2: Encoding = Encoding { utf8: true, rev2: true };

fn check(encoding: Encoding, cases: &[(Untagged, &str)]) {
    for (response, expected) in cases {
        let mut out = Vec::new();
        response.print(&mut out, encoding);
        assert_eq!(String::from_utf8_lossy(&out), format!("{expected}\r\n"));
        let parsed = crate::parse::response(&out, encoding);
        assert!(parsed.is_ok(), "{expected}: {}", parsed.unwrap_err());
    }
}

fn name(name: &str) -> MailboxName {
    MailboxName(name.into())
}

fn uids(ranges: &[(u32, u32)]) -> UidSet {
    let uid = |n| Uid::new(n).unwrap();
    ranges.iter().map(|&(a, b)| (uid(a), uid(b))).collect()
}

fn mod_seq(n: u64) -> ModSeq {
    ModSeq::new(n).unwrap()
}

fn validity(n: u32) -> UidValidity {
    UidValidity::new(n).unwrap()
}

#[test]
fn codes() {
    let cases = [
        (Code::Alert, "ALERT"),
        (Code::AppendUid(validity(38505), uids(&[(3955, 3957)])), "APPENDUID 38505 3955:3957"),
        (Code::BadCharset(vec![]), "BADCHARSET"),
        (Code::BadCharset(vec!["US-ASCII", "UTF-8"]), "BADCHARSET (US-ASCII UTF-8)"),
        (
            Code::Capability(vec!["IMAP4rev1".into(), "IMAP4rev2".into()]),
            "CAPABILITY IMAP4rev1 IMAP4rev2",
        ),
        (
            Code::CopyUid(validity(7), uids(&[(304, 304), (319, 320)]), uids(&[(3956, 3958)])),
            "COPYUID 7 304,319:320 3956:3958",
        ),
        (Code::HighestModSeq(mod_seq(5)), "HIGHESTMODSEQ 5"),
        (Code::InProgress("A1".into(), Some((454, 1000))), "INPROGRESS (\"A1\" 454 1000)"),
        (Code::InProgress("A1".into(), None), "INPROGRESS (\"A1\" NIL NIL)"),
        (Code::MailboxId(MailboxId::new(mod_seq(255))), "MAILBOXID (Mff)"),
        (Code::Modified("7,9".into()), "MODIFIED 7,9"),
        (Code::PermanentFlags("\\Seen \\*".into()), "PERMANENTFLAGS (\\Seen \\*)"),
        (Code::PermanentFlags(String::new()), "PERMANENTFLAGS ()"),
        (Code::UidNext(Uid::MIN), "UIDNEXT 1"),
        (Code::UidValidity(validity(9)), "UIDVALIDITY 9"),
        (Code::Unseen(SeqNum::MIN), "UNSEEN 1"),
        (Code::UnknownCte, "UNKNOWN-CTE"),
    ];
    for (code, printed) in cases {
        let response = Untagged::Status(Condition::Ok, Some(code), "text".into());
        check(PLAIN, &[(response, &format!("* OK [{printed}] text"))]);
    }
}

#[test]
fn conditions() {
    let ok = |text: &str| Untagged::Status(Condition::Ok, None, text.into());
    check(
        PLAIN,
        &[
            (ok("Still here"), "* OK Still here"),
            (ok(""), "* OK -"),
            (ok("[x] a\r\nb\0ü"), "* OK (x] a??b??"),
            (Untagged::Status(Condition::No, Some(Code::Alert), "".into()), "* NO [ALERT] -"),
            (Untagged::Status(Condition::Bad, None, "no".into()), "* BAD no"),
            (Untagged::PreAuth(None, "hello".into()), "* PREAUTH hello"),
            (Untagged::Bye(Some(Code::Unavailable), "later".into()), "* BYE [UNAVAILABLE] later"),
        ],
    );
    check(REV2, &[(ok("grüß\n"), "* OK grüß?")]);
    check(UTF8, &[(ok("ü"), "* OK ?")]);
    let mut out = Vec::new();
    let condition = Condition::No;
    Tagged { tag: "a.1".into(), condition, code: Some(Code::TryCreate), text: "x".into() }
        .print(&mut out, PLAIN);
    Continuation(Bytes::new()).print(&mut out, PLAIN);
    Continuation(Bytes::from_static(b"go\r\n ahead")).print(&mut out, PLAIN);
    assert_eq!(out, b"a.1 NO [TRYCREATE] x\r\n+ \r\n+ go ahead\r\n");
}

#[test]
fn mailboxes() {
    use ListAttribute::{HasNoChildren, NoSelect, Subscribed, Use};
    let list = |attributes: Vec<ListAttribute>, mailbox: &str| Untagged::List {
        attributes,
        mailbox: name(mailbox),
        child_info: vec![],
        old_name: None,
    };
    check(
        PLAIN,
        &[
            (list(vec![], "INBOX"), "* LIST () \"/\" INBOX"),
            (list(vec![NoSelect], ""), "* LIST (\\Noselect) \"/\" \"\""),
            (
                list(vec![HasNoChildren, Subscribed, Use(SpecialUse::Sent)], "a/b"),
                "* LIST (\\HasNoChildren \\Subscribed \\Sent) \"/\" a/b",
            ),
            (list(vec![], "a [b]"), "* LIST () \"/\" \"a [b]\""),
            (list(vec![], "(x%*"), "* LIST () \"/\" \"(x%*\""),
            (list(vec![], "a\"\\"), "* LIST () \"/\" \"a\\\"\\\\\""),
            (list(vec![], "nil"), "* LIST () \"/\" \"nil\""),
            (list(vec![], "Müll & Co"), "* LIST () \"/\" \"M&APw-ll &- Co\""),
            (list(vec![], "a\r\nb"), "* LIST () \"/\" a&AA0ACg-b"),
            (Untagged::Lsub(vec![NoSelect], name("x")), "* LSUB (\\Noselect) \"/\" x"),
            (Untagged::Xlist(vec![], name("x")), "* XLIST () \"/\" x"),
            (Untagged::Namespace(vec![]), "* NAMESPACE NIL NIL NIL"),
            (Untagged::Namespace(vec![(String::new(), '/')]), "* NAMESPACE ((\"\" \"/\")) NIL NIL"),
        ],
    );
    let extended = Untagged::List {
        attributes: vec![],
        mailbox: name("b"),
        child_info: vec!["SUBSCRIBED"],
        old_name: Some(name("Müll")),
    };
    check(
        REV2,
        &[
            (list(vec![], "Müll & Co"), "* LIST () \"/\" \"Müll & Co\""),
            (list(vec![], "R&D"), "* LIST () \"/\" R&D"),
            (list(vec![], "a\nb"), "* LIST () \"/\" {3}\r\na\nb"),
            (
                extended.clone(),
                "* LIST () \"/\" b (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"Müll\"))",
            ),
        ],
    );
    check(PLAIN, &[(extended, "* LIST () \"/\" b (\"CHILDINFO\" (\"SUBSCRIBED\"))")]);
}

#[test]
fn numbers() {
    check(
        PLAIN,
        &[
            (Untagged::Exists(0), "* 0 EXISTS"),
            (Untagged::Recent(3), "* 3 RECENT"),
            (Untagged::Expunge(SeqNum::MIN), "* 1 EXPUNGE"),
            (
                Untagged::Vanished { earlier: true, uids: uids(&[(1, 3)]) },
                "* VANISHED (EARLIER) 1:3",
            ),
            (Untagged::Vanished { earlier: false, uids: uids(&[(1, 1)]) }, "* VANISHED 1"),
            (Untagged::Search(vec![], None), "* SEARCH"),
            (Untagged::Search(vec![], Some(mod_seq(1))), "* SEARCH"),
            (Untagged::Search(vec![2, 5], Some(mod_seq(9))), "* SEARCH 2 5 (MODSEQ 9)"),
            (Untagged::Sort(vec![5, 2], None), "* SORT 5 2"),
            (
                Untagged::StatusOf(
                    name("a b"),
                    vec![
                        StatusValue::Messages(0),
                        StatusValue::MailboxId(MailboxId::new(mod_seq(1))),
                        StatusValue::Size(1 << 40),
                        StatusValue::AppendLimit(None),
                        StatusValue::AppendLimit(Some(5)),
                    ],
                ),
                "* STATUS \"a b\" (MESSAGES 0 MAILBOXID (M1) SIZE 1099511627776 APPENDLIMIT NIL \
                 APPENDLIMIT 5)",
            ),
            (
                Untagged::Esearch(Esearch { tag: "a1".into(), ..Esearch::default() }),
                "* ESEARCH (TAG \"a1\")",
            ),
            (
                Untagged::Esearch(Esearch {
                    tag: "a1".into(),
                    mailbox: None,
                    uid: true,
                    min: Some(1),
                    max: Some(9),
                    all: Some("1,9,3".into()),
                    count: Some(3),
                    mod_seq: Some(mod_seq(7)),
                }),
                "* ESEARCH (TAG \"a1\") UID MIN 1 MAX 9 ALL 1,9,3 COUNT 3 MODSEQ 7",
            ),
            (
                Untagged::Esearch(Esearch {
                    tag: "a1".into(),
                    mailbox: UidValidity::new(503)
                        .map(|uid_validity| (MailboxName("Entw\u{fc}rfe".into()), uid_validity)),
                    uid: true,
                    all: Some("7".into()),
                    ..Esearch::default()
                }),
                "* ESEARCH (TAG \"a1\" MAILBOX Entw&APw-rfe UIDVALIDITY 503) UID ALL 7",
            ),
        ],
    );
    let mut out = Vec::new();
    Untagged::Vanished { earlier: false, uids: UidSet::new() }.print(&mut out, PLAIN);
    assert!(out.is_empty());
}

#[test]
fn words() {
    check(
        PLAIN,
        &[
            (Untagged::Capability(vec!["IMAP4rev2".into()]), "* CAPABILITY IMAP4rev2"),
            (Untagged::Enabled(vec![]), "* ENABLED"),
            (Untagged::Flags("\\Seen $a".into()), "* FLAGS (\\Seen $a)"),
            (Untagged::Id(None), "* ID NIL"),
            (
                Untagged::Id(Some(vec![("name", "mart\"let".into()), ("v", "ü".into())])),
                "* ID (\"name\" \"mart\\\"let\" \"v\" {2}\r\nü)",
            ),
        ],
    );
}

fn node(number: u32, children: Vec<ThreadNode>) -> ThreadNode {
    ThreadNode { number: Some(number).filter(|&n| n > 0), children }
}

#[test]
fn threads() {
    let leaf = |n| node(n, vec![]);
    let chain = |numbers: &[u32]| {
        let nodes = numbers.iter().rev();
        nodes.fold(None, |child: Option<ThreadNode>, &n| Some(node(n, child.into_iter().collect())))
    };
    let chain = |numbers: &[u32]| chain(numbers).unwrap();
    check(
        PLAIN,
        &[
            (Untagged::Thread(vec![]), "* THREAD"),
            (
                Untagged::Thread(vec![
                    leaf(2),
                    node(3, vec![node(6, vec![chain(&[4, 23]), chain(&[44, 7, 96])])]),
                ]),
                "* THREAD (2)(3 6 (4 23)(44 7 96))",
            ),
            (Untagged::Thread(vec![node(0, vec![leaf(3), leaf(5)])]), "* THREAD ((3)(5))"),
            (Untagged::Thread(vec![node(0, vec![leaf(3), leaf(0)])]), "* THREAD (3)"),
            (
                Untagged::Thread(vec![node(1, vec![node(0, vec![leaf(2), leaf(3)]), leaf(4)])]),
                "* THREAD (1 ((2)(3))(4))",
            ),
            (
                Untagged::Thread(vec![node(1, vec![node(0, vec![leaf(2), leaf(3)])])]),
                "* THREAD (1 (2)(3))",
            ),
        ],
    );
    // As deep as a mailbox is large; and where every reply has another beside it.
    let deep = (1..200_000).fold(leaf(1), |child, n| node(n, vec![child, leaf(n)]));
    let mut out = Vec::new();
    Untagged::Thread(vec![deep]).print(&mut out, PLAIN);
    assert!(out.ends_with(b")\r\n"));
}

#[test]
fn fetch_items() {
    let at = DateTime::new(0, 60);
    for (item, expected) in [
        (Small::Flags("\\Seen"), "FLAGS (\\Seen)"),
        (Small::Flags(""), "FLAGS ()"),
        (Small::Uid(Uid::MIN), "UID 1"),
        (Small::ModSeq(mod_seq(5)), "MODSEQ (5)"),
        (Small::InternalDate(at), "INTERNALDATE \" 1-Jan-1970 01:00:00 +0100\""),
        (Small::Size(5), "RFC822.SIZE 5"),
        (Small::EmailId(EmailId([1; 16])), "EMAILID (E01010101010101010101010101010101)"),
        (Small::ThreadId(Some(ThreadId(1))), "THREADID (T0000000000000001)"),
        (Small::ThreadId(None), "THREADID NIL"),
        (Small::SaveDate(Some(at)), "SAVEDATE \" 1-Jan-1970 01:00:00 +0100\""),
        (Small::SaveDate(None), "SAVEDATE NIL"),
    ] {
        let mut out = Vec::new();
        item.print(&mut out);
        assert_eq!(out, expected.as_bytes());
    }
}

#[test]
fn section_names() {
    let path: Vec<_> = [1, 2].into_iter().filter_map(std::num::NonZeroU32::new).collect();
    let fields = SectionText::HeaderFields {
        not: false,
        fields: vec![Bytes::from_static(b"From"), Bytes::from_static(b"X Y"), Bytes::new()],
    };
    let section =
        |path: &[_], text: &SectionText| Section { path: path.to_vec(), text: text.clone() };
    let (whole, header, mime) = (
        section(&path, &SectionText::Whole),
        section(&[], &fields),
        section(&path, &SectionText::Mime),
    );
    for (name, offset, expected) in [
        (SectionName::Body(&whole), None, "BODY[1.2]"),
        (SectionName::Body(&header), Some(0), "BODY[HEADER.FIELDS (From \"X Y\" \"\")]<0>"),
        (SectionName::Body(&mime), None, "BODY[1.2.MIME]"),
        (SectionName::Binary(&path), Some(7), "BINARY[1.2]<7>"),
        (SectionName::Binary(&[]), None, "BINARY[]"),
        (SectionName::BinarySize(&path), None, "BINARY.SIZE[1.2]"),
    ] {
        let mut out = Vec::new();
        section_name(&mut out, name, offset);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}

#[test]
fn strings() {
    for (bytes, expected) in [
        (&b""[..], &b"\"\""[..]),
        (b"a b", b"\"a b\""),
        (b"a\"\\b", b"\"a\\\"\\\\b\""),
        (b"\t\x7f", b"\"\t\x7f\""),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"\xc3\xa9", b"{2}\r\n\xc3\xa9"),
        (b"a\0b", b"{3}\r\na?b"),
    ] {
        let mut out = Vec::new();
        string(&mut out, bytes);
        assert_eq!(out, expected);
    }
    let mut out = Vec::new();
    nstring(&mut out, None);
    assert_eq!(out, b"NIL");
}
