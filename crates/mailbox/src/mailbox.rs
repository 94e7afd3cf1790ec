//! A mailbox: columns sorted by UID, copy-on-write in chunks.

use std::sync::Arc;

use base::{
    DateTime, EmailId, Flags, Keyword, ModSeq, SystemFlag, SystemFlags, ThreadId, Uid, UidSet,
    UidValidity,
};

use crate::Position;
use crate::chunk::Chunk;
use crate::group::Chunks;
use crate::history::{Changes, History};
use crate::range::push_dense;

/// The messages of a mailbox at one log position. A clone is a reference.
#[derive(Clone, Debug)]
pub struct Mailbox {
    pub(crate) columns: Arc<Columns>,
}

/// What a [`Mailbox`] refers to.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid_next: Uid,
    /// How many UIDs from there on lost records may have given.
    pub(crate) uids_in_doubt: u32,
    pub(crate) recent_from: Uid,
    pub(crate) highest_mod_seq: ModSeq,
    pub(crate) deleted: u32,
    pub(crate) unseen: u32,
    pub(crate) size_bytes: u64,
    /// Grows only, so that bits keep their meaning.
    pub(crate) keywords: Arc<Vec<Keyword>>,
    pub(crate) chunks: Chunks,
    pub(crate) history: History,
    pub(crate) changes: Changes,
}

/// One message's columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// UID
    pub uid: Uid,
    /// Position of the last record that touched it.
    pub mod_seq: ModSeq,
    /// System flags; keywords are asked of the [`Mailbox`].
    pub system: SystemFlags,
    /// RFC822.SIZE
    pub size: u32,
    /// INTERNALDATE
    pub internal_date: DateTime,
    /// SAVEDATE, seconds since 1970 UTC.
    pub save_date: i64,
    /// EMAILID
    pub email_id: EmailId,
    /// THREADID
    pub thread_id: ThreadId,
    /// Where the bytes are.
    pub position: Position,
}

/// What changes of a message.
#[derive(Clone, Copy, Debug)]
pub struct HotRow<'a> {
    /// Its index, from 0.
    pub index: u32,
    /// UID
    pub uid: Uid,
    /// Position of the last record that touched it.
    pub mod_seq: ModSeq,
    /// System flags.
    pub system: SystemFlags,
    place: (&'a Chunk, usize),
    table: &'a [Keyword],
}

impl<'a> HotRow<'a> {
    /// Its keywords.
    pub fn keywords(&self) -> impl Iterator<Item = &'a Keyword> + 'a {
        let ((chunk, at), table) = (self.place, self.table);
        chunk.places(at).filter_map(|n| table.get(n))
    }
}

/// What QRESYNC's VANISHED can say (RFC 7162 §3.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vanished {
    /// UIDs expunged after the asked position.
    pub uids: UidSet,
    /// False when retention dropped part of the history: then `uids` holds every absent UID, which
    /// RFC 7162 §3.2.5.1 allows.
    pub exact: bool,
}

impl Mailbox {
    /// UIDVALIDITY
    pub fn uid_validity(&self) -> UidValidity {
        self.columns.uid_validity
    }

    /// UIDNEXT
    pub fn uid_next(&self) -> Uid {
        let next = self.columns.uid_next.get().saturating_add(self.columns.uids_in_doubt);
        Uid::new(next).unwrap_or(Uid::MAX)
    }

    /// UIDNEXT as far as records tell: below [`Mailbox::uid_next`] if some were lost.
    pub(crate) fn uid_next_known(&self) -> Uid {
        self.columns.uid_next
    }

    /// HIGHESTMODSEQ: position of the last record that touched a message here, or created the
    /// mailbox.
    pub fn highest_mod_seq(&self) -> ModSeq {
        self.columns.highest_mod_seq
    }

    /// How many messages.
    pub fn len(&self) -> u32 {
        self.columns.chunks.rows()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.columns.chunks.is_empty()
    }

    /// Messages without `\Seen`. Kept up to date: O(1).
    pub fn unseen(&self) -> u32 {
        self.columns.unseen
    }

    /// Messages with `\Deleted`. O(1).
    pub fn deleted(&self) -> u32 {
        self.columns.deleted
    }

    /// Sum of sizes. O(1).
    pub fn size_bytes(&self) -> u64 {
        self.columns.size_bytes
    }

    /// First UID that no session has claimed as `\Recent` yet.
    pub fn recent_from(&self) -> Uid {
        self.columns.recent_from
    }

    /// The keywords in use or once used, in the order they came.
    pub fn keywords(&self) -> &[Keyword] {
        &self.columns.keywords
    }

    /// Whether both are the same fold of the same mailbox: a comparison of references.
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.columns, &other.columns)
    }

    /// The chunk that has `uid`, and the row's place there.
    fn locate(&self, uid: Uid) -> Option<(&Chunk, usize)> {
        let (_, chunk) = self.columns.chunks.by_uid(uid)?;
        let at = chunk.rank(uid);
        (chunk.uids().get(at) == Some(&uid)).then_some((chunk, at))
    }

    /// The message with this UID.
    pub fn get(&self, uid: Uid) -> Option<Row> {
        self.locate(uid).map(|(chunk, at)| chunk.row(at))
    }

    /// Whether there is a message with this UID.
    pub fn contains(&self, uid: Uid) -> bool {
        self.locate(uid).is_some()
    }

    /// The `index`-th message, from 0. O(log n).
    pub fn nth(&self, index: u32) -> Option<Row> {
        let (start, chunk) = self.columns.chunks.by_index(index)?;
        Some(chunk.row((index - start) as usize))
    }

    /// The `index`-th message's UID, from 0. O(log n).
    pub fn nth_uid(&self, index: u32) -> Option<Uid> {
        let (start, chunk) = self.columns.chunks.by_index(index)?;
        chunk.uids().get((index - start) as usize).copied()
    }

    /// How many messages have UIDs below `uid`. O(log n).
    pub fn rank(&self, uid: Uid) -> u32 {
        let chunk = self.columns.chunks.by_uid(uid);
        chunk.map_or(self.len(), |(start, chunk)| start + chunk.rank(uid) as u32)
    }

    /// The same for each of `uids`, which ascend: those near each other are looked up together.
    pub(crate) fn ranks(&self, uids: impl Iterator<Item = Uid>) -> impl Iterator<Item = u32> {
        let mut near = None;
        uids.map(move |uid| {
            if near.is_none_or(|(_, chunk): (u32, &Chunk)| chunk.last < uid) {
                near = self.columns.chunks.by_uid(uid);
            }
            near.map_or(self.len(), |(start, chunk)| start + chunk.rank(uid) as u32)
        })
    }

    /// How many messages have UIDs from `first` to `last`. O(log n).
    pub fn count_between(&self, first: Uid, last: Uid) -> u64 {
        let end = last.next().map_or(self.len(), |next| self.rank(next));
        u64::from(end.saturating_sub(self.rank(first)))
    }

    /// The messages whose UIDs are in `uids`, ascending. Cost grows with what is found.
    pub fn rows_in<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = Row> + 'a {
        self.indexed_rows_in(uids).map(|(_, row)| row)
    }

    /// As [`Mailbox::rows_in`], each with its index from 0.
    pub fn indexed_rows_in<'a>(
        &'a self,
        uids: &'a UidSet,
    ) -> impl Iterator<Item = (u32, Row)> + 'a {
        // Ranges behind the last message find nothing.
        let last = self.columns.chunks.last();
        let ranges = uids.ranges().iter().take_while(move |&&(first, _)| Some(first) <= last);
        ranges.flat_map(move |&(first, last)| {
            let chunks = self.columns.chunks.onward_from_uid(first);
            chunks.take_while(move |(_, chunk)| chunk.first <= last).flat_map(
                move |(start, chunk)| {
                    let rows = chunk.within(first, last);
                    rows.map(move |at| (start + at as u32, chunk.row(at)))
                },
            )
        })
    }

    /// All messages, ascending.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = Row> + '_ {
        let chunks = self.columns.chunks.iter();
        chunks.flat_map(|(_, chunk)| (0..chunk.len()).map(move |at| chunk.row(at)))
    }

    /// UID, MODSEQ and system flags of all messages, ascending, without touching the other columns.
    pub fn marks(&self) -> impl Iterator<Item = (Uid, ModSeq, SystemFlags)> + '_ {
        self.columns.chunks.iter().flat_map(|(_, chunk)| {
            let columns = chunk.uids().iter().zip(chunk.mod_seqs()).zip(chunk.system());
            columns.map(|((&uid, &mod_seq), &system)| (uid, mod_seq, system))
        })
    }

    /// UID and EMAILID of all messages, ascending, without touching the other columns.
    pub(crate) fn email_ids(&self) -> impl Iterator<Item = (Uid, &EmailId)> + '_ {
        self.columns.chunks.iter().flat_map(|(_, chunk)| {
            chunk.uids().iter().enumerate().map(|(at, &uid)| (uid, chunk.email_id(at)))
        })
    }

    /// The messages touched after `since`, ascending by UID. Skips untouched chunks.
    pub fn changed_since(&self, since: ModSeq) -> impl Iterator<Item = Row> + '_ {
        self.indexed_changed_since(since, Uid::MIN).map(|(_, row)| row)
    }

    /// The UIDs of the messages touched after `since`. Cost grows with them where they are few and
    /// lately touched, else as that of [`Mailbox::changed_since`].
    pub fn uids_changed_since(&self, since: ModSeq) -> UidSet {
        let Some(touched) = self.columns.changes.since(since) else {
            return self.changed_since(since).map(|row| row.uid).collect();
        };
        let mut changed = UidSet::new();
        for (chunk, rows) in self.pieces(&touched) {
            let rows = rows.filter(|&at| chunk.mod_seqs()[at] > since);
            rows.for_each(|at| changed.insert(chunk.uids()[at]));
        }
        changed
    }

    /// As [`Mailbox::changed_since`] from a UID on, each with its index from 0.
    pub(crate) fn indexed_changed_since(
        &self,
        since: ModSeq,
        from: Uid,
    ) -> impl Iterator<Item = (u32, Row)> + '_ {
        self.indexed_changed_unless(since, from, |_| false)
    }

    /// The same without the chunks of which `skips` says so.
    pub(crate) fn indexed_changed_unless<'a>(
        &'a self,
        since: ModSeq,
        from: Uid,
        skips: impl Fn(&Chunk) -> bool + 'a,
    ) -> impl Iterator<Item = (u32, Row)> + 'a {
        let any = self.columns.highest_mod_seq > since;
        let chunks = any.then(|| self.columns.chunks.changed(since, from)).into_iter().flatten();
        chunks.filter(move |(_, chunk)| !skips(chunk)).flat_map(move |(start, chunk)| {
            let rows = chunk.rank(from)..chunk.len();
            rows.filter(move |&at| chunk.mod_seqs()[at] > since)
                .map(move |at| (start + at as u32, chunk.row(at)))
        })
    }

    /// All flags of a message that is here.
    pub fn flags(&self, uid: Uid) -> Option<Flags> {
        let (chunk, at) = self.locate(uid)?;
        Some(Flags { system: chunk.system()[at], keywords: self.keywords_at(chunk, at) })
    }

    /// The keywords of a row.
    pub(crate) fn keywords_at(&self, chunk: &Chunk, at: usize) -> Vec<Keyword> {
        let keywords = &self.columns.keywords;
        chunk.places(at).filter_map(|n| keywords.get(n).cloned()).collect()
    }

    /// Calls `each` with the keywords of a message; false if it is not here.
    pub(crate) fn each_keyword(&self, uid: Uid, each: impl FnMut(&Keyword)) -> bool {
        let Some((chunk, at)) = self.locate(uid) else { return false };
        chunk.places(at).filter_map(|n| self.columns.keywords.get(n)).for_each(each);
        true
    }

    /// The messages of `uids`, ascending, without the columns that never change: one look at each chunk.
    pub fn hot_rows_in<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = HotRow<'a>> + 'a {
        let last = self.columns.chunks.last();
        let ranges = uids.ranges().iter().take_while(move |&&(first, _)| Some(first) <= last);
        ranges.flat_map(move |&(first, last)| {
            let chunks = self.columns.chunks.onward_from_uid(first);
            let chunks = chunks.take_while(move |(_, chunk)| chunk.first <= last);
            chunks.flat_map(move |(start, chunk)| {
                let table = &self.columns.keywords[..];
                chunk.within(first, last).map(move |at| HotRow {
                    index: start + at as u32,
                    uid: chunk.uids()[at],
                    mod_seq: chunk.mod_seqs()[at],
                    system: chunk.system()[at],
                    place: (chunk, at),
                    table,
                })
            })
        })
    }

    /// A message's keywords, as bits of their places in the table.
    pub(crate) fn bits(&self, uid: Uid) -> Vec<u64> {
        self.locate(uid).map(|(chunk, at)| chunk.bits(at)).unwrap_or_default()
    }

    /// Whether a message has a keyword.
    pub fn has_keyword(&self, uid: Uid, keyword: &Keyword) -> bool {
        let place = self.columns.keywords.iter().position(|other| other == keyword);
        let found = self.locate(uid).zip(place);
        found.is_some_and(|((chunk, at), place)| chunk.has_bit(at, place))
    }

    /// The messages with a keyword. Looks the keyword up once.
    pub fn uids_with_keyword(&self, keyword: &Keyword) -> UidSet {
        let place = self.columns.keywords.iter().position(|other| other == keyword);
        let rows = place.into_iter().flat_map(|place| {
            self.columns.chunks.iter().flat_map(move |(_, chunk)| {
                let has = move |&(at, _): &(usize, &Uid)| chunk.has_bit(at, place);
                chunk.uids().iter().enumerate().filter(has).map(|(_, &uid)| uid)
            })
        });
        rows.collect()
    }

    /// The messages with a system flag.
    pub fn uids_with(&self, flag: SystemFlag) -> UidSet {
        let rows = self.columns.chunks.iter().flat_map(|(_, chunk)| {
            let rows = chunk.uids().iter().zip(chunk.system());
            rows.filter(|&(_, system)| system.contains(flag)).map(|(&uid, _)| uid)
        });
        rows.collect()
    }

    /// UIDs expunged after `since` (RFC 7162 §3.2.5.1).
    pub fn vanished_since(&self, since: ModSeq) -> Vanished {
        if let Some(uids) = self.columns.history.since(since) {
            return Vanished { uids, exact: true };
        }
        let absent = match Uid::new(self.uid_next().get() - 1) {
            Some(last) => UidSet::range(Uid::MIN, last).difference(&self.uids()),
            None => UidSet::new(),
        };
        Vanished { uids: absent, exact: false }
    }

    /// The UIDs that exist, as ranges.
    pub fn uids(&self) -> UidSet {
        self.uids_between(0, self.len())
    }

    /// The UIDs of the messages with indices from `from` on and below `to`, as ranges.
    pub fn uids_between(&self, from: u32, to: u32) -> UidSet {
        let mut uids = UidSet::new();
        for (start, chunk) in self.columns.chunks.onward_from_index(from) {
            if start >= to {
                break;
            }
            let first = from.saturating_sub(start) as usize;
            let last = ((to - start) as usize).min(chunk.len());
            let part = chunk.uids().get(first..last).unwrap_or_default();
            push_dense(&mut uids, part);
        }
        uids
    }

    /// The first message without `\Seen` (RFC 3501 §7.1, UNSEEN).
    pub fn first_unseen(&self) -> Option<Uid> {
        let (_, chunk) = self.columns.chunks.having(true).next()?;
        let at = chunk.system().iter().position(|flags| !flags.contains(SystemFlag::Seen))?;
        Some(chunk.uids()[at])
    }

    /// Memory the columns take, in bytes, roughly. Chunks shared with other folds count here too.
    pub fn memory_bytes(&self) -> usize {
        let columns = &*self.columns;
        let keywords = columns.keywords.iter().map(|keyword| keyword.as_str().len() + 40);
        size_of::<Columns>()
            + keywords.sum::<usize>()
            + columns.chunks.memory_bytes()
            + columns.history.memory_bytes()
            + columns.changes.memory_bytes()
    }
}
