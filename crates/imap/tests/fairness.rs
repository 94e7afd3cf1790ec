//! A command that takes long lets other sessions run meanwhile.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use base::Limits;
use common::Server;
use imap::Settings;
use testkit::pipe::{Peer, pipe};
use testkit::{Executor, block_on};

fn session(server: &Server, executor: &mut Executor<'static>) -> Peer {
    let (near, far) = pipe();
    executor.spawn(imap::serve(Server::wire(near, ""), server.shared.clone()));
    far.send(b"a LOGIN alice secret\r\nb SELECT INBOX\r\n");
    executor.run();
    far.receive();
    far
}

#[test]
fn a_search_over_many_messages_does_not_hold_up_others() {
    let server = Server::new(Limits::default(), Settings::default());
    for _ in 0..600 {
        let (shared, message) = (server.shared.clone(), b"Subject: x\r\n\r\nText.\r\n".to_vec());
        block_on(Server::deliver(shared, "alice".into(), "INBOX".into(), message));
    }
    let mut executor = Executor::new();
    let busy = session(&server, &mut executor);
    let other = session(&server, &mut executor);
    busy.send(format!("c SEARCH {}UNSEEN\r\n", "OR SEEN ".repeat(2000)).as_bytes());
    other.send(b"c NOOP\r\n");
    // One turn for each: the search is not over, the other command is.
    executor.step(0);
    assert!(busy.receive().is_empty());
    executor.step(1);
    assert_eq!(other.receive(), "c OK NOOP completed\r\n");
    executor.run();
    assert!(busy.receive().ends_with(b"c OK SEARCH completed\r\n"));
}
