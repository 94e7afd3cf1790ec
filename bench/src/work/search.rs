//! SEARCH, SORT, THREAD. Every number found is compared: with what the messages are known to hold,
//! and with what the other servers found.

use super::{Outcome, Scale, expect, flags, open};
use crate::facts::{Facts, SENDER, TOPIC};
use crate::imap::{Answer, Failure};
use crate::mail::{ABSENT_WORD, FREQUENT_WORD, RARE_WORD};
use crate::servers::{Kind, Server};
use crate::watch::{Measure, Watch};

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    Unseen,
    From,
    Subject,
    /// The key, `BODY` or `TEXT`, and a word.
    Text(&'static str, Word),
}

/// How often a word occurs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    Rare,
    Frequent,
    Absent,
}

impl Key {
    fn text(self) -> String {
        match self {
            Self::Unseen => "UNSEEN".to_owned(),
            Self::From => format!("FROM \"{SENDER}\""),
            Self::Subject => format!("SUBJECT \"{TOPIC}\""),
            Self::Text(key, Word::Rare) => format!("{key} \"{RARE_WORD}\""),
            Self::Text(key, Word::Frequent) => format!("{key} \"{FREQUENT_WORD}\""),
            Self::Text(key, Word::Absent) => format!("{key} \"{ABSENT_WORD}\""),
        }
    }

    fn right(self, facts: &Facts) -> u64 {
        match self {
            Self::Unseen => flags::UNSEEN as u64,
            Self::From => facts.from,
            Self::Subject => facts.subject,
            Self::Text(_, Word::Rare) => facts.rare,
            Self::Text(_, Word::Frequent) => facts.frequent,
            Self::Text(_, Word::Absent) => 0,
        }
    }
}

pub(super) fn search(server: &mut Server, scale: Scale, key: Key) -> Outcome {
    let mut imap = open(server)?;
    let command = format!("SEARCH {}", key.text());
    let watch = Watch::start(server);
    let answer = imap.ok(&command)?;
    let measure = watch.stop().millis();
    let numbers: Vec<u64> = answer.numbers().collect();
    expect(&command, numbers.len() as u64, key.right(Facts::of(scale.messages)))?;
    if !numbers.is_sorted_by(|one, next| one < next) {
        return Err(format!("{command}: numbers do not ascend"));
    }
    Ok(vec![measure.answered(hash(numbers.into_iter()))])
}

/// Of a server without an index.
pub(super) fn search_unindexed(server: &mut Server, scale: Scale, key: Key) -> Outcome {
    if server.kind != Kind::Martlet {
        return search(server, scale, key);
    }
    server.restart_with("[search]\nindex = false\n")?;
    let outcome = search(server, scale, key);
    server.restart()?;
    outcome
}

/// Builds the index of all accounts, which takes longer than any one of them.
pub(super) fn index(server: &mut Server, scale: Scale) -> Outcome {
    let watch = Watch::start(server);
    let count = server.index()?;
    let spent = watch.stop();
    if count < scale.messages {
        return Err(format!("{count} messages indexed of {}", scale.messages));
    }
    Ok(vec![spent.rate(count)])
}

pub(super) fn sort(server: &mut Server, scale: Scale, criterion: &str) -> Outcome {
    ordered(server, scale, &format!("SORT ({criterion}) UTF-8 ALL"), |answer| {
        hash(answer.numbers())
    })
}

pub(super) fn thread(server: &mut Server, scale: Scale) -> Outcome {
    ordered(server, scale, "THREAD REFERENCES UTF-8 ALL", |answer| {
        let bytes = answer.listed.iter().filter(|byte| **byte != b' ');
        hash(bytes.map(|&byte| u64::from(byte)))
    })
}

fn ordered(server: &Server, scale: Scale, command: &str, hash: impl Fn(&Answer) -> u64) -> Outcome {
    let mut imap = open(server)?;
    let watch = Watch::start(server);
    let answer = imap.ok(command)?;
    let measure: Measure = watch.stop().millis();
    each_once(command, &answer, scale.messages)?;
    Ok(vec![measure.answered(hash(&answer))])
}

fn each_once(command: &str, answer: &Answer, messages: usize) -> Result<(), Failure> {
    let mut numbers: Vec<u64> = answer.numbers().collect();
    numbers.sort_unstable();
    match numbers.iter().copied().eq(1..=messages as u64) {
        true => Ok(()),
        false => Err(format!("{command}: not every message once")),
    }
}

/// FNV-1a, over whole numbers.
fn hash(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0xcbf2_9ce4_8422_2325, |sum, number| (sum ^ number).wrapping_mul(0x0100_0000_01b3))
}
