//! What of an account is indexed. All of its messages are looked at after a start, when documents were
//! lost, and when many are of messages that are gone; else what came since the last look: its cost
//! grows with what is new.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base::{EmailId, MailboxId, ModSeq, Uid, UidSet};
use mailbox::{Account, Mailbox};

use crate::shelf::{Catalogue, Segment};

/// Of so many documents one may be of a message that is gone, until all messages are looked at to
/// drop such documents: each that goes costs so many look-ups then.
const GONE_SHARE: u64 = 16;

/// What whoever writes an account's segments knows of it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Messages that are damaged.
    pub(crate) unreadable: HashSet<EmailId>,
    seen: Option<Seen>,
}

/// How far an account was looked at.
#[derive(Debug)]
struct Seen {
    /// Where its log ended.
    head: ModSeq,
    mailboxes: HashMap<MailboxId, Mark>,
    /// Messages that are gone since all were looked at.
    gone: u64,
    /// [`Catalogue::losses`] by then.
    losses: u64,
}

/// All messages of a mailbox with UIDs below `below` are indexed, or cannot be read.
#[derive(Clone, Copy, Debug)]
struct Mark {
    below: Uid,
    /// How many these are.
    messages: u32,
}

/// What there is to do.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Messages that are not indexed, each of equal ones.
    pub(crate) missing: usize,
    pub(crate) used: Used,
}

impl Kept {
    /// Looks at what is new. `None`: a later state was looked at already.
    pub(crate) fn survey(&mut self, catalogue: &Catalogue, state: &Account) -> Option<Survey> {
        let seen = self.seen.take().filter(|seen| seen.losses == catalogue.losses);
        if seen.as_ref().is_some_and(|seen| seen.head > state.head()) {
            self.seen = seen;
            return None;
        }
        let documents = catalogue.documents();
        let gone = seen.as_ref().map(|seen| seen.gone(state));
        let whole = gone.is_none_or(|gone| gone > 0 && gone * GONE_SHARE >= documents);
        let seen = seen.filter(|_| !whole);
        let mut looked = Look::new(catalogue, &self.unreadable, whole);
        let mut mailboxes = HashMap::new();
        for info in state.mailboxes() {
            let from = seen.as_ref().and_then(|seen| seen.mailboxes.get(&info.id));
            let from = from.map_or(Uid::MIN, |mark| mark.below);
            let below = looked.look_at(info.mailbox, from);
            mailboxes.insert(info.id, Mark { below, messages: info.mailbox.rank(below) });
        }
        let Look { missing, used, .. } = looked;
        let gone = if whole { 0 } else { gone.unwrap_or(0) };
        self.seen = Some(Seen { head: state.head(), mailboxes, gone, losses: catalogue.losses });
        Some(Survey { missing, used: Used::new(catalogue, used) })
    }

    /// All that was missing in `state`, which was surveyed, has been read.
    pub(crate) fn done(&mut self, state: &Account) {
        let Some(seen) = &mut self.seen else { return };
        for info in state.mailboxes() {
            if let Some(mark) = seen.mailboxes.get_mut(&info.id) {
                let below = end(info.mailbox).max(mark.below);
                *mark = Mark { below, messages: info.mailbox.len() };
            }
        }
    }

    /// The messages of a mailbox that may be missing.
    pub(crate) fn open(&self, mailbox: MailboxId) -> UidSet {
        let mark = self.seen.as_ref().and_then(|seen| seen.mailboxes.get(&mailbox));
        UidSet::range(mark.map_or(Uid::MIN, |mark| mark.below), Uid::MAX)
    }

    /// Nothing is known any more.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Seen {
    /// Messages that were there when all were looked at, or later, and are gone.
    fn gone(&self, state: &Account) -> u64 {
        let gone = |(&id, mark): (&MailboxId, &Mark)| {
            let still = state.get(id).map_or(0, |info| info.mailbox.rank(mark.below));
            u64::from(mark.messages.saturating_sub(still))
        };
        self.gone + self.mailboxes.iter().map(gone).sum::<u64>()
    }
}

/// Behind the last message: those that come have higher UIDs.
fn end(mailbox: &Mailbox) -> Uid {
    let last = mailbox.len().checked_sub(1).and_then(|last| mailbox.nth_uid(last));
    last.map_or(Uid::MIN, |last| last.next().unwrap_or(Uid::MAX))
}

/// Looks messages up.
struct Look<'a> {
    catalogue: &'a Catalogue,
    unreadable: &'a HashSet<EmailId>,
    missing: usize,
    /// Messages that cannot be read.
    damaged: usize,
    /// The documents that were found, of each segment; none if that does not matter.
    used: Vec<Vec<u64>>,
}

impl<'a> Look<'a> {
    fn new(catalogue: &'a Catalogue, unreadable: &'a HashSet<EmailId>, whole: bool) -> Self {
        let segments = catalogue.segments.iter().take(if whole { usize::MAX } else { 0 });
        let words = |segment: &Arc<Segment>| vec![0; segment.head.documents.div_ceil(64) as usize];
        Self { catalogue, unreadable, missing: 0, damaged: 0, used: segments.map(words).collect() }
    }

    /// Looks at the messages of a mailbox from a UID on. Below which UID nothing is missing.
    fn look_at(&mut self, mailbox: &Mailbox, from: Uid) -> Uid {
        let mut first = None;
        for row in mailbox.rows_in(&UidSet::range(from, Uid::MAX)) {
            match self.catalogue.find_in(row.email_id) {
                Some((nth, doc)) => {
                    let used = self.used.get_mut(nth);
                    if let Some(word) = used.and_then(|used| used.get_mut((doc / 64) as usize)) {
                        *word |= 1 << (doc % 64);
                    }
                }
                None if self.unreadable.contains(&row.email_id) => self.damaged += 1,
                None => {
                    first.get_or_insert(row.uid);
                    self.missing += 1;
                }
            }
        }
        first.unwrap_or_else(|| end(mailbox).max(from))
    }
}

/// How the messages of an account are indexed.
pub(crate) struct Counts {
    /// Documents that a message has.
    pub(crate) indexed: usize,
    /// Messages that are not indexed.
    pub(crate) waiting: usize,
    /// Messages that are damaged.
    pub(crate) unreadable: usize,
}

/// Counts all messages.
pub(crate) fn count(catalogue: &Catalogue, state: &Account, kept: Option<&Kept>) -> Counts {
    let nothing = HashSet::new();
    let unreadable = kept.map_or(&nothing, |kept| &kept.unreadable);
    let mut looked = Look::new(catalogue, unreadable, true);
    for info in state.mailboxes() {
        looked.look_at(info.mailbox, Uid::MIN);
    }
    let (waiting, unreadable) = (looked.missing, looked.damaged);
    let used = Used::new(catalogue, looked.used);
    let indexed = catalogue.segments.iter().map(|segment| used.count(segment) as usize).sum();
    Counts { indexed, waiting, unreadable }
}

/// Documents that a message still has. Of segments that came later, all.
#[derive(Debug)]
pub(crate) struct Used(HashMap<String, Vec<u64>>);

/// The same of one segment; `None` for all.
#[derive(Clone, Copy)]
pub(crate) struct UsedOf<'u>(Option<&'u [u64]>);

impl Used {
    fn new(catalogue: &Catalogue, used: Vec<Vec<u64>>) -> Self {
        let names = catalogue.segments.iter().map(|segment| segment.name.clone());
        Self(names.zip(used).collect())
    }

    pub(crate) fn of(&self, segment: &Segment) -> UsedOf<'_> {
        UsedOf(self.0.get(&segment.name).map(Vec::as_slice))
    }

    /// How many of a segment.
    pub(crate) fn count(&self, segment: &Segment) -> u32 {
        let count = |bits: &[u64]| bits.iter().map(|word| word.count_ones()).sum();
        self.of(segment).0.map_or(segment.head.documents, count)
    }
}

impl UsedOf<'_> {
    pub(crate) fn has(self, doc: u32) -> bool {
        let word = |bits: &[u64]| bits.get((doc / 64) as usize).copied().unwrap_or(0);
        self.0.is_none_or(|bits| word(bits) >> (doc % 64) & 1 == 1)
    }
}
