//! How a column takes in messages.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use base::{Uid, UidSet, UidValidity};
use message::{KeysView, SortKey};

use super::links::NewLinks;
use super::ranks::Texts;
use super::{Column, Kind, Links, NO_DATE, Ranks, Values, lookup, places};

/// More new messages than this part of a mailbox, and texts are ranked from nothing.
const FROM_NOTHING_SHARE: u64 = 16;

/// A column that grows: what it lacks of some messages is pushed, then it is finished.
#[derive(Debug)]
pub struct Growing {
    kind: Kind,
    uid_validity: UidValidity,
    /// The messages it is to have.
    uids: UidSet,
    kept: Option<Arc<Column>>,
    missing: UidSet,
    new: New,
    flawed: bool,
}

#[derive(Debug)]
enum New {
    Sent(Vec<i64>),
    Texts(SortKey, Texts),
    Links(NewLinks),
}

impl Growing {
    /// A column of the messages `uids`, with what is kept of them. `random` is anything that nobody
    /// can guess.
    pub fn new(
        kind: Kind,
        kept: Option<Arc<Column>>,
        (uid_validity, uids): (UidValidity, UidSet),
        random: (u64, u64),
    ) -> Self {
        let is_of_it = |kept: &Arc<Column>| {
            let is_kind = matches!(
                (kind, &kept.values),
                (Kind::Sent, Values::Sent(_))
                    | (Kind::Links, Values::Links(_))
                    | (Kind::Text(_), Values::Ranks(_))
            );
            is_kind && kept.uid_validity == uid_validity
        };
        let mut kept = kept.filter(is_of_it);
        let nothing = UidSet::new();
        let mut missing = uids.difference(kept.as_ref().map_or(&nothing, |kept| &kept.uids));
        if let Kind::Text(_) = kind {
            kept = kept
                .filter(|_| missing.len() * FROM_NOTHING_SHARE <= uids.len())
                .map(|kept| kept.without_others(&uids));
            if kept.is_none() {
                missing = uids.clone();
            }
        }
        let seeds = match kept.as_ref().map(|kept| &kept.values) {
            Some(Values::Links(links)) => links.seeds,
            _ => random,
        };
        let new = match kind {
            Kind::Sent => New::Sent(Vec::new()),
            Kind::Text(key) => New::Texts(key, Texts::default()),
            Kind::Links => New::Links(NewLinks::new(seeds)),
        };
        let flawed = kept.as_ref().is_some_and(|kept| kept.flawed);
        Self { kind, uid_validity, uids, kept, missing, new, flawed }
    }

    /// What it will tell.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The messages that have to be pushed, ascending.
    pub fn missing(&self) -> &UidSet {
        &self.missing
    }

    /// The keys of the next message, if it is missing; `None` if they cannot be read: then it is as
    /// if its header were empty.
    pub fn push(&mut self, uid: Uid, keys: Option<&KeysView<'_>>) {
        if !self.missing.contains(uid) {
            return;
        }
        self.flawed |= keys.is_none();
        let empty = KeysView::default();
        let keys = keys.unwrap_or(&empty);
        match &mut self.new {
            New::Sent(seconds) => seconds.push(keys.sent.unwrap_or(NO_DATE)),
            New::Texts(key, texts) => texts.push(keys.text(*key)),
            New::Links(links) => links.push(keys.message_id, keys.is_reply, keys.references()),
        }
    }

    /// All are pushed: texts have to be compared with some that have their ranks.
    pub fn placing(&self) -> Option<Placing> {
        let (New::Texts(key, texts), Some(kept)) = (&self.new, &self.kept) else { return None };
        let Values::Ranks(ranks) = &kept.values else { return None };
        if self.missing.is_empty() {
            return None;
        }
        let mut witnesses = vec![Uid::MIN; ranks.count as usize];
        for (uid, &rank) in kept.uids.iter().zip(&ranks.ranks) {
            witnesses[rank as usize] = uid;
        }
        let (distinct, which) = texts.ranked();
        // The empty text is before all others, and nobody has to be asked about it.
        let lowest = u32::from(ranks.has_empty);
        let place = |text: &str| match text.is_empty() {
            true => Place { text: text.to_owned(), low: 0, high: 0, is_equal: ranks.has_empty },
            false => {
                Place { text: text.to_owned(), low: lowest, high: ranks.count, is_equal: false }
            }
        };
        let places = distinct.into_iter().map(place).collect();
        Some(Placing { key: *key, places, which, witnesses })
    }

    /// The column; `placing` is done.
    pub fn finish(self, placing: Option<Placing>) -> Column {
        let Self { uid_validity, uids, kept, missing, new, flawed, .. } = self;
        let nothing = UidSet::new();
        let kept_uids = kept.as_ref().map_or(&nothing, |kept| &kept.uids);
        let order = || lookup(kept_uids, &uids).map(|(_, place)| place);
        let kept_values = kept.as_ref().map(|kept| &kept.values);
        let values = match &new {
            New::Sent(new) => {
                let old = match kept_values {
                    Some(Values::Sent(old)) => &old[..],
                    _ => &[],
                };
                Values::Sent(merged(old, new, order()))
            }
            New::Texts(_, texts) => {
                let old = match kept_values {
                    Some(Values::Ranks(old)) => Some(old),
                    _ => None,
                };
                Values::Ranks(ranks(old, texts, placing, order()))
            }
            New::Links(new) => {
                let old = match kept_values {
                    Some(Values::Links(old)) => Some(old),
                    _ => None,
                };
                Values::Links(new.join(old, order()))
            }
        };
        let unsaved = kept.as_ref().map_or(0, |kept| kept.unsaved) + missing.len();
        Column { uid_validity, uids, values, unsaved, flawed }
    }
}

/// The old values in their places, and the new ones between them.
fn merged<T: Copy>(old: &[T], new: &[T], order: impl Iterator<Item = Option<usize>>) -> Vec<T> {
    let mut values = Vec::with_capacity(old.len() + new.len());
    let mut new = new.iter();
    for place in order {
        values.extend(place.map_or_else(|| new.next(), |at| old.get(at)));
    }
    values.shrink_to_fit();
    values
}

fn ranks(
    old: Option<&Ranks>,
    texts: &Texts,
    placing: Option<Placing>,
    order: impl Iterator<Item = Option<usize>>,
) -> Ranks {
    let Some(old) = old else {
        let (distinct, ranks) = texts.ranked();
        let has_empty = distinct.first().is_some_and(|text| text.is_empty());
        return Ranks { ranks, count: distinct.len() as u32, has_empty };
    };
    let Some(Placing { places, which, .. }) = placing else {
        return Ranks { ranks: merged(&old.ranks, &[], order), ..*old };
    };
    let (mut of_old, mut of_new) = (Vec::with_capacity(old.count as usize), Vec::new());
    let (mut rank, mut rest) = (0, places.iter().peekable());
    for before in 0..old.count {
        while rest.next_if(|place| place.low <= before && !place.is_equal).is_some() {
            of_new.push(rank);
            rank += 1;
        }
        if rest.next_if(|place| place.low <= before).is_some() {
            of_new.push(rank);
        }
        of_old.push(rank);
        rank += 1;
    }
    for _ in rest {
        of_new.push(rank);
        rank += 1;
    }
    let kept: Vec<u32> = old.ranks.iter().map(|&rank| of_old[rank as usize]).collect();
    let new: Vec<u32> = which.iter().map(|&nth| of_new[nth as usize]).collect();
    let has_empty = old.has_empty || places.first().is_some_and(|place| place.text.is_empty());
    Ranks { ranks: merged(&kept, &new, order), count: rank, has_empty }
}

/// New texts look for their ranks: each by halves, all of them at once.
#[derive(Debug)]
pub struct Placing {
    key: SortKey,
    /// In order.
    places: Vec<Place>,
    /// Which of them each new message has.
    which: Vec<u32>,
    /// A message with each rank.
    witnesses: Vec<Uid>,
}

#[derive(Debug)]
struct Place {
    text: String,
    /// It belongs before or at a rank from here on, and before `high`.
    low: u32,
    high: u32,
    /// It is the text with rank `low`.
    is_equal: bool,
}

impl Place {
    fn middle(&self) -> Option<u32> {
        (!self.is_equal && self.low < self.high).then(|| self.low + (self.high - self.low) / 2)
    }
}

impl Placing {
    /// Which text is compared.
    pub fn key(&self) -> SortKey {
        self.key
    }

    /// Messages whose texts have to be known for the next step; none: it is done.
    pub fn asks(&self) -> UidSet {
        let middles = self.places.iter().filter_map(Place::middle);
        let mut uids: Vec<Uid> = middles.map(|rank| self.witnesses[rank as usize]).collect();
        uids.sort_unstable();
        uids.into_iter().collect()
    }

    /// The texts of those. False: one is not there, and the column has to be made from nothing.
    pub fn tell(&mut self, texts: &HashMap<Uid, String>) -> bool {
        for place in &mut self.places {
            let Some(middle) = place.middle() else { continue };
            let Some(text) = texts.get(&self.witnesses[middle as usize]) else { return false };
            match place.text.as_str().cmp(text) {
                Ordering::Less => place.high = middle,
                Ordering::Greater => place.low = middle + 1,
                Ordering::Equal => {
                    place.low = middle;
                    place.is_equal = true;
                }
            }
        }
        true
    }
}

impl Column {
    /// A column of ranks of only the messages in `uids`, so that every rank has a message that exists.
    fn without_others(self: Arc<Self>, uids: &UidSet) -> Arc<Self> {
        let Values::Ranks(ranks) = &self.values else { return self };
        if self.uids.difference(uids).is_empty() {
            return self;
        }
        let stays = self.uids.intersection(uids);
        let of_them: Vec<u32> = places(&self.uids, &stays).map(|(_, at)| ranks.ranks[at]).collect();
        let mut dense = vec![0; ranks.count as usize];
        of_them.iter().for_each(|&rank| dense[rank as usize] = 1);
        let mut count = 0;
        for rank in &mut dense {
            let is_used = *rank;
            *rank = count;
            count += is_used;
        }
        let has_empty = ranks.has_empty && dense.get(1).map_or(count, |&next| next) == 1;
        let ranks = of_them.iter().map(|&rank| dense[rank as usize]).collect();
        let values = Values::Ranks(Ranks { ranks, count, has_empty });
        Arc::new(Self { uids: stays, values, ..*self })
    }

    /// The same of only the messages in `uids`.
    pub(super) fn only(self, uids: &UidSet) -> Self {
        let (uid_validity, flawed) = (self.uid_validity, self.flawed);
        let stays = self.uids.intersection(uids);
        let kept = Arc::new(self).without_others(&stays);
        let new = match &kept.values {
            Values::Sent(_) => New::Sent(Vec::new()),
            Values::Ranks(_) => New::Texts(SortKey::Subject, Texts::default()),
            Values::Links(Links { seeds, .. }) => New::Links(NewLinks::new(*seeds)),
        };
        let (kind, missing) = (Kind::Sent, UidSet::new());
        let growing =
            Growing { kind, uid_validity, uids: stays, kept: Some(kept), missing, new, flawed };
        growing.finish(None)
    }
}
