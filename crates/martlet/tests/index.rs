//! The text index by its command, with and without a server.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use common::{Server, add_account, cli, cli_ok, texts};

const SEARCHES: [&str; 4] = [
    "UID SEARCH BODY zyzzyva",
    "UID SEARCH NOT TEXT end",
    "SEARCH SUBJECT \"no 77\"",
    "SEARCH BODY y",
];

fn mbox(path: &Path) {
    let message = |n: u32| {
        let word = if n % 100 == 7 { "Zyzzyva" } else { "and so on" };
        format!(
            "From a@b Thu Jan  1 00:00:00 2026\nSubject: no {n}\nFrom: a@b\n\nText {n} {word}.\n\n"
        )
    };
    fs::write(path, (0..300).map(message).collect::<String>()).unwrap();
}

fn status(data: &Path) -> Value {
    let out = cli_ok(data, &["index", "status", "--account", "alice", "--json"], "");
    serde_json::from_str::<Value>(&out).unwrap()[0].clone()
}

/// Segments; not the mark beside them.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(segments(&path));
        } else if path.parent().is_some_and(|parent| parent.ends_with("cache/search"))
            && path.extension().is_some()
        {
            found.push(path);
        }
    }
    found
}

fn answers(server: &Server) -> Vec<Vec<String>> {
    let mut imap = server.session("alice");
    imap.ok("SELECT INBOX");
    SEARCHES.map(|search| imap.ok(search)).to_vec()
}

#[test]
fn rebuilt_with_and_without_a_server() {
    let home = tempfile::tempdir().unwrap();
    let (data, mail) = (home.path().join("data"), home.path().join("mail.mbox"));
    mbox(&mail);
    add_account(&data, "alice");
    cli_ok(&data, &["import", "mbox", mail.to_str().unwrap(), "--account", "alice"], "");
    let scanned = answers(&Server::start(&data));
    assert!(scanned[0].iter().any(|line| line == "* SEARCH 8 108 208"), "{scanned:?}");

    let out = cli_ok(&data, &["index", "rebuild"], "");
    assert_eq!(out, "300 messages of 1 account indexed\n");
    let files = segments(&data);
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(
        cli_ok(&data, &["index", "status"], "").starts_with("alice: 300 of 300 messages indexed")
    );
    assert_eq!(status(&data)["upto"], status(&data)["head"]);

    let server = Server::start(&data);
    assert_eq!(answers(&server), scanned);
    let out = cli_ok(&data, &["index", "rebuild", "--account", "alice", "--json"], "");
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&out["accounts"], &out["messages"]), (&1.into(), &300.into()));
    let status = status(&data);
    assert_eq!((&status["indexed"], &status["waiting"]), (&300.into(), &0.into()));
    assert_eq!((&status["segments"], &status["ready"]), (&1.into(), &true.into()));
    assert_eq!(answers(&server), scanned);
    let refused = cli(&data, &["index", "rebuild", "--account", "nobody"], "");
    assert_eq!(refused.status.code(), Some(1), "{:?}", texts(&refused));

    // Damage is dropped, and everything is found all the same.
    let files = segments(&data);
    let mut bytes = fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x55);
    fs::write(&files[0], bytes).unwrap();
    assert_eq!(answers(&server), scanned);
    assert!(!files[0].exists());
    drop(server);

    let config = home.path().join("martlet.toml");
    fs::write(&config, "[search]\nindex = false\n").unwrap();
    let words = ["--config", config.to_str().unwrap(), "index", "rebuild"];
    let refused = cli(&data, &words, "");
    assert_eq!(refused.status.code(), Some(1), "{:?}", texts(&refused));
}

#[test]
fn accounts_that_nobody_opens_are_indexed() {
    let home = tempfile::tempdir().unwrap();
    let (data, mail) = (home.path().join("data"), home.path().join("mail.mbox"));
    mbox(&mail);
    add_account(&data, "alice");
    cli_ok(&data, &["import", "mbox", mail.to_str().unwrap(), "--account", "alice"], "");
    assert_eq!(segments(&data), Vec::<PathBuf>::new());
    let server = Server::start(&data);
    // Each round starts a process: together that is far longer than it takes.
    for _ in 0..2000 {
        if !segments(&data).is_empty() {
            break;
        }
        server.cli(&["account", "list"]);
    }
    assert_eq!(segments(&data).len(), 1);
}
