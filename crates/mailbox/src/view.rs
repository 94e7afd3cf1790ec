//! A view: what one client has been told of a mailbox.
//!
//! It holds the newest fold it has seen, the messages expunged from it that the client still
//! numbers (ghosts), and two marks: changes told up to here, appended messages announced up to
//! there. So it costs a reference, any number of missed changes costs nothing but the ghosts, and a
//! message expunged elsewhere stays readable while it is numbered (RFC 2180 §4.1).

use base::{Flags, Keyword, ModSeq, SeqNum, SeqSet, Uid, UidSet};

use crate::chunk::Chunk;
use crate::{Mailbox, Row};

/// Whether the command that ends may tell expunges (RFC 9051 §7.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expunges {
    /// They may be told.
    Tell,
    /// FETCH, STORE, SEARCH without UID: numbers must not move.
    Hold,
}

/// Rows that room is made for before they are found.
const ROWS_MAX: usize = 4096;

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

/// A message that was expunged while the client numbers it.
#[derive(Clone, Debug)]
struct Ghost {
    row: Row,
    flags: Flags,
}

/// One client's picture of one mailbox.
#[derive(Clone, Debug)]
pub struct View {
    /// The newest fold absorbed.
    mailbox: Mailbox,
    /// Ascending by UID, all below `announced`.
    ghosts: Vec<Ghost>,
    /// Changes up to here are told.
    told: ModSeq,
    /// While there are ghosts: expunges up to here are told.
    expunges_told: ModSeq,
    /// Messages with UIDs below are announced: the client numbers them.
    announced: Uid,
    /// Which UIDs are `\Recent` here; may hold absent ones.
    recent: UidSet,
    recent_told: u32,
    claims_recent: bool,
    keywords_told: usize,
    /// While a sync is told in pieces: changes of messages from the first UID on and below the second
    /// are not told yet.
    partial: Option<(Uid, Uid)>,
    /// Of the changes of these positions, which ascend, those of these messages need not be told.
    muted: Vec<(ModSeq, UidSet)>,
}

impl View {
    /// A view in which all of `mailbox` counts as told. Messages from `recent_from` on are
    /// `\Recent` in it, and so are those that arrive while `claims_recent` (RFC 3501 §2.3.2) unless
    /// another session claimed them first.
    pub fn new(mailbox: Mailbox, recent_from: Uid, claims_recent: bool) -> Self {
        let mut view = Self {
            ghosts: Vec::new(),
            told: mailbox.highest_mod_seq(),
            expunges_told: mailbox.highest_mod_seq(),
            announced: mailbox.uid_next(),
            recent: UidSet::new(),
            recent_told: 0,
            claims_recent,
            keywords_told: mailbox.keywords().len(),
            partial: None,
            muted: Vec::new(),
            mailbox,
        };
        view.add_recent(recent_from);
        view.recent_told = view.recent();
        view
    }

    /// Announced messages from `from` on are recent here.
    fn add_recent(&mut self, from: Uid) {
        if let Some(last) = Uid::new(self.announced.get() - 1).filter(|&last| from <= last) {
            self.recent.insert_range(from, last);
        }
    }

    /// The newest fold absorbed.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Everything up to here is told, expunges too: what HIGHESTMODSEQ may say to this client, so
    /// that it misses nothing when it comes back with that (RFC 7162 §3.2.5).
    pub fn told(&self) -> ModSeq {
        if self.ghosts.is_empty() { self.told } else { self.told.min(self.expunges_told) }
    }

    /// UIDNEXT as this client may know it: messages from here on are not announced.
    pub fn announced(&self) -> Uid {
        self.announced
    }

    /// Takes in a newer fold without telling anything: expunged messages become ghosts. An older
    /// one, or one of another mailbox, changes nothing.
    pub fn absorb(&mut self, newer: &Mailbox) {
        let (old, new) = (self.mailbox.highest_mod_seq(), newer.highest_mod_seq());
        let follows = old < new || (old == new && self.mailbox.recent_from() < newer.recent_from());
        if !follows || newer.uid_validity() != self.mailbox.uid_validity() {
            return;
        }
        let vanished = newer.vanished_since(old);
        let gone = if vanished.exact {
            vanished.uids
        } else {
            self.mailbox.uids().difference(&newer.uids())
        };
        let before = self.ghosts.len();
        self.ghosts.reserve(usize::try_from(gone.len()).unwrap_or(0).min(ROWS_MAX));
        for (chunk, rows) in self.mailbox.pieces(&gone) {
            let rows = rows.map(|at| (at, chunk.row(at)));
            let numbered = rows.take_while(|(_, row)| row.uid < self.announced);
            self.ghosts.extend(numbered.map(|(at, row)| {
                let keywords = self.mailbox.keywords_at(chunk, at);
                Ghost { row, flags: Flags { system: row.system, keywords } }
            }));
        }
        if self.ghosts.len() > before {
            if before == 0 {
                self.expunges_told = old;
            } else {
                self.ghosts.sort_by_key(|ghost| ghost.row.uid);
            }
        }
        self.mailbox = newer.clone();
        // What was told of a sync in pieces is told again: that is harmless, a gap is not.
        self.partial = None;
    }

    /// What the client is to be told now. Afterwards it counts as told. With `Hold` no expunge is
    /// told and no number moves; EXISTS counts the ghosts.
    pub fn sync(&mut self, expunges: Expunges) -> Vec<Event> {
        // The rest of a sync in pieces comes first.
        let resumed = self.partial.is_some();
        let mut events = self.sync_some(expunges, usize::MAX);
        if resumed {
            events.extend(self.sync_some(expunges, usize::MAX));
        }
        events
    }

    /// As [`View::sync`], with at most `flags_max` of [`Event::Flags`]: call it until it says
    /// nothing. So a change of a whole large mailbox is told without a list of it.
    pub fn sync_some(&mut self, expunges: Expunges, flags_max: usize) -> Vec<Event> {
        let mut events = Vec::new();
        let (from, below) = match self.partial.take() {
            Some(partial) => partial,
            None => (Uid::MIN, self.announce(expunges, &mut events)),
        };
        let mut untold = self.untold(from, below);
        events.extend(untold.by_ref().take(flags_max.max(1)).map(|(index, row)| Event::Flags {
            seq: self.number(index, row.uid),
            uid: row.uid,
            mod_seq: row.mod_seq,
        }));
        let next = untold.next().map(|(_, row)| row.uid);
        drop(untold);
        match next {
            Some(next) => self.partial = Some((next, below)),
            None => {
                self.told = self.mailbox.highest_mod_seq();
                self.muted.retain(|&(at, _)| at > self.told);
            }
        }
        events
    }

    /// All that comes before flags. Returns UIDNEXT as it was announced before.
    fn announce(&mut self, expunges: Expunges, events: &mut Vec<Event>) -> Uid {
        if expunges == Expunges::Tell && !self.ghosts.is_empty() {
            events.push(self.tell_ghosts());
        }
        let (announced, exists) = (self.announced, self.exists());
        self.announced = self.mailbox.uid_next();
        if self.exists() != exists {
            events.push(Event::Exists(self.exists()));
        }
        if self.claims_recent {
            self.add_recent(announced.max(self.mailbox.recent_from()));
        }
        let recent = self.recent();
        if recent != self.recent_told {
            self.recent_told = recent;
            events.push(Event::Recent(recent));
        }
        if self.mailbox.keywords().len() != self.keywords_told {
            self.keywords_told = self.mailbox.keywords().len();
            events.push(Event::NewKeywords);
        }
        announced
    }

    /// Whether there are keywords that were not told, which count as told from here on: flags are
    /// defined before messages are shown with them.
    pub fn take_new_keywords(&mut self) -> bool {
        let known = self.mailbox.keywords().len();
        std::mem::replace(&mut self.keywords_told, known) != known
    }

    fn tell_ghosts(&mut self) -> Event {
        let ghosts = std::mem::take(&mut self.ghosts);
        let uids = || ghosts.iter().map(|ghost| ghost.row.uid);
        let mut seqs = Vec::with_capacity(ghosts.len());
        // Ascending: when one is told, those before it are gone already.
        seqs.extend(self.mailbox.ranks(uids()).filter_map(seq));
        Event::Expunged { uids: uids().collect(), seqs }
    }

    /// Messages from `from` on and below `below` with changes that are neither told nor muted, with
    /// their indices in the fold.
    fn untold(&self, from: Uid, below: Uid) -> impl Iterator<Item = (u32, Row)> + '_ {
        let all_muted = |chunk: &Chunk| self.is_all_muted(chunk);
        let changed = self.mailbox.indexed_changed_unless(self.told, from, all_muted);
        let numbered = changed.take_while(move |(_, row)| row.uid < below);
        numbered.filter(|(_, row)| !self.is_muted(row.uid, row.mod_seq))
    }

    /// Whether one muted record touched all messages of a chunk last, as a change of the whole mailbox
    /// does.
    fn is_all_muted(&self, chunk: &Chunk) -> bool {
        let at = chunk.max_mod_seq;
        let found = self.muted.binary_search_by_key(&at, |&(at, _)| at);
        found.is_ok_and(|nth| {
            let ranges = self.muted[nth].1.ranges();
            let place = ranges.partition_point(|&(_, last)| last < chunk.last);
            ranges.get(place).is_some_and(|&(first, _)| first <= chunk.first)
                && chunk.mod_seqs().iter().all(|&mod_seq| mod_seq == at)
        })
    }

    fn is_muted(&self, uid: Uid, mod_seq: ModSeq) -> bool {
        let found = self.muted.binary_search_by_key(&mod_seq, |&(at, _)| at);
        found.is_ok_and(|nth| self.muted[nth].1.contains(uid))
    }

    /// Whether [`View::sync`] would tell a change of this message's flags.
    pub fn is_untold(&self, uid: Uid) -> bool {
        let row = self.mailbox.get(uid).filter(|row| row.uid < self.announced);
        row.is_some_and(|row| row.mod_seq > self.told && !self.is_muted(uid, row.mod_seq))
    }

    /// Whether [`View::sync`] with `Tell` would say something.
    pub fn has_news(&self) -> bool {
        !self.ghosts.is_empty()
            || self.mailbox.rank(self.announced) != self.mailbox.len()
            || self.mailbox.keywords().len() != self.keywords_told
            || self.recent() != self.recent_told
            || self.untold(Uid::MIN, self.announced).next().is_some()
    }

    /// Call after committing a flag change at `.SILENT`, with the position it got, before absorbing
    /// it: messages of `uids` whose only untold change is that record are not told of it. Changes by
    /// others that are untold now stay to be told.
    ///
    /// Takes the view's own fold for the one the change was decided on; if that may be newer, use
    /// [`View::mute_on`].
    pub fn mute(&mut self, at: ModSeq, uids: &UidSet) {
        let decided_on = self.mailbox.clone();
        self.mute_on(at, uids, &decided_on);
    }

    /// As [`View::mute`], with the fold that the change was decided on.
    pub fn mute_on(&mut self, at: ModSeq, uids: &UidSet, decided_on: &Mailbox) {
        let is_muted = |uid, mod_seq| self.is_muted(uid, mod_seq);
        let silent = decided_on.uids_untouched(uids, self.told, is_muted);
        // A session's own commits come in log order.
        if !silent.is_empty() && self.muted.last().is_none_or(|&(last, _)| last < at) {
            self.muted.push((at, silent));
        }
    }

    /// How many messages the client numbers: those told, ghosts included.
    pub fn exists(&self) -> u32 {
        self.mailbox.rank(self.announced) + self.ghosts.len() as u32
    }

    /// How many of them are recent.
    pub fn recent(&self) -> u32 {
        let ranges = self.recent.ranges().iter();
        let counts = ranges.map(|&(first, last)| self.mailbox.count_between(first, last) as u32);
        let ghosts = self.ghosts.iter().filter(|ghost| self.recent.contains(ghost.row.uid));
        counts.sum::<u32>() + ghosts.count() as u32
    }

    /// What this client sees as `\Recent`; may hold UIDs of messages that are gone.
    pub(crate) fn recent_uids(&self) -> &UidSet {
        &self.recent
    }

    /// Whether this client sees the message as `\Recent`.
    pub fn is_recent(&self, uid: Uid) -> bool {
        self.recent.contains(uid)
    }

    /// What to commit as [`crate::Record::RecentClaimed`] after [`View::sync`], so that other
    /// sessions do not see the same messages as recent; `None` if there is nothing to claim.
    pub fn recent_claim(&self) -> Option<Uid> {
        let open = self.claims_recent && self.mailbox.recent_from() < self.announced;
        open.then_some(self.announced)
    }

    /// How many ghosts have UIDs below.
    fn ghosts_below(&self, uid: Uid) -> usize {
        self.ghosts.partition_point(|ghost| ghost.row.uid < uid)
    }

    fn ghost(&self, uid: Uid) -> Option<&Ghost> {
        self.ghosts.get(self.ghosts_below(uid)).filter(|ghost| ghost.row.uid == uid)
    }

    /// The number of the message that is the fold's `index`-th, from 0.
    fn number(&self, index: u32, uid: Uid) -> SeqNum {
        seq(index + self.ghosts_below(uid) as u32).unwrap_or(SeqNum::MAX)
    }

    /// How many of the first `count` numbers are ghosts, and whether the next one is.
    fn ghosts_within(&self, count: u32) -> (usize, bool) {
        // The n-th ghost has the number rank + n + 1; these ascend.
        let (mut from, mut to) = (0, self.ghosts.len());
        while from < to {
            let n = usize::midpoint(from, to);
            if self.ghost_index(n) < count { from = n + 1 } else { to = n }
        }
        (from, from < self.ghosts.len() && self.ghost_index(from) == count)
    }

    fn ghost_index(&self, n: usize) -> u32 {
        self.mailbox.rank(self.ghosts[n].row.uid) + n as u32
    }

    /// The message with this number, expunged elsewhere or not.
    pub fn by_seq(&self, seq: SeqNum) -> Option<Row> {
        let index = seq.get() - 1;
        if index >= self.exists() {
            return None;
        }
        match self.ghosts_within(index) {
            (n, true) => Some(self.ghosts[n].row),
            (n, false) => self.mailbox.nth(index - n as u32),
        }
    }

    /// The number of a message that the client numbers.
    pub fn seq_of(&self, uid: Uid) -> Option<SeqNum> {
        let numbered = uid < self.announced && (self.mailbox.contains(uid) || self.is_ghost(uid));
        numbered.then(|| self.number(self.mailbox.rank(uid), uid))
    }

    /// The message with this UID if the client numbers it, ghosts included.
    pub fn by_uid(&self, uid: Uid) -> Option<Row> {
        if uid >= self.announced {
            return None;
        }
        self.mailbox.get(uid).or_else(|| self.ghost(uid).map(|ghost| ghost.row))
    }

    /// Its flags: the fold's, or a ghost's last ones.
    pub fn flags(&self, uid: Uid) -> Option<Flags> {
        if uid >= self.announced {
            return None;
        }
        self.mailbox.flags(uid).or_else(|| self.ghost(uid).map(|ghost| ghost.flags.clone()))
    }

    /// Calls `each` with the message's keywords, in the order of [`View::flags`].
    pub fn each_keyword(&self, uid: Uid, mut each: impl FnMut(&Keyword)) {
        if self.mailbox.keywords().is_empty() || uid >= self.announced {
            return;
        }
        if !self.mailbox.each_keyword(uid, &mut each)
            && let Some(ghost) = self.ghost(uid)
        {
            ghost.flags.keywords.iter().for_each(each);
        }
    }

    /// Whether the message was expunged elsewhere and the client does not know it yet.
    pub fn is_ghost(&self, uid: Uid) -> bool {
        self.ghost(uid).is_some()
    }

    /// The UIDs of the messages that were expunged elsewhere while the client numbers them.
    pub fn ghosts(&self) -> UidSet {
        self.ghosts.iter().map(|ghost| ghost.row.uid).collect()
    }

    /// The UIDs behind numbers; `None` if one of them numbers nothing.
    pub fn uids_of(&self, seqs: &SeqSet) -> Option<UidSet> {
        if seqs.last().is_some_and(|last| last.get() > self.exists()) {
            return None;
        }
        let mut uids = UidSet::new();
        for &(first, last) in seqs.ranges() {
            let (from, to) = (first.get() - 1, last.get());
            let (ghosts_from, ghosts_to) = (self.ghosts_within(from).0, self.ghosts_within(to).0);
            let here = self.mailbox.uids_between(from - ghosts_from as u32, to - ghosts_to as u32);
            let ghosts = self.ghosts[ghosts_from..ghosts_to].iter().map(|ghost| ghost.row.uid);
            add_all(&mut uids, &merged(here, ghosts));
        }
        Some(uids)
    }

    /// The UIDs of `uids` that the client numbers, ghosts included, as ranges.
    pub fn known(&self, uids: &UidSet) -> UidSet {
        let mut known = UidSet::new();
        for &(first, last) in uids.ranges() {
            let end = last.next().map_or(self.announced, |next| next.min(self.announced));
            if first >= end {
                break;
            }
            let here = self.mailbox.uids_between(self.mailbox.rank(first), self.mailbox.rank(end));
            let ghosts = &self.ghosts[self.ghosts_below(first)..self.ghosts_below(end)];
            add_all(&mut known, &merged(here, ghosts.iter().map(|ghost| ghost.row.uid)));
        }
        known
    }

    /// The UIDs of `uids` for VANISHED (EARLIER) in answer to UID FETCH (RFC 7162 §3.2.6). Ghosts
    /// are left to [`View::sync`], because the client still numbers them.
    pub fn vanished_since(&self, since: ModSeq, uids: &UidSet) -> UidSet {
        let Some(last) = Uid::new(self.announced.get() - 1) else { return UidSet::new() };
        let asked = uids.intersection(&UidSet::range(Uid::MIN, last));
        let vanished = self.mailbox.vanished_since(since).uids.intersection(&asked);
        vanished.difference(&self.ghosts())
    }

    /// [`View::rows`] at once, which is cheaper for many.
    pub fn collect_rows(&self, uids: &UidSet) -> Vec<(SeqNum, Row)> {
        if !self.ghosts.is_empty() {
            return self.rows(uids).collect();
        }
        let mut rows = Vec::with_capacity(usize::try_from(uids.len()).unwrap_or(0).min(ROWS_MAX));
        let here = self.mailbox.indexed_rows_in(uids);
        // A loop inside, with the iterators' own: they are nested.
        here.take_while(|(_, row)| row.uid < self.announced).for_each(|(index, row)| {
            rows.extend(seq(index).map(|seq| (seq, row)));
        });
        rows
    }

    /// The messages of `uids` that the client numbers, ghosts included, ascending, each with its
    /// number. Cost grows with what is found.
    pub fn rows<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = (SeqNum, Row)> + 'a {
        let here = self.mailbox.indexed_rows_in(uids);
        let mut here = here.take_while(|(_, row)| row.uid < self.announced).peekable();
        let mut ghosts =
            self.ghosts.iter().enumerate().filter(|(_, g)| uids.contains(g.row.uid)).peekable();
        std::iter::from_fn(move || {
            let ghost_first = match (here.peek(), ghosts.peek()) {
                (Some((_, row)), Some((_, ghost))) => ghost.row.uid < row.uid,
                (None, ghost) => ghost.is_some(),
                (Some(_), None) => false,
            };
            if ghost_first {
                let (n, ghost) = ghosts.next()?;
                let index = self.mailbox.rank(ghost.row.uid) + n as u32;
                return Some((seq(index)?, ghost.row));
            }
            here.next().map(|(index, row)| (self.number(index, row.uid), row))
        })
    }
}

/// The number of the message with this index, from 0.
fn seq(index: u32) -> Option<SeqNum> {
    SeqNum::new(index + 1)
}

/// Adds ranges that come behind or touch those already there.
fn add_all(uids: &mut UidSet, more: &UidSet) {
    more.ranges().iter().for_each(|&(first, last)| uids.insert_range(first, last));
}

fn merged(uids: UidSet, ghosts: impl Iterator<Item = Uid>) -> UidSet {
    let ghosts: UidSet = ghosts.collect();
    if ghosts.is_empty() { uids } else { uids.union(&ghosts) }
}
