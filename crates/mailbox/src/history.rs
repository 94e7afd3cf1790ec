//! What happened to which UIDs and when: what was expunged, so that VANISHED is exact (RFC 7162
//! §3.2.5.1), and what was changed last, so that who missed little need not look through the mailbox.

use std::sync::Arc;

use base::{ModSeq, Uid, UidSet};

/// What was expunged from one mailbox, 4 MiB at most. A client that was away for longer gets every
/// absent UID.
pub(crate) type History = Ranges<256, { 256 * 1024 }>;

/// What was added or changed last in one mailbox, 16 KiB at most, copied in small pieces: every change
/// adds to it. No part of the fold: what is not here is found in the columns.
pub(crate) type Changes = Ranges<64, 1024>;

/// One record did it to these UIDs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gone {
    pub(crate) at: ModSeq,
    pub(crate) first: Uid,
    pub(crate) last: Uid,
}

/// Ascending by position, at most `MAX`, in blocks of at most `BLOCK`: only the last block is copied
/// when there are more.
#[derive(Clone, Default, Debug)]
pub(crate) struct Ranges<const BLOCK: usize, const MAX: usize> {
    /// What happened up to here may be missing.
    forgotten: ModSeq,
    /// Shared whole: most changes of a mailbox are no expunges.
    blocks: Arc<Vec<Arc<Vec<Gone>>>>,
    len: usize,
}

impl<const BLOCK: usize, const MAX: usize> Ranges<BLOCK, MAX> {
    pub(crate) fn new(forgotten: ModSeq) -> Self {
        Self { forgotten, ..Self::default() }
    }

    pub(crate) fn forgotten(&self) -> ModSeq {
        self.forgotten
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Gone> + '_ {
        self.blocks.iter().flat_map(|block| block.iter().copied())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<Arc<()>>()
            + self
                .blocks
                .iter()
                .map(|block| block.capacity() * size_of::<Gone>() + 40)
                .sum::<usize>()
    }

    pub(crate) fn add(&mut self, at: ModSeq, uids: &UidSet) {
        if uids.ranges().len() > MAX {
            *self = Self::new(at);
            return;
        }
        for &(first, last) in uids.ranges() {
            self.push(Gone { at, first, last });
        }
        // By whole records, so that what is exact does not depend on how blocks lie.
        while self.len > MAX {
            let oldest = self.iter().next().map(|gone| gone.at).unwrap_or_default();
            self.forget_before(oldest.next());
        }
    }

    pub(crate) fn push(&mut self, gone: Gone) {
        let blocks = Arc::make_mut(&mut self.blocks);
        match blocks.last_mut().filter(|block| block.len() < BLOCK) {
            Some(block) => Arc::make_mut(block).push(gone),
            None => blocks.push(Arc::new(vec![gone])),
        }
        self.len += 1;
    }

    /// Drops what happened before `at`.
    pub(crate) fn forget_before(&mut self, at: ModSeq) {
        let blocks = Arc::make_mut(&mut self.blocks);
        let whole = blocks.partition_point(|block| block.last().is_some_and(|g| g.at < at));
        let mut newest = None;
        for block in blocks.drain(..whole) {
            self.len -= block.len();
            newest = block.last().map(|gone| gone.at);
        }
        if let Some(block) = blocks.first_mut() {
            let part = block.partition_point(|gone| gone.at < at);
            if part > 0 {
                newest = Some(block[part - 1].at);
                Arc::make_mut(block).drain(..part);
                self.len -= part;
            }
        }
        self.forgotten = self.forgotten.max(newest.unwrap_or_default());
    }

    /// To what it happened after `since`; `None` if that is not known any more.
    pub(crate) fn since(&self, since: ModSeq) -> Option<UidSet> {
        if since < self.forgotten {
            return None;
        }
        let from = self.blocks.partition_point(|block| block.last().is_some_and(|g| g.at <= since));
        let mut ranges: Vec<_> = self.blocks[from..]
            .iter()
            .flat_map(|block| block.iter())
            .filter(|gone| gone.at > since)
            .map(|gone| (gone.first, gone.last))
            .collect();
        ranges.sort_unstable();
        Some(ranges.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u64) -> ModSeq {
        ModSeq::new(n).unwrap()
    }

    fn set(n: u32) -> UidSet {
        Uid::new(n).into_iter().collect()
    }

    #[test]
    fn forgets_from_the_front_only() {
        let mut history = History::default();
        for n in 1..=1000 {
            history.add(at(n), &set(n as u32));
        }
        assert_eq!(history.since(at(990)).unwrap().to_string(), "991:1000");
        history.forget_before(at(600));
        assert_eq!((history.len(), history.forgotten()), (401, at(599)));
        assert_eq!(history.since(at(598)), None);
        assert_eq!(history.since(at(599)).unwrap().to_string(), "600:1000");
        history.forget_before(at(5000));
        assert_eq!(history.len(), 0);
        assert_eq!(history.since(at(999)), None);
    }

    #[test]
    fn is_bounded() {
        let mut changes = Changes::default();
        for n in 1..=1024 + 3 {
            changes.add(at(n), &set(n as u32));
        }
        assert_eq!((changes.len(), changes.forgotten()), (1024, at(3)));
        let many = (0..=1024).filter_map(|n| Uid::new(2 * n + 1)).collect();
        changes.add(at(2000), &many);
        assert_eq!((changes.len(), changes.forgotten()), (0, at(2000)));
        changes.add(at(2001), &set(7));
        assert_eq!(changes.since(at(1999)), None);
        assert_eq!(changes.since(at(2000)), Some(set(7)));
    }
}
