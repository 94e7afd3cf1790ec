//! THREAD: which messages match, as conversations.
//!
//! RFC 5256 §3; the response: §4. It is written from a flat tree: a chain of replies may be as long
//! as the mailbox, and nothing may recurse over it.

use account::memo::{Answer, Messages, Question};
use base::UidSet;
use bytes::Bytes;
use mailbox::Row;
use mailbox::thread::{self, Algorithm, ThreadTree};
use wire::command::Thread;
use wire::value::{Numbering, ThreadAlgorithm};

use super::search::keys::{self, KEPT_MIN};
use super::search::numbers::Numbers;
use super::search::{self};
use crate::context::{Reading, Selected};
use crate::error::{Done, No};
use crate::progress::Progress;

/// What an answer begins with, once it is worked out: progress is told between responses only.
const THREAD: &[u8] = b"* THREAD ";
/// Messages that are written between two looks at how much waits for the client.
const AT_ONCE: usize = 1024;

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Thread) -> Result<Done, No> {
    search::begin(cx, &args.key);
    let found = search::find_or_forget(cx, &args.key, None).await?;
    let algorithm = match args.algorithm {
        ThreadAlgorithm::OrderedSubject => Algorithm::OrderedSubject,
        ThreadAlgorithm::References => Algorithm::References,
    };
    match found.is_empty() {
        true => cx.out.tail().extend_from_slice(b"* THREAD"),
        false => answer(cx, args.numbering, &found, algorithm).await?,
    }
    cx.out.tail().extend_from_slice(b"\r\n");
    Ok(Done::new("THREAD completed"))
}

/// The threads. Those of a whole mailbox are kept as they are written.
async fn answer(
    cx: &mut Selected<'_>,
    numbering: Numbering,
    found: &UidSet,
    algorithm: Algorithm,
) -> Result<(), No> {
    let messages = Messages::of(cx.mailbox.view.mailbox());
    let is_whole = search::is_whole(cx, found) && found.len() >= KEPT_MIN;
    let question = Question::Thread(algorithm, numbering == Numbering::Uid);
    let key = ((cx.live.id(), cx.mailbox.id), question);
    let answers = &cx.shared.accounts.memo().answers;
    if is_whole && let Some(kept) = answers.get(&key).filter(|kept| kept.messages == messages) {
        return put(cx, kept.text).await;
    }
    let tree = {
        let (reading, mut progress) = cx.long_work();
        progress.aim(found.len());
        thread(&reading, &mut progress, found, algorithm).await?
    };
    let numbers = Numbers::new(cx.mailbox, numbering, found);
    let mut writer = Writer::new(&tree, &numbers);
    // A number has up to ten digits; a space or two parentheses.
    if is_whole && 12 * tree.nodes.len() <= answers.value_bytes_max() {
        let mut text = Vec::new();
        while writer.step(&mut text) {}
        text.shrink_to_fit();
        let kept = Answer { messages, text: text.into() };
        answers.put(key, kept.clone(), kept.text.len());
        return put(cx, kept.text).await;
    }
    cx.out.tail().extend_from_slice(THREAD);
    loop {
        let tail = cx.out.tail();
        if (0..AT_ONCE).any(|_| !writer.step(tail)) {
            return Ok(());
        }
        cx.out.flow().await?;
    }
}

/// An answer as it was written.
async fn put(cx: &mut Selected<'_>, text: Bytes) -> Result<(), No> {
    cx.out.tail().extend_from_slice(THREAD);
    cx.out.bytes(text);
    Ok(cx.out.flow().await?)
}

/// The threads, numbered by UID.
async fn thread(
    cx: &Reading<'_>,
    progress: &mut Progress<'_>,
    found: &UidSet,
    algorithm: Algorithm,
) -> Result<ThreadTree, No> {
    let mailbox = cx.mailbox.view.mailbox();
    let found = found.intersection(&mailbox.uids());
    let columns = keys::columns(cx, progress, &found, algorithm.kinds()).await?;
    let rows = || -> Box<dyn Iterator<Item = Row>> { Box::new(mailbox.rows_in(&found)) };
    Ok(thread::thread(algorithm, (&found, &rows), &columns))
}

/// Writes thread-lists (RFC 5256 §5): `(2)(3 6 (4 23)(44 7 96))`, a hidden parent as `((1)(2))`.
struct Writer<'a> {
    tree: &'a ThreadTree,
    /// What messages are answered as.
    numbers: &'a Numbers,
    counts: Vec<u32>,
    next: usize,
    /// For each node above the next one: whether a parenthesis was opened for it.
    open: Vec<bool>,
    /// Whether each of them has several children, which get parentheses.
    splits: Vec<bool>,
    after_number: bool,
}

impl<'a> Writer<'a> {
    fn new(tree: &'a ThreadTree, numbers: &'a Numbers) -> Self {
        Self {
            tree,
            numbers,
            counts: tree.child_counts(),
            next: 0,
            open: Vec::new(),
            splits: Vec::new(),
            after_number: false,
        }
    }

    /// Writes one more node; false at the end.
    fn step(&mut self, out: &mut Vec<u8>) -> bool {
        let node = self.tree.nodes.get(self.next);
        let depth = node.map_or(0, |node| node.depth as usize);
        while self.open.len() > depth {
            self.splits.pop();
            if self.open.pop() == Some(true) {
                out.push(b')');
                self.after_number = false;
            }
        }
        let Some(node) = node else { return false };
        let parent_splits = self.splits.last().copied().unwrap_or(true);
        if parent_splits {
            // `3 (4)(5)`: a space between a message and the first of several children.
            if self.after_number {
                out.push(b' ');
            }
            out.push(b'(');
        } else {
            out.push(b' ');
        }
        if let Some(number) = node.number.and_then(|uid| self.numbers.get(uid)) {
            wire::response::fetch::number(out, number);
        }
        self.after_number = node.number.is_some();
        self.open.push(parent_splits);
        self.splits.push(self.counts.get(self.next).is_some_and(|&count| count > 1));
        self.next += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailbox::thread::Node;

    /// `1 >2 >>3 -`: depth by `>`, `-` for a hidden parent.
    fn write(tree: &str) -> String {
        let node = |text: &str| Node {
            depth: text.matches('>').count() as u32,
            number: text.trim_start_matches('>').parse().ok(),
        };
        let tree = ThreadTree { nodes: tree.split_whitespace().map(node).collect() };
        let numbers = Numbers::Runs(vec![(1, 100, 1)]);
        let (mut writer, mut out) = (Writer::new(&tree, &numbers), Vec::new());
        let mut text = String::new();
        // The output may be taken away between any two steps.
        while writer.step(&mut out) {
            text.push_str(std::str::from_utf8(&out).unwrap());
            out.clear();
        }
        text + std::str::from_utf8(&out).unwrap()
    }

    #[test]
    fn writes_what_rfc_5256_shows() {
        for (tree, text) in [
            ("", ""),
            ("2", "(2)"),
            ("2 3 >6 >>4 >>>23 >>44 >>>7 >>>>96", "(2)(3 6 (4 23)(44 7 96))"),
            ("- >3 >5", "((3)(5))"),
            ("- >3 >>4 >5 9", "((3 4)(5))(9)"),
            ("1 >2 >3 >>4 >>5", "(1 (2)(3 (4)(5)))"),
        ] {
            assert_eq!(write(tree), text, "{tree}");
        }
    }
}
