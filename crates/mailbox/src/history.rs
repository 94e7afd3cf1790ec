//! What was expunged and when, so that VANISHED is exact (RFC 7162 §3.2.5.1).

use std::sync::Arc;

use base::{ModSeq, Uid, UidSet};

/// Ranges of one block; only the last block is copied when more are expunged.
const BLOCK_RANGES_MAX: usize = 256;

/// Ranges kept for one mailbox: 4 MiB. A client that was away for longer gets every absent UID.
const RANGES_MAX: usize = 256 * 1024;

/// These UIDs were expunged by one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gone {
    pub(crate) at: ModSeq,
    pub(crate) first: Uid,
    pub(crate) last: Uid,
}

/// Ascending by position.
#[derive(Clone, Default, Debug)]
pub(crate) struct History {
    /// Expunges up to here may be missing.
    forgotten: ModSeq,
    /// Shared whole: most changes of a mailbox are no expunges.
    blocks: Arc<Vec<Arc<Vec<Gone>>>>,
    len: usize,
}

impl History {
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
        for &(first, last) in uids.ranges() {
            self.push(Gone { at, first, last });
        }
        // By whole records, so that what is exact does not depend on how blocks lie.
        while self.len > RANGES_MAX {
            let oldest = self.iter().next().map(|gone| gone.at).unwrap_or_default();
            self.forget_before(oldest.next());
        }
    }

    pub(crate) fn push(&mut self, gone: Gone) {
        let blocks = Arc::make_mut(&mut self.blocks);
        match blocks.last_mut().filter(|block| block.len() < BLOCK_RANGES_MAX) {
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

    /// What was expunged after `since`; `None` if that is not known any more.
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
        let mut history = History::default();
        for n in 1..=RANGES_MAX as u64 + 3 {
            history.add(at(n), &set(n as u32));
        }
        assert_eq!((history.len(), history.forgotten()), (RANGES_MAX, at(3)));
    }
}
