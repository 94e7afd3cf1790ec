//! A view: what one client has been told of a mailbox.
//!
//! It holds the newest fold it has seen, the messages expunged from it that the client still
//! numbers (ghosts), and two marks: changes told up to here, appended messages announced up to
//! there. So it costs a reference, any number of missed changes costs nothing but the ghosts, and a
//! message expunged elsewhere stays readable while it is numbered (RFC 2180 §4.1).

use base::{Flags, ModSeq, SeqNum, SeqSet, Uid, UidSet};

use crate::{Mailbox, Row};

/// Whether the command that ends may tell expunges (RFC 9051 §7.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expunges {
    /// They may be told.
    Tell,
    /// FETCH, STORE, SEARCH without UID: numbers must not move.
    Hold,
}

/// Something the client has to be told, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// These are gone: one VANISHED, or one EXPUNGE for each of `seqs`, which are numbered so that
    /// sending them in order is right (each after the removal of those before it).
    Expunged {
        /// The UIDs.
        uids: UidSet,
        /// The numbers to send, in order.
        seqs: Vec<SeqNum>,
    },
    /// The mailbox now has so many messages.
    Exists(u32),
    /// So many of them are recent.
    Recent(u32),
    /// The mailbox has keywords it did not have: a new FLAGS and PERMANENTFLAGS.
    NewKeywords,
    /// A message's flags changed.
    Flags {
        /// Its number.
        seq: SeqNum,
        /// Its UID.
        uid: Uid,
        /// Its MODSEQ.
        mod_seq: ModSeq,
    },
}

/// One client's picture of one mailbox.
#[derive(Clone, Debug)]
pub struct View {
    // The owner of this file replaces the body; the methods are the contract.
    mailbox: Mailbox,
}

impl View {
    /// A view in which all of `mailbox` counts as told. Messages from `recent_from` on are
    /// `\Recent` in it, and so are those that arrive while `claims_recent` (RFC 3501 §2.3.2).
    pub fn new(mailbox: Mailbox, recent_from: Uid, claims_recent: bool) -> Self {
        let _ = (recent_from, claims_recent);
        Self { mailbox }
    }

    /// The newest fold absorbed.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Takes in a newer fold without telling anything: expunged messages become ghosts.
    pub fn absorb(&mut self, newer: &Mailbox) {
        let _ = newer;
        unimplemented!()
    }

    /// What the client is to be told now. Afterwards it counts as told. With `Hold` no expunge is
    /// told and no number moves; EXISTS counts the ghosts.
    pub fn sync(&mut self, expunges: Expunges) -> Vec<Event> {
        let _ = expunges;
        unimplemented!()
    }

    /// Whether [`View::sync`] with `Tell` would say something.
    pub fn has_news(&self) -> bool {
        unimplemented!()
    }

    /// Call right before committing a flag change at `.SILENT`, with the position it will have:
    /// messages of `uids` whose only untold change is that record are not told of it. Changes by
    /// others that are untold now stay to be told.
    pub fn mute(&mut self, at: ModSeq, uids: &UidSet) {
        let _ = (at, uids);
        unimplemented!()
    }

    /// How many messages the client numbers: those told, ghosts included.
    pub fn exists(&self) -> u32 {
        unimplemented!()
    }

    /// How many of them are recent.
    pub fn recent(&self) -> u32 {
        unimplemented!()
    }

    /// Whether this client sees the message as `\Recent`.
    pub fn is_recent(&self, uid: Uid) -> bool {
        let _ = uid;
        unimplemented!()
    }

    /// The message with this number, expunged elsewhere or not.
    pub fn by_seq(&self, seq: SeqNum) -> Option<Row> {
        let _ = seq;
        unimplemented!()
    }

    /// The number of a message that the client numbers.
    pub fn seq_of(&self, uid: Uid) -> Option<SeqNum> {
        let _ = uid;
        unimplemented!()
    }

    /// The message with this UID if the client numbers it, ghosts included.
    pub fn by_uid(&self, uid: Uid) -> Option<Row> {
        let _ = uid;
        unimplemented!()
    }

    /// Its flags: the fold's, or a ghost's last ones.
    pub fn flags(&self, uid: Uid) -> Option<Flags> {
        let _ = uid;
        unimplemented!()
    }

    /// Whether the message was expunged elsewhere and the client does not know it yet.
    pub fn is_ghost(&self, uid: Uid) -> bool {
        let _ = uid;
        unimplemented!()
    }

    /// The UIDs behind numbers; `None` if one of them numbers nothing.
    pub fn uids_of(&self, seqs: &SeqSet) -> Option<UidSet> {
        let _ = seqs;
        unimplemented!()
    }

    /// The UIDs of `uids` that the client numbers, ghosts included, as ranges.
    pub fn known(&self, uids: &UidSet) -> UidSet {
        let _ = uids;
        unimplemented!()
    }

    /// The messages of `uids` that the client numbers, ghosts included, ascending, each with its
    /// number. Cost grows with what is found.
    pub fn rows<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = (SeqNum, Row)> + 'a {
        let _ = uids;
        std::iter::empty()
    }
}
