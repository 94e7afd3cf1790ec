//! How records change a mailbox. Callers have checked that the change fits.

use std::sync::Arc;

use base::{Flags, Keyword, ModSeq, Uid, UidSet, UidValidity};

use crate::chunk::{Bits, Change, Moved, NewRow, places, set_bit};
use crate::group::Chunks;
use crate::history::{Changes, History};
use crate::mailbox::{Columns, Row};
use crate::{FlagOp, Mailbox, NewMessage, Position};

impl Mailbox {
    /// An empty mailbox created by the record at `at`.
    pub(crate) fn new(uid_validity: UidValidity, uid_next: Uid, at: ModSeq) -> Self {
        let columns = Columns {
            uid_validity,
            uid_next,
            uids_in_doubt: 0,
            recent_from: uid_next,
            highest_mod_seq: at,
            deleted: 0,
            unseen: 0,
            size_bytes: 0,
            keywords: Arc::default(),
            chunks: Chunks::default(),
            history: History::default(),
            changes: Changes::new(at),
        };
        Self { columns: Arc::new(columns) }
    }

    /// Adds messages with their positions; UIDs ascend from UIDNEXT on.
    pub(crate) fn append(&mut self, at: ModSeq, messages: &[(&NewMessage, Position)]) {
        let columns = Arc::make_mut(&mut self.columns);
        let from = columns.uid_next;
        for &(message, position) in messages {
            let bits = columns.intern(&message.flags.keywords);
            let row = Row {
                uid: message.uid,
                mod_seq: at,
                system: message.flags.system,
                size: message.size,
                internal_date: message.internal_date,
                save_date: message.save_date,
                email_id: message.email_id,
                thread_id: message.thread_id,
                position,
            };
            columns.push(&NewRow { row, bits });
        }
        columns.added(at, from);
    }

    /// Adds copies of `uids` of `source`, from UIDNEXT on.
    pub(crate) fn copy_in(&mut self, at: ModSeq, source: &Self, uids: &UidSet, save_date: i64) {
        let columns = Arc::make_mut(&mut self.columns);
        // Where the source's keywords are in this mailbox's table, as far as they are needed.
        let mut places_here = vec![None; source.columns.keywords.len()];
        let from = columns.uid_next;
        for row in source.rows_in(uids) {
            let mut bits = Bits::new();
            for place in places(&source.bits(row.uid)) {
                let here = *places_here[place]
                    .get_or_insert_with(|| columns.place_of(&source.columns.keywords[place]));
                set_bit(&mut bits, here);
            }
            let uid = columns.uid_next;
            columns.push(&NewRow { row: Row { uid, mod_seq: at, save_date, ..row }, bits });
        }
        columns.added(at, from);
    }

    /// Changes the flags of those of `uids` that exist.
    pub(crate) fn change_flags(&mut self, at: ModSeq, uids: &UidSet, op: FlagOp, flags: &Flags) {
        if self.indexed_rows_in(uids).next().is_none() {
            return;
        }
        let columns = Arc::make_mut(&mut self.columns);
        let bits = match op {
            // A keyword that no message has needs no place to be removed.
            FlagOp::Remove => columns.known(&flags.keywords),
            FlagOp::Replace | FlagOp::Add => columns.intern(&flags.keywords),
        };
        let change = Change { at, op, system: flags.system, bits };
        let mut moved = Moved::default();
        columns.chunks.change(uids, &change, &mut moved);
        columns.add(moved);
        columns.changes.add(at, uids);
        columns.highest_mod_seq = at;
    }

    /// Removes those of `uids` that exist.
    pub(crate) fn expunge(&mut self, at: ModSeq, uids: &UidSet) {
        if self.indexed_rows_in(uids).next().is_none() {
            return;
        }
        let columns = Arc::make_mut(&mut self.columns);
        let (mut removed, mut moved) = (UidSet::new(), Moved::default());
        columns.chunks.expunge(uids, &mut removed, &mut moved);
        columns.add(moved);
        columns.history.add(at, &removed);
        columns.highest_mod_seq = at;
    }

    /// So many UIDs from UIDNEXT on may have been given by records that are lost.
    pub(crate) fn doubt_uids(&mut self, uids: u32) {
        let columns = Arc::make_mut(&mut self.columns);
        columns.uids_in_doubt = columns.uids_in_doubt.saturating_add(uids);
    }

    /// UIDs below this are used.
    pub(crate) fn skip_to(&mut self, uid: Uid) {
        if uid > self.columns.uid_next {
            let columns = Arc::make_mut(&mut self.columns);
            (columns.uid_next, columns.uids_in_doubt) = (uid, 0);
        }
    }

    /// Messages below are not recent for sessions to come.
    pub(crate) fn claim_recent(&mut self, below: Uid) {
        if below > self.columns.recent_from {
            Arc::make_mut(&mut self.columns).recent_from = below;
        }
    }

    /// Forgets which UIDs were expunged before `at`.
    pub(crate) fn forget_before(&mut self, at: ModSeq) {
        if self.columns.history.iter().next().is_some_and(|gone| gone.at < at) {
            Arc::make_mut(&mut self.columns).history.forget_before(at);
        }
    }
}

impl Columns {
    /// Adds a message behind all others.
    pub(crate) fn push(&mut self, new: &NewRow) {
        self.chunks.push(new);
        // Checked before the record was applied: the last UID is never given out.
        self.uid_next = new.row.uid.next().unwrap_or(Uid::MAX);
        self.uids_in_doubt = 0;
        self.highest_mod_seq = self.highest_mod_seq.max(new.row.mod_seq);
        let mut moved = Moved::default();
        moved.count(new.row.system, new.row.size, 1);
        self.add(moved);
    }

    /// Adds many messages behind all others.
    pub(crate) fn extend(&mut self, rows: &[NewRow]) {
        self.chunks.extend(rows);
        let Some(last) = rows.last() else { return };
        (self.uid_next, self.uids_in_doubt) = (last.row.uid.next().unwrap_or(Uid::MAX), 0);
        let mut moved = Moved::default();
        for NewRow { row, .. } in rows {
            self.highest_mod_seq = self.highest_mod_seq.max(row.mod_seq);
            moved.count(row.system, row.size, 1);
        }
        self.add(moved);
        // Records that are known only by what came of them.
        self.changes = Changes::new(self.highest_mod_seq);
    }

    /// The record at `at` added all messages from `from` on.
    fn added(&mut self, at: ModSeq, from: Uid) {
        if let Some(last) = Uid::new(self.uid_next.get() - 1).filter(|&last| last >= from) {
            self.changes.add(at, &UidSet::range(from, last));
        }
    }

    pub(crate) fn add(&mut self, moved: Moved) {
        self.unseen = (i64::from(self.unseen) + moved.unseen) as u32;
        self.deleted = (i64::from(self.deleted) + moved.deleted) as u32;
        self.size_bytes = self.size_bytes.wrapping_add_signed(moved.size_bytes);
    }

    /// The keyword's place in the table, added if it is new.
    pub(crate) fn place_of(&mut self, keyword: &Keyword) -> usize {
        self.keywords.iter().position(|other| other == keyword).unwrap_or_else(|| {
            Arc::make_mut(&mut self.keywords).push(keyword.clone());
            self.keywords.len() - 1
        })
    }

    fn intern(&mut self, keywords: &[Keyword]) -> Bits {
        let mut bits = Bits::new();
        keywords.iter().for_each(|keyword| set_bit(&mut bits, self.place_of(keyword)));
        bits
    }

    fn known(&self, keywords: &[Keyword]) -> Bits {
        let mut bits = Bits::new();
        let places = self.keywords.iter().enumerate().filter(|(_, k)| keywords.contains(k));
        places.for_each(|(place, _)| set_bit(&mut bits, place));
        bits
    }
}
