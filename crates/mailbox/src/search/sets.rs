//! A program asked of many messages at once, by sets: a key looks at one column of those messages
//! that are still open, and what is known as a set already is not looked at row by row.

use base::{SystemFlag, SystemFlags, Uid, UidSet};

use super::{Facts, Node, Plan, eval, has_flags};
use crate::chunk::Chunk;
use crate::{Mailbox, View};

/// Keys times messages that are looked at before others may run: about a millisecond.
const WORK: usize = 256 * 1024;
/// Messages that are not seen of which all chunks are looked at in one go: less than a millisecond.
const FEW_UNSEEN: u32 = 1024;

/// What a program says of messages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Split {
    /// They match.
    pub yes: UidSet,
    /// What is known does not decide; no message of `yes`.
    pub open: UidSet,
}

impl Split {
    fn decided(yes: UidSet) -> Self {
        Self { yes, open: UidSet::new() }
    }

    fn undecided(open: UidSet) -> Self {
        Self { yes: UidSet::new(), open }
    }

    /// What is not excluded.
    fn all(&self) -> UidSet {
        match (self.yes.is_empty(), self.open.is_empty()) {
            (_, true) => self.yes.clone(),
            (true, _) => self.open.clone(),
            _ => self.yes.union(&self.open),
        }
    }
}

/// What is known of [`Plan::contents`] as sets; both may be shorter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'a> {
    /// The messages that have it, if that is known of all.
    pub has: &'a [Option<UidSet>],
    /// The messages that may have it: all others do not.
    pub may: &'a [Option<UidSet>],
}

impl Plan {
    /// How many messages [`Plan::split`] may be asked of before others may run.
    pub fn messages_at_once(&self) -> u32 {
        // At most 65,536.
        (WORK / self.nodes.max(1)).clamp(64, 1 << 16) as u32
    }

    /// The messages below `below` that match, where the program asks for flags alone, one of them is
    /// that a message is not seen, and few are not: groups and chunks of seen messages are not touched.
    pub fn few_unseen(&self, mailbox: &Mailbox, below: Uid) -> Option<UidSet> {
        let Node::Flags(with, without) = &self.root else { return None };
        if !without.contains(SystemFlag::Seen) || mailbox.unseen() > FEW_UNSEEN {
            return None;
        }
        let mut found = UidSet::new();
        for (_, chunk) in mailbox.columns.chunks.having(true) {
            let rows = chunk.uids().iter().zip(chunk.system());
            let rows = rows.take_while(|&(&uid, _)| uid < below);
            let matching = rows.filter(|&(_, &system)| has_flags(system, *with, *without));
            matching.for_each(|(&uid, _)| found.insert(uid));
        }
        Some(found)
    }

    /// Judges the messages of `within`, which exist in `view`'s mailbox.
    pub fn split(&self, view: &View, texts: Texts<'_>, within: &UidSet) -> Split {
        Asked { view, texts }.split(&self.root, within)
    }
}

struct Asked<'a> {
    view: &'a View,
    texts: Texts<'a>,
}

impl Asked<'_> {
    fn split(&self, node: &Node, within: &UidSet) -> Split {
        if within.is_empty() {
            return Split::default();
        }
        let mailbox = self.view.mailbox();
        Split::decided(match node {
            Node::Const(true) => within.clone(),
            Node::Const(false) => UidSet::new(),
            Node::And(nodes) => return self.all(nodes, within),
            Node::Or(nodes) => return self.any(nodes, within),
            Node::Not(node) => {
                let inner = self.split(node, within);
                return Split { yes: within.difference(&inner.all()), open: inner.open };
            }
            Node::Sent(_) => return Split::undecided(within.clone()),
            Node::Content(at) => match (self.texts.has.get(*at), self.texts.may.get(*at)) {
                (Some(Some(has)), _) => within.intersection(has),
                (_, Some(Some(may))) => return Split::undecided(within.intersection(may)),
                _ => return Split::undecided(within.clone()),
            },
            Node::Uids(uids) => within.intersection(uids),
            Node::Recent => within.intersection(self.view.recent_uids()),
            Node::Flags(with, without) => mailbox.with_flags(within, *with, *without),
            Node::Keyword(keyword) => {
                let place = mailbox.keywords().iter().position(|other| other == keyword);
                let Some(place) = place else { return Split::default() };
                mailbox.pick(within, |_| true, |chunk, at| chunk.has_bit(at, place))
            }
            Node::ModSeq(since) => mailbox.pick(
                within,
                |chunk| chunk.max_mod_seq >= *since,
                |chunk, at| chunk.mod_seqs()[at] >= *since,
            ),
            other => mailbox.pick(
                within,
                |_| true,
                |chunk, at| {
                    let facts =
                        Facts { row: &chunk.row(at), marks: self.view, sent: None, content: &[] };
                    eval(other, &facts) == Some(true)
                },
            ),
        })
    }

    /// Each key looks at what those before it left.
    fn all(&self, nodes: &[Node], within: &UidSet) -> Split {
        let mut left = Split::decided(within.clone());
        for node in nodes {
            let may = left.all();
            if may.is_empty() {
                break;
            }
            let next = self.split(node, &may);
            left = match (left.open.is_empty(), next.open.is_empty()) {
                (true, _) => next,
                (_, true) => Split {
                    yes: left.yes.intersection(&next.yes),
                    open: left.open.intersection(&next.yes),
                },
                _ => {
                    let yes = left.yes.intersection(&next.yes);
                    Split { open: next.all().difference(&yes), yes }
                }
            };
        }
        left
    }

    /// Each key looks at what those before it did not find.
    fn any(&self, nodes: &[Node], within: &UidSet) -> Split {
        let (mut found, mut rest) = (Split::default(), within.clone());
        for node in nodes {
            if rest.is_empty() {
                break;
            }
            let next = self.split(node, &rest);
            rest = rest.difference(&next.yes);
            found.open = found.open.union(&next.open).difference(&next.yes);
            found.yes = found.yes.union(&next.yes);
        }
        found
    }
}

impl Mailbox {
    /// The messages of `within` with all flags of `with` and none of `without`. Looks at flags only,
    /// and at none where all messages are seen and unseen ones are asked for.
    fn with_flags(&self, within: &UidSet, with: SystemFlags, without: SystemFlags) -> UidSet {
        let unseen = without.contains(SystemFlag::Seen);
        self.pick(
            within,
            |chunk| !unseen || chunk.unseen > 0,
            |chunk, at| has_flags(chunk.system()[at], with, without),
        )
    }

    /// The messages of `within` that pass `test`, in chunks that pass `may`.
    fn pick(
        &self,
        within: &UidSet,
        may: impl Fn(&Chunk) -> bool,
        test: impl Fn(&Chunk, usize) -> bool,
    ) -> UidSet {
        let mut found = UidSet::new();
        for (chunk, rows) in self.pieces(within).filter(|(chunk, _)| may(chunk)) {
            rows.filter(|&at| test(chunk, at)).for_each(|at| found.insert(chunk.uids()[at]));
        }
        found
    }

    /// The highest MODSEQ among the messages of `uids`.
    pub fn highest_among(&self, uids: &UidSet) -> base::ModSeq {
        let highest = self.pieces(uids).filter_map(|(chunk, rows)| {
            chunk.mod_seqs().get(rows).and_then(|mod_seqs| mod_seqs.iter().max())
        });
        highest.max().copied().unwrap_or(base::ModSeq::ZERO)
    }
}
