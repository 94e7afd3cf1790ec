//! Tables for replies: lines that are valid, and lines that servers have sent and must not.

use super::*;
use crate::parse::response;

const PLAIN: Encoding = Encoding { utf8: false, rev2: false };
const UTF8: Encoding = Encoding { utf8: true, rev2: false };
const REV2: Encoding = Encoding { utf8: true, rev2: true };

fn data(line: &str) -> Data {
    match response(format!("{line}\r\n").as_bytes(), PLAIN) {
        Ok(Reply::Untagged(data)) => data,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn meanings() {
    assert_eq!(data("* 23 EXISTS"), Data::Exists(23));
    assert_eq!(data("* SEARCH 2 (MODSEQ 9)"), Data::Search(vec![2], ModSeq::new(9)));
    assert_eq!(data("* FLAGS (\\Seen $a)"), Data::Flags(vec!["\\Seen".into(), "$a".into()]));
    let Data::Thread(threads) = data("* THREAD (2)(3 6 (4 23)(44 7 96))((1)(5))") else {
        panic!("threads")
    };
    let mut out = Vec::new();
    crate::response::Untagged::Thread(threads).print(&mut out, PLAIN);
    assert_eq!(out, b"* THREAD (2)(3 6 (4 23)(44 7 96))((1)(5))\r\n");
    let Data::Fetch(seq, items) =
        data("* 12 FETCH (FLAGS (\\Seen) UID 5 BODY[HEADER.FIELDS (To)]<0> {3}\r\na\r\n)")
    else {
        panic!("a fetch")
    };
    assert_eq!((seq.get(), items.len()), (12, 3));
    assert_eq!(items[1], FetchData { name: "UID".into(), value: Value::Atom("5".into()) });
    assert_eq!(items[2].name, "BODY[HEADER.FIELDS (To)]<0>");
    assert_eq!(items[2].value.bytes(), Some(&b"a\r\n"[..]));
}

#[test]
fn valid() {
    for line in [
        "+ ",
        "+ go ahead",
        "a OK done",
        "a NO [TRYCREATE] x",
        "* OK [APPENDUID 1 5:7] x",
        "* OK [COPYUID 1 5:7 9,10,12] x",
        "* OK [INPROGRESS] x",
        "* OK [INPROGRESS (NIL NIL NIL)] x",
        "* OK [PERMANENTFLAGS (\\Seen \\* $x)] x",
        "* BYE x",
        "* PREAUTH x",
        "* CAPABILITY IMAP4rev1 AUTH=PLAIN X",
        "* ENABLED",
        "* ID (\"name\" NIL)",
        "* LIST () NIL x",
        "* LIST (\\Noselect) \"/\" \"\"",
        "* LIST () \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\") OLDNAME (y))",
        "* NAMESPACE ((\"\" \"/\")(\"x\" NIL)) NIL ((\"y\" \"\\\\\"))",
        "* STATUS x ()",
        "* STATUS {1}\r\nx (MESSAGES 0 HIGHESTMODSEQ 0 MAILBOXID (M1) APPENDLIMIT NIL)",
        "* VANISHED (EARLIER) 1:3,5",
        "* SEARCH",
        "* SORT 3 1 2",
        "* ESEARCH",
        "* ESEARCH (TAG \"a\") UID MIN 1 ALL 3,1 COUNT 0 MODSEQ 1",
        "* THREAD",
        "* 1 FETCH (BINARY[1] ~{2}\r\n\0x BINARY.SIZE[1] 2 BODY[] NIL RFC822 \"x\")",
        "* 1 FETCH (INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\" SAVEDATE NIL THREADID NIL)",
        "* 1 FETCH (MODSEQ (1) EMAILID (x) THREADID (y) RFC822.SIZE 5000000000)",
        "* 1 FETCH (BODY (\"IMAGE\" \"PNG\" NIL NIL NIL \"BASE64\" 5))",
        "* 1 FETCH (ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))",
    ] {
        let parsed = response(format!("{line}\r\n").as_bytes(), PLAIN);
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

const INVALID: &[&str] = &[
    "",
    "+",
    "+go ahead",
    "a OK",
    "a OK ",
    "a FOO x",
    "* OK",
    "* OK [HIGHESTMODSEQ 5]", // Gmail
    "* OK [HIGHESTMODSEQ 0] x",
    "* OK [FOO] x",
    "* OK [APPENDUID 0 1] x",
    "* OK [APPENDUID 5 1:*] x",
    "* OK [COPYUID 1 5:7 9] x",
    "* OK [PERMANENTFLAGS (\\Foo)] x",
    "* OK [BADCHARSET ()] x",
    "* OK [BADCHARSET UTF-8] x",
    "* OK gr\u{fc}n",
    "* CAPABILITY IMAP4rev1 ",
    "* CAPABILITY IDLE",
    "* FOO",
    "* 1 FOO",
    "* 0 EXPUNGE",
    "* -1 EXISTS",
    "* 0 FETCH (UID 1)",
    "* 1 FETCH ()",
    "* 1 FETCH (UID 0)",
    "* 1 FETCH (UID 1 )",
    "* 1 FETCH (UID  1)",
    "* 1 FETCH (FOO 1)",
    "* 1 FETCH (BODY [] NIL)", // Pine choked on it
    "* 1 FETCH (BODY.PEEK[] NIL)",
    "* 1 FETCH (BODY[]<0.5> NIL)",
    "* 1 FETCH (BODY[] x)",
    "* 1 FETCH (BODY[] ~{1}\r\nx)",
    "* 1 FETCH (BODY[] {1}\r\n\0)",
    "* 1 FETCH (BODY[] {1+}\r\nx)",
    "* 1 FETCH (BODY[] {2}\r\nx)",
    "* 1 FETCH (BODY[] \"\u{e9}\")",
    "* 1 FETCH (MODSEQ (0))",
    "* 1 FETCH (MODSEQ (9.37e+06))", // mail.ru
    "* 1 FETCH (FLAGS (\\Foo))",
    "* 1 FETCH (FLAGS (\\*))",
    "* 1 FETCH (FLAGS (a  b))",
    "* 1 FETCH (INTERNALDATE \"1-Jan-1970 00:00:00 +0000\")",
    "* 1 FETCH (INTERNALDATE \"01-Jan-1970 00:00:00\")",
    "* LIST () \"/\" [x] y",
    "* LIST () \"/\" a b",
    "* LIST () / x",
    "* LIST () \"//\" x",
    "* LIST (\\Marked \\Unmarked) \"/\" x",
    "* LIST (\\Sent \\Sent) \"/\" x",
    "* LIST ( \\Sent) \"/\" x",
    "* LIST () \"/\" \"&AGE-\"",
    "* LIST () \"/\" x (FOO (x))",
    "* NAMESPACE () NIL NIL",
    "* NAMESPACE NIL NIL",
    "* STATUS x (MESSAGES 1 )",      // Exchange
    "* STATUS x (HIGHESTMODSEQ -1)", // Zoho
    "* STATUS x (MAILBOXID M1)",
    "* VANISHED",
    "* VANISHED 1:*",
    "* VANISHED (EARLIER)",
    "* SEARCH ",
    "* SEARCH 0",
    "* SEARCH (MODSEQ 5)",
    "* ESEARCH (TAG \"a\") ALL",
    "* ESEARCH ALL $",
    "* THREAD ",
    "* THREAD ()",
    "* THREAD ((1))",
    "* THREAD (1 (2))",
    "* THREAD (1(2)(3))",
    "* THREAD (1) (2)",
    "* ID (name \"x\")",
];

#[test]
fn invalid() {
    for line in INVALID {
        assert!(response(format!("{line}\r\n").as_bytes(), PLAIN).is_err(), "{line}");
    }
    assert!(response(b"* 1 EXISTS\n", PLAIN).is_err());
    assert!(response(b"* 1 EXISTS", PLAIN).is_err());
    assert!(response(b"* 1 EXISTS\r\n* 2 EXISTS\r\n", PLAIN).is_err());
}

#[test]
fn what_was_enabled() {
    for (line, plain, utf8, rev2) in [
        ("* LIST () \"/\" \"ü\"", false, true, true),
        ("* LIST () \"/\" {2}\r\nü", false, true, true),
        ("* LIST () \"/\" &APw-", true, true, true),
        ("* LIST () \"/\" a&", false, true, true),
        ("* OK ü", false, false, true),
        ("* ID (\"x\" \"ü\")", false, true, true),
        ("* ID (\"x\" {2}\r\nü)", true, true, true),
    ] {
        for (encoding, expected) in [(PLAIN, plain), (UTF8, utf8), (REV2, rev2)] {
            let parsed = response(format!("{line}\r\n").as_bytes(), encoding);
            assert_eq!(parsed.is_ok(), expected, "{line} {encoding:?}");
        }
    }
}
