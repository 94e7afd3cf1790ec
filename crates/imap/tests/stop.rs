//! A server that stops does not wait for commands that take long, and says so.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use base::Limits;
use common::Server;
use imap::Settings;
use testkit::pipe::{Peer, pipe};
use testkit::{Executor, block_on};

const BYE: &str = "* BYE server is shutting down\r\n";

/// A session in a mailbox of 600 messages.
fn session() -> (Server, Executor<'static>, Peer) {
    let limits = Limits { output_bytes_max: 1000, ..Limits::default() };
    let server = Server::new(limits, Settings::default());
    for _ in 0..600 {
        let (shared, message) = (server.shared.clone(), b"Subject: x\r\n\r\nText.\r\n".to_vec());
        block_on(Server::deliver(shared, "alice".into(), "INBOX".into(), message));
    }
    let mut executor = Executor::new();
    let (near, far) = pipe();
    executor.spawn(imap::serve(Server::wire(near, ""), server.shared.clone()));
    far.send(b"a LOGIN alice secret\r\nb SELECT INBOX\r\n");
    executor.run();
    far.receive();
    (server, executor, far)
}

#[test]
fn a_search_ends() {
    // A program so long that others may run before all messages are looked at.
    let key = "OR LARGER 1000000 ".repeat(2000) + "LARGER 1000000";
    for command in ["SEARCH", "SORT (DATE) UTF-8", "THREAD REFERENCES UTF-8"] {
        let (server, mut executor, peer) = session();
        peer.send(format!("c {command} {key}\r\n").as_bytes());
        executor.step(0);
        server.shared.stop.set();
        executor.run();
        assert_eq!(peer.receive(), BYE, "{command}");
        assert!(peer.is_closed(), "{command}");
    }
}

#[test]
fn a_fetch_ends_between_two_messages() {
    let (server, mut executor, peer) = session();
    peer.set_window(1000);
    peer.send(b"c FETCH 1:* (FLAGS BODY.PEEK[])\r\n");
    executor.run();
    server.shared.stop.set();
    let mut output = Vec::new();
    while !peer.is_closed() {
        output.extend_from_slice(&peer.receive());
        executor.run();
    }
    output.extend_from_slice(&peer.receive());
    let output = String::from_utf8(output).unwrap();
    assert!(output.ends_with(&format!("Text.\r\n)\r\n{BYE}")), "{output}");
    let told = output.matches(" FETCH (").count();
    assert!((1..600).contains(&told), "{told}");
}
