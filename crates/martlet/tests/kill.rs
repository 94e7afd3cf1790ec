//! Kills the real server with SIGKILL while clients append, deliver, flag and move, starts it again,
//! and checks that all that was acknowledged is there, whole and once.
//!
//! Five rounds; `MARTLET_KILL_ROUNDS=50` for more. `MARTLET_KILL_SEED` repeats a run's choices (not
//! its timing).
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use common::{Imap, Lmtp, Server, add_account, literal};

const FLAG_MESSAGES: u32 = 40;
const FLAGS: [&str; 4] = ["\\Flagged", "\\Answered", "\\Seen", "$kill"];

/// A small generator of numbers (xorshift64*).
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }
}

/// The one message with this number: its bytes follow from it.
fn message(id: u64) -> Vec<u8> {
    let mut random = Random::new(id);
    let lines = match random.below(20) {
        // Above the size from which messages are stored in a file of their own.
        0 => 20_000,
        1..4 => 1000,
        _ => random.below(40),
    };
    let mut text = format!("X-Id: {id}\r\nSubject: message {id}\r\n\r\n");
    for _ in 0..lines {
        text.push_str(&format!("{:016x} {:016x}", random.next(), random.next()));
        text.push_str(" some words that compress well, and a full stop at the end.\r\n");
    }
    text.into_bytes()
}

fn id_of(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("X-Id: "));
    line.unwrap_or_else(|| panic!("no X-Id in {text:?}")).parse().unwrap()
}

/// What the server said yes to, and what it was asked.
#[derive(Default)]
struct Told {
    appended: Vec<(String, u32, u64)>,
    delivered: Vec<u64>,
    moved: BTreeSet<u64>,
    tried: BTreeSet<u64>,
    /// Flags of each message: acknowledged, and what they may be if the last command was done too.
    flags: BTreeMap<u32, BTreeSet<usize>>,
    flags_maybe: Option<BTreeMap<u32, BTreeSet<usize>>>,
}

/// One client's connection to what is going on.
#[derive(Clone)]
struct Client {
    told: Arc<Mutex<Told>>,
    acknowledged: Sender<()>,
    imap: String,
    lmtp: String,
    round: u64,
    number: u64,
}

impl Client {
    fn session(&self) -> io::Result<Imap> {
        let mut imap = Imap::connect(&self.imap);
        imap.command(&format!("LOGIN alice \"{}\"", common::PASSWORD))?;
        Ok(imap)
    }

    fn mailbox(&self, name: &str) -> String {
        format!("{name}-{}", self.round)
    }

    fn try_id(&self, n: u64) -> u64 {
        let id = self.round * 1_000_000 + self.number * 100_000 + n;
        self.told.lock().unwrap().tried.insert(id);
        id
    }

    fn yes(&self, tell: impl FnOnce(&mut Told)) {
        tell(&mut self.told.lock().unwrap());
        // The judge may have heard enough.
        let _ = self.acknowledged.send(());
    }

    /// Each of these runs until the connection breaks.
    fn append(&self) -> io::Result<()> {
        let (mut imap, mailbox) = (self.session()?, self.mailbox("append"));
        for n in 0.. {
            let id = self.try_id(n);
            let uid = imap.append(&mailbox, &message(id))?;
            self.yes(|told| told.appended.push((mailbox.clone(), uid, id)));
        }
        Ok(())
    }

    fn deliver(&self) -> io::Result<()> {
        let mut lmtp = Lmtp::connect(&self.lmtp)?;
        let recipient = format!("alice+{}@example.org", self.mailbox("deliver"));
        for n in 0.. {
            let id = self.try_id(n);
            let replies = lmtp.deliver(&[&recipient], &message(id))?;
            assert!(replies[0].starts_with("250"), "{replies:?}");
            self.yes(|told| told.delivered.push(id));
        }
        Ok(())
    }

    fn shift(&self) -> io::Result<()> {
        let (mut imap, from, to) = (self.session()?, self.mailbox("from"), self.mailbox("to"));
        imap.command(&format!("SELECT {from}"))?;
        for n in 0.. {
            let id = self.try_id(n);
            let uid = imap.append(&from, &message(id))?;
            self.yes(|told| told.appended.push((from.clone(), uid, id)));
            let answer = imap.command(&format!("UID MOVE {uid} {to}"))?;
            let last = answer.last().unwrap();
            assert!(last.contains(" OK "), "{answer:?}");
            self.yes(|told| {
                told.moved.insert(id);
            });
        }
        Ok(())
    }

    fn flag(&self, mut random: Random) -> io::Result<()> {
        let (mut imap, mailbox) = (self.session()?, self.mailbox("flags"));
        imap.command(&format!("SELECT {mailbox}"))?;
        loop {
            let first = 1 + random.below(u64::from(FLAG_MESSAGES)) as u32;
            let last = first + random.below(u64::from(FLAG_MESSAGES - first + 1)) as u32;
            let chosen: BTreeSet<usize> =
                (0..FLAGS.len()).filter(|_| random.below(2) == 0).collect();
            let op = ["", "+", "-"][random.below(3) as usize];
            let names: Vec<&str> = chosen.iter().map(|at| FLAGS[*at]).collect();
            let maybe = {
                let mut told = self.told.lock().unwrap();
                let mut maybe = told.flags.clone();
                for (_, flags) in maybe.range_mut(first..=last) {
                    *flags = match op {
                        "+" => flags.union(&chosen).copied().collect(),
                        "-" => flags.difference(&chosen).copied().collect(),
                        _ => chosen.clone(),
                    };
                }
                told.flags_maybe = Some(maybe.clone());
                maybe
            };
            let command = format!("UID STORE {first}:{last} {op}FLAGS ({})", names.join(" "));
            let answer = imap.command(&command)?;
            assert!(answer.last().unwrap().contains(" OK "), "{command}: {answer:?}");
            self.yes(|told| {
                told.flags = maybe;
                told.flags_maybe = None;
            });
        }
    }
}

/// Everything in a mailbox: UID, flags and bytes.
fn contents(imap: &mut Imap, mailbox: &str) -> Vec<(u32, BTreeSet<usize>, Vec<u8>)> {
    imap.ok(&format!("EXAMINE {mailbox}"));
    let answer = imap.ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[])");
    let fetches = answer.iter().filter(|line| line.contains(" FETCH ("));
    fetches
        .map(|line| {
            let after = |key: &str, end: char| {
                let text = line.split(key).nth(1).unwrap_or_else(|| panic!("{key} in {line:.200}"));
                text.split(end).next().unwrap().to_owned()
            };
            let uid = after("UID ", ' ').parse().unwrap();
            let flags = after("FLAGS (", ')');
            let flags = flags
                .split(' ')
                .filter_map(|name| FLAGS.iter().position(|one| one.eq_ignore_ascii_case(name)));
            (uid, flags.collect(), literal(line).unwrap())
        })
        .collect()
}

/// What was acknowledged is there; what is there is whole, and once.
fn judge(server: &Server, told: &Told, round: u64) {
    let mut imap = server.session("alice");
    let mut seen: HashMap<u64, Vec<(String, u32)>> = HashMap::new();
    for name in ["append", "from", "to", "deliver"] {
        let mailbox = format!("{name}-{round}");
        let mut last = 0;
        for (uid, _, bytes) in contents(&mut imap, &mailbox) {
            let id = id_of(&bytes);
            let expected = message(id);
            let whole = match name {
                "deliver" => bytes.ends_with(&expected),
                _ => bytes == expected,
            };
            assert!(whole, "message {id} in {mailbox} is not what was sent");
            assert!(told.tried.contains(&id), "message {id} in {mailbox} was never sent");
            assert!(uid > last, "UIDs of {mailbox} do not ascend at {uid}");
            last = uid;
            seen.entry(id).or_default().push((mailbox.clone(), uid));
        }
    }
    for (id, places) in &seen {
        assert_eq!(places.len(), 1, "message {id} is there more than once: {places:?}");
    }
    for (mailbox, uid, id) in &told.appended {
        let place = seen.get(id).unwrap_or_else(|| panic!("append {id} to {mailbox} is lost"));
        if told.moved.contains(id) {
            assert!(place[0].0.starts_with("to-"), "the move of {id} is lost: {place:?}");
        } else if mailbox.starts_with("append-") {
            assert_eq!(place[0], (mailbox.clone(), *uid), "message {id} moved by itself");
        }
    }
    for id in &told.delivered {
        assert!(seen.contains_key(id), "delivery {id} is lost");
    }
    let flags: BTreeMap<u32, BTreeSet<usize>> = contents(&mut imap, &format!("flags-{round}"))
        .into_iter()
        .map(|(uid, flags, _)| (uid, flags))
        .collect();
    assert!(
        flags == told.flags || Some(&flags) == told.flags_maybe.as_ref(),
        "flags are {flags:?}\nacknowledged {:?}\nor {:?}",
        told.flags,
        told.flags_maybe
    );
}

fn prepare(server: &Server, round: u64, told: &mut Told) {
    let mut imap = server.session("alice");
    for name in ["append", "deliver", "from", "to", "flags"] {
        imap.ok(&format!("CREATE {name}-{round}"));
    }
    for n in 0..FLAG_MESSAGES {
        let uid = imap.append(&format!("flags-{round}"), &message(u64::from(n))).unwrap();
        told.flags.insert(uid, BTreeSet::new());
    }
}

/// Load until so many answers were heard, and then the end.
fn load(server: Server, told: Told, round: u64, random: &mut Random) -> Told {
    let (sender, answers) = channel();
    let told = Arc::new(Mutex::new(told));
    let client = |number| Client {
        told: Arc::clone(&told),
        acknowledged: sender.clone(),
        imap: server.address("imap"),
        lmtp: server.address("lmtp"),
        round,
        number,
    };
    let mut clients = Vec::new();
    for number in 0..7 {
        let (client, random) = (client(number), Random::new(random.next()));
        clients.push(thread::spawn(move || {
            let end = match number {
                0 | 1 => client.append(),
                2 | 3 => client.deliver(),
                4 | 5 => client.shift(),
                _ => client.flag(random),
            };
            // The connection broke: that is what this is about.
            assert!(end.is_err());
        }));
    }
    drop(sender);
    let enough = 20 + random.below(250);
    for _ in 0..enough {
        answers.recv().expect("clients go on until the server is gone");
    }
    server.kill();
    for client in clients {
        client.join().expect("no client saw a wrong answer");
    }
    Arc::into_inner(told).unwrap().into_inner().unwrap()
}

fn start(data: &Path, random: &mut Random) -> Server {
    // Sometimes it is killed again before it has done anything.
    if random.below(3) == 0 {
        Server::start(data).kill();
    }
    Server::start(data)
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let rounds = number("MARTLET_KILL_ROUNDS").unwrap_or(5);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = number("MARTLET_KILL_SEED").unwrap_or(now.as_secs());
    println!("MARTLET_KILL_SEED={seed} MARTLET_KILL_ROUNDS={rounds}");
    let mut random = Random::new(seed);
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    add_account(&data, "alice");
    let mut all = Vec::new();
    for round in 1..=rounds {
        let mut told = Told::default();
        let server = start(&data, &mut random);
        prepare(&server, round, &mut told);
        let told = load(server, told, round, &mut random);
        let server = start(&data, &mut random);
        judge(&server, &told, round);
        println!(
            "round {round}: {} appends, {} deliveries, {} moves",
            told.appended.len(),
            told.delivered.len(),
            told.moved.len()
        );
        all.push((round, told));
        match random.below(2) {
            0 => assert!(server.stop().success()),
            _ => server.kill(),
        }
    }
    let server = Server::start(&data);
    for (round, told) in &all {
        judge(&server, told, *round);
    }
    assert!(server.stop().success());
}
