//! The doctor: finds what is damaged, says whose it is, and saves the rest.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Server, add_account, cli, cli_ok, texts};
use serde_json::Value;

fn segments(data: &Path) -> Vec<PathBuf> {
    let (mut stack, mut found) = (vec![data.join("accounts")], Vec::new());
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "seg") {
            found.push(path);
        }
    }
    found
}

fn doctor(data: &Path, words: &[&str]) -> (i32, Value) {
    let output = cli(data, &[&["doctor", "--json"], words].concat(), "");
    let (out, err) = texts(&output);
    let report = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{words:?}: {out}{err}"));
    (output.status.code().unwrap(), report)
}

#[test]
fn all_is_well_with_a_server_and_without() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    add_account(&data, "alice");
    let server = Server::start(&data);
    let mut imap = server.session("alice");
    for n in 0..10 {
        imap.append("INBOX", format!("Subject: {n}\r\n\r\ntext\r\n").as_bytes()).unwrap();
    }
    let (code, report) = doctor(&data, &[]);
    assert_eq!((code, &report["well"]), (0, &Value::Bool(true)), "{report}");
    let busy = cli(&data, &["doctor", "--repair"], "");
    assert_eq!(busy.status.code(), Some(3), "{:?}", texts(&busy));
    assert!(texts(&busy).1.contains("stop the server first"));
    assert!(server.stop().success());
    let (code, report) = doctor(&data, &["--account", "alice"]);
    assert_eq!((code, report["messages"].as_u64()), (0, Some(10)), "{report}");
    assert!(cli_ok(&data, &["doctor"], "").contains("all is well"));
    let nobody = cli(&data, &["doctor", "--account", "nobody"], "");
    assert_eq!(nobody.status.code(), Some(1));
}

#[test]
fn damage_is_found_named_and_mended_around() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    add_account(&data, "alice");
    let server = Server::start(&data);
    let mut imap = server.session("alice");
    for n in 0..20 {
        let text = format!("Subject: {n}\r\n\r\nNeedle-{n}-{}\r\n", "abc".repeat(n));
        imap.append("INBOX", text.as_bytes()).unwrap();
    }
    drop(imap);
    assert!(server.stop().success());
    // One byte of one message, in the middle of the log.
    let needle = b"Needle-7-";
    let mut hit = false;
    for path in segments(&data) {
        let mut bytes = fs::read(&path).unwrap();
        let found = bytes.windows(needle.len()).position(|window| window == needle);
        if let Some(at) = found {
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            hit = true;
        }
    }
    if !hit {
        // Compressed: then somewhere in the middle.
        let path = segments(&data).into_iter().max_by_key(|p| fs::metadata(p).unwrap().len());
        let path = path.unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        bytes[used / 2] ^= 0x55;
        fs::write(&path, bytes).unwrap();
    }
    let (code, report) = doctor(&data, &[]);
    assert_eq!((code, &report["well"]), (4, &Value::Bool(false)), "{report}");
    let damage = report["findings"].as_array().unwrap();
    let damage = damage.iter().find(|one| one["severity"] == "damage").unwrap();
    assert_eq!(damage["name"], "alice", "{report}");
    let (code, report) = doctor(&data, &["--repair"]);
    assert_eq!((code, &report["well"]), (0, &Value::Bool(true)), "{report}");
    let server = Server::start(&data);
    let mut imap = server.session("alice");
    imap.ok("SELECT INBOX");
    let bodies = imap.ok("UID FETCH 1:* BODY.PEEK[]");
    let bodies = bodies.iter().filter(|line| line.starts_with("* ") && line.contains("Needle-"));
    assert!(bodies.count() >= 19);
}
