//! Questions about many messages at once, answered column by column: what a `STORE 1:*` asks costs
//! some nanoseconds a message and makes ranges, not lists.

use std::ops::Range;

use base::{Flags, ModSeq, SystemFlag, Uid, UidSet};

use crate::chunk::{Bits, Chunk, set_bit};
use crate::{FlagOp, Mailbox};

/// What a column of flags is compared with: a message differs if `has & mask != value`.
#[derive(Clone, Copy)]
struct Wanted<T> {
    mask: T,
    value: T,
}

impl Wanted<u8> {
    fn differs(self, has: u8) -> bool {
        has & self.mask != self.value
    }
}

impl Wanted<u64> {
    fn differs(self, has: u64) -> bool {
        has & self.mask != self.value
    }
}

/// The state that a flag change leads to.
struct Goal {
    system: Wanted<u8>,
    /// For each word of keywords.
    words: Vec<Wanted<u64>>,
    /// A keyword is to be set that no message has.
    is_new: bool,
}

impl Mailbox {
    /// The rows whose UIDs are in `uids`, chunk by chunk; no piece is empty.
    pub(crate) fn pieces<'a>(
        &'a self,
        uids: &'a UidSet,
    ) -> impl Iterator<Item = (&'a Chunk, Range<usize>)> + 'a {
        // Ranges behind the last message find nothing.
        let last = self.columns.chunks.last();
        let ranges = uids.ranges().iter().take_while(move |&&(first, _)| Some(first) <= last);
        let pieces = ranges.flat_map(move |&(first, last)| {
            let chunks = self.columns.chunks.onward_from_uid(first);
            let chunks = chunks.take_while(move |(_, chunk)| chunk.first <= last);
            chunks.map(move |(_, chunk)| (chunk, chunk.within(first, last)))
        });
        pieces.filter(|(_, rows)| !rows.is_empty())
    }

    /// Those of `uids` that are here.
    pub fn uids_in(&self, uids: &UidSet) -> UidSet {
        let mut found = UidSet::new();
        self.pieces(uids).for_each(|(chunk, rows)| push_dense(&mut found, &chunk.uids()[rows]));
        found
    }

    /// Those of `uids` that have a system flag.
    pub fn uids_in_with(&self, uids: &UidSet, flag: SystemFlag) -> UidSet {
        let mut found = UidSet::new();
        for (chunk, rows) in self.pieces(uids) {
            let has = |at: usize| chunk.system()[at].contains(flag);
            push_runs(&mut found, chunk.uids(), rows, has);
        }
        found
    }

    /// Those of `uids` whose flags a change would make different.
    pub fn uids_changed_by(&self, uids: &UidSet, op: FlagOp, flags: &Flags) -> UidSet {
        let goal = self.goal(op, flags);
        if goal.is_new {
            return self.uids_in(uids);
        }
        let mut found = UidSet::new();
        for (chunk, rows) in self.pieces(uids) {
            let system = &chunk.system()[rows.clone()];
            let count = system.iter().filter(|has| goal.system.differs(has.bits())).count();
            if count == rows.len() {
                push_dense(&mut found, &chunk.uids()[rows]);
                continue;
            }
            let words = || goal.words.iter().enumerate();
            let is_plain = words().all(|(n, word)| chunk.word(n).is_empty() && word.value == 0);
            if count == 0 && is_plain {
                continue;
            }
            let differs = |at: usize| {
                goal.system.differs(chunk.system()[at].bits())
                    || words().any(|(n, word)| {
                        word.differs(chunk.word(n).get(at).copied().unwrap_or_default())
                    })
            };
            push_runs(&mut found, chunk.uids(), rows, differs);
        }
        found
    }

    fn goal(&self, op: FlagOp, flags: &Flags) -> Goal {
        let (table, mut bits) = (self.keywords(), Bits::new());
        let named =
            table.iter().enumerate().filter(|(_, keyword)| flags.keywords.contains(keyword));
        named.for_each(|(place, _)| set_bit(&mut bits, place));
        bits.resize(table.len().div_ceil(64), 0);
        let named = flags.system.bits();
        let words = bits.iter().map(|&bits| match op {
            FlagOp::Add => Wanted { mask: bits, value: bits },
            FlagOp::Remove => Wanted { mask: bits, value: 0 },
            FlagOp::Replace => Wanted { mask: u64::MAX, value: bits },
        });
        let system = match op {
            FlagOp::Add => Wanted { mask: named, value: named },
            FlagOp::Remove => Wanted { mask: named, value: 0 },
            FlagOp::Replace => Wanted { mask: u8::MAX, value: named },
        };
        let is_new = flags.keywords.iter().any(|keyword| !table.contains(keyword));
        Goal { system, words: words.collect(), is_new: is_new && op != FlagOp::Remove }
    }

    /// Those of `uids` that no record after `since` touched, or only one that `allows`.
    pub(crate) fn uids_untouched(
        &self,
        uids: &UidSet,
        since: ModSeq,
        allows: impl Fn(Uid, ModSeq) -> bool,
    ) -> UidSet {
        let mut found = UidSet::new();
        for (chunk, rows) in self.pieces(uids) {
            if chunk.max_mod_seq <= since {
                push_dense(&mut found, &chunk.uids()[rows]);
                continue;
            }
            let (all, mod_seqs) = (chunk.uids(), chunk.mod_seqs());
            let fits = |at: usize| mod_seqs[at] <= since || allows(all[at], mod_seqs[at]);
            push_runs(&mut found, all, rows, fits);
        }
        found
    }
}

/// Adds the UIDs of the rows that fit, run by run.
fn push_runs(found: &mut UidSet, uids: &[Uid], rows: Range<usize>, fits: impl Fn(usize) -> bool) {
    let mut from = rows.start;
    while from < rows.end {
        let Some(begin) = (from..rows.end).find(|&at| fits(at)) else { return };
        let end = (begin..rows.end).find(|&at| !fits(at)).unwrap_or(rows.end);
        push_dense(found, &uids[begin..end]);
        from = end;
    }
}

/// Adds ascending UIDs, whole runs at once where there are no gaps.
pub(crate) fn push_dense(uids: &mut UidSet, part: &[Uid]) {
    let (Some(&first), Some(&last)) = (part.first(), part.last()) else { return };
    if (last.get() - first.get()) as usize + 1 == part.len() {
        uids.insert_range(first, last);
    } else if let Some((left, right)) = part.split_at_checked(part.len() / 2) {
        push_dense(uids, left);
        push_dense(uids, right);
    }
}
