//! `martlet demo`: what it prints is true, and nothing stays.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use common::{Imap, binary};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn what_it_prints_is_true_and_nothing_stays() {
    let home = tempfile::tempdir().unwrap();
    let mut child =
        binary().arg("demo").env("TMPDIR", home.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.starts_with("ready")) {
        let mut line = String::new();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "{lines:?}");
        lines.push(line);
    }
    let password = |name: &str| {
        let line = lines.iter().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split_whitespace().nth(2).unwrap().to_owned()
    };
    let ready = lines.last().unwrap();
    let address = ready.split("imap=").nth(1).unwrap().split_whitespace().next().unwrap();
    for name in ["alice", "bob"] {
        let mut imap = Imap::connect(address);
        imap.ok(&format!("LOGIN {name} {}", password(name)));
        let select = imap.ok("SELECT INBOX");
        let exists = select.iter().find_map(|line| line.strip_suffix(" EXISTS"));
        let count: u32 = exists.unwrap().trim_start_matches("* ").parse().unwrap();
        assert!(count > 10, "{count} messages for {name}");
        let threads = imap.ok("THREAD REFERENCES UTF-8 ALL");
        assert!(threads[0].contains("(1"), "{threads:?}");
    }
    for word in ["curl --insecure", "neomutt", "SSL/TLS"] {
        assert!(lines.iter().any(|line| line.contains(word)), "{word}");
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "something stayed");
}
