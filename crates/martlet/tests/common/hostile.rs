//! What the tests of hostile clients have in common.

use std::io;

use super::{Imap, Server, add_account, literal};

pub const KIB: u64 = 1024;

/// With an account `alice`.
pub fn start(home: &tempfile::TempDir) -> Server {
    let server = Server::start(&home.path().join("data"));
    add_account(&server.data, "alice");
    server
}

/// An honest client finds everything as it should be.
pub fn is_well(server: &Server) {
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
pub fn growth(server: &Server, work: impl FnOnce()) -> u64 {
    std::fs::write(format!("/proc/{}/clear_refs", server.child.id()), "5").unwrap();
    let before = memory(server, "VmRSS:");
    work();
    memory(server, "VmHWM:").saturating_sub(before)
}

/// All responses until the server closes. A reset is an end too.
pub fn rest(imap: &mut Imap) -> Vec<String> {
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
pub fn exchange(imap: &mut Imap, bytes: &[u8]) -> Vec<String> {
    imap.send(bytes).unwrap();
    imap.send(b"zz LOGOUT\r\n").unwrap();
    rest(imap)
}
