//! Plays every file of `transcripts/`.
//!
//! `SESSION` takes a client address, or nothing for a unix socket. `DO count USER MAILBOX NUMBER` and
//! `DO last USER MAILBOX MESSAGE` look into a mailbox; the message's lines are patterns.

mod common;

use std::path::Path;

use base::Limits;
use common::*;
use testkit::executor::Task;
use testkit::pattern::{Bindings, matches};
use testkit::{Pipe, Subject, play};

struct Sessions {
    server: Server,
}

impl Subject for Sessions {
    fn connect(&mut self, pipe: Pipe, options: &str) -> Task<'static> {
        let host = self.server.host.clone();
        let wire = Wire { pipe, remote: options.parse().ok() };
        Box::pin(async move {
            let _ = lmtp::serve(host, wire).await;
        })
    }

    fn act(&mut self, words: &[&str], message: &dyn Fn(&str) -> Vec<u8>) -> Task<'static> {
        let accounts = self.server.accounts.clone();
        match words {
            ["count", user, mailbox, number] => {
                let (user, mailbox) = (user.to_string(), mailbox.to_string());
                let number: usize = number.parse().expect("a number");
                Box::pin(async move {
                    let found = messages(&accounts, &user, &mailbox).await;
                    assert_eq!(found.len(), number, "messages of {user} in {mailbox}");
                })
            }
            ["last", user, mailbox, name] => {
                let (user, mailbox) = (user.to_string(), mailbox.to_string());
                let expected = String::from_utf8(message(name)).expect("UTF-8");
                Box::pin(async move {
                    let found = messages(&accounts, &user, &mailbox).await;
                    let last =
                        String::from_utf8_lossy(found.last().expect("a message")).to_string();
                    let lines = (expected.split("\r\n").count(), last.split("\r\n").count());
                    let mut pairs = expected.split("\r\n").zip(last.split("\r\n"));
                    let mut bound = Bindings::new();
                    let same = pairs.all(|(pattern, line)| matches(pattern, line, &mut bound));
                    assert!(same && lines.0 == lines.1, "expected\n{expected}\nfound\n{last}");
                })
            }
            _ => panic!("nobody can do {words:?}"),
        }
    }
}

#[test]
fn every_transcript() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut failed = Vec::new();
    let mut played = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let limits = Limits {
            message_bytes_max: 2000,
            recipients_max: 3,
            bad_commands_max: 5,
            ..Limits::default()
        };
        let one = || play(&path, &mut Sessions { server: Server::new(limits) });
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(one)).is_err() {
            failed.push(path.display().to_string());
        }
        played += 1;
    }
    assert!(failed.is_empty() && played > 0, "transcripts failed: {failed:?}");
}
