//! Clients that mean harm, against the real server: it answers as the RFCs say, holds little, stays
//! alive, and serves the next honest client.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use common::Imap;
use common::hostile::{KIB, exchange, growth, is_well, rest, start};

const MIB: u64 = 1024 * KIB;

type Unfinished = (&'static str, Vec<u8>, usize, Vec<u8>, &'static str);

/// What strangers begin and do not end: the beginning, what the server says to it, and the end.
fn unfinished() -> Vec<Unfinished> {
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
