//! Every message is `\Recent` for somebody, whoever looks first and whatever arrives meanwhile
//! (RFC 3501 §2.3.2).
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Imap, Server, add_account};

const MESSAGES: u32 = 80;

/// The UIDs that are recent in this session, with all that it was told of when this ends.
fn recent(imap: &mut Imap) -> BTreeSet<u32> {
    let uid = |response: &str| -> u32 {
        response.split("UID ").nth(1).unwrap().split([' ', ')']).next().unwrap().parse().unwrap()
    };
    loop {
        let answer = imap.command("UID FETCH 1:* FLAGS").unwrap();
        if !answer.iter().any(|response| response.ends_with(" EXISTS")) {
            let recent = answer.iter().filter(|response| response.contains("\\Recent"));
            return recent.map(|response| uid(response)).collect();
        }
    }
}

#[test]
fn no_message_is_recent_for_nobody() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(&home.path().join("data"));
    add_account(&server.data, "alice");
    let done = Arc::new(AtomicBool::new(false));
    // One stays, one comes and goes, one looks on without taking anything.
    let sessions = ["", "CLOSE", "EXAMINE"].map(|kind| {
        let (mut imap, done) = (server.session("alice"), Arc::clone(&done));
        thread::spawn(move || {
            let mut all = BTreeSet::new();
            let select = if kind == "EXAMINE" { "EXAMINE INBOX" } else { "SELECT INBOX" };
            imap.ok(select);
            loop {
                let last = done.load(Ordering::SeqCst);
                imap.ok("NOOP");
                if kind != "EXAMINE" {
                    all.extend(recent(&mut imap));
                }
                if kind == "CLOSE" {
                    imap.ok("CLOSE");
                    imap.ok(select);
                }
                if last {
                    return all;
                }
            }
        })
    });
    let mut sender = server.session("alice");
    for n in 1..=MESSAGES {
        let text = format!("Subject: {n}\r\n\r\n");
        assert_eq!(sender.append("INBOX", text.as_bytes()).unwrap(), n);
    }
    done.store(true, Ordering::SeqCst);
    let seen: BTreeSet<u32> =
        sessions.into_iter().flat_map(|session| session.join().unwrap()).collect();
    assert_eq!(seen, (1..=MESSAGES).collect());
    // And for nobody who comes later.
    sender.ok("SELECT INBOX");
    assert_eq!(recent(&mut sender), BTreeSet::new());
}
