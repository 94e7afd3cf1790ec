//! A chunk: the columns of up to [`CHUNK_ROWS_MAX`] messages, copied when they change.
//!
//! What changes often (flags, MODSEQ) is kept apart from what never changes, so that a flag change
//! on a whole mailbox copies a quarter of it.

use std::ops::Range;
use std::sync::Arc;

use base::{DateTime, EmailId, ModSeq, SystemFlag, SystemFlags, ThreadId, Uid, UidSet};

use crate::mailbox::Row;
use crate::range::push_dense;
use crate::{FlagOp, Position};

/// Rows of one chunk at most.
pub(crate) const CHUNK_ROWS_MAX: usize = 512;

/// Keywords as bits of their places in the mailbox's table, 64 a word.
pub(crate) type Bits = Vec<u64>;

/// Sets bit `n`.
pub(crate) fn set_bit(bits: &mut Bits, n: usize) {
    if bits.len() <= n / 64 {
        bits.resize(n / 64 + 1, 0);
    }
    bits[n / 64] |= 1 << (n % 64);
}

/// The places of the bits that are set, ascending.
pub(crate) fn places(bits: &[u64]) -> impl Iterator<Item = usize> + '_ {
    bits.iter().enumerate().filter(|&(_, &word)| word != 0).flat_map(|(at, &word)| {
        (0..64).filter(move |n| word & (1 << n) != 0).map(move |n| at * 64 + n)
    })
}

/// What never changes of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cold {
    /// [`DateTime::pack`]ed.
    internal_date: u64,
    save_date: i64,
    email_id: EmailId,
    thread_id: ThreadId,
    position: Position,
    size: u32,
}

impl Cold {
    fn new(row: &Row) -> Self {
        Self {
            internal_date: row.internal_date.pack(),
            save_date: row.save_date,
            email_id: row.email_id,
            thread_id: row.thread_id,
            position: row.position,
            size: row.size,
        }
    }
}

/// A message to be added: its row and its keywords.
pub(crate) struct NewRow {
    pub(crate) row: Row,
    pub(crate) bits: Bits,
}

#[derive(Clone, Default, Debug)]
struct Hot {
    uids: Vec<Uid>,
    mod_seqs: Vec<ModSeq>,
    system: Vec<SystemFlags>,
    /// For each word of [`Bits`] a column, which is empty while no row has a bit in it.
    words: Vec<Vec<u64>>,
}

/// A flag change, with keywords as bits.
pub(crate) struct Change {
    pub(crate) at: ModSeq,
    pub(crate) op: FlagOp,
    pub(crate) system: SystemFlags,
    pub(crate) bits: Bits,
}

/// Counts of a mailbox that a change moves.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Moved {
    pub(crate) unseen: i64,
    pub(crate) deleted: i64,
    pub(crate) size_bytes: i64,
}

impl Moved {
    /// Counts the flags of messages in (1) or out (-1).
    fn count_all(&mut self, system: &[SystemFlags], by: i64) {
        let count = |flag| system.iter().filter(|system| system.contains(flag)).count() as i64;
        self.unseen += by * (system.len() as i64 - count(SystemFlag::Seen));
        self.deleted += by * count(SystemFlag::Deleted);
    }

    /// Counts a message in (1) or out (-1).
    pub(crate) fn count(&mut self, system: SystemFlags, size: u32, by: i64) {
        self.unseen += by * i64::from(!system.contains(SystemFlag::Seen));
        self.deleted += by * i64::from(system.contains(SystemFlag::Deleted));
        self.size_bytes += by * i64::from(size);
    }
}

/// Columns of consecutive messages, and what is known of them without looking.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// How many messages are in the chunks before it in its group.
    pub(crate) start: u32,
    pub(crate) first: Uid,
    pub(crate) last: Uid,
    pub(crate) unseen: u32,
    pub(crate) max_mod_seq: ModSeq,
    hot: Arc<Hot>,
    cold: Arc<Vec<Cold>>,
}

impl Chunk {
    /// A chunk of one row.
    pub(crate) fn new(start: u32, row: &NewRow) -> Self {
        let uid = row.row.uid;
        let mut chunk = Self {
            start,
            first: uid,
            last: uid,
            unseen: 0,
            max_mod_seq: ModSeq::ZERO,
            hot: Arc::default(),
            cold: Arc::default(),
        };
        chunk.push(row);
        chunk
    }

    /// A chunk of these rows, of which there are some.
    pub(crate) fn of(start: u32, rows: &[NewRow]) -> Self {
        let mut hot = Hot {
            uids: rows.iter().map(|new| new.row.uid).collect(),
            mod_seqs: rows.iter().map(|new| new.row.mod_seq).collect(),
            system: rows.iter().map(|new| new.row.system).collect(),
            words: Vec::new(),
        };
        rows.iter().for_each(|new| hot.grow_words(&new.bits));
        for (n, word) in hot.words.iter_mut().enumerate() {
            let bits = |new: &NewRow| new.bits.get(n).copied().unwrap_or_default();
            if rows.iter().any(|new| bits(new) != 0) {
                *word = rows.iter().map(bits).collect();
            }
        }
        let uid = |new: Option<&NewRow>| new.map_or(Uid::MIN, |new| new.row.uid);
        let unseen = rows.iter().filter(|new| !new.row.system.contains(SystemFlag::Seen));
        Self {
            start,
            first: uid(rows.first()),
            last: uid(rows.last()),
            unseen: unseen.count() as u32,
            max_mod_seq: hot.mod_seqs.iter().copied().max().unwrap_or_default(),
            hot: Arc::new(hot),
            cold: Arc::new(rows.iter().map(|new| Cold::new(&new.row)).collect()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.hot.uids.len()
    }

    /// Index of the row behind the last one.
    pub(crate) fn end(&self) -> u32 {
        self.start + self.len() as u32
    }

    /// Memory of the columns.
    pub(crate) fn memory_bytes(&self) -> usize {
        let hot = &*self.hot;
        let words: usize = hot.words.iter().map(|word| word.capacity() * 8 + 24).sum();
        hot.uids.capacity() * size_of::<Uid>()
            + hot.mod_seqs.capacity() * size_of::<ModSeq>()
            + hot.system.capacity() * size_of::<SystemFlags>()
            + self.cold.capacity() * size_of::<Cold>()
            + words
            + size_of::<Hot>()
            + size_of::<Vec<Cold>>()
            + 32
    }

    /// The UIDs, ascending.
    pub(crate) fn uids(&self) -> &[Uid] {
        &self.hot.uids
    }

    pub(crate) fn mod_seqs(&self) -> &[ModSeq] {
        &self.hot.mod_seqs
    }

    pub(crate) fn system(&self) -> &[SystemFlags] {
        &self.hot.system
    }

    /// How many UIDs are below `uid`.
    pub(crate) fn rank(&self, uid: Uid) -> usize {
        if uid <= self.first {
            return 0;
        }
        if uid > self.last {
            return self.len();
        }
        let (first, last) = (self.first.get() as usize, self.last.get() as usize);
        // Without gaps the place is known; the columns of a large mailbox are far away.
        match last - first < self.len() {
            true => uid.get() as usize - first,
            false => self.hot.uids.partition_point(|&other| other < uid),
        }
    }

    /// The rows from `first` to `last`.
    pub(crate) fn within(&self, first: Uid, last: Uid) -> Range<usize> {
        self.rank(first)..last.next().map_or(self.len(), |next| self.rank(next))
    }

    #[inline]
    pub(crate) fn row(&self, at: usize) -> Row {
        let cold = &self.cold[at];
        Row {
            uid: self.hot.uids[at],
            mod_seq: self.hot.mod_seqs[at],
            system: self.hot.system[at],
            size: cold.size,
            internal_date: DateTime::unpack(cold.internal_date),
            save_date: cold.save_date,
            email_id: cold.email_id,
            thread_id: cold.thread_id,
            position: cold.position,
        }
    }

    pub(crate) fn email_id(&self, at: usize) -> &EmailId {
        &self.cold[at].email_id
    }

    /// A word of keywords: a column, or nothing if no row has a bit in it.
    pub(crate) fn word(&self, n: usize) -> &[u64] {
        self.hot.words.get(n).map_or(&[], |word| word)
    }

    pub(crate) fn bits(&self, at: usize) -> Bits {
        self.hot.words.iter().map(|word| word.get(at).copied().unwrap_or_default()).collect()
    }

    /// The places of a row's keywords, ascending.
    pub(crate) fn places(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let words =
            self.hot.words.iter().map(move |word| word.get(at).copied().unwrap_or_default());
        words.enumerate().filter(|&(_, word)| word != 0).flat_map(|(nth, word)| {
            (0..64).filter(move |n| word & (1 << n) != 0).map(move |n| nth * 64 + n)
        })
    }

    pub(crate) fn has_bit(&self, at: usize, n: usize) -> bool {
        let word = self.hot.words.get(n / 64).and_then(|word| word.get(at));
        word.is_some_and(|word| word & (1 << (n % 64)) != 0)
    }

    /// Adds a row whose UID is above all others.
    pub(crate) fn push(&mut self, new: &NewRow) {
        let row = &new.row;
        let hot = Arc::make_mut(&mut self.hot);
        let cold = Arc::make_mut(&mut self.cold);
        if hot.uids.len() == hot.uids.capacity() || cold.len() == cold.capacity() {
            // Doubling, but not beyond a full chunk: most chunks end up exactly full.
            let more = hot.uids.len().max(4).min(CHUNK_ROWS_MAX - hot.uids.len());
            hot.uids.reserve_exact(more);
            hot.mod_seqs.reserve_exact(more);
            hot.system.reserve_exact(more);
            cold.reserve_exact(more);
        }
        let at = hot.uids.len();
        hot.uids.push(row.uid);
        hot.mod_seqs.push(row.mod_seq);
        hot.system.push(row.system);
        hot.grow_words(&new.bits);
        for (n, word) in hot.words.iter_mut().enumerate() {
            let bits = new.bits.get(n).copied().unwrap_or_default();
            if !word.is_empty() || bits != 0 {
                word.resize(at, 0);
                word.push(bits);
            }
        }
        cold.push(Cold::new(row));
        self.last = row.uid;
        self.unseen += u32::from(!row.system.contains(SystemFlag::Seen));
        self.max_mod_seq = self.max_mod_seq.max(row.mod_seq);
    }

    /// Changes the flags of `rows`.
    pub(crate) fn change(&mut self, rows: Range<usize>, change: &Change, moved: &mut Moved) {
        if rows.is_empty() {
            return;
        }
        let len = self.len();
        let hot = Arc::make_mut(&mut self.hot);
        let before = moved.unseen;
        let named = change.system;
        // Loops without branches: a mailbox is changed at some nanoseconds a message.
        let system = &mut hot.system[rows.clone()];
        moved.count_all(system, -1);
        match change.op {
            FlagOp::Replace => system.fill(named),
            FlagOp::Add => system.iter_mut().for_each(|system| *system = system.union(named)),
            FlagOp::Remove => {
                system.iter_mut().for_each(|system| *system = system.difference(named));
            }
        }
        moved.count_all(system, 1);
        hot.mod_seqs[rows.clone()].fill(change.at);
        if change.op != FlagOp::Remove {
            hot.grow_words(&change.bits);
        }
        for (n, word) in hot.words.iter_mut().enumerate() {
            let named = change.bits.get(n).copied().unwrap_or_default();
            if word.is_empty() {
                if named == 0 || change.op == FlagOp::Remove {
                    continue;
                }
                word.resize(len, 0);
            }
            for bits in &mut word[rows.clone()] {
                match change.op {
                    FlagOp::Replace => *bits = named,
                    FlagOp::Add => *bits |= named,
                    FlagOp::Remove => *bits &= !named,
                }
            }
        }
        self.unseen = (i64::from(self.unseen) + moved.unseen - before) as u32;
        self.max_mod_seq = change.at;
    }

    /// Whether a range of `uids` touches the span of this chunk.
    pub(crate) fn overlaps(&self, uids: &UidSet) -> bool {
        let at = uids.ranges().partition_point(|&(_, last)| last < self.first);
        uids.ranges().get(at).is_some_and(|&(first, _)| first <= self.last)
    }

    /// The rows that are not in `gone`, if there are any; the others' UIDs go to `removed`. Column by
    /// column, in runs.
    pub(crate) fn without(
        &self,
        gone: &UidSet,
        removed: &mut UidSet,
        moved: &mut Moved,
    ) -> Option<Self> {
        let (mut kept, mut from) = (Vec::new(), 0);
        let at = gone.ranges().partition_point(|&(_, last)| last < self.first);
        for &(first, last) in gone.ranges()[at..].iter().take_while(|range| range.0 <= self.last) {
            let rows = self.within(first, last);
            if rows.is_empty() {
                continue;
            }
            push_dense(removed, &self.hot.uids[rows.clone()]);
            moved.count_all(&self.hot.system[rows.clone()], -1);
            let sizes = self.cold[rows.clone()].iter().map(|cold| i64::from(cold.size));
            moved.size_bytes -= sizes.sum::<i64>();
            if rows.start > from {
                kept.push(from..rows.start);
            }
            from = rows.end;
        }
        if from < self.len() {
            kept.push(from..self.len());
        }
        self.only(&kept)
    }

    /// The rows of these runs, if there are any.
    fn only(&self, runs: &[Range<usize>]) -> Option<Self> {
        fn pick<T: Copy>(column: &[T], runs: &[Range<usize>], count: usize) -> Vec<T> {
            let mut picked = Vec::with_capacity(count);
            runs.iter().for_each(|run| picked.extend_from_slice(&column[run.clone()]));
            picked
        }
        let count = runs.iter().map(Range::len).sum();
        let mut hot = Hot {
            uids: pick(&self.hot.uids, runs, count),
            mod_seqs: pick(&self.hot.mod_seqs, runs, count),
            system: pick(&self.hot.system, runs, count),
            words: Vec::with_capacity(self.hot.words.len()),
        };
        for word in &self.hot.words {
            let word = if word.is_empty() { Vec::new() } else { pick(word, runs, count) };
            hot.words.push(if word.iter().any(|&bits| bits != 0) { word } else { Vec::new() });
        }
        let unseen = hot.system.iter().filter(|flags| !flags.contains(SystemFlag::Seen));
        Some(Self {
            start: self.start,
            first: *hot.uids.first()?,
            last: *hot.uids.last()?,
            unseen: unseen.count() as u32,
            max_mod_seq: hot.mod_seqs.iter().copied().max()?,
            hot: Arc::new(hot),
            cold: Arc::new(pick(&self.cold, runs, count)),
        })
    }

    /// The rows of both; `other` comes behind. Column by column.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let mut hot = Hot {
            uids: [&self.hot.uids[..], &other.hot.uids].concat(),
            mod_seqs: [&self.hot.mod_seqs[..], &other.hot.mod_seqs].concat(),
            system: [&self.hot.system[..], &other.hot.system].concat(),
            words: Vec::new(),
        };
        for n in 0..self.hot.words.len().max(other.hot.words.len()) {
            let mut word = Vec::new();
            for chunk in [self, other] {
                let more = chunk.hot.words.get(n).map_or(&[][..], |word| word);
                word.extend_from_slice(more);
                word.resize(word.len() + chunk.len() - more.len(), 0);
            }
            let is_used = word.iter().any(|&bits| bits != 0);
            hot.words.push(if is_used { word } else { Vec::new() });
        }
        Self {
            start: self.start,
            first: self.first,
            last: other.last,
            unseen: self.unseen + other.unseen,
            max_mod_seq: self.max_mod_seq.max(other.max_mod_seq),
            hot: Arc::new(hot),
            cold: Arc::new([&self.cold[..], &other.cold].concat()),
        }
    }
}

impl Hot {
    /// Makes room for as many words as `bits` uses.
    fn grow_words(&mut self, bits: &[u64]) {
        let used = bits.iter().rposition(|&word| word != 0).map_or(0, |at| at + 1);
        if self.words.len() < used {
            self.words.resize_with(used, Vec::new);
        }
    }
}
