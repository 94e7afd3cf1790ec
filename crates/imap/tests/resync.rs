//! A client that is cut off at any moment and comes back with QRESYNC knows what the server knows.
//!
//! It keeps what RFC 7162 §6 lets it keep: UIDs with their flags, and the HIGHESTMODSEQ it computes
//! from what it is told. Another session changes the mailbox meanwhile. Whatever was held back, told
//! or not told when the connection broke, one SELECT and a look at new UIDs make both equal.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use base::Limits;
use bytes::Bytes;
use common::Server;
use imap::Settings;
use proptest::prelude::*;
use testkit::pipe::{Peer, pipe};
use testkit::player::response_length;
use testkit::{Executor, mail};
use wire::reply::{Data, FetchData, Reply, ReplyCode};
use wire::response::Encoding;

type Flags = BTreeSet<String>;

/// What a client keeps on its disk.
#[derive(Clone, Debug, Default)]
struct Cache {
    messages: BTreeMap<u32, Option<Flags>>,
    mod_seq: u64,
    validity: u32,
    /// All messages up to this UID are known.
    complete: u32,
}

struct Client {
    peer: Peer,
    unread: Vec<u8>,
    cache: Cache,
    /// Since the last tagged line: HIGHESTMODSEQ told, and the highest MODSEQ of a FETCH.
    told: Option<u64>,
    seen: u64,
    /// How many messages there are.
    exists: usize,
    log: String,
}

impl Client {
    fn connect(server: &Server, executor: &mut Executor<'static>, cache: Cache) -> Self {
        let (pipe, peer) = pipe();
        executor.spawn(imap::serve(Server::wire(pipe, ""), server.shared.clone()));
        executor.run();
        let (unread, log) = (Vec::new(), String::new());
        let mut client = Self { peer, unread, cache, told: None, seen: 0, exists: 0, log };
        client.take();
        client.run(executor, "LOGIN alice secret");
        client
    }

    fn run(&mut self, executor: &mut Executor<'static>, command: &str) {
        self.log.push_str(&format!("C: {command}\n"));
        self.peer.send(format!("t {command}\r\n").as_bytes());
        executor.run();
        self.take();
    }

    fn take(&mut self) {
        self.unread.extend_from_slice(&self.peer.receive());
        while let Some(length) = response_length(&self.unread) {
            let response: Bytes = self.unread.drain(..length).collect::<Vec<u8>>().into();
            self.log.push_str(&format!("S: {}\n", response.escape_ascii()));
            let reply = wire::parse::response(&response, Encoding::default());
            match reply.unwrap_or_else(|error| panic!("{error}\n{}", self.log)) {
                Reply::Tagged { text, .. } => {
                    self.code(text.code);
                    self.cache.mod_seq =
                        self.told.take().unwrap_or(self.cache.mod_seq.max(self.seen));
                    self.seen = 0;
                    if self.cache.messages.len() == self.exists {
                        let last = self.cache.messages.keys().last().copied().unwrap_or(0);
                        self.cache.complete = self.cache.complete.max(last);
                    }
                }
                Reply::Untagged(Data::Exists(count)) => self.exists = count as usize,
                Reply::Untagged(Data::Status(_, text)) => self.code(text.code),
                Reply::Untagged(Data::Vanished { uids, earlier }) => {
                    if !earlier {
                        self.exists -= usize::try_from(uids.len()).unwrap();
                    }
                    uids.iter().for_each(|uid| drop(self.cache.messages.remove(&uid.get())));
                }
                Reply::Untagged(Data::Fetch(_, items)) => self.fetched(&items),
                _ => {}
            }
        }
    }

    fn code(&mut self, code: Option<ReplyCode>) {
        let Some(code) = code else { return };
        match code.name.as_str() {
            "HIGHESTMODSEQ" => self.told = Some(code.arguments.parse().unwrap()),
            "UIDVALIDITY" => self.cache.validity = code.arguments.parse().unwrap(),
            _ => {}
        }
    }

    fn fetched(&mut self, items: &[FetchData]) {
        let item = |name: &str| items.iter().find(|item| item.name == name).map(|item| &item.value);
        if let Some(mod_seq) = item("MODSEQ").and_then(|value| value.items()[0].number()) {
            self.seen = self.seen.max(mod_seq);
        }
        let uid = item("UID").and_then(|value| value.number());
        let uid = uid.unwrap_or_else(|| panic!("no UID\n{}", self.log));
        let entry = self.cache.messages.entry(u32::try_from(uid).unwrap()).or_default();
        if let Some(flags) = item("FLAGS") {
            let texts = flags.items().iter().filter_map(|flag| flag.bytes());
            let flags: Flags =
                texts.map(|flag| String::from_utf8_lossy(flag).into_owned()).collect();
            // \Recent is the session's, not the message's.
            *entry = Some(flags.into_iter().filter(|flag| flag != "\\Recent").collect());
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// The client that will be cut off does this.
    Mine(String),
    /// Another one does this.
    Theirs(String),
    /// The connection breaks, and the client comes back.
    Cut,
}

fn change() -> impl Strategy<Value = String> {
    let uid = 1u32..25;
    prop_oneof![
        4 => (uid.clone(), prop::sample::select(vec!["+", "-", ""]),
              prop::sample::select(vec!["\\Seen", "\\Flagged $a", "\\Deleted", "$b", ""]))
            .prop_map(|(uid, mode, flags)| format!("UID STORE {uid}:{} {mode}FLAGS ({flags})", uid + 2)),
        2 => uid.clone().prop_map(|uid| format!("UID EXPUNGE {uid}:{}", uid + 5)),
        1 => uid.clone().prop_map(|uid| format!("UID MOVE {uid} Sent")),
        1 => uid.prop_map(|uid| format!("UID COPY {uid}:{} INBOX", uid + 1)),
        2 => Just("APPEND INBOX (\\Seen) {6+}\r\na: b\r\n".to_owned()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "NOOP", "FETCH 1:* (UID FLAGS)", "SEARCH ALL", "UID FETCH 1:* (FLAGS MODSEQ)",
            "STORE 1 +FLAGS (\\Answered)", "FETCH * (UID FLAGS)",
        ]).prop_map(|command| Step::Mine(command.to_owned())),
        2 => change().prop_map(Step::Mine),
        6 => change().prop_map(Step::Theirs),
        1 => Just(Step::Cut),
    ]
}

fn check(
    client: &mut Client,
    executor: &mut Executor<'static>,
    server: &Server,
) -> Result<(), TestCaseError> {
    let mut fresh = Client::connect(server, executor, Cache::default());
    fresh.run(executor, "ENABLE QRESYNC");
    fresh.run(executor, "EXAMINE INBOX");
    fresh.run(executor, "UID FETCH 1:* (FLAGS)");
    fresh.run(executor, "LOGOUT");
    prop_assert_eq!(&client.cache.messages, &fresh.cache.messages, "\n{}", client.log);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn whoever_comes_back_knows_all(steps in prop::collection::vec(step(), 1..60)) {
        let server = Server::new(Limits::default(), Settings::default());
        let mut executor = Executor::new();
        for seed in 0..6 {
            let (user, mailbox) = ("alice".to_owned(), "INBOX".to_owned());
            executor.spawn(Server::deliver(server.shared.clone(), user, mailbox, mail::message(seed)));
        }
        executor.run();
        let mut other = Client::connect(&server, &mut executor, Cache::default());
        other.run(&mut executor, "ENABLE QRESYNC");
        other.run(&mut executor, "SELECT INBOX");
        let mut mine = Client::connect(&server, &mut executor, Cache::default());
        mine.run(&mut executor, "ENABLE QRESYNC");
        mine.run(&mut executor, "SELECT INBOX");
        mine.run(&mut executor, "UID FETCH 1:* (FLAGS)");
        for step in steps.iter().chain([&Step::Cut]) {
            match step {
                Step::Mine(command) => mine.run(&mut executor, command),
                Step::Theirs(command) => other.run(&mut executor, command),
                Step::Cut => {
                    mine.peer.close();
                    executor.run();
                    let log = std::mem::take(&mut mine.log);
                    let cache = mine.cache.clone();
                    mine = Client::connect(&server, &mut executor, cache);
                    mine.log = format!("{log}--- cut off, comes back with {:?}\n", mine.cache);
                    mine.run(&mut executor, "ENABLE QRESYNC");
                    let Cache { validity, mod_seq, complete, .. } = mine.cache;
                    mine.run(&mut executor, &format!("SELECT INBOX (QRESYNC ({validity} {mod_seq}))"));
                    mine.run(&mut executor, &format!("UID FETCH {}:* (FLAGS)", complete + 1));
                    check(&mut mine, &mut executor, &server)?;
                }
            }
        }
    }
}
