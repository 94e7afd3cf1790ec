//! The log alone is enough: without its caches the real server tells the same.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{Imap, Server, add_account, cli_ok};

/// Removes every `cache` below; how many there were.
fn remove_caches(directory: &Path) -> usize {
    let mut removed = 0;
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && entry.file_name() == "cache" {
            std::fs::remove_dir_all(&path).unwrap();
            removed += 1;
        } else if path.is_dir() {
            removed += remove_caches(&path);
        }
    }
    removed
}

fn message(n: u32) -> Vec<u8> {
    format!(
        "From: Sender {n} <s{n}@example.org>\r\nTo: alice@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC\
         =C3=9Fe_{n}?=\r\nMessage-ID: <m{n}@example.org>\r\nReferences: <m{}@example.org>\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText {n}.\r\n--b\r\n\
         Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         AAECAw==\r\n--b--\r\n",
        n / 4
    )
    .into_bytes()
}

/// Everything a client can learn of its mail.
fn everything(imap: &mut Imap) -> Vec<String> {
    let mut all = imap.ok("LIST (SUBSCRIBED) \"\" * RETURN (CHILDREN SPECIAL-USE)");
    all.extend(imap.ok(
        "LIST \"\" * RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE MAILBOXID))",
    ));
    for mailbox in ["INBOX", "Archive", "Projects/Alpha"] {
        all.extend(imap.ok(&format!("EXAMINE {mailbox} (CONDSTORE)")));
        all.extend(
            imap.ok(
                "UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE MODSEQ EMAILID THREADID SAVEDATE \
             ENVELOPE BODYSTRUCTURE BODY.PEEK[] BINARY.SIZE[2])",
            ),
        );
        for kept in
            ["ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[HEADER.FIELDS (TO)]", "BODY.PEEK[HEADER]"]
        {
            all.extend(imap.ok(&format!("UID FETCH 1:* ({kept})")));
        }
        all.extend(imap.ok("UID SEARCH BODY \"text 1\""));
        all.extend(imap.ok("UID SORT (REVERSE SUBJECT DATE) UTF-8 ALL"));
        all.extend(imap.ok("UID THREAD REFERENCES UTF-8 ALL"));
        all.extend(imap.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)"));
        imap.ok("UNSELECT");
    }
    all.retain(|line| line.starts_with("* "));
    all
}

#[test]
fn without_caches_nothing_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    add_account(&data, "alice");
    let server = Server::start(&data);
    let mut imap = server.session("alice");
    imap.ok("CREATE Projects/Alpha");
    imap.ok("SUBSCRIBE Projects/Alpha");
    for n in 0..40 {
        imap.append("INBOX", &message(n)).unwrap();
    }
    imap.ok("SELECT INBOX");
    imap.ok("STORE 1:10 +FLAGS (\\Seen $Work)");
    imap.ok("STORE 5:7 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    imap.ok("COPY 1:20 Archive");
    imap.ok("MOVE 3:9 Projects/Alpha");
    imap.ok("STORE 2 FLAGS (\\Flagged)");
    imap.ok("UNSELECT");
    imap.ok("ENABLE QRESYNC");
    let before = everything(&mut imap);
    let fetched = before.iter().filter(|line| line.contains(" ENVELOPE ")).count();
    assert_eq!(fetched, 2 * (37 + 20), "{before:#?}");
    imap.ok("LOGOUT");
    assert!(server.stop().success());

    assert!(remove_caches(&data) >= 1, "there were caches");
    let server = Server::start(&data);
    let mut imap = server.session("alice");
    imap.ok("ENABLE QRESYNC");
    let after = everything(&mut imap);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), after.len());

    // Not even while the server runs, and not when it is killed then.
    remove_caches(&data);
    assert_eq!(everything(&mut imap), after);
    imap.append("INBOX", &message(99)).unwrap();
    server.kill();
    remove_caches(&data);
    let server = Server::start(&data);
    let mut imap = server.session("alice");
    assert_eq!(imap.ok("STATUS INBOX (MESSAGES)")[0], "* STATUS INBOX (MESSAGES 31)");
    drop(server);
    cli_ok(&data, &["doctor"], "");
}

/// Writes over a part of every file below a directory of this name; how many there were.
fn damage(directory: &Path, name: &str, inside: bool) -> usize {
    let mut damaged = 0;
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            damaged += damage(&path, name, inside || entry.file_name() == name);
        } else if inside {
            let mut bytes = std::fs::read(&path).unwrap();
            for byte in bytes.iter_mut().skip(64).step_by(13) {
                *byte ^= 0x55;
            }
            std::fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    damaged
}

#[test]
fn damaged_caches_change_no_answer() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    add_account(&data, "alice");
    let server = Server::start(&data);
    let mut imap = server.session("alice");
    imap.ok("CREATE Projects/Alpha");
    for n in 0..100 {
        imap.append("INBOX", &message(n)).unwrap();
    }
    imap.ok("SELECT INBOX");
    imap.ok("COPY 1:20 Archive");
    imap.ok("COPY 3:9 Projects/Alpha");
    imap.ok("UNSELECT");
    imap.ok("ENABLE QRESYNC");
    let before = everything(&mut imap);
    assert!(server.stop().success());

    assert!(damage(&data, "cache", false) >= 4, "there were caches");
    let server = Server::start(&data);
    let mut imap = server.session("alice");
    imap.ok("ENABLE QRESYNC");
    for (before, after) in before.iter().zip(&everything(&mut imap)) {
        assert_eq!(before, after);
    }
    assert!(server.stop().success());
}
