//! Clients that mean harm, against the real server: it answers as the RFCs say, holds little, stays
//! alive, and serves the next honest client.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{self, BufRead, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use common::{Imap, Server, add_account, literal};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

fn start(home: &tempfile::TempDir) -> Server {
    let server = Server::start(&home.path().join("data"));
    add_account(&server.data, "alice");
    server
}

/// An honest client finds everything as it should be.
fn is_well(server: &Server) {
    let mut imap = server.session("alice");
    let uid = imap.append("INBOX", b"Subject: honest\r\n\r\nHello.\r\n").unwrap();
    imap.ok("SELECT INBOX");
    let answer = imap.ok(&format!("UID FETCH {uid} BODY.PEEK[TEXT]"));
    assert_eq!(literal(&answer[0]).unwrap(), b"Hello.\r\n", "{answer:?}");
    imap.ok(&format!("UID STORE {uid} +FLAGS (\\Deleted)"));
    imap.ok(&format!("UID EXPUNGE {uid}"));
    imap.ok("LOGOUT");
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("internal error"), "{log}");
}

fn memory(server: &Server, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * KIB
}

/// How much `work` raised the peak of resident memory above what was resident before it.
fn growth(server: &Server, work: impl FnOnce()) -> u64 {
    std::fs::write(format!("/proc/{}/clear_refs", server.child.id()), "5").unwrap();
    let before = memory(server, "VmRSS:");
    work();
    memory(server, "VmHWM:").saturating_sub(before)
}

/// All responses until the server closes. A reset is an end too.
fn rest(imap: &mut Imap) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match imap.response() {
            Ok(response) => all.push(response),
            Err(error) => {
                let ends = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
                assert!(ends.contains(&error.kind()), "{error}, after {all:?}");
                return all;
            }
        }
    }
}

/// Sends `bytes` and then LOGOUT; what is answered before the BYE.
fn exchange(imap: &mut Imap, bytes: &[u8]) -> Vec<String> {
    imap.send(bytes).unwrap();
    imap.send(b"zz LOGOUT\r\n").unwrap();
    rest(imap)
}

/// What strangers begin and do not end: the beginning, what the server says to it, and the end.
fn unfinished() -> Vec<(&'static str, Vec<u8>, usize, Vec<u8>, &'static str)> {
    let fill = |n: usize| vec![b'x'; n];
    let cat = |parts: &[&[u8]]| parts.concat();
    let nothing = "a0 OK NOOP completed\r\n";
    let noops = nothing.len();
    vec![
        // First, so that it finds no memory that others have left.
        (
            "many commands and the beginning of one",
            cat(&[&b"a0 NOOP\r\n".repeat(4000), b"a LOGIN {4096+}\r\n", &fill(4095)]),
            4000 * noops,
            b"x x y\r\n".to_vec(),
            "a BAD",
        ),
        ("a line", cat(&[b"a LOGIN ", &fill(15_000)]), 0, b"\r\n".to_vec(), "a BAD"),
        (
            "a literal",
            cat(&[b"a LOGIN {4096+}\r\n", &fill(4095)]),
            0,
            b"x x y\r\n".to_vec(),
            "a BAD",
        ),
        (
            "a literal that was asked for",
            cat(&[b"a LOGIN {16000}\r\n", &fill(15_999)]),
            "+ OK\r\n".len(),
            b"x x y\r\n".to_vec(),
            "a BAD",
        ),
        ("parentheses", cat(&[b"a LIST ", &vec![b'('; 15_000]]), 0, b"\r\n".to_vec(), "a BAD"),
        (
            "a SASL exchange",
            cat(&[b"a AUTHENTICATE PLAIN\r\n", &vec![b'A'; 15_000]]),
            "+ \r\n".len(),
            b"*\r\n".to_vec(),
            "a ",
        ),
        (
            "a literal that is skipped",
            cat(&[b"a LOGIN {900000+}\r\n", &fill(60_000)]),
            0,
            cat(&[&fill(840_000), b"\r\n"]),
            "a BAD",
        ),
    ]
}

/// 300 strangers, each with a command that does not end.
#[test]
fn strangers_hold_little() {
    const CLIENTS: u64 = 300;
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    is_well(&server);
    for (name, begin, answered, end, answer) in unfinished() {
        let mut clients: Vec<Imap> = Vec::new();
        let grown = growth(&server, || {
            clients.extend((0..CLIENTS).map(|_| server.imap()));
            for client in &mut clients {
                client.send(&begin).unwrap();
            }
            for client in &mut clients {
                let mut said = vec![0; answered];
                client.stream.read_exact(&mut said).unwrap();
            }
            // Bytes sent before these were read before these.
            for _ in 0..10 {
                assert!(exchange(&mut server.imap(), b"a NOOP\r\n")[0].starts_with("a OK"));
            }
        });
        is_well(&server);
        for client in &mut clients {
            client.send(&end).unwrap();
            let said = client.response().unwrap();
            assert!(said.starts_with(answer), "{name}: {said}");
        }
        drop(clients);
        println!("{name}: {} KiB a client", grown / CLIENTS / KIB);
        assert!(grown < CLIENTS * 48 * KIB, "{name}: {} KiB a client", grown / CLIENTS / KIB);
    }
    is_well(&server);
}

#[test]
fn literals_that_are_too_big() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    // Strangers (RFC 7888 §4: no continuation for what will not be taken; §5: LITERAL-).
    for (announced, answer) in [
        ("{999999999}", "a NO [TOOBIG]"),
        ("{18446744073709551615}", "a NO [TOOBIG]"),
        ("{18446744073709551616}", "a NO [TOOBIG]"),
        ("{99999999999999999999999999}", "a NO [TOOBIG]"),
        ("{4097+}", "a BAD"),
        ("{-1}", "a BAD"),
        ("{}", "a BAD"),
        ("{+}", "a BAD"),
        ("{1++}", "a BAD"),
    ] {
        let mut imap = server.imap();
        imap.send(format!("a LOGIN {announced}\r\n").as_bytes()).unwrap();
        if announced == "{4097+}" {
            imap.send(&[b'b'; 4097]).unwrap();
            imap.send(b"\r\n").unwrap();
        }
        let said = exchange(&mut imap, b"c NOOP\r\n");
        assert!(said[0].starts_with(answer), "{announced}: {said:?}");
        assert!(said[1].starts_with("c OK"), "{announced}: {said:?}");
    }
    // Never sent to the end.
    let grown = growth(&server, || {
        let mut imap = server.imap();
        imap.send(b"a LOGIN {18446744073709551615+}\r\n").unwrap();
        while imap.send(&[b'x'; 65_536]).is_ok() {}
        let said = rest(&mut imap);
        assert!(said.is_empty(), "{said:?}");
    });
    assert!(grown < MIB, "a stranger's traffic: {grown}");
    // After login.
    let (mut imap, mut asking) = (server.session("alice"), server.session("alice"));
    let grown = growth(&server, || {
        for (command, answer) in [
            ("a APPEND INBOX {18446744073709551615}\r\n", "a BAD"),
            ("a APPEND INBOX {9223372036854775807}\r\n", "a NO [TOOBIG]"),
            ("a APPEND INBOX (\\Seen) {999999999}\r\n", "a NO [TOOBIG]"),
            ("a APPEND nowhere {999999999}\r\n", "a NO [TRYCREATE]"),
            ("a APPEND INBOX ~{999999999}\r\n", "a NO [TOOBIG]"),
            ("a SEARCH TEXT {1048577}\r\n", "a NO [TOOBIG]"),
            ("a CREATE {999999999}\r\n", "a NO [TOOBIG]"),
        ] {
            asking.send(command.as_bytes()).unwrap();
            let said = asking.response().unwrap();
            assert!(said.starts_with(answer), "{command}: {said:?}");
        }
        imap.send(b"a APPEND INBOX {999999999999+}\r\n").unwrap();
        for _ in 0..400 {
            imap.send(&[b'x'; 65_536]).unwrap();
        }
        imap.stream.get_ref().shutdown(Shutdown::Write).unwrap();
        assert!(rest(&mut imap).is_empty());
    });
    assert!(grown < 6 * MIB, "after login: {grown}");
    is_well(&server);
}

#[test]
fn floods() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    let mut imap = server.session("alice");
    let mut other = server.session("alice");
    let grown = growth(&server, || {
        // Nobody reads the answers while it is sent.
        let mut sender = imap.stream.get_ref().try_clone().unwrap();
        let thread = std::thread::spawn(move || {
            let text: String = (0..10_000).map(|n| format!("f{n} NOOP\r\n")).collect();
            sender.write_all(text.as_bytes()).unwrap();
            sender.write_all(b"end LOGOUT\r\nlate NOOP\r\n").unwrap();
        });
        thread.join().unwrap();
        let said = rest(&mut imap);
        assert_eq!(said.len(), 10_002, "nothing after LOGOUT");
        for (n, line) in said.iter().take(10_000).enumerate() {
            assert!(line.starts_with(&format!("f{n} OK")), "{line}");
        }
        assert!(said[10_000].starts_with("* BYE") && said[10_001].starts_with("end OK"));
    });
    assert!(grown < 4 * MIB, "{grown}");
    // Answers that nobody reads stop the server from reading, and from producing.
    let mut deaf = server.session("alice");
    for n in 0..50 {
        deaf.append("INBOX", format!("Subject: {n}\r\n\r\n{}", "x\r\n".repeat(10_000)).as_bytes())
            .unwrap();
    }
    deaf.ok("SELECT INBOX");
    let grown = growth(&server, || {
        let mut sender = deaf.stream.get_ref().try_clone().unwrap();
        sender.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let text = "x FETCH 1:* BODY.PEEK[]\r\n".repeat(1000);
        // Ends when the buffers of the system are full on both sides.
        while sender.write_all(text.as_bytes()).is_ok() {}
        other.ok("NOOP");
    });
    assert!(grown < 4 * MIB, "deaf: {grown}");
    drop(deaf);
    is_well(&server);
}

#[test]
fn commands_that_cost() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    let mut imap = server.session("alice");
    let mut text = String::new();
    for n in 0..1000 {
        text.push_str(&format!("m CREATE \"{}/{n}\"\r\n", "ab/".repeat(n % 30)));
    }
    // Some names have empty levels.
    text = text.replace("//", "/");
    imap.send(text.as_bytes()).unwrap();
    for _ in 0..1000 {
        imap.response().unwrap();
    }
    let listed = imap.ok("LIST \"\" *").len();
    assert!(listed > 900, "{listed}");
    for pattern in ["%*".repeat(20_000), "%*a".repeat(20_000), "*a".repeat(500), "%/".repeat(900)] {
        imap.ok(&format!("LIST \"\" \"{pattern}\""));
        let many = vec![format!("\"{}\"", &pattern[..100]); 600].join(" ");
        let answer = imap.command(&format!("LIST \"\" ({many})")).unwrap();
        assert!(answer.last().unwrap().contains(" BAD "), "{answer:.200?}");
        imap.ok(&format!("LSUB \"\" \"{pattern}\""));
    }
    for n in 0..20 {
        imap.append("INBOX", format!("Subject: {n}\r\n\r\nText\r\n").as_bytes()).unwrap();
    }
    imap.ok("SELECT INBOX");
    let searches = [
        format!("SEARCH{}", " ALL".repeat(30_000)),
        format!("SEARCH {}ALL", "NOT ".repeat(30_000)),
        format!("SEARCH {}ALL ALL", "OR ALL ".repeat(15_000)),
        format!("SEARCH {}{}", "OR ".repeat(20_000), "ALL ".repeat(20_001).trim_end()),
        format!("SEARCH {}ALL{}", "(".repeat(60_000), ")".repeat(60_000)),
        format!("SEARCH {}", "(".repeat(120_000)),
        format!("SEARCH{}", " TEXT x".repeat(15_000)),
        format!("SEARCH {}", vec!["1:*"; 30_000].join(",")),
        format!("SORT ({}) UTF-8 ALL", vec!["SUBJECT"; 12_000].join(" ")),
        format!("FETCH 1:* ({})", vec!["BODY[TEXT]"; 8000].join(" ")),
        format!("FETCH 1:* (BODY[HEADER.FIELDS ({})])", vec!["Subject"; 12_000].join(" ")),
        format!("FETCH 1:* BODY[{}]", vec!["1"; 30_000].join(".")),
        format!("STORE 1 +FLAGS ({})", vec!["k"; 50_000].join(" ")),
        format!(
            "STORE 1 +FLAGS ({})",
            (0..9000).map(|n| format!("k{n} ")).collect::<String>().trim_end()
        ),
        format!("STATUS INBOX ({})", vec!["MESSAGES"; 10_000].join(" ")),
        format!("ID ({})", vec!["\"a\" \"b\""; 10_000].join(" ")),
        format!("ENABLE{}", " X".repeat(40_000)),
        format!("SELECT INBOX ({})", vec!["CONDSTORE"; 10_000].join(" ")),
    ];
    let grown = growth(&server, || {
        for search in &searches {
            let answer = imap.command(search).unwrap();
            let last = answer.last().unwrap();
            println!("{:.30}: {} responses, {last:.90}", search, answer.len());
            assert!(last.len() < 400, "{:.40}: {last:.400}", search);
        }
    });
    assert!(grown < 48 * MIB, "{grown}");
    is_well(&server);
}

#[test]
fn bytes_that_are_no_commands() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    for line in [
        &b"\0"[..],
        b"a\0 NOOP",
        b"a NO\0OP",
        b"a LOGIN a\0b c",
        b"a LOGIN \"a\0\" b",
        b"\xff\xfe NOOP",
        b"a \xff",
        b"\xc3\xa4 NOOP",
        b"a LOGIN \"\xff\" \"\xc3\"",
        b"a LOGIN \xff \xff",
        b"a",
        b" ",
        b" a NOOP",
        b"a  NOOP",
        b"a NOOP ",
        b"a NOOP NOOP",
        b"+ NOOP",
        b"* NOOP",
        b"a(b NOOP",
        b"{5}",
        b"a LOGIN \"unclosed",
        b"a LOGIN \"x\\y\" z",
        b"a \r NOOP",
        b"a NOOP\r",
        b"a UID",
        b"a UID NOOP",
        b"a UID UID FETCH 1 FLAGS",
        b"a SELECT INBOX",
        b"a FETCH 1 FLAGS",
        b"a APPEND INBOX {3+}\r\nabc",
        b"a AUTHENTICATE",
        b"a AUTHENTICATE NONESUCH",
        b"a AUTHENTICATE PLAIN !!!!",
        b"a AUTHENTICATE PLAIN =",
        b"a AUTHENTICATE PLAIN AAAA",
        b"a AUTHENTICATE SCRAM-SHA-256 bixuPT==",
        b"a AUTHENTICATE SCRAM-SHA-256 eSwsbj11c2VyLHI9",
        b"a STARTTLS now",
    ] {
        let mut imap = server.imap();
        let said = exchange(&mut imap, &[line, b"\r\nz NOOP\r\n"].concat());
        let at = said.len() - 3;
        let refused = |text: &str| {
            [" BAD", " NO"].iter().any(|no| text.get(1..).is_some_and(|t| t.starts_with(no)))
        };
        assert!(said[..at].iter().all(|text| refused(text)), "{line:?}: {said:?}");
        assert!(at <= 2 && said[at].starts_with("z OK"), "{line:?}: {said:?}");
    }
    // Whoever talks nonsense for long has to go, with a word.
    for nonsense in ["x\r\n", "a AUTHENTICATE PLAIN\r\n!\r\n", "a LOGIN x y\r\n"] {
        let mut imap = server.imap();
        let _ = imap.send(nonsense.repeat(25).as_bytes());
        let said = rest(&mut imap);
        assert!(said.iter().any(|line| line.starts_with("* BYE")) && said.len() < 60, "{said:?}");
    }
    is_well(&server);
}

/// No byte before the handshake is a command after it, and no plain byte is one instead of it
/// (RFC 9051 §11.1; CVE-2011-0411, CVE-2021-38371).
#[test]
fn commands_before_the_handshake() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    for (first, then) in [
        (&b"a STARTTLS\r\nb NOOP\r\nc LOGIN alice x\r\n"[..], &b""[..]),
        (b"a STARTTLS\r\n", b"b NOOP\r\nc CAPABILITY\r\n"),
        (b"a STARTTLS\r\n", b"\x16\x03\x01\xff\xff\x01garbage"),
        (b"a STARTTLS\r\nb NOOP\r\n", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"),
    ] {
        let mut imap = server.imap();
        imap.send(first).unwrap();
        let said = imap.response().unwrap();
        // Bytes that come with the command are a reason to close.
        let refused =
            said.starts_with("* BYE") && first.ends_with(b"NOOP\r\n") || first.ends_with(b"x\r\n");
        assert!(refused || said.starts_with("a OK"), "{said}");
        // It may be closed already.
        let _ = imap.send(then);
        let _ = imap.stream.get_ref().shutdown(Shutdown::Write);
        let mut bytes = Vec::new();
        let _ = imap.stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        for tag in ["b ", "c ", "* "] {
            assert!(!text.contains(&format!("{tag}OK")) && !text.starts_with(tag), "{text:?}");
        }
    }
    is_well(&server);
}

#[test]
fn other_protocols() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    let http =
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\na LOGIN alice x\r\nb NOOP\r\n";
    let smtp = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\nDATA\r\n";
    for (protocol, text) in [
        ("imap", http.as_bytes()),
        ("imap", smtp.as_bytes()),
        ("imap", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage\r\n\r\n"),
        ("imap", b"\x80\x2e\x01\x00\x02\r\n"),
        ("imaps", http.as_bytes()),
        ("imaps", b"a LOGIN alice x\r\n"),
        ("imaps", b"\x16\x03\x01\xff\xff\x01\x00\x00\x00"),
        ("imaps", &[0; 4000]),
        ("lmtp", http.as_bytes()),
        ("lmtp", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage\r\n"),
        ("lmtp", b"a LOGIN alice x\r\n"),
    ] {
        let mut stream = TcpStream::connect(server.address(protocol)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let _ = stream.write_all(text);
        let _ = stream.shutdown(Shutdown::Write);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let said = String::from_utf8_lossy(&bytes);
        let ok = said.lines().skip(1).any(|line| line.contains(" OK") || line.starts_with('2'));
        assert!(!ok, "{protocol} {:?}: {said}", String::from_utf8_lossy(text));
    }
    // HTTP is not answered line by line.
    let mut imap = server.imap();
    let _ = imap.send(http.as_bytes());
    assert!(rest(&mut imap).is_empty());
    is_well(&server);
}

#[test]
fn sockets_in_every_state() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    // A byte at a time.
    let mut slow = server.imap();
    for byte in format!(
        "a LOGIN {{5}}\r\nalice {{{}+}}\r\n{}\r\n",
        common::PASSWORD.len(),
        common::PASSWORD
    )
    .bytes()
    {
        slow.send(&[byte]).unwrap();
    }
    assert!(slow.response().unwrap().starts_with("+ "));
    assert!(slow.response().unwrap().starts_with("a OK"));
    // What was sent whole is answered to a client that will send no more.
    let mut half = server.imap();
    half.send(b"a NOOP\r\nb NOO").unwrap();
    half.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    let said = rest(&mut half);
    assert!(said.len() == 1 && said[0].starts_with("a OK"), "{said:?}");
    // Gone in the middle of everything; where nothing was read, that is a reset.
    for bytes in [
        &b"a LOGIN {10}\r\nabc"[..],
        b"a AUTHENTICATE PLAIN\r\nAAA",
        b"a NOOP\r\nb NOOP\r\nc NOOP",
        b"a STARTTLS\r\n",
    ] {
        for _ in 0..20 {
            server.imap().send(bytes).unwrap();
        }
    }
    for bytes in [
        &b"a APPEND INBOX {1000}\r\nabc"[..],
        b"a APPEND INBOX {3+}\r\nabc INBOX",
        b"a SELECT INBOX\r\nb IDLE\r\n",
        b"a SELECT INBOX\r\nb IDLE\r\nDO",
        b"a SELECT INBOX\r\nb FETCH 1:* BODY[]\r\n",
    ] {
        for _ in 0..5 {
            server.session("alice").send(bytes).unwrap();
        }
    }
    let mut imap = server.session("alice");
    let status = imap.ok("STATUS INBOX (MESSAGES)");
    assert!(status[0].ends_with("(MESSAGES 0)"), "no message that was not whole: {status:?}");
    is_well(&server);
}

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
    assert!(grown < 16 * MIB, "{grown}");
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
    assert!(grown < 16 * MIB, "{grown}");
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
    assert_eq!(files(home.path()), before, "no file was named by a client");
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
