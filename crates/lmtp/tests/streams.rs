//! Large messages, broken connections, bytes in any pieces, bytes that mean nothing.
#![allow(missing_docs)]

mod common;

use std::sync::atomic::Ordering;

use base::Limits;
use common::*;
use lmtp::delivery::SPOOL_BYTES_MAX;
use proptest::prelude::*;
use testkit::{Executor, Peer};

/// A session that runs whenever the test wants.
struct Session {
    executor: Executor<'static>,
    peer: Peer,
}

impl Session {
    fn new(server: &Server) -> Self {
        let (pipe, peer) = testkit::pipe::pipe();
        let mut executor = Executor::new();
        let host = server.host.clone();
        executor.spawn(async move {
            let _ = lmtp::serve(host, Wire { pipe, remote: None }).await;
        });
        Self { executor, peer }
    }

    fn say(&mut self, bytes: &[u8]) -> String {
        self.peer.send(bytes);
        self.executor.run();
        String::from_utf8_lossy(&self.peer.receive()).into_owned()
    }
}

const BEGIN: &str = "LHLO x\r\nMAIL FROM:<s@x>\r\n";

#[test]
fn a_large_message_streams_to_everybody() {
    let server = Server::new(Limits::default());
    let mut session = Session::new(&server);
    let names = ["alice", "full", "broken", "late", "bob"];
    let rcpt: String = names.map(|name| format!("RCPT TO:<{name}>\r\n")).concat();
    session.say(format!("{BEGIN}{rcpt}DATA\r\n").as_bytes());
    let line = format!("{}\r\n", "x".repeat(998));
    let lines = SPOOL_BYTES_MAX * 3 / line.len();
    for at in 0..lines {
        assert_eq!(session.say(line.as_bytes()), "");
        let begun = server.open.load(Ordering::SeqCst);
        // Nothing is begun while it fits into memory; then one for each who takes it.
        let streams = (at + 1) * line.len() > SPOOL_BYTES_MAX;
        assert_eq!(begun, if streams { 3 } else { 0 }, "after {at} lines");
    }
    let said = session.say(b".\r\n");
    let codes: Vec<&str> = said.lines().map(|line| &line[..9]).collect();
    assert_eq!(codes, ["250 2.0.0", "452 4.3.1", "451 4.3.0", "451 4.3.0", "250 2.0.0"]);
    for name in ["alice", "bob"] {
        let message = server.messages(name, "INBOX").remove(0);
        assert!(message.ends_with(line.repeat(lines).as_bytes()));
        let head = format!("Return-Path: <s@x>\r\nDelivered-To: <{name}>\r\nReceived: from x\r\n");
        assert!(message.starts_with(head.as_bytes()));
    }
    assert_eq!(server.open.load(Ordering::SeqCst), 0);
}

#[test]
fn a_broken_connection_gives_everything_back() {
    for end in ["", ".", ".\r", "\r\n."] {
        let server = Server::new(Limits::default());
        let mut session = Session::new(&server);
        session.say(format!("{BEGIN}RCPT TO:<alice>\r\nRCPT TO:<bob>\r\nDATA\r\n").as_bytes());
        session.say(&vec![b'x'; SPOOL_BYTES_MAX + 1]);
        assert_eq!(server.open.load(Ordering::SeqCst), 2);
        session.say(end.as_bytes());
        session.peer.close();
        session.executor.run();
        assert!(session.peer.is_closed());
        assert_eq!(server.open.load(Ordering::SeqCst), 0, "{end:?}");
        assert!(server.messages("alice", "INBOX").is_empty());
    }
}

#[test]
fn a_message_too_large_gives_its_room_back_at_once() {
    let limits = Limits { message_bytes_max: 2 * SPOOL_BYTES_MAX as u64, ..Limits::default() };
    let server = Server::new(limits);
    let mut session = Session::new(&server);
    session.say(format!("{BEGIN}RCPT TO:<alice>\r\nDATA\r\n").as_bytes());
    session.say(&vec![b'x'; SPOOL_BYTES_MAX + 1]);
    assert_eq!(server.open.load(Ordering::SeqCst), 1);
    session.say(&vec![b'x'; SPOOL_BYTES_MAX]);
    assert_eq!(server.open.load(Ordering::SeqCst), 0);
    assert_eq!(session.say(b"\r\n.\r\n"), "552 5.3.4 The message is too large\r\n");
}

#[test]
fn a_pipelining_client_that_does_not_read_is_held_back() {
    let server = Server::new(Limits::default());
    let mut session = Session::new(&server);
    session.peer.set_window(1000);
    session.peer.send("NOOP\r\n".repeat(100_000).as_bytes());
    session.executor.run();
    assert!(session.peer.waiting() < 64 * 1024, "{}", session.peer.waiting());
}

const DIALOGUE: &str = "LHLO x\r\nMAIL FROM:<s@x> SIZE=10\r\nRCPT TO:<alice>\r\nRCPT TO:<no>\r\n\
    RCPT TO:<bob>\r\nDATA\r\nReturn-Path: <z>\r\nSubject: a\r\n\r\n..b\r\n.\r\nMAIL FROM:<>\r\n\
    RCPT TO:<alice+lists>\r\nBDAT 3\r\na\r\nBDAT 2 LAST\r\n\r\nXYZZY\r\nRSET\r\nQUIT\r\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn pieces_do_not_matter(cuts in prop::collection::vec(1usize..20, 1..60)) {
        let run = |cuts: &[usize]| {
            let server = Server::new(Limits::default());
            let mut session = Session::new(&server);
            let (mut said, mut rest) = (session.say(b""), DIALOGUE.as_bytes());
            for &cut in cuts.iter().cycle() {
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                said += &session.say(piece);
                rest = more;
                if rest.is_empty() {
                    break;
                }
            }
            (said, server.messages("alice", "Lists").len(), server.messages("bob", "INBOX").len())
        };
        let whole = run(&[usize::MAX]);
        prop_assert!(whole.0.ends_with("221 2.0.0 mail.test Bye\r\n"), "{}", whole.0);
        prop_assert_eq!((whole.1, whole.2), (1, 1));
        prop_assert_eq!(run(&cuts), whole);
    }

    #[test]
    fn any_bytes_are_answered(pieces in prop::collection::vec(
        prop_oneof![
            prop::sample::select(vec!["LHLO x\r\n", "MAIL FROM:<a@b>\r\n", "RCPT TO:<alice>\r\n",
                "DATA\r\n", "\r\n.\r\n", "BDAT 5\r\n", "BDAT 0 LAST\r\n", "RSET\r\n", "\n", ".", "\r\n"])
                .prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..20),
        ], 0..30))
    {
        let server = Server::new(Limits::default());
        let mut session = Session::new(&server);
        let said = pieces.iter().map(|piece| session.say(piece)).collect::<String>();
        for line in said.lines() {
            prop_assert!(line.as_bytes()[..3].iter().all(u8::is_ascii_digit), "{line}");
        }
        session.peer.close();
        session.executor.run();
        prop_assert_eq!(server.open.load(Ordering::SeqCst), 0);
    }
}
