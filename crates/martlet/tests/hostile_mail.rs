//! Mail and names that mean harm, against the real server.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{self, BufRead, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use common::hostile::{KIB, growth, is_well, start};
use common::{Server, literal};

const MIB: u64 = 1024 * KIB;

struct RawLmtp(io::BufReader<TcpStream>);

impl RawLmtp {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address("lmtp")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self(io::BufReader::new(stream))
    }

    /// Sends all at once; every line of the answer until the server closes.
    fn exchange(mut self, bytes: &[u8]) -> Vec<String> {
        let mut sender = self.0.get_ref().try_clone().unwrap();
        let bytes = bytes.to_vec();
        let thread = std::thread::spawn(move || {
            let sent = sender.write_all(&bytes);
            let _ = sender.shutdown(Shutdown::Write);
            sent
        });
        let mut lines = Vec::new();
        let mut line = String::new();
        while matches!(self.0.read_line(&mut line), Ok(count) if count > 0) {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        let _ = thread.join().unwrap();
        lines
    }
}

const BEGIN: &str = "LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<alice@example.org>\r\n";

/// The texts of all messages in INBOX, without the headers that a delivery adds.
fn inbox(server: &Server) -> Vec<Vec<u8>> {
    let mut imap = server.session("alice");
    imap.ok("SELECT INBOX");
    let answer = imap.command("FETCH 1:* BODY.PEEK[TEXT]").unwrap();
    answer.iter().filter_map(|response| literal(response)).collect()
}

/// Only CR LF . CR LF ends a message (RFC 5321 §4.1.1.4; SMTP smuggling, CVE-2023-51764 and kin).
#[test]
fn smuggled_mail() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    let evil = "MAIL FROM:<evil@example.org>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\nevil\r\n";
    let ends = [
        "\n.\n",
        "\r.\r",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r\n",
        "\r\n.\r",
        "\n\n.\n\n",
        "\r\n\0.\r\n",
        "\r\n.\0\r\n",
    ];
    for (n, end) in ends.into_iter().enumerate() {
        let text = format!("{BEGIN}DATA\r\nSubject: {n}\r\n\r\nbefore{end}{evil}\r\n.\r\nQUIT\r\n");
        let said = RawLmtp::connect(&server).exchange(text.as_bytes());
        let codes: Vec<&str> = said.iter().map(|line| &line[..3]).collect();
        let after = &codes[codes.iter().position(|&code| code == "354").unwrap()..];
        assert_eq!(after, ["354", "250", "221"], "{end:?}: {said:?}");
        let texts = inbox(&server);
        assert_eq!(texts.len(), n + 1, "{end:?}");
        let text = String::from_utf8_lossy(&texts[n]).into_owned();
        assert!(text.starts_with("before") && text.contains("evil\r\n"), "{end:?}: {text:?}");
    }
    // Dots are taken off once, and only at the beginning of a line.
    let text =
        format!("{BEGIN}DATA\r\nSubject: dots\r\n\r\n..\r\n...a\r\n.b\r\nc.\r\n.\r\nQUIT\r\n");
    RawLmtp::connect(&server).exchange(text.as_bytes());
    assert_eq!(inbox(&server).last().unwrap(), b".\r\n..a\r\nb\r\nc.\r\n");
    is_well(&server);
}

#[test]
fn chunks_lines_and_recipients_without_end() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    let grown = growth(&server, || {
        for (commands, wanted) in [
            ("BDAT 5\r\nhello", "503"),
            ("LHLO x\r\nBDAT 5 LAST\r\nQUIT\r", "503"),
            ("LHLO x\r\nMAIL FROM:<a@b>\r\nBDAT 5 LAST\r\nhello", "503"),
            ("LHLO x\r\nBDAT -1\r\n", "501"),
            ("LHLO x\r\nBDAT 18446744073709551616\r\n", "501"),
            ("LHLO x\r\nBDAT\r\n", "501"),
        ] {
            let said = RawLmtp::connect(&server).exchange(commands.as_bytes());
            assert!(said.last().unwrap().starts_with(wanted), "{commands:?}: {said:?}");
        }
        // A chunk whose end never comes delivers nothing.
        let text = format!("{BEGIN}BDAT 18446744073709551615 LAST\r\n{}", "x".repeat(4_000_000));
        let said = RawLmtp::connect(&server).exchange(text.as_bytes());
        assert!(!said.last().unwrap().starts_with("250 2.0.0"), "{said:?}");
        let text = format!("{BEGIN}BDAT 4\r\nA: bDATA\r\nBDAT 0 LAST\r\nQUIT\r\n");
        let said = RawLmtp::connect(&server).exchange(text.as_bytes());
        assert!(said.iter().any(|line| line.starts_with("503")), "{said:?}");
        // A message of one line.
        let text = format!(
            "{BEGIN}DATA\r\nSubject: long\r\n\r\n{}\r\n.\r\nQUIT\r\n",
            "y".repeat(20_000_000)
        );
        let said = RawLmtp::connect(&server).exchange(text.as_bytes());
        assert!(said[said.len() - 2].starts_with("250"), "{said:?}");
        // A header of one line.
        let text =
            format!("{BEGIN}DATA\r\nSubject: {}\r\n\r\n\r\n.\r\nQUIT\r\n", "z".repeat(20_000_000));
        let said = RawLmtp::connect(&server).exchange(text.as_bytes());
        assert!(said[said.len() - 2].starts_with("250"), "{said:?}");
    });
    // Buffers of threads that were not there before, and no message of 20 MB twice.
    assert!(grown < 32 * MIB, "{grown}");
    let lengths: Vec<usize> = inbox(&server).iter().map(Vec::len).collect();
    assert!(lengths.contains(&20_000_002), "{lengths:?}");
    let grown = growth(&server, || {
        // A command of one line, and commands without end.
        let said = RawLmtp::connect(&server).exchange(&[b'x'; 20_000_000]);
        assert!(said.len() < 30, "{said:?}");
        let said = RawLmtp::connect(&server).exchange(&b"NOPE\r\n".repeat(10_000));
        assert!(said.last().unwrap().starts_with("421") && said.len() < 100, "{}", said.len());
        let said = RawLmtp::connect(&server).exchange(&b"NOOP\r\n".repeat(10_000));
        assert_eq!(said.len(), 10_001);
        let many = format!(
            "LHLO x\r\nMAIL FROM:<a@b>\r\n{}DATA\r\nSubject: many\r\n\r\n.\r\nQUIT\r\n",
            "RCPT TO:<alice@example.org>\r\n".repeat(1100)
        );
        let said = RawLmtp::connect(&server).exchange(many.as_bytes());
        let count = |code: &str| said.iter().filter(|line| line.starts_with(code)).count();
        assert_eq!((count("452"), count("354")), (100, 1));
        assert!(count("250") >= 2000, "one answer for each recipient: {}", count("250"));
    });
    assert!(grown < 32 * MIB, "{grown}");
    is_well(&server);
}

/// Names are what clients say, and never paths; every mailbox is found again by its name.
#[test]
fn names_as_weapons() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    let before = files(home.path());
    let mut imap = server.session("alice");
    for (name, allowed) in [
        ("..", true),
        ("../../../../etc/passwd", true),
        ("./.", true),
        ("..\\\\..\\\\x", true),
        ("CON", true),
        ("a:b|c<d>e?f", true),
        ("~root/$HOME/`id`/$(id)", true),
        ("%00", true),
        ("-rf", true),
        (" ", true),
        ("/", false),
        ("//", false),
        ("/etc/passwd", false),
        ("a//b", false),
        ("", false),
        ("trailing/", true),
        ("&AAA-", true),
        ("a&AAA-b", true),
        ("&AAo-", false),
        ("&AH8-", false),
        // No modified UTF-7 (RFC 3501 §5.1.3): NUL, `/`, `a`, an open shift, a half surrogate. These
        // are taken as they are, and never mean what they would decode to.
        ("&AC8-etc&AC8-passwd", true),
        ("&AGE-", true),
        ("&AOk", true),
        ("&2AE-", true),
        ("&", true),
        ("&-", true),
    ] {
        let answer = imap.command(&format!("CREATE \"{name}\"")).unwrap();
        let last = answer.last().unwrap();
        let ok = last.contains(" OK ");
        assert_eq!(ok, allowed, "{name:?}: {last}");
        if ok {
            imap.ok(&format!("SELECT \"{name}\""));
            imap.ok("UNSELECT");
            assert!(imap.command(&format!("CREATE \"{name}\"")).unwrap()[0].contains(" NO "));
            imap.ok(&format!(
                "RENAME \"{name}\" \"{}\"",
                if name == "&-" { "and" } else { "moved" }
            ));
            imap.ok(&format!("DELETE \"{}\"", if name == "&-" { "and" } else { "moved" }));
        }
    }
    drop(imap);
    assert_eq!(files(home.path()), before, "no file was named by a client");
    is_well(&server);
}

/// Bounds hold whatever the way to a name; INBOX has no case; forms C and D are one name.
#[test]
fn names_too_long_and_names_twice() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    let mut imap = server.session("alice");
    for name in ["x".repeat(1001), "a/".repeat(51) + "a", "x".repeat(100_000)] {
        let answer = imap.command(&format!("CREATE {name}")).unwrap();
        assert!(answer[0].contains(" NO "), "{:.60}: {answer:?}", name);
    }
    imap.ok(&format!("CREATE {}", "x".repeat(1000)));
    imap.ok(&format!("CREATE {}", vec!["d"; 50].join("/")));
    // A rename may not make what a creation may not.
    let answer = imap.command("RENAME d ddddddddd/d").unwrap();
    assert!(answer[0].contains(" NO "), "{answer:?}");
    let below = "y".repeat(950);
    imap.ok(&format!("CREATE p/{below}"));
    let answer = imap.command(&format!("RENAME p {}", "p".repeat(60))).unwrap();
    assert!(answer[0].contains(" NO "), "{answer:?}");
    // NUL cannot be sent in a name, whatever the form.
    for raw in [&b"n CREATE {3+}\r\na\0b\r\n"[..], b"n CREATE \"a\0b\"\r\n", b"n CREATE a\0b\r\n"] {
        imap.send(raw).unwrap();
        let said = imap.response().unwrap();
        assert!(said.starts_with("n BAD") || said.starts_with("n NO"), "{said}");
    }
    // INBOX has no case, NFC and NFD are one name.
    for name in ["inbox", "INBOX", "iNbOx", "INBOX/"] {
        assert!(imap.command(&format!("CREATE {name}")).unwrap()[0].contains(" NO "), "{name}");
        assert!(imap.command(&format!("DELETE {name}")).unwrap()[0].contains(" NO "), "{name}");
        imap.ok(&format!("STATUS {name} (MESSAGES)"));
    }
    imap.ok("CREATE caf&AOk-");
    assert!(imap.command("CREATE cafe&AwE-").unwrap()[0].contains(" NO "));
    imap.ok("SELECT cafe&AwE-");
    imap.ok("CREATE inbox/Sub");
    assert!(imap.command("CREATE INBOX/Sub").unwrap()[0].contains(" NO "));
    imap.ok("CREATE INBOX/sub");
    drop(imap);
    is_well(&server);
}

/// The names of all files and directories.
fn files(path: &std::path::Path) -> std::collections::BTreeSet<String> {
    let mut all = std::collections::BTreeSet::new();
    let mut open = vec![path.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            all.insert(entry.path().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
    }
    all
}
