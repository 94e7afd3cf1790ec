//! Many sessions at once against the real server. Each client believes only what it is told; in the
//! end all believe what a fresh client sees, over a SIGKILL in the middle.
//!
//! `MARTLET_STRESS_STEPS` for longer runs, `MARTLET_STRESS_SEED` for other choices.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::thread;

use common::{Imap, Server, add_account, cli_ok};

const ACCOUNTS: [&str; 2] = ["alice", "bob"];
const MAILBOXES: [&str; 2] = ["INBOX", "Other"];
const FLAGS: [&str; 5] = ["\\Seen", "\\Flagged", "\\Deleted", "$one", "two"];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

type Flags = BTreeSet<String>;

/// What a client knows of a message.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Known {
    uid: Option<u32>,
    flags: Option<Flags>,
}

/// What a client is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Plain,
    Rev2,
    Qresync,
}

/// A client with what it believes of its mailbox.
struct Client {
    imap: Imap,
    address: String,
    user: &'static str,
    mailbox: &'static str,
    kind: Kind,
    messages: Vec<Known>,
    uid_validity: u32,
    mod_seq: u64,
    random: Random,
    number: usize,
    sent: usize,
}

fn flags_of(text: &str) -> Flags {
    let inner = text.split("FLAGS (").nth(1).unwrap().split(')').next().unwrap();
    inner.split(' ').filter(|f| !f.is_empty() && *f != "\\Recent").map(str::to_owned).collect()
}

fn number_after(text: &str, key: &str) -> Option<u64> {
    let rest = text.split(key).nth(1)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

fn uids_of(set: &str) -> BTreeSet<u32> {
    let mut uids = BTreeSet::new();
    for part in set.split(',') {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        uids.extend(first.parse::<u32>().unwrap()..=last.parse().unwrap());
    }
    uids
}

impl Client {
    fn open(server: &Server, number: usize, seed: u64) -> Self {
        let mut client = Self {
            imap: server.session(ACCOUNTS[number % 2]),
            address: server.address("imap"),
            user: ACCOUNTS[number % 2],
            mailbox: MAILBOXES[number / 2 % 4 / 3],
            kind: [Kind::Plain, Kind::Qresync, Kind::Plain, Kind::Rev2][number / 2 % 4],
            messages: Vec::new(),
            uid_validity: 0,
            mod_seq: 0,
            random: Random((seed * 1000 + number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            number,
            sent: 0,
        };
        client.enable();
        client.select();
        client
    }

    fn enable(&mut self) {
        match self.kind {
            Kind::Plain => {}
            Kind::Rev2 => drop(self.imap.ok("ENABLE IMAP4rev2")),
            Kind::Qresync => drop(self.imap.ok("ENABLE QRESYNC")),
        }
    }

    fn select(&mut self) {
        self.messages.clear();
        let answer = self.imap.ok(&format!("SELECT {}", self.mailbox));
        self.uid_validity =
            answer.iter().find_map(|r| number_after(r, "[UIDVALIDITY ")).unwrap() as u32;
        self.hear(&answer, true, "SELECT");
        self.complete();
    }

    /// Cut off, and back with what it knows (RFC 7162 §3.2.5).
    fn resume(&mut self) {
        self.imap = Imap::connect(&self.address);
        self.imap.ok(&format!("LOGIN {} \"{}\"", self.user, common::PASSWORD));
        self.enable();
        if self.kind != Kind::Qresync || self.mod_seq == 0 {
            return self.select();
        }
        // What it has no UID of, it does not remember.
        self.messages.retain(|known| known.uid.is_some());
        let command =
            format!("SELECT {} (QRESYNC ({} {}))", self.mailbox, self.uid_validity, self.mod_seq);
        let answer = self.imap.ok(&command);
        // Behind that, the end of the command tells what has happened meanwhile.
        let is_news = |r: &String| {
            r.ends_with(" EXISTS") || r.starts_with("* VANISHED ") && !r.contains("(EARLIER)")
        };
        let first = answer.iter().position(|r| r.ends_with(" EXISTS")).unwrap();
        let news = answer.iter().skip(first + 1).position(is_news);
        let (answer, news) = answer.split_at(news.map_or(answer.len(), |at| first + 1 + at));
        for response in answer {
            if let Some(set) = response.strip_prefix("* VANISHED (EARLIER) ") {
                let gone = uids_of(set);
                self.messages.retain(|known| !gone.contains(&known.uid.unwrap()));
            } else if response.contains(" FETCH (") {
                let uid = number_after(response, "UID ").map(|uid| uid as u32);
                let flags = Some(flags_of(response));
                match self.messages.iter_mut().find(|known| known.uid == uid) {
                    Some(known) => known.flags = flags,
                    None => self.messages.push(Known { uid, flags }),
                }
            }
        }
        self.messages.sort_by_key(|known| known.uid);
        let exists = answer[first].strip_suffix(" EXISTS").and_then(|r| r.strip_prefix("* "));
        assert_eq!(self.messages.len(), exists.unwrap().parse::<usize>().unwrap(), "{answer:?}");
        self.mod_seq = answer.iter().find_map(|r| number_after(r, "[HIGHESTMODSEQ ")).unwrap();
        self.hear(news, true, "SELECT");
        self.complete();
    }

    /// Believes what it is told.
    fn hear(&mut self, answer: &[String], may_expunge: bool, command: &str) {
        for response in answer {
            let who = || format!("client {} after {command}: {response}", self.number);
            if let Some(mod_seq) = number_after(response, "[HIGHESTMODSEQ ") {
                self.mod_seq = mod_seq;
            }
            let Some(rest) = response.strip_prefix("* ") else { continue };
            let (first, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            if first == "VANISHED" {
                assert!(may_expunge && self.kind == Kind::Qresync, "{}", who());
                let gone = uids_of(rest);
                let before = self.messages.len();
                self.messages.retain(|m| m.uid.is_none_or(|uid| !gone.contains(&uid)));
                // All that vanish from the messages it has no UID of are its trouble: it asks for
                // UIDs of new messages at once, so there are none.
                assert_eq!(before - self.messages.len(), gone.len(), "{}", who());
                continue;
            }
            let Ok(number) = first.parse::<usize>() else { continue };
            if rest == "EXISTS" {
                assert!(number >= self.messages.len(), "{}", who());
                self.messages.resize(number, Known::default());
            } else if rest == "EXPUNGE" {
                assert!(may_expunge && self.kind != Kind::Qresync, "{}", who());
                assert!(number <= self.messages.len(), "{}", who());
                self.messages.remove(number - 1);
            } else if rest.starts_with("FETCH") {
                assert!(number <= self.messages.len(), "{}", who());
                let known = &mut self.messages[number - 1];
                if let Some(uid) = number_after(rest, "UID ").map(|uid| uid as u32) {
                    assert!(known.uid.is_none_or(|known| known == uid), "{known:?} {}", who());
                    known.uid = Some(uid);
                }
                if rest.contains("FLAGS (") {
                    known.flags = Some(flags_of(rest));
                }
                if let Some(mod_seq) = number_after(rest, "MODSEQ (") {
                    self.mod_seq = self.mod_seq.max(mod_seq);
                }
            }
        }
    }

    /// Runs a command that may be refused, and never is BAD.
    fn run(&mut self, command: &str) -> Vec<String> {
        let answer = self.imap.command(command).unwrap();
        let last = answer.last().unwrap();
        assert!([Some("OK"), Some("NO")].contains(&last.split(' ').nth(1)), "{command}: {last}");
        // RFC 9051 §7.5.1
        let holds = ["FETCH", "STORE", "SEARCH"].contains(&command.split(' ').next().unwrap());
        self.hear(&answer, !holds, command);
        self.complete();
        answer
    }

    /// Asks for what it does not know of.
    fn complete(&mut self) {
        while let Some(first) =
            self.messages.iter().position(|m| m.uid.is_none() || m.flags.is_none())
        {
            let command = format!("FETCH {}:* (UID FLAGS)", first + 1);
            let answer = self.imap.ok(&command);
            self.hear(&answer, false, &command);
        }
    }

    fn numbers(&mut self) -> (usize, usize) {
        let (a, b) = (self.random.below(self.messages.len()), self.random.below(3));
        (a + 1, (a + 1 + b).min(self.messages.len()))
    }

    fn append(&mut self) {
        self.sent += 1;
        let (number, sent) = (self.number, self.sent);
        let text = format!(
            "X-Id: {number}.{sent}\r\nSubject: stress\r\n\r\n{}",
            "text\r\n".repeat(self.random.below(300))
        );
        let flag = self.random.one(&FLAGS);
        let mailbox = self.random.one(&MAILBOXES);
        self.run(&format!("APPEND {mailbox} ({flag}) {{{}+}}\r\n{text}", text.len()));
    }

    fn store(&mut self) {
        let (first, last) = self.numbers();
        let (uid, silent) = (self.random.below(2) == 0, self.random.below(2) == 0);
        let (sign, flag) = (self.random.one(&["+", "-", ""]), self.random.one(&FLAGS));
        let set = match uid {
            true => format!(
                "{}:{}",
                self.messages[first - 1].uid.unwrap(),
                self.messages[last - 1].uid.unwrap()
            ),
            false => format!("{first}:{last}"),
        };
        if silent {
            for known in &mut self.messages[first - 1..last] {
                let flags = known.flags.as_mut().unwrap();
                match sign {
                    "+" => drop(flags.insert(flag.to_owned())),
                    "-" => drop(flags.remove(flag)),
                    _ => *flags = Flags::from([flag.to_owned()]),
                }
            }
        }
        let (uid, silent) = (if uid { "UID " } else { "" }, if silent { ".SILENT" } else { "" });
        self.run(&format!("{uid}STORE {set} {sign}FLAGS{silent} ({flag})"));
    }

    fn transfer(&mut self) {
        let (first, last) = self.numbers();
        let uids = (self.messages[first - 1].uid.unwrap(), self.messages[last - 1].uid.unwrap());
        let to = self.random.one(&MAILBOXES);
        let command = match self.random.below(4) {
            0 => format!("COPY {first}:{last} {to}"),
            1 => format!("UID COPY {}:{} {to}", uids.0, uids.1),
            2 => format!("MOVE {first}:{last} {to}"),
            _ => format!("UID MOVE {}:{} {to}", uids.0, uids.1),
        };
        self.run(&command);
    }

    fn expunge(&mut self) {
        let (first, last) = self.numbers();
        let uids = (self.messages[first - 1].uid.unwrap(), self.messages[last - 1].uid.unwrap());
        if self.random.below(2) == 0 {
            // Believed at once: what others do to the flags then is told in the answer.
            for known in &mut self.messages[first - 1..last] {
                known.flags.as_mut().unwrap().insert("\\Deleted".to_owned());
            }
            self.run(&format!("STORE {first}:{last} +FLAGS.SILENT (\\Deleted)"));
        }
        match self.random.below(2) {
            0 => self.run("EXPUNGE"),
            _ => self.run(&format!("UID EXPUNGE {}:{}", uids.0, uids.1)),
        };
    }

    fn fetch(&mut self) {
        let (first, last) = self.numbers();
        match self.random.below(5) {
            0 => {
                drop(self.run(&format!(
                    "FETCH {first}:{last} (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Id)])"
                )))
            }
            1 => drop(self.run(&format!("FETCH {first} (UID BODY[])"))),
            2 => drop(self.run(&format!(
                "UID FETCH {}:* (FLAGS ENVELOPE)",
                self.messages[last - 1].uid.unwrap()
            ))),
            3 => {
                let exists = self.messages.len();
                let found = self.imap.ok("SEARCH NOT DELETED");
                self.hear(&found, false, "SEARCH");
                let numbers = found.iter().find_map(|r| r.strip_prefix("* SEARCH")).unwrap_or("");
                let mut numbers = numbers.split_whitespace().filter_map(|n| n.parse().ok());
                assert!(numbers.all(|n: usize| n <= exists), "{exists}: {found:?}");
                self.complete();
            }
            _ => {
                self.run("IDLE\r\nDONE");
            }
        }
    }

    fn step(&mut self) {
        let choice = self.random.below(30);
        match choice {
            0..8 => self.append(),
            _ if self.messages.is_empty() => self.append(),
            8..14 => self.store(),
            14..18 => self.transfer(),
            18..20 => self.expunge(),
            20..27 => self.fetch(),
            27 => self.resume(),
            28 => {
                self.run("CLOSE");
                self.select();
            }
            _ => drop(self.run("NOOP")),
        }
    }

    /// What a fresh client sees.
    fn truth(server: &Server, user: &str, mailbox: &str) -> Vec<Known> {
        let mut imap = server.session(user);
        imap.ok(&format!("EXAMINE {mailbox}"));
        let answer = imap.command("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Id)])").unwrap();
        let responses = answer.iter().filter(|r| r.contains(" FETCH ("));
        responses
            .map(|response| {
                assert!(response.contains("X-Id: "), "a message is not whole: {response}");
                Known {
                    uid: number_after(response, "UID ").map(|uid| uid as u32),
                    flags: Some(flags_of(response)),
                }
            })
            .collect()
    }

    fn must_agree(&mut self, server: &Server) {
        self.run("NOOP");
        let truth = Self::truth(server, self.user, self.mailbox);
        assert_eq!(self.messages, truth, "client {} {:?}", self.number, self.kind);
    }
}

/// A client in IDLE hears of all by itself, until a message has the keyword.
fn idle(mut client: Client, keyword: &'static str) -> Client {
    client.imap.send(b"i IDLE\r\n").unwrap();
    loop {
        let response = client.imap.response().unwrap();
        let done = response.contains(" FETCH (") && response.contains(keyword);
        client.hear(&[response], true, "IDLE");
        if done {
            client.imap.send(b"DONE\r\n").unwrap();
            loop {
                let rest = client.imap.response().unwrap();
                if rest.starts_with("i OK") {
                    break;
                }
                client.hear(&[rest], true, "DONE");
            }
            client.complete();
            return client;
        }
    }
}

/// All clients at work, and one more for each account that only listens.
fn work(server: &Server, clients: Vec<Client>, steps: u64, keyword: &'static str) -> Vec<Client> {
    let idlers: Vec<_> = (0..2)
        .map(|number| {
            let idler = Client::open(server, number, 0);
            thread::spawn(move || idle(idler, keyword))
        })
        .collect();
    let workers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            thread::spawn(move || {
                (0..steps).for_each(|_| client.step());
                client
            })
        })
        .collect();
    let mut clients: Vec<Client> =
        workers.into_iter().map(|worker| worker.join().unwrap()).collect();
    for (nth, idler) in idlers.into_iter().enumerate() {
        let mut last = server.session(ACCOUNTS[nth]);
        last.append("INBOX", b"X-Id: last\r\n\r\n").unwrap();
        last.ok("SELECT INBOX");
        // A message that the idler hears of for the first time is told without its flags.
        while !idler.is_finished() {
            last.ok(&format!("STORE * +FLAGS ({keyword})"));
            last.ok(&format!("STORE * -FLAGS ({keyword})"));
        }
        idler.join().unwrap().must_agree(server);
    }
    clients.iter_mut().for_each(|client| client.must_agree(server));
    clients
}

#[test]
fn all_clients_agree() {
    let (steps, seed) = (setting("MARTLET_STRESS_STEPS", 60), setting("MARTLET_STRESS_SEED", 1));
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let server = Server::start(&data);
    for account in ACCOUNTS {
        add_account(&data, account);
        server.session(account).ok("CREATE Other");
    }
    let clients = (0..8).map(|number| Client::open(&server, number, seed)).collect();
    let mut clients = work(&server, clients, steps, "$first");
    let before: Vec<Vec<Known>> = clients.iter().map(|client| client.messages.clone()).collect();
    server.kill();
    let server = Server::start(&data);
    for (client, before) in clients.iter_mut().zip(before) {
        client.address = server.address("imap");
        client.resume();
        assert_eq!(client.messages, before, "client {} after the kill", client.number);
    }
    drop(work(&server, clients, steps, "$second"));
    assert!(server.stop().success());
    cli_ok(&data, &["doctor"], "");
}
