//! SEARCH, SORT, THREAD. Every number found is compared: with what the messages are known to hold,
//! and with what the other servers found.

use std::time::Duration;

use super::{Outcome, Scale, expect, flags, open, writes};
use crate::facts::{Facts, RETURN_PATH, SENDER, TOPIC};
use crate::imap::{Answer, Failure, Imap};
use crate::mail::{ABSENT_WORD, FREQUENT_WORD, RARE_WORD, Sizes, message};
use crate::servers::{Kind, NO_INDEX, PASSWORD, Server};
use crate::watch::{Measure, Watch};

/// After a start martlet waits for five seconds; then it looks at all accounts, for longer than
/// deliveries are measured.
const INDEX_BEGINS: Duration = Duration::from_secs(6);

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    Unseen,
    From,
    Subject,
    /// A field that no column and no list of messages has.
    ReturnPath,
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
            Self::ReturnPath => format!("HEADER RETURN-PATH \"{RETURN_PATH}\""),
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
            Self::ReturnPath => facts.return_path,
            Self::Text(_, Word::Rare) => facts.rare,
            Self::Text(_, Word::Frequent) => facts.frequent,
            Self::Text(_, Word::Absent) => 0,
        }
    }
}

pub(super) fn search(server: &mut Server, scale: Scale, key: Key) -> Outcome {
    let mut imap = open(server)?;
    if matches!(key, Key::Unseen) {
        flags::leave_unseen(&mut imap)?;
    }
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
    server.restart_with(NO_INDEX)?;
    let outcome = search(server, scale, key);
    server.restart()?;
    outcome
}

/// Builds the index of all accounts, which takes longer than any one of them.
pub(super) fn index(server: &mut Server, scale: Scale) -> Outcome {
    server.restart()?;
    let watch = Watch::start(server);
    let count = server.index()?;
    let spent = watch.stop();
    if count < scale.messages {
        return Err(format!("{count} messages indexed of {}", scale.messages));
    }
    Ok(vec![spent.rate(count)])
}

/// LMTP of eight clients in the meantime. Only martlet has an index, which it begins anew.
pub(super) fn deliveries_while_indexed(server: &mut Server, scale: Scale) -> Outcome {
    if server.kind == Kind::Martlet {
        server.restart_without_index()?;
        std::thread::sleep(INDEX_BEGINS);
    }
    let outcome = writes::deliveries(server, scale.writes, 8);
    if server.kind == Kind::Martlet {
        // What is left of it to be built is in nobody's way.
        server.restart_with(NO_INDEX)?;
    }
    outcome
}

/// All messages in an order.
pub(super) const SORT_DATE: &str = "SORT (DATE) UTF-8 ALL";
/// The same in another one.
pub(super) const SORT_SUBJECT: &str = "SORT (SUBJECT) UTF-8 ALL";
/// The same as conversations.
pub(super) const THREAD: &str = "THREAD REFERENCES UTF-8 ALL";

/// One of the three.
pub(super) fn ordered(server: &mut Server, scale: Scale, command: &str) -> Outcome {
    let mut imap = open(server)?;
    measured(server, &mut imap, command, scale.messages)
}

/// The same, asked again by a session whose mailbox got one message in the meantime: what was kept of
/// the answer is not the answer.
pub(super) fn ordered_after_one_more(server: &mut Server, scale: Scale, command: &str) -> Outcome {
    let mut imap = open(server)?;
    imap.ok(command)?;
    let one = message(scale.messages, Sizes::Small);
    Imap::login(&server.imap, "user0", PASSWORD)?.append("big", &[one])?;
    imap.ok("NOOP")?;
    let count = scale.messages + 1;
    let outcome = measured(server, &mut imap, command, count)?;
    imap.ok(&format!("STORE {count} +FLAGS.SILENT (\\Deleted)"))?;
    expect("EXPUNGE responses", imap.ok("EXPUNGE")?.expunged, 1)?;
    Ok(outcome)
}

fn measured(server: &Server, imap: &mut Imap, command: &str, messages: usize) -> Outcome {
    let watch = Watch::start(server);
    let answer = imap.ok(command)?;
    let measure: Measure = watch.stop().millis();
    each_once(command, &answer, messages)?;
    // Servers print the spaces between threads differently.
    let bytes = answer.listed.iter().filter(|byte| command != THREAD || **byte != b' ');
    Ok(vec![measure.answered(hash(bytes.map(|&byte| u64::from(byte))))])
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
