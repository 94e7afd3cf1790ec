//! A mailbox's chunks, in groups: a change copies one chunk, the list of its group and the list of
//! groups, so that it costs about the same whatever the size of the mailbox.

use std::sync::Arc;

use base::{ModSeq, Uid, UidSet};

use crate::chunk::{CHUNK_ROWS_MAX, Change, Chunk, Moved, NewRow};

/// Chunks of one group at most: with full chunks a million messages are 62 groups.
const GROUP_CHUNKS_MAX: usize = 32;

/// Rows of the last chunk before it is joined with the one before it: what a delivery copies.
const TAIL_ROWS_MAX: usize = 64;

/// Consecutive chunks, and what is known of them without looking.
#[derive(Clone, Debug)]
struct Group {
    /// How many messages are in the groups before.
    start: u32,
    first: Uid,
    last: Uid,
    unseen: u32,
    max_mod_seq: ModSeq,
    /// None is empty. Their `start` counts from the group's.
    chunks: Arc<Vec<Chunk>>,
}

/// All chunks of a mailbox. None is empty, and no group is.
#[derive(Clone, Default, Debug)]
pub(crate) struct Chunks {
    groups: Vec<Group>,
}

/// A chunk and how many messages come before it.
pub(crate) type Placed<'a> = (u32, &'a Chunk);

impl Group {
    /// A group of `chunks`; none if there are none.
    fn of(chunks: Vec<Chunk>) -> Option<Self> {
        let (first, last) = (chunks.first()?.first, chunks.last()?.last);
        let (unseen, max_mod_seq) = (0, ModSeq::ZERO);
        let mut group =
            Self { start: 0, first, last, unseen, max_mod_seq, chunks: Arc::new(chunks) };
        group.count();
        Some(group)
    }

    /// Sums up the chunks.
    fn count(&mut self) {
        self.unseen = self.chunks.iter().map(|chunk| chunk.unseen).sum();
        let positions = self.chunks.iter().map(|chunk| chunk.max_mod_seq);
        self.max_mod_seq = positions.max().unwrap_or_default();
    }

    fn end(&self) -> u32 {
        self.start + self.chunks.last().map_or(0, Chunk::end)
    }

    fn placed(&self) -> impl DoubleEndedIterator<Item = Placed<'_>> {
        self.placed_from(0)
    }

    fn placed_from(&self, at: usize) -> impl DoubleEndedIterator<Item = Placed<'_>> {
        let chunks = self.chunks.get(at..).unwrap_or_default();
        chunks.iter().map(|chunk| (self.start + chunk.start, chunk))
    }

    fn nth(&self, at: usize) -> Option<Placed<'_>> {
        self.chunks.get(at).map(|chunk| (self.start + chunk.start, chunk))
    }

    fn overlaps(&self, uids: &UidSet) -> bool {
        let at = uids.ranges().partition_point(|&(_, last)| last < self.first);
        uids.ranges().get(at).is_some_and(|&(first, _)| first <= self.last)
    }

    /// Adds a row behind all others; false if the group has no room for it.
    fn push(&mut self, new: &NewRow) -> bool {
        let has_tail = self.chunks.last().is_some_and(|chunk| chunk.len() < TAIL_ROWS_MAX);
        // Two may become one; then there is room for another.
        let joins = match &self.chunks[..] {
            [.., before, tail] => before.len() + tail.len() <= CHUNK_ROWS_MAX,
            _ => false,
        };
        if !has_tail && !joins && self.chunks.len() >= GROUP_CHUNKS_MAX {
            return false;
        }
        let chunks = Arc::make_mut(&mut self.chunks);
        if !has_tail {
            if joins
                && let Some(tail) = chunks.pop()
                && let Some(before) = chunks.last_mut()
            {
                *before = before.joined(&tail);
            }
            let start = chunks.last().map_or(0, Chunk::end);
            chunks.push(Chunk::new(start, new));
        } else if let Some(tail) = chunks.last_mut() {
            tail.push(new);
        }
        if let Some(tail) = chunks.last() {
            self.last = tail.last;
        }
        self.unseen += u32::from(!new.row.system.contains(base::SystemFlag::Seen));
        self.max_mod_seq = self.max_mod_seq.max(new.row.mod_seq);
        true
    }
}

impl Chunks {
    /// How many messages.
    pub(crate) fn rows(&self) -> u32 {
        self.groups.last().map_or(0, Group::end)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The greatest UID.
    pub(crate) fn last(&self) -> Option<Uid> {
        self.groups.last().map(|group| group.last)
    }

    /// All, in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Placed<'_>> {
        self.groups.iter().flat_map(Group::placed)
    }

    /// Those with changes after `since`, from the one on that ends at or behind `from`.
    pub(crate) fn changed(
        &self,
        since: ModSeq,
        from: Uid,
    ) -> impl Iterator<Item = Placed<'_>> + '_ {
        let groups = &self.groups[self.group_of(from)..];
        let groups = groups.iter().filter(move |group| group.max_mod_seq > since);
        let chunks = groups.flat_map(Group::placed);
        chunks.filter(move |(_, chunk)| chunk.max_mod_seq > since && chunk.last >= from)
    }

    /// Those with messages that are not seen, or all.
    pub(crate) fn having(&self, unseen: bool) -> impl Iterator<Item = Placed<'_>> + '_ {
        let groups = self.groups.iter().filter(move |group| !unseen || group.unseen > 0);
        groups.flat_map(Group::placed).filter(move |(_, chunk)| !unseen || chunk.unseen > 0)
    }

    /// Index of the first group that ends at or behind `uid`.
    fn group_of(&self, uid: Uid) -> usize {
        self.groups.partition_point(|group| group.last < uid)
    }

    /// The first chunk that ends at or behind `uid`.
    pub(crate) fn by_uid(&self, uid: Uid) -> Option<Placed<'_>> {
        let group = self.groups.get(self.group_of(uid))?;
        group.nth(group.chunks.partition_point(|chunk| chunk.last < uid))
    }

    /// From that chunk on.
    pub(crate) fn onward_from_uid(&self, uid: Uid) -> impl Iterator<Item = Placed<'_>> + '_ {
        let groups = &self.groups[self.group_of(uid)..];
        let skip = |group: &Group| group.chunks.partition_point(|chunk| chunk.last < uid);
        let skipped = groups.first().map_or(0, skip);
        let head = groups.iter().take(1).flat_map(move |group| group.placed_from(skipped));
        head.chain(groups.iter().skip(1).flat_map(Group::placed))
    }

    /// The chunk with the `index`-th message.
    pub(crate) fn by_index(&self, index: u32) -> Option<Placed<'_>> {
        let group = self.groups.get(self.groups.partition_point(|group| group.end() <= index))?;
        let within = index - group.start;
        group.nth(group.chunks.partition_point(|chunk| chunk.end() <= within))
    }

    /// From that chunk on.
    pub(crate) fn onward_from_index(&self, index: u32) -> impl Iterator<Item = Placed<'_>> + '_ {
        let groups = &self.groups[self.groups.partition_point(|group| group.end() <= index)..];
        let chunks = groups.iter().flat_map(Group::placed);
        chunks.skip_while(move |(start, chunk)| start + chunk.len() as u32 <= index)
    }

    /// Adds a message behind all others.
    pub(crate) fn push(&mut self, new: &NewRow) {
        if self.groups.last_mut().is_some_and(|group| group.push(new)) {
            return;
        }
        let start = self.rows();
        let group = Group::of(vec![Chunk::new(0, new)]);
        self.groups.extend(group.map(|group| Group { start, ..group }));
    }

    /// Adds many messages behind all others, without the detour over short chunks.
    pub(crate) fn extend(&mut self, rows: &[NewRow]) {
        for rows in rows.chunks(CHUNK_ROWS_MAX) {
            let last = self.groups.last_mut();
            if let Some(group) = last.filter(|group| group.chunks.len() < GROUP_CHUNKS_MAX) {
                let chunks = Arc::make_mut(&mut group.chunks);
                let chunk = Chunk::of(chunks.last().map_or(0, Chunk::end), rows);
                (group.last, group.unseen) = (chunk.last, group.unseen + chunk.unseen);
                group.max_mod_seq = group.max_mod_seq.max(chunk.max_mod_seq);
                chunks.push(chunk);
            } else {
                let start = self.rows();
                let group = Group::of(vec![Chunk::of(0, rows)]);
                self.groups.extend(group.map(|group| Group { start, ..group }));
            }
        }
    }

    /// Changes the flags of those of `uids` that exist.
    pub(crate) fn change(&mut self, uids: &UidSet, change: &Change, moved: &mut Moved) {
        for group in self.groups.iter_mut().filter(|group| group.overlaps(uids)) {
            for chunk in Arc::make_mut(&mut group.chunks) {
                let from = uids.ranges().partition_point(|&(_, last)| last < chunk.first);
                for &(first, last) in &uids.ranges()[from..] {
                    if first > chunk.last {
                        break;
                    }
                    chunk.change(chunk.within(first, last), change, moved);
                }
            }
            group.count();
        }
    }

    /// Removes those of `uids` that exist, and adds them to `removed`.
    pub(crate) fn expunge(&mut self, uids: &UidSet, removed: &mut UidSet, moved: &mut Moved) {
        let mut groups: Vec<Group> = Vec::with_capacity(self.groups.len());
        for mut group in self.groups.drain(..) {
            let mut is_smaller = false;
            if group.overlaps(uids) {
                let kept = sift(&group.chunks, uids, removed, moved);
                let Some(smaller) = Group::of(kept) else { continue };
                (group, is_smaller) = (smaller, true);
            }
            match groups.last_mut() {
                // Neighbours are joined as chunks are, so that groups stay few.
                Some(before)
                    if is_smaller
                        && before.chunks.len() + group.chunks.len() <= GROUP_CHUNKS_MAX / 2 =>
                {
                    let mut chunks = before.chunks.to_vec();
                    group.chunks.iter().for_each(|chunk| add(&mut chunks, chunk.clone()));
                    if let Some(joined) = Group::of(chunks) {
                        *before = Group { start: before.start, ..joined };
                    }
                }
                _ => {
                    group.start = groups.last().map_or(0, Group::end);
                    groups.push(group);
                }
            }
        }
        groups.shrink_to_fit();
        self.groups = groups;
    }

    /// Memory they take, in bytes, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        let lists =
            self.groups.iter().map(|group| group.chunks.capacity() * size_of::<Chunk>() + 40);
        self.groups.capacity() * size_of::<Group>()
            + lists.sum::<usize>()
            + self.iter().map(|(_, chunk)| chunk.memory_bytes()).sum::<usize>()
    }
}

/// Adds a chunk behind others; neighbours that fit into half a chunk become one.
fn add(chunks: &mut Vec<Chunk>, mut chunk: Chunk) {
    chunk.start = chunks.last().map_or(0, Chunk::end);
    match chunks.last_mut() {
        Some(before) if before.len() + chunk.len() <= CHUNK_ROWS_MAX / 2 => {
            *before = before.joined(&chunk);
        }
        _ => chunks.push(chunk),
    }
}

/// The chunks without the rows that are in `uids`.
fn sift(chunks: &[Chunk], uids: &UidSet, removed: &mut UidSet, moved: &mut Moved) -> Vec<Chunk> {
    let mut all = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let kept = match chunk.overlaps(uids) {
            true => chunk.without(uids, removed, moved),
            false => Some(chunk.clone()),
        };
        kept.into_iter().for_each(|chunk| add(&mut all, chunk));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{DateTime, EmailId, SystemFlags, ThreadId};
    use proptest::prelude::*;

    use crate::mailbox::Row;
    use crate::{FlagOp, Position};

    fn row(uid: u32, at: u64) -> NewRow {
        let row = Row {
            uid: Uid::new(uid).unwrap(),
            mod_seq: ModSeq::new(at).unwrap(),
            system: SystemFlags::EMPTY,
            size: uid * 3,
            internal_date: DateTime::new(7, 0),
            save_date: 9,
            email_id: EmailId([uid as u8; 16]),
            thread_id: ThreadId(u64::from(uid)),
            position: Position { segment: 1, offset: uid, stored_bytes: 2 },
        };
        NewRow { row, bits: Vec::new() }
    }

    fn set(ranges: &[(u32, u32)]) -> UidSet {
        let uid = |n: u32| Uid::new(n.max(1)).unwrap();
        ranges.iter().map(|&(first, count)| (uid(first), uid(first + count))).collect()
    }

    /// Everything that can be asked, against a list of UID, MODSEQ and whether it is seen.
    fn check(chunks: &Chunks, model: &[(u32, u64, bool)]) {
        assert_eq!((chunks.rows() as usize, chunks.is_empty()), (model.len(), model.is_empty()));
        assert_eq!(chunks.last().map(Uid::get), model.last().map(|&(uid, ..)| uid));
        let mut at = 0;
        for (start, chunk) in chunks.iter() {
            assert_eq!((start, chunk.len() > 0), (at, true));
            at += chunk.len() as u32;
        }
        let rows = |chunk: &Chunk| (0..chunk.len()).map(|at| chunk.row(at)).collect::<Vec<_>>();
        let rows: Vec<Row> = chunks.iter().flat_map(|(_, chunk)| rows(chunk)).collect();
        let seen = |row: &Row| row.system.contains(base::SystemFlag::Seen);
        let found = rows.iter().map(|row| (row.uid.get(), row.mod_seq.get(), seen(row)));
        assert!(found.eq(model.iter().copied()));
        assert!(rows.iter().all(|row| row.size == row.uid.get() * 3));
        let unseen: usize = chunks.having(true).map(|(_, chunk)| chunk.unseen as usize).sum();
        assert_eq!(unseen, model.iter().filter(|(.., seen)| !seen).count());
        for n in (0..model.len()).step_by(model.len() / 7 + 1) {
            let (uid, mod_seq, _) = model[n];
            let uid = Uid::new(uid).unwrap();
            let (start, chunk) = chunks.by_index(n as u32).unwrap();
            assert_eq!(chunk.uids()[n - start as usize], uid);
            assert_eq!(chunks.by_uid(uid).map(|(start, _)| start), Some(start));
            for first in
                [chunks.onward_from_uid(uid).next(), chunks.onward_from_index(n as u32).next()]
            {
                assert_eq!(first.map(|(start, _)| start), Some(start));
            }
            let rest = chunks.onward_from_uid(uid).map(|(_, chunk)| chunk.len()).sum::<usize>();
            assert_eq!(rest, model.len() - start as usize);
            let since = ModSeq::new(mod_seq - 1).unwrap();
            let expected = model[n..].iter().filter(|&&(_, at, _)| at > since.get()).count();
            let changed = chunks.changed(since, uid).map(|(_, chunk)| {
                let marks = chunk.uids().iter().zip(chunk.mod_seqs());
                marks.filter(|&(&other, &at)| other >= uid && at > since).count()
            });
            assert_eq!(changed.sum::<usize>(), expected);
        }
        assert!(chunks.by_index(model.len() as u32).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn equal_a_list(
            steps in prop::collection::vec((0u8..4, 0u32..60_000, 0u32..9_000), 1..24)
        ) {
            let (mut chunks, mut model) = (Chunks::default(), Vec::new());
            let (mut next, mut held) = (1, Vec::new());
            for (at, (what, from, count)) in (1..).zip(steps) {
                held.push((chunks.clone(), model.clone()));
                let uids = set(&[(from, count), (from + count + 7, count / 9), (from / 2, 0)]);
                let within = |uid: u32| uids.contains(Uid::new(uid).unwrap());
                match what {
                    0 => {
                        let rows: Vec<_> = (next..next + count).map(|uid| row(uid, at)).collect();
                        chunks.extend(&rows);
                        model.extend((next..next + count).map(|uid| (uid, at, false)));
                        next += count;
                    }
                    1 => for _ in 0..count {
                        chunks.push(&row(next, at));
                        model.push((next, at, false));
                        next += 1 + u32::from(next % 50 == 0);
                    },
                    2 => {
                        let system = SystemFlags::EMPTY.with(base::SystemFlag::Seen);
                        let change = Change {
                            at: ModSeq::new(at).unwrap(), op: FlagOp::Add, system, bits: Vec::new(),
                        };
                        chunks.change(&uids, &change, &mut Moved::default());
                        model.iter_mut().filter(|mark| within(mark.0)).for_each(|mark| {
                            (mark.1, mark.2) = (at, true);
                        });
                    }
                    _ => {
                        let mut removed = UidSet::new();
                        chunks.expunge(&uids, &mut removed, &mut Moved::default());
                        let gone = model.iter().filter(|mark| within(mark.0));
                        prop_assert!(removed.iter().map(Uid::get).eq(gone.map(|mark| mark.0)));
                        model.retain(|mark| !within(mark.0));
                    }
                }
                check(&chunks, &model);
            }
            held.iter().for_each(|(chunks, model)| check(chunks, model));
        }
    }
}
