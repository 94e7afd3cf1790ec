//! THREAD: conversations among the messages that a search found (RFC 5256 §3).
//!
//! Nothing here recurses: a chain of replies may be as long as the mailbox.

mod references;

use base::UidSet;

use crate::keys::{Columns, Kind, Rows, SortKey, Values, lookup};
use references::References;

/// How messages are threaded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// ORDEREDSUBJECT
    OrderedSubject,
    /// REFERENCES
    References,
}

/// A message in its thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node {
    /// 0 for the first message of a thread, 1 for its replies, and so on.
    pub depth: u32,
    /// The number the message is answered with; `None` for a parent that is not there. Such a one
    /// is at depth 0 and has at least two children.
    pub number: Option<u32>,
}

/// All threads, each message before its replies.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ThreadTree {
    /// The messages in the order they are answered.
    pub nodes: Vec<Node>,
}

impl ThreadTree {
    /// How many replies each node has, in the order of the nodes.
    pub fn child_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.nodes.len()];
        let mut path: Vec<usize> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            path.truncate(node.depth as usize);
            if let Some(&parent) = path.last() {
                counts[parent] += 1;
            }
            path.push(at);
        }
        counts
    }
}

impl Algorithm {
    /// The columns it needs.
    pub fn kinds(self) -> &'static [Kind] {
        const ALL: [Kind; 3] = [Kind::Sent, Kind::Text(SortKey::Subject), Kind::Links];
        match self {
            Self::OrderedSubject => &ALL[..2],
            Self::References => &ALL,
        }
    }
}

/// Threads of messages. `rows` are those of `uids`, which `columns` have the keys of; messages are
/// numbered by UID.
pub fn thread(
    algorithm: Algorithm,
    (uids, rows): (&UidSet, Rows<'_>),
    columns: &Columns,
) -> ThreadTree {
    let sent = columns.sent(uids, rows);
    let subjects = columns.ranks(SortKey::Subject, uids);
    let messages = uids.iter().zip(sent).zip(subjects);
    let messages = messages.map(|((uid, sent), subject)| Sent { subject, sent, number: uid.get() });
    match (algorithm, columns.values(Kind::Links)) {
        (Algorithm::References, Some((of, Values::Links(links)))) => {
            let mut threads = References::new(links);
            messages.zip(lookup(of, uids)).for_each(|(message, (_, at))| threads.push(message, at));
            threads.finish()
        }
        _ => by_subject(messages.collect()),
    }
}

/// What messages are put together and ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sent {
    /// Equal for equal base subjects, 0 for the empty one.
    subject: u32,
    sent: i64,
    number: u32,
}

/// Messages of one base subject are one thread; all but its first are replies to the first.
fn by_subject(mut messages: Vec<Sent>) -> ThreadTree {
    messages.sort_unstable_by_key(|message| (message.subject, message.sent, message.number));
    let mut threads: Vec<&[Sent]> = messages.chunk_by(|a, b| a.subject == b.subject).collect();
    threads.sort_by_key(|thread| thread.first().map(|first| (first.sent, first.number)));
    let node = |(at, message): (usize, &Sent)| Node {
        depth: u32::from(at > 0),
        number: Some(message.number),
    };
    ThreadTree {
        nodes: threads.iter().flat_map(|thread| thread.iter().enumerate().map(node)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::columns;
    use base::Uid;
    use message::{Ids, KeysView};

    /// One message: id, references, subject (`Re: ` makes it a reply), sent second.
    type Mail<'a> = (&'a str, &'a str, &'a str, i64);

    fn thread(algorithm: Algorithm, mails: &[Mail<'_>]) -> String {
        let references: Vec<Vec<&str>> =
            mails.iter().map(|mail| mail.1.split_whitespace().collect()).collect();
        let mut keys = Vec::new();
        for (&(id, _, subject, sent), references) in mails.iter().zip(&references) {
            let reply = subject.strip_prefix("Re: ");
            let view = KeysView {
                sent: Some(sent),
                is_reply: reply.is_some(),
                message_id: Some(id).filter(|id| !id.is_empty()),
                ids: Ids::Plain(references),
                ..KeysView::default()
            };
            keys.push(view.with_text(SortKey::Subject, reply.unwrap_or(subject)));
        }
        show(&tree(algorithm, &keys))
    }

    /// Messages numbered from 1.
    fn tree(algorithm: Algorithm, keys: &[KeysView<'_>]) -> ThreadTree {
        let uid = |n: usize| Uid::new(n as u32 + 1).unwrap();
        let columns = columns((0..).map(uid).zip(keys.iter().copied()));
        let uids: UidSet = (0..keys.len()).map(uid).collect();
        super::thread(algorithm, (&uids, &|| Box::new(std::iter::empty())), &columns)
    }

    /// Depth by indentation is what the tree says: `1 >2 >>3 4`.
    fn show(tree: &ThreadTree) -> String {
        let one = |node: &Node| {
            let number = node.number.map_or("-".into(), |number| number.to_string());
            format!("{}{number}", ">".repeat(node.depth as usize))
        };
        tree.nodes.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ordered_subject() {
        let mails = [
            ("", "", "b", 5),
            ("", "", "a", 9),
            ("", "", "Re: b", 1),
            ("", "", "", 7),
            ("", "", "b", 5),
            ("", "", "Re: a", 2),
            ("", "", "", 7),
        ];
        assert_eq!(thread(Algorithm::OrderedSubject, &mails), "3 >1 >5 6 >2 4 >7");
        assert_eq!(thread(Algorithm::OrderedSubject, &[]), "");
    }

    #[test]
    fn references() {
        for (what, mails, tree) in [
            ("nothing", &[][..], ""),
            ("a chain", &[("a", "", "s", 1), ("b", "a", "s", 2), ("c", "a b", "s", 3)], "1 >2 >>3"),
            (
                "any order",
                &[("c", "a b", "s", 3), ("b", "a", "s", 2), ("a", "", "s", 1)],
                "3 >2 >>1",
            ),
            (
                "siblings by date",
                &[("a", "", "s", 1), ("b", "a", "s", 3), ("c", "a", "s", 2)],
                "1 >3 >2",
            ),
            ("missing parent, one child", &[("b", "a", "x", 1)], "1"),
            ("missing parent, two children", &[("b", "a", "x", 2), ("c", "a", "y", 1)], "- >2 >1"),
            (
                "missing in the middle",
                &[("a", "", "s", 1), ("c", "a b", "s", 2), ("d", "a b", "s", 3)],
                "1 >2 >3",
            ),
            ("missing twice", &[("c", "a b", "x", 2), ("d", "a b", "y", 3)], "- >1 >2"),
            (
                "same id: the first keeps it",
                &[("a", "", "x", 1), ("a", "", "y", 2), ("b", "a", "z", 3)],
                "1 >3 2",
            ),
            ("itself as reference", &[("a", "a", "x", 1)], "1"),
            ("a loop", &[("a", "b", "x", 1), ("b", "a", "y", 2)], "2 >1"),
            (
                "truncated references corrected",
                &[
                    ("c", "a", "x", 3),
                    ("d", "c", "y", 4),
                    ("a", "", "z", 1),
                    ("b", "a", "w", 2),
                    ("c2", "a b c", "v", 5),
                ],
                "3 >4 >1 >>2 >>5",
            ),
            (
                "same subject, reply under the original",
                &[("a", "", "s", 1), ("b", "", "Re: s", 2)],
                "1 >2",
            ),
            ("reply first", &[("b", "", "Re: s", 1), ("a", "", "s", 2)], "2 >1"),
            ("two originals", &[("a", "", "s", 1), ("b", "", "s", 2)], "- >1 >2"),
            ("two replies", &[("a", "", "Re: s", 2), ("b", "", "Re: s", 1)], "- >2 >1"),
            ("three", &[("a", "", "s", 1), ("b", "", "s", 2), ("c", "", "s", 3)], "- >1 >2 >3"),
            ("empty subjects stay apart", &[("a", "", "", 1), ("b", "", "", 2)], "1 2"),
            (
                "two missing parents of one subject",
                &[("b", "a", "s", 1), ("c", "a", "s", 2), ("e", "d", "s", 3), ("f", "d", "s", 4)],
                "- >1 >2 >3 >4",
            ),
            (
                "a message joins a missing parent",
                &[("b", "a", "s", 2), ("c", "a", "s", 3), ("e", "", "s", 1)],
                "- >3 >1 >2",
            ),
            ("no ids", &[("", "", "x", 2), ("", "", "y", 1)], "2 1"),
            (
                "missing parents sort by their first child",
                &[("z", "", "z", 5), ("b", "a", "x", 9), ("c", "a", "y", 4)],
                "- >3 >2 1",
            ),
        ] {
            assert_eq!(thread(Algorithm::References, mails), tree, "{what}");
        }
    }

    #[test]
    fn a_chain_as_long_as_a_large_mailbox() {
        const LENGTH: u32 = 100_000;
        // Evens before odds in time of arrival: every odd one joins two chains that exist.
        let order = (1..=LENGTH).filter(|n| n % 2 == 0).chain((1..=LENGTH).filter(|n| n % 2 == 1));
        let ids: Vec<String> = (0..=LENGTH).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let keys = |id: u32| KeysView {
            sent: Some(i64::from(id)),
            message_id: Some(ids[id as usize]),
            ids: Ids::Plain(if id > 1 { &ids[id as usize - 1..id as usize] } else { &[] }),
            ..KeysView::default()
        };
        let tree = tree(Algorithm::References, &order.map(keys).collect::<Vec<_>>());
        assert_eq!(tree.nodes.len(), LENGTH as usize);
        assert!(tree.nodes.iter().zip(0..).all(|(node, depth)| node.depth == depth));
        assert_eq!(tree.child_counts().iter().filter(|&&count| count == 1).count(), 99_999);
    }

    proptest::proptest! {
        /// Whatever the references say: every message once, and the shape the answer's grammar wants.
        #[test]
        fn any_references_give_a_tree(mails in proptest::collection::vec(
            ("[a-f]{0,1}", "([a-h] ){0,4}", "(Re: )?[st]{0,1}", 0i64..5), 0..14)) {
            for algorithm in [Algorithm::References, Algorithm::OrderedSubject] {
                let mails: Vec<Mail<'_>> =
                    mails.iter().map(|m| (&*m.0, &*m.1, &*m.2, m.3)).collect();
                let shown = thread(algorithm, &mails);
                let mut numbers: Vec<u32> =
                    shown.split(' ').filter_map(|n| n.trim_start_matches('>').parse().ok()).collect();
                numbers.sort_unstable();
                let all: Vec<u32> = (1..=mails.len() as u32).collect();
                proptest::prop_assert_eq!(numbers, all);
                let depths: Vec<usize> = shown.split(' ').map(|n| n.matches('>').count()).collect();
                proptest::prop_assert!(depths[0] == 0 && depths.windows(2).all(|d| d[1] <= d[0] + 1));
                // A hidden parent is a root with two children at least.
                for (at, node) in shown.split(' ').enumerate().filter(|(_, n)| n.ends_with('-')) {
                    let children = depths[at + 1..].iter().take_while(|&&d| d > 0).filter(|&&d| d == 1);
                    proptest::prop_assert!(node == "-" && children.count() >= 2);
                }
            }
        }
    }
}
