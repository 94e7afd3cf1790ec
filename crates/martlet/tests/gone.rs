//! What happens to those who use what somebody else takes away.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;

use common::{Imap, Lmtp, PASSWORD, Server, add_account, cli_ok};

fn start(home: &tempfile::TempDir) -> Server {
    let server = Server::start(&home.path().join("data"));
    add_account(&server.data, "alice");
    server
}

/// Reads until the server closes; the last response.
fn last(imap: &mut Imap) -> String {
    let mut last = String::new();
    while let Ok(response) = imap.response() {
        last = response;
    }
    last
}

#[test]
fn a_mailbox_that_is_deleted() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    let mut other = server.session("alice");
    other.ok("CREATE Doomed");
    other.append("Doomed", b"Subject: x\r\n\r\n").unwrap();
    let (mut idle, mut busy) = (server.session("alice"), server.session("alice"));
    idle.ok("SELECT Doomed");
    busy.ok("SELECT Doomed");
    idle.send(b"i IDLE\r\n").unwrap();
    assert!(idle.response().unwrap().starts_with("+ "));
    other.ok("DELETE Doomed");
    // Who waits is told at once, who asks is told then.
    assert!(last(&mut idle).starts_with("* BYE"));
    busy.send(b"f FETCH 1 FLAGS\r\n").unwrap();
    assert!(last(&mut busy).starts_with("* BYE"));
    // A new one of the same name is another one.
    other.ok("CREATE Doomed");
    let status = other.ok("STATUS Doomed (MESSAGES)");
    assert!(status[0].ends_with("(MESSAGES 0)"), "{status:?}");
    cli_ok(&server.data, &["doctor"], "");
}

#[test]
fn an_account_that_is_removed() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    add_account(&server.data, "bob");
    let mut bob = server.session("bob");
    let mut idle = server.session("alice");
    idle.ok("SELECT INBOX");
    idle.send(b"i IDLE\r\n").unwrap();
    assert!(idle.response().unwrap().starts_with("+ "));
    // In the middle of a message.
    let mut appending = server.session("alice");
    appending.send(b"a APPEND INBOX {10}\r\n").unwrap();
    assert!(appending.response().unwrap().starts_with("+ "));
    let mut lmtp = Lmtp::connect(&server.address("lmtp")).unwrap();
    lmtp.command("MAIL FROM:<a@example.org>").unwrap();
    assert!(lmtp.command("RCPT TO:<alice@example.org>").unwrap().starts_with("250"));
    cli_ok(&server.data, &["account", "remove", "alice", "--yes"], "");
    assert!(last(&mut idle).starts_with("* BYE"));
    appending.send(b"0123456789\r\n").unwrap();
    let said = last(&mut appending);
    assert!(!said.starts_with("a OK"), "{said}");
    assert!(lmtp.command("DATA").unwrap().starts_with("354"));
    let reply = lmtp.command("Subject: late\r\n\r\n.").unwrap();
    assert!(reply.starts_with('4') || reply.starts_with('5'), "{reply}");
    let refused = server.imap().command(&format!("LOGIN alice \"{PASSWORD}\"")).unwrap();
    assert!(refused[0].contains(" NO "), "{refused:?}");
    bob.ok("SELECT INBOX");
    cli_ok(&server.data, &["doctor"], "");
    // The name can be given again; nothing of the old account comes back.
    add_account(&server.data, "alice");
    let status = server.session("alice").ok("STATUS INBOX (MESSAGES)");
    assert!(status[0].ends_with("(MESSAGES 0)"), "{status:?}");
}

/// Whoever asks at the admin socket and goes away leaves no half account, and no password that only
/// the disk knows.
#[test]
fn an_admin_that_goes_away() {
    let home = tempfile::tempdir().unwrap();
    let server = start(&home);
    let ask = |request: &str| {
        let mut stream = UnixStream::connect(server.data.join("admin.sock")).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(b"\n").unwrap();
    };
    ask(r#"{"op":"account-add","name":"carol","password":"correct horse battery"}"#);
    while !cli_ok(&server.data, &["account", "list"], "").contains("carol") {
        thread::yield_now();
    }
    server.session("carol").ok("SELECT INBOX");
    ask(r#"{"op":"account-remove","name":"carol"}"#);
    while cli_ok(&server.data, &["account", "list"], "").contains("carol") {
        thread::yield_now();
    }
    assert!(server.stop().success());
    cli_ok(&home.path().join("data"), &["doctor"], "");
}
