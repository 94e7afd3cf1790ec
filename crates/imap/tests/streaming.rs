//! Whole sessions: however a client's bytes are cut, it reads the same answers; a client that does
//! not read holds back the server, and not its memory.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use base::Limits;
use common::Server;
use imap::Settings;
use proptest::prelude::*;
use testkit::pipe::pipe;
use testkit::{Executor, mail};

const SCRIPT: &[u8] =
    b"\r\na CAPABILITY\r\nb LOGIN {5+}\r\nalice {6}\r\nsecret\r\nc NOOP\r\nd SELECT INBOX\r\n\
    e APPEND INBOX (\\Seen) {22+}\r\nSubject: x\r\n\r\nText.\r\n {3}\r\na\r\n\r\n\
    f FETCH 1:* (FLAGS UID RFC822.SIZE BODY[])\r\ng IDLE\r\nDONE\r\nh NOOP\r\n\
    i APPEND nothing {5+}\r\nhello\r\nj IDLE\r\nk NOOP\r\nl STORE 1 +FLAGS (\\Deleted)\r\n\
    m EXPUNGE\r\nn NONSENSE {3+}\r\nxyz\r\no LIST \"\" (INBOX Sent)\r\np LOGOUT\r\n";

fn answers(pieces: &[&[u8]]) -> Vec<u8> {
    let server = Server::new(Limits::default(), Settings::default());
    let (pipe, peer) = pipe();
    let mut executor = Executor::new();
    executor.spawn(imap::serve(Server::wire(pipe, ""), server.shared.clone()));
    executor.run();
    for piece in pieces {
        peer.send(piece);
        executor.run();
    }
    assert!(peer.is_closed());
    peer.receive().to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_split_gives_the_same_answers(cuts in prop::collection::vec(1usize..30, 1..60)) {
        let whole = answers(&[SCRIPT]);
        prop_assert!(whole.ends_with(b"p OK LOGOUT completed\r\n"));
        let mut rest = SCRIPT;
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        let cut = answers(&pieces);
        prop_assert_eq!(cut.escape_ascii().to_string(), whole.escape_ascii().to_string());
    }
}

#[test]
fn a_slow_client_holds_back_the_server() {
    let limits = Limits { output_bytes_max: 4096, ..Limits::default() };
    let server = Server::new(limits, Settings::default());
    let mut executor = Executor::new();
    for seed in 0..300 {
        executor.spawn(Server::deliver(
            server.shared.clone(),
            "alice".to_owned(),
            "INBOX".to_owned(),
            mail::message(seed),
        ));
    }
    executor.run();
    let (pipe, peer) = pipe();
    let session = executor.spawn(imap::serve(Server::wire(pipe, ""), server.shared.clone()));
    peer.send(b"a LOGIN alice secret\r\nb SELECT INBOX\r\n");
    executor.run();
    peer.receive();
    peer.set_window(1);
    peer.send(b"c FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])\r\nd LOGOUT\r\n");
    let (mut all, mut most) = (Vec::new(), 0);
    while !executor.is_done(session) {
        executor.run();
        most = most.max(peer.waiting());
        let bytes = peer.receive();
        assert!(!bytes.is_empty() || executor.is_done(session), "the session waits for nothing");
        all.extend_from_slice(&bytes);
    }
    assert!(all.len() > 200_000, "{}", all.len());
    assert!(most < 16 * 1024, "{most} bytes were written at once");
    assert!(String::from_utf8_lossy(&all).ends_with("d OK LOGOUT completed\r\n"));
}

#[test]
fn a_client_that_is_gone_ends_the_session() {
    let server = Server::new(Limits::default(), Settings::default());
    for script in
        [&b""[..], b"a NOOP", b"a LOGIN alice secret\r\nb IDLE\r\n", b"a AUTHENTICATE PLAIN\r\n"]
    {
        let (pipe, peer) = pipe();
        let mut executor = Executor::new();
        let session = executor.spawn(imap::serve(Server::wire(pipe, ""), server.shared.clone()));
        peer.send(script);
        executor.run();
        assert!(!executor.is_done(session));
        peer.close();
        executor.run();
        assert!(executor.is_done(session), "{}", script.escape_ascii());
    }
}

#[test]
fn a_removed_account_ends_its_sessions() {
    let server = Server::new(Limits::default(), Settings::default());
    let (pipe, peer) = pipe();
    let mut executor = Executor::new();
    let session = executor.spawn(imap::serve(Server::wire(pipe, ""), server.shared.clone()));
    peer.send(b"a LOGIN bob secret\r\nb SELECT INBOX\r\nc IDLE\r\n");
    executor.run();
    executor.spawn(Server::remove(server.shared.clone(), "bob".to_owned()));
    executor.run();
    assert!(executor.is_done(session));
    let said = peer.receive();
    assert!(String::from_utf8_lossy(&said).ends_with("* BYE the account was removed\r\n"));
}
