//! A client that believes only what it was told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use testkit::Peer;

/// What a client may conclude by itself.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Nothing,
    /// A silent STORE worked on these.
    Stored {
        seqs: Vec<usize>,
        mode: char,
        flags: BTreeSet<String>,
    },
}

/// What it believes of one message.
#[derive(Clone, Debug, Default)]
struct Known {
    uid: Option<u32>,
    flags: Option<BTreeSet<String>>,
}

pub(crate) struct Client {
    peer: Peer,
    input: Vec<u8>,
    messages: Vec<Known>,
    waiting: VecDeque<String>,
    results: VecDeque<bool>,
    found: Vec<u32>,
    tags: usize,
    log: String,
}

/// Flags of a parenthesized list, without `\Recent`.
pub(crate) fn flags_of(list: &str) -> BTreeSet<String> {
    let words = list.trim_matches(|c| c == '(' || c == ')').split_whitespace();
    words.filter(|word| *word != "\\Recent").map(str::to_owned).collect()
}

impl Client {
    pub(crate) fn new(peer: Peer) -> Self {
        Self {
            peer,
            input: Vec::new(),
            messages: Vec::new(),
            waiting: VecDeque::new(),
            results: VecDeque::new(),
            found: Vec::new(),
            tags: 0,
            log: String::new(),
        }
    }

    pub(crate) fn log(&self) -> &str {
        &self.log
    }

    pub(crate) fn send(&mut self, command: &str, effect: Effect) {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        self.log += &format!("C: {tag} {command}\n");
        self.peer.send(format!("{tag} {command}\r\n").as_bytes());
        // Before the answer: what it says of the same messages is newer.
        self.conclude(effect);
        self.waiting.push_back(tag);
    }

    /// How the last command ended.
    pub(crate) fn result(&mut self) -> bool {
        self.results.pop_front().unwrap_or_else(|| panic!("no answer\n{}", self.log))
    }

    /// Takes in what the server said.
    pub(crate) fn receive(&mut self) {
        self.results.clear();
        self.input.extend_from_slice(&self.peer.receive());
        while let Some(line) = self.response() {
            self.log += &format!("S: {line}\n");
            self.understand(&line);
        }
    }

    /// One response, literals included.
    fn response(&mut self) -> Option<String> {
        let end = self.input.windows(2).position(|pair| pair == b"\r\n")?;
        let line: Vec<u8> = self.input.drain(..end + 2).collect();
        String::from_utf8(line[..end].to_vec()).ok()
    }

    fn understand(&mut self, line: &str) {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["*", number, "EXISTS"] => {
                let count: usize = number.parse().expect("a number");
                assert!(count >= self.messages.len(), "EXISTS shrinks\n{}", self.log);
                self.messages.resize(count, Known::default());
            }
            ["*", number, "EXPUNGE"] => {
                let hold = self.waiting.front().is_some_and(|_| self.holds());
                assert!(!hold, "EXPUNGE while numbers are in use\n{}", self.log);
                self.messages.remove(number.parse::<usize>().expect("a number") - 1);
            }
            ["*", "VANISHED", uids] => {
                assert!(!self.holds(), "VANISHED while numbers are in use\n{}", self.log);
                // What has a UID that was never heard is one of those whose UIDs are unknown.
                for gone in numbers(uids) {
                    let of = |uid| move |m: &Known| m.uid == uid;
                    let at = self.messages.iter().position(of(Some(gone)));
                    let at = at.or_else(|| self.messages.iter().rposition(of(None)));
                    self.messages.remove(at.unwrap_or_else(|| panic!("{line}\n{}", self.log)));
                }
            }
            ["*", number, "FETCH", items] => self.fetched(number.parse().expect("a number"), items),
            ["*", "SEARCH", ..] => {
                self.found =
                    line.split(' ').skip(2).map(|n| n.parse().expect("a number")).collect();
            }
            ["*", "ESEARCH", ..] => {
                let all = line.split_once(" ALL ").map(|(_, set)| numbers(set));
                self.found = all.unwrap_or_default().into_iter().collect();
            }
            ["*", ..] => {}
            [tag, condition, ..] => {
                let expected =
                    self.waiting.pop_front().unwrap_or_else(|| panic!("{line}\n{}", self.log));
                assert_eq!(tag, expected, "{}", self.log);
                assert_ne!(condition, "BAD", "{}", self.log);
                self.results.push_back(condition == "OK");
            }
            _ => panic!("{line}"),
        }
    }

    /// Whether the command that runs must not see numbers move (RFC 9051 §7.5.1).
    fn holds(&self) -> bool {
        let Some(tag) = self.waiting.front() else { return false };
        let start = format!("C: {tag} ");
        let line = self.log.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default();
        ["FETCH", "STORE", "SEARCH"].iter().any(|verb| line.starts_with(verb))
    }

    fn fetched(&mut self, seq: usize, items: &str) {
        let known = self.messages.get_mut(seq - 1).unwrap_or_else(|| panic!("no {seq}"));
        if let Some((_, rest)) = items.split_once("UID ") {
            let uid: u32 =
                rest.split([' ', ')']).next().unwrap_or_default().parse().expect("a number");
            assert!(known.uid.is_none_or(|known| known == uid), "another UID\n{}", self.log);
            known.uid = Some(uid);
        }
        if let Some((_, rest)) = items.split_once("FLAGS (") {
            known.flags = Some(flags_of(rest.split(')').next().unwrap_or_default()));
        }
    }

    fn conclude(&mut self, effect: Effect) {
        let Effect::Stored { seqs, mode, flags: stored } = effect else { return };
        for seq in seqs {
            let flags = self.messages.get_mut(seq).and_then(|known| known.flags.as_mut());
            let Some(flags) = flags else { continue };
            match mode {
                '+' => flags.extend(stored.iter().cloned()),
                '-' => flags.retain(|flag| !stored.contains(flag)),
                _ => flags.clone_from(&stored),
            }
        }
    }

    /// What to ask to know all of what exists.
    pub(crate) fn curiosity(&self) -> Option<String> {
        let unknown = |m: &Known| m.uid.is_none() || m.flags.is_none();
        let first = self.messages.iter().position(unknown)?;
        Some(format!("FETCH {}:* (UID FLAGS)", first + 1))
    }

    /// Positions that `choices` choose.
    fn chosen(&self, choices: &[u8]) -> Vec<usize> {
        let count = self.messages.len().max(1);
        let all = choices.iter().map(|&choice| usize::from(choice) % count);
        all.filter(|&at| at < self.messages.len()).collect()
    }

    /// A set, and the positions in it.
    pub(crate) fn set(&self, uid: bool, choices: &[u8]) -> Option<(String, Vec<usize>)> {
        let chosen = self.chosen(choices);
        let number = |&at: &usize| match uid {
            true => self.messages[at].uid.map(|uid| uid.to_string()),
            false => Some((at + 1).to_string()),
        };
        let set: Option<Vec<String>> = chosen.iter().map(number).collect();
        let set = set?.join(",");
        (!set.is_empty()).then_some((set, chosen))
    }

    /// The UIDs in a set.
    pub(crate) fn uids(&self, _: bool, choices: &[u8]) -> BTreeSet<u32> {
        self.chosen(choices).into_iter().filter_map(|at| self.messages[at].uid).collect()
    }

    pub(crate) fn all_uids(&self) -> BTreeSet<u32> {
        self.messages.iter().filter_map(|m| m.uid).collect()
    }

    /// The UIDs of the last search's result.
    pub(crate) fn searched(&self, uid: bool) -> BTreeSet<u32> {
        let number = |&n: &u32| match uid {
            true => Some(n),
            false => self.messages.get(n as usize - 1).and_then(|m| m.uid),
        };
        self.found.iter().filter_map(number).collect()
    }

    pub(crate) fn believed(&self) -> Vec<(u32, BTreeSet<String>)> {
        let all: BTreeMap<u32, BTreeSet<String>> = self
            .messages
            .iter()
            .map(|m| (m.uid.unwrap_or(0), m.flags.clone().unwrap_or_default()))
            .collect();
        assert_eq!(all.len(), self.messages.len(), "{}", self.log);
        all.into_iter().collect()
    }
}

fn numbers(set: &str) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    for range in set.split(' ').next().unwrap_or_default().split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        all.extend(
            first.parse::<u32>().expect("a number")..=last.parse::<u32>().expect("a number"),
        );
    }
    all
}
