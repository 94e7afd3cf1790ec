//! A mailbox: columns sorted by UID, copy-on-write in chunks.

use base::{
    DateTime, EmailId, Flags, Keyword, ModSeq, SystemFlags, ThreadId, Uid, UidSet, UidValidity,
};

use crate::Position;

/// The messages of a mailbox at one log position. A clone is a reference.
#[derive(Clone, Debug)]
pub struct Mailbox {
    // The owner of this file replaces the body; the methods are the contract.
    uid_validity: UidValidity,
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
        self.uid_validity
    }

    /// UIDNEXT
    pub fn uid_next(&self) -> Uid {
        unimplemented!()
    }

    /// HIGHESTMODSEQ: position of the last record that touched a message here, or created the
    /// mailbox.
    pub fn highest_mod_seq(&self) -> ModSeq {
        unimplemented!()
    }

    /// How many messages.
    pub fn len(&self) -> u32 {
        unimplemented!()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages without `\Seen`. Kept up to date: O(1).
    pub fn unseen(&self) -> u32 {
        unimplemented!()
    }

    /// Messages with `\Deleted`. O(1).
    pub fn deleted(&self) -> u32 {
        unimplemented!()
    }

    /// Sum of sizes. O(1).
    pub fn size_bytes(&self) -> u64 {
        unimplemented!()
    }

    /// First UID that no session has claimed as `\Recent` yet.
    pub fn recent_from(&self) -> Uid {
        unimplemented!()
    }

    /// The keywords in use or once used, in the order they came.
    pub fn keywords(&self) -> &[Keyword] {
        unimplemented!()
    }

    /// The message with this UID.
    pub fn get(&self, uid: Uid) -> Option<Row> {
        let _ = uid;
        unimplemented!()
    }

    /// The `index`-th message, from 0. O(log n).
    pub fn nth(&self, index: u32) -> Option<Row> {
        let _ = index;
        unimplemented!()
    }

    /// How many messages have UIDs below `uid`. O(log n).
    pub fn rank(&self, uid: Uid) -> u32 {
        let _ = uid;
        unimplemented!()
    }

    /// The messages whose UIDs are in `uids`, ascending. Cost grows with what is found.
    pub fn rows_in<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = Row> + 'a {
        let _ = uids;
        std::iter::empty()
    }

    /// All messages, ascending.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = Row> + '_ {
        std::iter::empty()
    }

    /// The messages touched after `since`, ascending by UID. Skips untouched chunks.
    pub fn changed_since(&self, since: ModSeq) -> impl Iterator<Item = Row> + '_ {
        let _ = since;
        std::iter::empty()
    }

    /// All flags of a message that is here.
    pub fn flags(&self, uid: Uid) -> Option<Flags> {
        let _ = uid;
        unimplemented!()
    }

    /// Whether a message has a keyword.
    pub fn has_keyword(&self, uid: Uid, keyword: &Keyword) -> bool {
        let _ = (uid, keyword);
        unimplemented!()
    }

    /// UIDs expunged after `since` (RFC 7162 §3.2.5.1).
    pub fn vanished_since(&self, since: ModSeq) -> Vanished {
        let _ = since;
        unimplemented!()
    }

    /// The UIDs that exist, as ranges.
    pub fn uids(&self) -> UidSet {
        unimplemented!()
    }

    /// The first message without `\Seen` (RFC 3501 §7.1, UNSEEN).
    pub fn first_unseen(&self) -> Option<Uid> {
        unimplemented!()
    }
}
