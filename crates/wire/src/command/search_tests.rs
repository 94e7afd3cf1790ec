//! Tables for SEARCH.

use crate::command::Command;
use crate::command::testing::{check, check_in, parse_in, rev1, rev2, utf8_accept};
use crate::error::SyntaxErrorKind;
use crate::value::SearchKey;

/// What `SEARCH CHARSET UTF-8 ` is to print for each program.
fn programs(cases: &[(&str, &str)]) {
    for (input, printed) in cases {
        let command = format!("SEARCH {input}");
        check(&[(&command, Ok(&format!("SEARCH CHARSET UTF-8 {printed}")))]);
    }
}

fn failures(cases: &[(&str, &str)]) {
    for (input, error) in cases {
        check(&[(&format!("SEARCH {input}"), Err(error))]);
    }
}

#[test]
fn keys() {
    programs(&[
        ("ALL", "ALL"),
        ("all answered deleted draft flagged seen", "ALL ANSWERED DELETED DRAFT FLAGGED SEEN"),
        (
            "UNANSWERED undeleted UNDRAFT UNFLAGGED UnSeen",
            "UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN",
        ),
        ("RECENT OLD", "RECENT OLD"),
        ("NEW", "RECENT UNSEEN"),
        ("NOT NEW", "NOT (RECENT UNSEEN)"),
        ("NOT SEEN", "UNSEEN"),
        ("KEYWORD $Junk UNKEYWORD Junk", "KEYWORD $Junk UNKEYWORD Junk"),
        (
            "BCC a CC b FROM c SUBJECT d TO e",
            "BCC \"a\" CC \"b\" FROM \"c\" SUBJECT \"d\" TO \"e\"",
        ),
        ("BODY \"\" TEXT {3}\r\na\"b", "BODY \"\" TEXT \"a\\\"b\""),
        ("HEADER Message-ID <a@b>", "HEADER Message-ID \"<a@b>\""),
        ("HEADER \"X Y\" \"\"", "HEADER \"X Y\" \"\""),
        ("LARGER 0 SMALLER 9223372036854775807", "LARGER 0 SMALLER 9223372036854775807"),
        ("OLDER 1 YOUNGER 259200", "OLDER 1 YOUNGER 259200"),
        ("EMAILID M6d99ac3275bb4e THREADID T_-1", "EMAILID M6d99ac3275bb4e THREADID T_-1"),
    ]);
    failures(&[
        ("", "expected a search key at byte 10"),
        ("FOO", "expected a search key at byte 10"),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "expected a search key at byte 10"),
        ("\"a\"", "expected a search key at byte 10"),
        ("ALL ", "expected a search key at byte 14"),
        ("FROM", "expected a space at byte 14"),
        ("KEYWORD \\Seen", "expected a keyword at byte 18"),
        ("HEADER a", "expected a space at byte 18"),
        ("LARGER -1", "expected a number below 2^63 at byte 17"),
        ("OLDER 0", "expected a number from 1 to 4294967295 at byte 16"),
        ("EMAILID a.b", "expected an object identifier at byte 18"),
    ]);
}

#[test]
fn dates() {
    programs(&[
        ("BEFORE 1-Feb-1994 ON \"01-feb-1994\"", "BEFORE 1-Feb-1994 ON 1-Feb-1994"),
        ("SINCE 29-FEB-2000", "SINCE 29-Feb-2000"),
        (
            "SENTBEFORE 1-Jan-2020 SENTON 2-Jan-2020 SENTSINCE 3-Jan-2020",
            "SENTBEFORE 1-Jan-2020 SENTON 2-Jan-2020 SENTSINCE 3-Jan-2020",
        ),
        (
            "SAVEDBEFORE 1-Jan-2020 SAVEDON 2-Jan-2020 SAVEDSINCE 3-Jan-2020 SAVEDATESUPPORTED",
            "SAVEDBEFORE 1-Jan-2020 SAVEDON 2-Jan-2020 SAVEDSINCE 3-Jan-2020 SAVEDATESUPPORTED",
        ),
    ]);
    failures(&[
        ("ON 30-Feb-2000", "expected a day that exists at byte 13"),
        ("ON 1-Foo-2000", "expected a month: Jan, Feb, ... at byte 15"),
        ("ON 1-Jan-20", "expected digits at byte 19"),
        ("ON 001-Jan-2000", "expected - after the day at byte 15"),
        ("ON \"1-Jan-2000", "expected a closing quote at byte 24"),
        ("ON 1-Jan-2000\"", "expected the end of the line at byte 23"),
    ]);
}

#[test]
fn sets() {
    programs(&[
        ("1:4,*:7 UID 5,4,3 $ UID $ *", "1:4,*:7 UID 5,4,3 $ UID $ *"),
        ("1593:1580 4294967295", "1593:1580 4294967295"),
        ("MODSEQ 620162338", "MODSEQ 620162338"),
        ("MODSEQ \"/flags/\\\\draft\" all 0", "MODSEQ 0"),
        ("modseq \"/FLAGS/x\" Priv 1", "MODSEQ 1"),
    ]);
    failures(&[
        ("0", "expected a number from 1 to 4294967295 or * at byte 10"),
        ("1,", "expected a number from 1 to 4294967295 or * at byte 12"),
        ("1:", "expected a number from 1 to 4294967295 or * at byte 12"),
        ("01", "expected a number from 1 to 4294967295 or * at byte 10"),
        ("4294967296", "expected a number from 1 to 4294967295 or * at byte 10"),
        ("1,$", "expected a number from 1 to 4294967295 or * at byte 12"),
        ("$,1", "expected the end of the line at byte 11"),
        ("MODSEQ \"/flags/x\" foo 1", "expected priv, shared or all at byte 28"),
        ("MODSEQ \"x\" all 1", "expected an entry name that begins with /flags/ at byte 17"),
    ]);
}

#[test]
fn nesting() {
    programs(&[
        ("(SEEN)", "SEEN"),
        ("(SEEN DELETED)", "SEEN DELETED"),
        ("1 (SEEN (DRAFT 2))", "1 (SEEN (DRAFT 2))"),
        ("OR SEEN OR DRAFT 1", "OR SEEN OR DRAFT 1"),
        ("OR OR SEEN DRAFT 1", "OR SEEN OR DRAFT 1"),
        ("NOT OR (1 2) NOT 3", "NOT OR (1 2) NOT 3"),
    ]);
    failures(&[
        ("()", "expected a search key at byte 11"),
        ("(SEEN", "expected a space or a closing parenthesis at byte 15"),
        ("OR SEEN", "expected a space at byte 17"),
        ("NOT", "expected a space at byte 13"),
    ]);
    for (left, right, kind) in
        [("(", ")", SyntaxErrorKind::NestingLimit), ("NOT ", "", SyntaxErrorKind::NestingLimit)]
    {
        let program = |n: usize| format!("SEARCH {}ALL{}", left.repeat(n), right.repeat(n));
        assert!(parse_in(&program(64), &rev1()).is_ok());
        assert_eq!(parse_in(&program(65), &rev1()).map_err(|e| e.kind), Err(kind));
    }
}

#[test]
fn long_chains_of_or_stay_shallow() {
    fn depth(key: &SearchKey) -> usize {
        match key {
            SearchKey::Or(a, b) => 1 + depth(a).max(depth(b)),
            _ => 0,
        }
    }
    for chain in ["OR 1 ".repeat(9999), "OR ".repeat(9999) + &"1 ".repeat(9999)] {
        let parsed = parse_in(&format!("SEARCH {chain}2"), &rev1()).unwrap();
        let Command::Search(search) = parsed.command else { panic!("a search") };
        assert!(depth(&search.key) <= 14);
    }
}

#[test]
fn returns() {
    check(&[
        ("SEARCH RETURN () 1", Ok("SEARCH RETURN (ALL) CHARSET UTF-8 1")),
        (
            "uid search return (save count all max min min) charset utf-8 1",
            Ok("UID SEARCH RETURN (MIN MAX ALL COUNT SAVE) CHARSET UTF-8 1"),
        ),
        ("SEARCH RETURN (SAVE) 1", Ok("SEARCH RETURN (SAVE) CHARSET UTF-8 1")),
        ("SEARCH RETURN (PARTIAL 1:2) 1", Err("expected MIN, MAX, ALL, COUNT or SAVE at byte 18")),
        ("SEARCH RETURN (MIN)", Err("expected a space at byte 22")),
        ("SEARCH RETURN 1", Err("expected an opening parenthesis at byte 17")),
    ]);
}

#[test]
fn charsets() {
    check(&[
        ("SEARCH CHARSET us-ascii TO x", Ok("SEARCH CHARSET UTF-8 TO \"x\"")),
        ("SEARCH CHARSET \"UTF-8\" TO {2}\r\né", Ok("SEARCH CHARSET UTF-8 TO {2+}\r\né")),
        ("SEARCH CHARSET UTF-8 TO \"é\"", Ok("SEARCH CHARSET UTF-8 TO {2+}\r\né")),
        ("SEARCH TO {2}\r\né", Ok("SEARCH CHARSET UTF-8 TO {2+}\r\né")),
        ("SEARCH CHARSET KLINGON ALL", Err("unknown charset at byte 18")),
        ("SEARCH CHARSET UTF-7 ALL", Err("unknown charset at byte 18")),
        ("SEARCH CHARSET UTF-16 ALL", Err("unknown charset at byte 18")),
        ("SEARCH CHARSET UTF-8", Err("expected a space at byte 23")),
    ]);
    for (input, text) in [
        (&b"a SEARCH CHARSET ISO-8859-1 TO {1}\r\n\xe9\r\n"[..], "é"),
        (b"a SEARCH CHARSET ISO-8859-1 TO \"\xe9\"\r\n", "é"),
        (b"a SEARCH CHARSET Shift_JIS TO {4}\r\n\x93\xfa\x96\x7b\r\n", "日本"),
        (b"a SEARCH CHARSET ISO-2022-JP TO {10}\r\n\x1b$BF|K\\\x1b(B\r\n", "日本"),
        (b"a SEARCH CHARSET KOI8-R TO {1}\r\n\xc1\r\n", "а"),
    ] {
        let parsed = crate::parse::command(input, &rev1()).unwrap();
        let Command::Search(search) = parsed.command else { panic!("a search") };
        let expected = SearchKey::Header { field: "To".into(), text: text.into() };
        assert_eq!(search.key, expected);
    }
    let wrong = b"a SEARCH CHARSET UTF-8 TO {1}\r\n\xe9\r\n";
    assert_eq!(crate::parse::command(wrong, &rev1()).unwrap_err().expected, "valid UTF-8");
}

#[test]
fn charsets_after_enable() {
    check_in(
        &[
            ("SEARCH TO \"é\"", Ok("SEARCH TO \"é\"")),
            ("SEARCH CHARSET UTF-8 TO \"é\"", Ok("SEARCH TO \"é\"")),
            (
                "SEARCH CHARSET KOI8-R ALL",
                Err("expected UTF-8 as the charset after ENABLE UTF8=ACCEPT at byte 18"),
            ),
        ],
        &utf8_accept(),
    );
    check_in(&[("SEARCH CHARSET KOI8-R ALL", Ok("SEARCH ALL"))], &rev2());
}
