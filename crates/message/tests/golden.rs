//! Messages and exactly what IMAP tells of them, worked out by hand.

mod laws;

use message::Summary;

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn summary(message: &str) -> Summary {
    laws::check(&crlf(message), message)
}

/// `golden.txt` holds what the `summary` example prints, checked by hand and, for the tree and the
/// sizes, against Python's `email`.
#[test]
fn corpus() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let golden = std::fs::read_to_string(root.join("golden.txt")).unwrap();
    let mut seen = 0;
    for block in golden.split("FILE ").skip(1) {
        let (name, expected) = block.split_once('\n').unwrap();
        let bytes = std::fs::read(root.join("corpus").join(name)).unwrap();
        let summary = message::summarize(&bytes, &base::Limits::default());
        let items = [summary.envelope(true), summary.body(true), summary.body_structure(true)]
            .map(|item| text(&item));
        let printed =
            format!("ENVELOPE {}\nBODY {}\nBODYSTRUCTURE {}\n", items[0], items[1], items[2]);
        assert_eq!(printed, expected, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 26);
}

#[test]
fn envelopes() {
    let date = "Date: Sat, 01 Feb 2007 01:02:03 +0200\n";
    for (header, expected) in [
        (
            "Message-ID: <msg@id>\nIn-Reply-To: <reply@to.id>\nSubject: subject header\n\
             From: From Real <f@d.org>\nTo: To Real <t@d.org>\nCc: c@d.org\nBcc: b@d.org\n\
             Sender: s@d.org\nReply-To: r@d.org\n",
            r#""subject header" (("From Real" NIL "f" "d.org")) ((NIL NIL "s" "d.org")) ((NIL NIL "r" "d.org")) (("To Real" NIL "t" "d.org")) ((NIL NIL "c" "d.org")) ((NIL NIL "b" "d.org")) "<reply@to.id>" "<msg@id>""#,
        ),
        // Absent is NIL, empty is the empty string, empty addresses are NIL: RFC 9051 §7.5.2.
        ("", r"NIL NIL NIL NIL NIL NIL NIL NIL NIL"),
        ("Subject:\nMessage-ID: \nTo:\nSender: \n", r#""" NIL NIL NIL NIL NIL NIL NIL """#),
        // Sender and Reply-To default to From.
        (
            "From: a@b (Real)\nSender: \n",
            r#"NIL (("Real" NIL "a" "b")) (("Real" NIL "a" "b")) (("Real" NIL "a" "b")) NIL NIL NIL NIL NIL"#,
        ),
        // Destination fields add up, of others the first counts.
        (
            "To: a@b\nTo: c@d\nSubject: 1\nSubject: 2\n",
            r#""1" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL"#,
        ),
        (
            "To: group: g1@d1.org, g2@d2.org;, group2: g3@d3.org;\n",
            r#"NIL NIL NIL NIL ((NIL NIL "group" NIL)(NIL NIL "g1" "d1.org")(NIL NIL "g2" "d2.org")(NIL NIL NIL NIL)(NIL NIL "group2" NIL)(NIL NIL "g3" "d3.org")(NIL NIL NIL NIL)) NIL NIL NIL NIL"#,
        ),
        (
            "Subject: a \"b\" \\c\n\t=?utf-8?q?d?=\n",
            r#""a \"b\" \\c =?utf-8?q?d?=" NIL NIL NIL NIL NIL NIL NIL NIL"#,
        ),
    ] {
        let message = format!("{date}{header}\nbody\n");
        let expected = format!("(\"Sat, 01 Feb 2007 01:02:03 +0200\" {expected})");
        assert_eq!(text(&summary(&message).envelope(false)), expected, "{header}");
    }
}

#[test]
fn eight_bit_headers() {
    let message = "Subject: grüße\nFrom: Jürgen <jürgen@müller.de>\n\
        Content-Type: text/plain; name=\"ü.txt\"\nContent-Description: schön\n\n";
    let summary = summary(message);
    assert_eq!(
        text(&summary.envelope(true)),
        r#"(NIL "grüße" (("Jürgen" NIL "jürgen" "müller.de")) (("Jürgen" NIL "jürgen" "müller.de")) (("Jürgen" NIL "jürgen" "müller.de")) NIL NIL NIL NIL NIL)"#
    );
    let from = r#"(("=?utf-8?q?J=C3=BCrgen?=" NIL "j?rgen" "m?ller.de"))"#;
    assert_eq!(
        text(&summary.envelope(false)),
        format!("(NIL \"=?utf-8?b?Z3LDvMOfZQ==?=\" {from} {from} {from} NIL NIL NIL NIL NIL)")
    );
    assert_eq!(
        text(&summary.body(true)),
        r#"("TEXT" "PLAIN" ("CHARSET" "us-ascii" "NAME" "ü.txt") NIL "schön" "7BIT" 0 0)"#
    );
    assert_eq!(
        text(&summary.body(false)),
        r#"("TEXT" "PLAIN" ("CHARSET" "us-ascii" "NAME*" "utf-8''%C3%BC.txt") NIL "=?utf-8?b?c2Now7Zu?=" "7BIT" 0 0)"#
    );
}

#[test]
fn a_part_with_everything() {
    let message = "\
Content-Type: multipart/mixed; boundary=\"foo
 bar\"

prologue
--foo bar
Content-Type: text/x-myown; charset=us-ascii; foo=\"quoted\\\"string\"
Content-ID: <foobar@baz>
Content-Description: hello description
Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==
Content-Language: en, fi, se
Content-Location: http://example.org/a
 /b
Content-Disposition: inline; foo=bar

hello

--foo bar--
epilogue
";
    let summary = summary(message);
    assert_eq!(
        text(&summary.body(false)),
        r#"(("TEXT" "X-MYOWN" ("CHARSET" "us-ascii" "FOO" "quoted\"string") "<foobar@baz>" "hello description" "7BIT" 7 1) "MIXED")"#
    );
    assert_eq!(
        text(&summary.body_structure(false)),
        r#"(("TEXT" "X-MYOWN" ("CHARSET" "us-ascii" "FOO" "quoted\"string") "<foobar@baz>" "hello description" "7BIT" 7 1 "Q2hlY2sgSW50ZWdyaXR5IQ==" ("INLINE" ("FOO" "bar")) ("en" "fi" "se") "http://example.org/a/b") "MIXED" ("BOUNDARY" "foo bar") NIL NIL NIL)"#
    );
}

/// Content of a message and its BODY.
fn body(message: &str, expected: &str) {
    assert_eq!(text(&summary(message).body(false)), expected, "{message}");
}

#[test]
fn single_parts() {
    let plain = |fields: &str| format!("(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") {fields})");
    body("", &plain("NIL NIL \"7BIT\" 0 0"));
    body("\n", &plain("NIL NIL \"7BIT\" 0 0"));
    body("\n\n", &plain("NIL NIL \"7BIT\" 2 1"));
    body("Subject: no body", &plain("NIL NIL \"7BIT\" 0 0"));
    body("Subject: x\n\nno final newline", &plain("NIL NIL \"7BIT\" 16 0"));
    body("From me Mon Jan  1 00:00:00 2024\nSubject: x\n\nbody\n", &plain("NIL NIL \"7BIT\" 6 1"));
    body("Content-Transfer-Encoding: \n\n", &plain("NIL NIL \"7BIT\" 0 0"));
    body("Content-Transfer-Encoding: weird\n\n", &plain("NIL NIL \"WEIRD\" 0 0"));
    // A multipart without a boundary, and one of which no part is there.
    body("Content-Type: multipart/mixed\n\n--x\n\na\n", &plain("NIL NIL \"7BIT\" 10 3"));
    let empty = plain("NIL NIL \"7BIT\" 0 0");
    body("Content-Type: multipart/mixed; boundary=x\n\na\n", &format!("({empty} \"MIXED\")"));
    body("Content-Type: multipart/mixed; boundary=x\n", &format!("({empty} \"MIXED\")"));
    // Images count no lines.
    body("Content-Type: IMAGE/png\n\nx\n", r#"("IMAGE" "PNG" NIL NIL NIL "7BIT" 3)"#);
}

/// The sizes of text parts in order: enough to see where boundaries were found.
fn sizes(message: &str) -> Vec<u64> {
    fn walk(part: &message::Part, out: &mut Vec<u64>) {
        if part.children.is_empty() {
            out.push(part.end - part.body_start);
        }
        part.children.iter().for_each(|child| walk(child, out));
    }
    let mut out = Vec::new();
    walk(summary(message).root(), &mut out);
    out
}

#[test]
fn boundaries() {
    let head = "Content-Type: multipart/mixed; boundary=b\n\n";
    let inner = "Content-Type: multipart/mixed; boundary=bb\n\n";
    let same = "Content-Type: multipart/mixed; boundary=b\n\n";
    for (content, expected) in [
        ("--b\n\na\n--b\n\nbb\n--b--\n".to_owned(), &[1, 2][..]),
        // White space after it, none after it, text after it.
        ("--b  \t\n\na\n--b--".to_owned(), &[1]),
        ("--b and more\n\na\n--b--x".to_owned(), &[1]),
        // No end, an end and an epilogue that looks like a part.
        ("--b\n\na\n".to_owned(), &[3]),
        ("--b\n\na\n--b--\n--b\n\nno part\n".to_owned(), &[1]),
        // The line break before the boundary is not content; there may be several.
        ("--b\n\n\n\n--b\n\n--b--".to_owned(), &[2, 0]),
        // No empty line after the header, no header.
        ("--b\nContent-Type: text/plain\n--b\n\na\n--b--".to_owned(), &[0, 1]),
        ("--b\n--b\n--b--".to_owned(), &[0, 0]),
        // The end of the message instead of a part.
        ("--b".to_owned(), &[0]),
        ("--b\nA: b".to_owned(), &[0]),
        // A boundary that begins like the outer one, also when the inner end is missing.
        (format!("--b\n{inner}--bb\n\na\n--bb--\n--b\n\nccc\n--b--"), &[1, 3]),
        (format!("--b\n{inner}--bb\n\na\n--b\n\nccc\n--b--"), &[1, 3]),
        // The same boundary inside: it belongs to the innermost until that has ended.
        (format!("--b\n{same}--b\n\na\n--b--\n--b\n\nccc\n--b--"), &[1, 3]),
        // Not a boundary.
        ("--b\n\n -- b\n--\n--c\n--b--".to_owned(), &[14]),
        // Within a header.
        ("--b\nA: b\n --b\n\na\n--b--".to_owned(), &[1]),
    ] {
        assert_eq!(sizes(&format!("{head}{content}")), expected, "{content}");
    }
}

#[test]
fn digests_and_messages() {
    let message = "\
From: sub@domain.org
Content-Type: multipart/digest; boundary=foo

prologue

--foo

From: m1@example.com
Subject: m1

m1 body

--foo
X-Mime: m2 header

From: m2@example.com

m2 body

--foo
Content-Type: text/plain

no message
--foo--

epilogue
";
    let m1 = r#"((NIL NIL "m1" "example.com"))"#;
    let m2 = r#"((NIL NIL "m2" "example.com"))"#;
    let plain = r#"("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT""#;
    body(
        message,
        &format!(
            "((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 46 (NIL \"m1\" {m1} {m1} {m1} NIL NIL NIL \
             NIL NIL) {plain} 9 1) 4)(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 33 (NIL NIL {m2} \
             {m2} {m2} NIL NIL NIL NIL NIL) {plain} 9 1) 3){plain} 10 0) \"DIGEST\")"
        ),
    );
}

#[test]
fn keys() {
    let message = "\
Date: Fri, 21 Nov 1997 09:55:06 -0600
Subject: Re: [list] =?utf-8?q?Gr=C3=BC=C3=9Fe?= (fwd)
From: =?utf-8?q?J=C3=B6rg?= <Joerg@example.org>
To: Team: x@y, z@y;
Cc: no-name@Example.org
Message-ID: <\"m\"@x>
References: <root@x> <parent@x>
In-Reply-To: <other@x>

";
    let summary = summary(message);
    let keys = summary.sort_keys();
    assert_eq!(keys.date.map(|date| date.seconds()), Some(880_127_706));
    assert!(keys.is_reply);
    assert_eq!(keys.base_subject, message::fold::fold("grüsse"));
    assert_eq!(
        (keys.from.as_str(), keys.to.as_str(), keys.cc.as_str()),
        ("JOERG", "TEAM", "NO-NAME")
    );
    assert_eq!(keys.display_from, message::fold::fold("jörg"));
    assert_eq!(keys.display_to, "TEAM");
    let threads = summary.thread_keys();
    assert_eq!(threads.message_id.as_deref(), Some("m@x"));
    assert_eq!(threads.references, ["root@x", "parent@x"]);
}

#[test]
fn threads_share_their_root() {
    let id = |header: &str, content: u8| {
        summary(&format!("{header}\n")).thread_id(base::EmailId([content; 16]))
    };
    let root = id("Message-ID: <a@b>\n", 1);
    assert_eq!(id("Message-ID: <c@d>\nIn-Reply-To: <a@b>\n", 2), root);
    assert_eq!(id("Message-ID: <e@f>\nReferences: <\"a\"@b> <c@d>\n", 3), root);
    assert_ne!(id("Message-ID: <c@d>\n", 1), root);
    assert_ne!(id("", 1), id("", 2));
    assert_eq!(id("", 1), id("Message-ID: broken\n", 1));
}
