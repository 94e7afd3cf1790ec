//! Plays every file of `transcripts/`.
//!
//! A file may begin with `# limits: key=value ...`; `SESSION` takes a user to log in and a mailbox to
//! select, or `starttls` and `insecure` for the connection. `DO` knows `deliver USER MAILBOX
//! MESSAGE`, `remove USER`, `stop`, `advance SECONDS`, and `hurry
//! SECONDS`, after which each look at the clock takes so long.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use common::Server;
use testkit::executor::Task;
use testkit::{Pipe, Subject, play};
use wire::reply::{Data, Reply};
use wire::response::Encoding;

struct Sessions {
    server: Server,
    /// What each session has enabled, as far as it changes what it may be sent.
    encodings: HashMap<String, Encoding>,
}

impl Subject for Sessions {
    fn connect(&mut self, pipe: Pipe, options: &str) -> Task<'static> {
        let wire = Server::wire(pipe, options);
        Box::pin(imap::serve(wire, self.server.shared.clone()))
    }

    fn prologue(&self, options: &str) -> Vec<String> {
        let mut words = options.split(' ').filter(|word| !word.is_empty());
        match (words.next(), words.next()) {
            (Some("starttls" | "insecure") | None, _) => Vec::new(),
            (Some(user), None) => vec![format!("x LOGIN {user} secret")],
            (Some(user), Some(mailbox)) => {
                vec![format!("x LOGIN {user} secret"), format!("x SELECT {mailbox}")]
            }
        }
    }

    /// Every byte sent parses under the grammar of what the client has enabled.
    fn check(&mut self, session: &str, response: &[u8]) -> Result<(), String> {
        if response.ends_with(b" \r\n") && response != b"+ \r\n" {
            return Err("a space at the end".to_owned());
        }
        let encoding = self.encodings.entry(session.to_owned()).or_default();
        let reply =
            wire::parse::response(response, *encoding).map_err(|error| error.to_string())?;
        if let Reply::Untagged(Data::Enabled(names)) = &reply {
            let has = |name| names.iter().any(|enabled| enabled == name);
            encoding.rev2 |= has("IMAP4rev2");
            encoding.utf8 |= encoding.rev2 || has("UTF8=ACCEPT");
        }
        Ok(())
    }

    fn act(&mut self, words: &[&str], message: &dyn Fn(&str) -> Vec<u8>) -> Task<'static> {
        let shared = self.server.shared.clone();
        match words {
            ["deliver", user, mailbox, name] => {
                let message = message(name);
                Box::pin(Server::deliver(shared, user.to_string(), mailbox.to_string(), message))
            }
            ["remove", user] => Box::pin(Server::remove(shared, user.to_string())),
            ["stop"] => {
                shared.stop.set();
                Box::pin(async {})
            }
            ["hurry", seconds] => {
                self.server.clock.hurry(seconds.parse().expect("seconds"));
                Box::pin(async {})
            }
            ["advance", seconds] => {
                self.server.clock.advance(seconds.parse().expect("seconds"));
                Box::pin(async {})
            }
            _ => panic!("nobody can do {words:?}"),
        }
    }
}

fn transcripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the transcripts are there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "txt"))
        .collect();
    found.sort();
    found
}

fn overrides(path: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path).expect("readable");
    let line = text.lines().find_map(|line| line.strip_prefix("# limits: ")).unwrap_or_default();
    line.split_whitespace()
        .map(|pair| pair.split_once('=').expect("key=value"))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn every_transcript() {
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut failed = Vec::new();
    for path in transcripts() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if !wanted.is_empty() && name != wanted {
            continue;
        }
        let played = std::panic::catch_unwind(|| {
            let server = Server::for_transcripts(&overrides(&path));
            play(&path, &mut Sessions { server, encodings: HashMap::new() });
        });
        if played.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "transcripts failed: {failed:?}");
}
