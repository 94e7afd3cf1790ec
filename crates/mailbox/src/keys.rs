//! Keys of a mailbox's messages in columns, for SORT and THREAD (RFC 5256): numbers only, so that an
//! order is found without a look at any text.
//!
//! Of texts a column has ranks: equal ones are one number, and numbers compare as the texts do. Of
//! message ids it has numbers that only tell which are equal. A column grows when messages come,
//! which reads of the others at most those few that a new text is compared with ([`Growing`]). What
//! is in a column depends on the messages' bytes alone. [`Column::encode`] gives it a form to be kept
//! in a cache.

mod file;
mod growing;
mod links;
mod ranks;
mod sip;

use std::sync::Arc;

use base::{Uid, UidSet, UidValidity};

use crate::Row;

pub use file::{Checks, Header, NAME_SUFFIX, name};
pub use growing::{Growing, Placing};
pub(crate) use links::Links;
pub use message::SortKey;
pub(crate) use ranks::Ranks;

/// What a column tells of messages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// `Date:` in seconds, if it can be read.
    Sent,
    /// The rank of a text.
    Text(SortKey),
    /// Message id, references, and whether it is a reply.
    Links,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Sent,
        Self::Links,
        Self::Text(SortKey::Subject),
        Self::Text(SortKey::From),
        Self::Text(SortKey::To),
        Self::Text(SortKey::Cc),
        Self::Text(SortKey::DisplayFrom),
        Self::Text(SortKey::DisplayTo),
    ];
}

/// A key of messages of one mailbox.
#[derive(Clone, Debug)]
pub struct Column {
    /// The mailbox numbered its messages with this.
    pub(crate) uid_validity: UidValidity,
    /// The messages.
    pub(crate) uids: UidSet,
    /// What they have, in the order of their UIDs.
    pub(crate) values: Values,
    /// How many came in since it was kept in a cache.
    pub(crate) unsaved: u64,
    /// A message could not be read: what is said of it may be wrong.
    pub(crate) flawed: bool,
}

/// The values of a column, message by message.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// [`NO_DATE`] or seconds.
    Sent(Vec<i64>),
    Ranks(Ranks),
    Links(Links),
}

/// No date that can be read: the internal date is used (RFC 5256 §2.2).
pub(crate) const NO_DATE: i64 = i64::MIN;

impl Column {
    /// The messages it has keys of.
    pub fn uids(&self) -> &UidSet {
        &self.uids
    }

    /// The UIDVALIDITY of their UIDs.
    pub fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// Memory it takes, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let values = match &self.values {
            Values::Sent(seconds) => seconds.capacity() * size_of::<i64>(),
            Values::Ranks(ranks) => ranks.memory_bytes(),
            Values::Links(links) => links.memory_bytes(),
        };
        values + size_of_val(self.uids.ranges())
    }

    /// Whether so many came in since it was written that it is worth while to write it again.
    pub fn is_worth_saving(&self) -> bool {
        !self.flawed && self.unsaved * SAVED_SHARE > self.uids.len()
    }

    /// It is kept in a cache as it is.
    pub fn saved(&mut self) {
        self.unsaved = 0;
    }
}

/// Columns of one mailbox.
#[derive(Clone, Debug, Default)]
pub struct Columns(Vec<(Kind, Arc<Column>)>);

impl Columns {
    /// The column that tells this.
    pub fn get(&self, kind: Kind) -> Option<&Arc<Column>> {
        self.0.iter().find(|(other, _)| *other == kind).map(|(_, column)| column)
    }

    /// Adds one.
    pub fn add(&mut self, kind: Kind, column: Arc<Column>) {
        self.0.push((kind, column));
    }

    pub(crate) fn values(&self, kind: Kind) -> Option<(&UidSet, &Values)> {
        self.get(kind).map(|column| (&column.uids, &column.values))
    }

    /// The sent dates of messages in seconds: `Date:`, or else the internal date (RFC 5256 §2.2).
    pub(crate) fn sent(&self, uids: &UidSet, rows: Rows<'_>) -> Vec<i64> {
        let mut sent = match self.values(Kind::Sent) {
            Some((of, Values::Sent(seconds))) => {
                let seconds = |at: usize| seconds[at];
                lookup(of, uids).map(|(_, at)| at.map_or(NO_DATE, seconds)).collect()
            }
            _ => vec![NO_DATE; uids.len() as usize],
        };
        if sent.contains(&NO_DATE) {
            for (sent, row) in sent.iter_mut().zip(rows()).filter(|(sent, _)| **sent == NO_DATE) {
                *sent = row.internal_date.seconds();
            }
        }
        sent
    }

    /// Numbers that order as texts of messages do, 0 for the empty one.
    pub(crate) fn ranks(&self, key: SortKey, uids: &UidSet) -> Vec<u32> {
        match self.values(Kind::Text(key)) {
            Some((of, Values::Ranks(ranks))) => {
                let number = |at: usize| ranks.number(at);
                lookup(of, uids).map(|(_, at)| at.map_or(0, number)).collect()
            }
            _ => vec![0; uids.len() as usize],
        }
    }
}

/// Begins to go through rows of messages, which are those of a set of UIDs, in its order.
pub type Rows<'a> = &'a dyn Fn() -> Box<dyn Iterator<Item = Row> + 'a>;

/// A cache is written again when it lacks more than this part of the messages.
const SAVED_SHARE: u64 = 32;

/// The messages of `wanted`, each with its place in `of` if it is there. Costs what `wanted` has.
pub(crate) fn lookup<'a>(
    of: &'a UidSet,
    wanted: &'a UidSet,
) -> impl Iterator<Item = (Uid, Option<usize>)> + 'a {
    let mut ranges = of.ranges();
    let mut before = 0;
    wanted.iter().map(move |uid| {
        while let Some((&(first, last), behind)) = ranges.split_first() {
            if uid <= last {
                let place = || before + (uid.get() - first.get()) as usize;
                return (uid, (first <= uid).then(place));
            }
            before += (last.get() - first.get()) as usize + 1;
            ranges = behind;
        }
        (uid, None)
    })
}

/// Those that are there.
pub(crate) fn places<'a>(
    of: &'a UidSet,
    wanted: &'a UidSet,
) -> impl Iterator<Item = (Uid, usize)> + 'a {
    lookup(of, wanted).filter_map(|(uid, place)| Some((uid, place?)))
}

#[cfg(test)]
pub(crate) mod tests;
