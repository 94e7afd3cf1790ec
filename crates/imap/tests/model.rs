//! Random commands of several sessions on one mailbox.
//!
//! `told_in_order`: one command at a time, against a naive model of the mailbox. `told_in_any_order`:
//! commands of different sessions run into each other at every point where they may wait. In both, a
//! client that believes only what it was told must in the end believe what is.

mod common;
mod model_client;
mod odd_storage;

use std::collections::BTreeSet;
use std::sync::Arc;

use base::Limits;
use common::Server;
use model_client::{Client, Effect, flags_of};
use odd_storage::Odd;
use proptest::prelude::*;
use testkit::Executor;

const SESSIONS: usize = 3;

/// What a session does. Numbers choose among what the client knows at that moment.
#[derive(Clone, Debug)]
enum Op {
    Append { seen: bool },
    Store { uid: bool, set: Vec<u8>, mode: char, silent: bool, flags: u8 },
    Expunge,
    UidExpunge(Vec<u8>),
    Copy { uid: bool, set: Vec<u8> },
    Move { uid: bool, set: Vec<u8>, away: bool },
    Fetch { uid: bool, set: Vec<u8> },
    FetchSeen { set: Vec<u8> },
    Search { uid: bool, flag: u8 },
    Noop,
}

const FLAGS: [&str; 5] = ["\\Seen", "\\Deleted", "\\Flagged", "$Work", "NonJunk"];

fn op() -> impl Strategy<Value = Op> {
    let set = || prop::collection::vec(any::<u8>(), 1..4);
    prop_oneof![
        3 => any::<bool>().prop_map(|seen| Op::Append { seen }),
        6 => (any::<bool>(), set(), prop::sample::select(vec!['+', '-', '=']), any::<bool>(), 1u8..32)
            .prop_map(|(uid, set, mode, silent, flags)| Op::Store { uid, set, mode, silent, flags }),
        2 => (any::<bool>(), set()).prop_map(|(uid, set)| Op::Store {
            uid, set, mode: '+', silent: true, flags: 2,
        }),
        2 => Just(Op::Expunge),
        1 => set().prop_map(Op::UidExpunge),
        1 => (any::<bool>(), set()).prop_map(|(uid, set)| Op::Copy { uid, set }),
        1 => (any::<bool>(), set(), any::<bool>())
            .prop_map(|(uid, set, away)| Op::Move { uid, set, away }),
        2 => (any::<bool>(), set()).prop_map(|(uid, set)| Op::Fetch { uid, set }),
        1 => set().prop_map(|set| Op::FetchSeen { set }),
        1 => (any::<bool>(), 0u8..5).prop_map(|(uid, flag)| Op::Search { uid, flag }),
        1 => Just(Op::Noop),
    ]
}

fn names(bits: u8) -> BTreeSet<String> {
    let chosen = FLAGS.iter().enumerate().filter(|(at, _)| bits & 1 << at != 0);
    chosen.map(|(_, name)| (*name).to_owned()).collect()
}

/// The command, and what the client may conclude by itself when it succeeds in silence. `None` if it
/// knows no message to speak of.
fn command(client: &Client, op: &Op) -> Option<(String, Effect)> {
    let numbered = |uid: bool, set: &[u8]| client.set(uid, set);
    let prefix = |uid: bool| if uid { "UID " } else { "" };
    Some(match op {
        Op::Append { seen } => {
            let flags = if *seen { "\\Seen" } else { "" };
            (format!("APPEND INBOX ({flags}) {{6+}}\r\na: b\r\n"), Effect::Nothing)
        }
        Op::Store { uid, set, mode, silent, flags } => {
            let (set, seqs) = numbered(*uid, set)?;
            let flags = names(*flags);
            let list = flags.iter().cloned().collect::<Vec<_>>().join(" ");
            let sign = if *mode == '=' { String::new() } else { mode.to_string() };
            let dot = if *silent { ".SILENT" } else { "" };
            let effect =
                if *silent { Effect::Stored { seqs, mode: *mode, flags } } else { Effect::Nothing };
            (format!("{}STORE {set} {sign}FLAGS{dot} ({list})", prefix(*uid)), effect)
        }
        Op::Expunge => ("EXPUNGE".to_owned(), Effect::Nothing),
        Op::UidExpunge(set) => (format!("UID EXPUNGE {}", numbered(true, set)?.0), Effect::Nothing),
        Op::Copy { uid, set } => {
            (format!("{}COPY {} INBOX", prefix(*uid), numbered(*uid, set)?.0), Effect::Nothing)
        }
        Op::Move { uid, set, away } => {
            let target = if *away { "Archive" } else { "INBOX" };
            let set = numbered(*uid, set)?.0;
            (format!("{}MOVE {set} {target}", prefix(*uid)), Effect::Nothing)
        }
        Op::Fetch { uid, set } => (
            format!("{}FETCH {} (UID FLAGS)", prefix(*uid), numbered(*uid, set)?.0),
            Effect::Nothing,
        ),
        Op::FetchSeen { set } => (
            format!("FETCH {} BODY[TEXT]<0.0>", numbered(false, set)?.0).replace("<0.0>", "<9.1>"),
            Effect::Nothing,
        ),
        Op::Search { uid, flag } => {
            let key = ["SEEN", "DELETED", "FLAGGED", "KEYWORD $Work", "KEYWORD NonJunk"];
            (format!("{}SEARCH {}", prefix(*uid), key[usize::from(*flag)]), Effect::Nothing)
        }
        Op::Noop => ("NOOP".to_owned(), Effect::Nothing),
    })
}

/// The mailbox by its definition.
#[derive(Default, Debug, PartialEq)]
struct Naive {
    messages: Vec<(u32, BTreeSet<String>)>,
    last_uid: u32,
}

impl Naive {
    fn add(&mut self, flags: BTreeSet<String>) {
        self.last_uid += 1;
        self.messages.push((self.last_uid, flags));
    }

    fn copy(&mut self, uids: &BTreeSet<u32>) {
        let copied: Vec<_> =
            self.messages.iter().filter(|m| uids.contains(&m.0)).cloned().collect();
        copied.into_iter().for_each(|(_, flags)| self.add(flags));
    }

    /// Does what the command means, decided on what the client numbers; `true` if it succeeds.
    fn apply(&mut self, client: &Client, op: &Op) -> bool {
        let has = |flags: &BTreeSet<String>, name: &str| flags.contains(name);
        let targets = |uid: bool, set: &[u8]| client.uids(uid, set);
        match op {
            Op::Append { seen } => self.add(names(u8::from(*seen))),
            Op::Store { uid, set, mode, silent, flags } => {
                let (uids, flags) = (targets(*uid, set), names(*flags));
                let all_there = uids.iter().all(|uid| self.messages.iter().any(|m| m.0 == *uid));
                for (_, has) in self.messages.iter_mut().filter(|m| uids.contains(&m.0)) {
                    match mode {
                        '+' => has.extend(flags.iter().cloned()),
                        '-' => has.retain(|flag| !flags.contains(flag)),
                        _ => has.clone_from(&flags),
                    }
                }
                return all_there || *silent || *uid;
            }
            Op::Expunge => {
                let known = client.all_uids();
                self.messages.retain(|m| !has(&m.1, "\\Deleted") || !known.contains(&m.0));
            }
            Op::UidExpunge(set) => {
                let uids = targets(true, set);
                self.messages.retain(|m| !has(&m.1, "\\Deleted") || !uids.contains(&m.0));
            }
            Op::Copy { uid, set } | Op::Move { uid, set, .. } => {
                let uids = targets(*uid, set);
                let all_there = uids.iter().all(|uid| self.messages.iter().any(|m| m.0 == *uid));
                if !all_there && !uid {
                    return false;
                }
                match op {
                    Op::Move { away: true, .. } => self.messages.retain(|m| !uids.contains(&m.0)),
                    Op::Move { .. } => {
                        self.copy(&uids);
                        self.messages.retain(|m| !uids.contains(&m.0));
                    }
                    _ => self.copy(&uids),
                }
            }
            Op::FetchSeen { set } => {
                let uids = targets(false, set);
                for (_, flags) in self.messages.iter_mut().filter(|m| uids.contains(&m.0)) {
                    flags.insert("\\Seen".to_owned());
                }
            }
            Op::Fetch { .. } | Op::Search { .. } | Op::Noop => {}
        }
        true
    }
}

struct World {
    executor: Executor<'static>,
    clients: Vec<Client>,
    server: Server,
}

impl World {
    fn new(server: Server) -> Self {
        let mut world = Self { executor: Executor::new(), clients: Vec::new(), server };
        for at in 0..SESSIONS {
            let client = world.connect();
            world.clients.push(client);
            // One of them speaks QRESYNC, one IMAP4rev2.
            match at {
                1 => world.run(at, "ENABLE QRESYNC"),
                2 => world.run(at, "ENABLE IMAP4rev2 CONDSTORE"),
                _ => true,
            };
            world.run(at, "SELECT INBOX");
        }
        world
    }

    fn connect(&mut self) -> Client {
        let (pipe, peer) = testkit::pipe::pipe();
        self.executor.spawn(imap::serve(Server::wire(pipe, ""), self.server.shared.clone()));
        let mut client = Client::new(peer);
        self.executor.run();
        client.receive();
        client.send("LOGIN alice secret", Effect::Nothing);
        self.executor.run();
        client.receive();
        client
    }

    /// Runs one command to its end; whether it succeeded.
    fn run(&mut self, at: usize, command: &str) -> bool {
        self.clients[at].send(command, Effect::Nothing);
        self.settle(at)
    }

    fn settle(&mut self, at: usize) -> bool {
        self.executor.run();
        self.clients[at].receive();
        self.clients[at].result()
    }

    /// Asks for what a client was told exists and knows nothing else of.
    fn learn(&mut self, at: usize) {
        if let Some(command) = self.clients[at].curiosity() {
            self.run(at, &command);
        }
    }

    /// Everybody catches up and must believe what a newcomer is told.
    fn agree(&mut self) -> Vec<(u32, BTreeSet<String>)> {
        let mut newcomer = self.connect();
        newcomer.send("EXAMINE INBOX", Effect::Nothing);
        self.executor.run();
        newcomer.receive();
        self.clients.push(newcomer);
        let last = self.clients.len() - 1;
        self.learn(last);
        let truth = self.clients.pop().expect("the newcomer").believed();
        for at in 0..self.clients.len() {
            assert!(self.run(at, "NOOP"));
            self.learn(at);
            assert_eq!(
                self.clients[at].believed(),
                truth,
                "session {at}:\n{}",
                self.clients[at].log()
            );
        }
        truth
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn told_in_order(ops in prop::collection::vec((0..SESSIONS, op()), 1..40)) {
        let mut world = World::new(Server::new(Limits::default(), imap::Settings::default()));
        let mut naive = Naive::default();
        for (at, op) in ops {
            let Some((text, effect)) = command(&world.clients[at], &op) else { continue };
            let expected = naive.apply(&world.clients[at], &op);
            world.clients[at].send(&text, effect);
            let succeeded = world.settle(at);
            prop_assert_eq!(succeeded, expected, "{}\n{}", text, world.clients[at].log());
            if let Op::Search { uid, flag } = op {
                let known = world.clients[at].all_uids();
                let found = naive.messages.iter().filter(|m| m.1.contains(FLAGS[usize::from(flag)]));
                let found: BTreeSet<u32> =
                    found.map(|m| m.0).filter(|uid| known.contains(uid)).collect();
                prop_assert_eq!(world.clients[at].searched(uid), found);
            }
            world.learn(at);
        }
        let truth = world.agree();
        prop_assert_eq!(truth, naive.messages);
    }

    #[test]
    fn told_in_any_order(rounds in prop::collection::vec(
        (prop::collection::vec(op(), SESSIONS), prop::collection::vec(any::<u8>(), 1..24)), 1..12)) {
        let storage = Arc::new(Odd::hesitant());
        let server = Server::over(storage, Limits::default(), imap::Settings::default());
        let mut world = World::new(server);
        for (ops, choices) in rounds {
            for (at, op) in ops.iter().enumerate() {
                if let Some((text, effect)) = command(&world.clients[at], op) {
                    world.clients[at].send(&text, effect);
                }
            }
            for choice in choices {
                world.executor.step(usize::from(choice));
            }
            world.executor.run();
            for at in 0..SESSIONS {
                world.clients[at].receive();
                world.learn(at);
            }
        }
        world.agree();
    }
}

#[test]
fn flags_are_read() {
    assert_eq!(flags_of("(\\Seen \\Recent a)").len(), 2);
}
