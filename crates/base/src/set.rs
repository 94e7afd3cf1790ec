//! Sets of UIDs or of sequence numbers, as sorted ranges.

use std::fmt;

use crate::id::{Num, SeqNum, Uid};

/// A set of numbers as sorted, disjoint, non-adjacent inclusive ranges.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NumSet<N> {
    ranges: Vec<(N, N)>,
}

/// A set of UIDs of one mailbox.
pub type UidSet = NumSet<Uid>;
/// A set of positions in one view.
pub type SeqSet = NumSet<SeqNum>;

impl<N> Default for NumSet<N> {
    fn default() -> Self {
        Self { ranges: Vec::new() }
    }
}

impl<N: Num> NumSet<N> {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The set of all numbers from `first` to `last`, in either order.
    pub fn range(first: N, last: N) -> Self {
        Self { ranges: vec![(first.min(last), first.max(last))] }
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> &[(N, N)] {
        &self.ranges
    }

    /// Whether there is no number in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers there are.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&(a, b)| u64::from(b.get() - a.get()) + 1).sum()
    }

    /// The smallest number.
    pub fn first(&self) -> Option<N> {
        self.ranges.first().map(|&(first, _)| first)
    }

    /// The largest number.
    pub fn last(&self) -> Option<N> {
        self.ranges.last().map(|&(_, last)| last)
    }

    /// Whether `n` is in the set. O(log ranges).
    pub fn contains(&self, n: N) -> bool {
        let at = self.ranges.partition_point(|&(_, last)| last < n);
        self.ranges.get(at).is_some_and(|&(first, _)| first <= n)
    }

    /// Adds `n`. O(1) when numbers arrive in ascending order.
    pub fn insert(&mut self, n: N) {
        self.insert_range(n, n);
    }

    /// Adds all numbers from `first` to `last`, in either order.
    pub fn insert_range(&mut self, first: N, last: N) {
        let (mut first, mut last) = (first.min(last), first.max(last));
        match self.ranges.last_mut() {
            Some(end) if end.1.get().saturating_add(1) < first.get() => {
                return self.ranges.push((first, last));
            }
            Some(end) if end.0 <= first => {
                end.1 = end.1.max(last);
                return;
            }
            _ => {}
        }
        // The ranges that overlap or touch the new one are [from, to).
        let from = self.ranges.partition_point(|&(_, b)| b.get().saturating_add(1) < first.get());
        let to = from
            + self.ranges[from..]
                .partition_point(|&(a, _)| a.get() <= last.get().saturating_add(1));
        if from < to {
            first = first.min(self.ranges[from].0);
            last = last.max(self.ranges[to - 1].1);
        }
        self.ranges.splice(from..to, [(first, last)]);
    }

    /// All numbers, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = N> + '_ {
        // Every number between two numbers of the type is one of the type.
        self.ranges.iter().flat_map(|&(a, b)| (a.get()..=b.get()).filter_map(N::new))
    }

    /// The numbers that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        // What lies before the other set's first number is passed over at once: a small part of a
        // large set is cheap.
        let from = |set: &Self, first: Option<N>| {
            first.map_or(0, |first| set.ranges.partition_point(|&(_, last)| last < first))
        };
        let (mut i, mut j) = (from(self, other.first()), from(other, self.first()));
        let mut ranges = Vec::new();
        while let (Some(&(a, b)), Some(&(c, d))) = (self.ranges.get(i), other.ranges.get(j)) {
            if a.max(c) <= b.min(d) {
                ranges.push((a.max(c), b.min(d)));
            }
            if b < d { i += 1 } else { j += 1 }
        }
        Self { ranges }
    }

    /// The numbers that are in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all: Vec<(N, N)> = [&self.ranges[..], &other.ranges[..]].concat();
        all.sort_unstable();
        all.into_iter().collect()
    }

    /// The numbers of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        let before = |first: N| other.ranges.partition_point(|&(_, last)| last < first);
        let mut j = self.first().map_or(0, before);
        for &(a, b) in &self.ranges {
            let (mut from, to) = (a.get(), b.get());
            while other.ranges.get(j).is_some_and(|&(_, d)| d.get() < from) {
                j += 1;
            }
            let mut k = j;
            let mut open = true;
            while let Some(&(c, d)) = other.ranges.get(k).filter(|&&(c, _)| c.get() <= to) {
                if let (true, Some(x), Some(y)) =
                    (c.get() > from, N::new(from), N::new(c.get().saturating_sub(1)))
                {
                    ranges.push((x, y));
                }
                if d.get() >= to {
                    open = false;
                    break;
                }
                from = d.get() + 1;
                k += 1;
            }
            if let (true, Some(x), Some(y)) = (open && from <= to, N::new(from), N::new(to)) {
                ranges.push((x, y));
            }
        }
        Self { ranges }
    }
}

impl<N: Num> FromIterator<N> for NumSet<N> {
    fn from_iter<I: IntoIterator<Item = N>>(iter: I) -> Self {
        iter.into_iter().map(|n| (n, n)).collect()
    }
}

impl<N: Num> FromIterator<(N, N)> for NumSet<N> {
    fn from_iter<I: IntoIterator<Item = (N, N)>>(iter: I) -> Self {
        let mut set = Self::new();
        for (first, last) in iter {
            set.insert_range(first, last);
        }
        set
    }
}

impl<N: Num> Extend<N> for NumSet<N> {
    fn extend<I: IntoIterator<Item = N>>(&mut self, iter: I) {
        iter.into_iter().for_each(|n| self.insert(n));
    }
}

impl<N: Num> fmt::Display for NumSet<N> {
    /// The IMAP form, `1:3,5` (RFC 9051 §9, sequence-set); nothing for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{}", first.get())?,
                false => write!(f, "{comma}{}:{}", first.get(), last.get())?,
            }
        }
        Ok(())
    }
}

impl<N: Num> fmt::Debug for NumSet<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(numbers: &[u32]) -> UidSet {
        numbers.iter().filter_map(|&n| Uid::new(n)).collect()
    }

    #[test]
    fn ranges_merge_when_they_touch() {
        assert_eq!(set(&[5, 1, 2, 3, 9, 4]).to_string(), "1:5,9");
        let mut all = UidSet::range(Uid::MAX, Uid::MIN);
        all.insert(Uid::MAX);
        assert_eq!(all.len(), u64::from(u32::MAX));
        assert!(all.difference(&all).is_empty());
    }

    proptest! {
        #[test]
        fn equals_a_set_of_numbers(a in prop::collection::vec(1u32..60, 0..40),
                                   b in prop::collection::vec(1u32..60, 0..40)) {
            let (x, y) = (set(&a), set(&b));
            let (p, q): (BTreeSet<_>, BTreeSet<_>) = (a.into_iter().collect(), b.into_iter().collect());
            let plain = |s: &UidSet| s.iter().map(Uid::get).collect::<Vec<_>>();
            prop_assert_eq!(plain(&x), p.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(x.len(), p.len() as u64);
            prop_assert_eq!(plain(&x.union(&y)), p.union(&q).copied().collect::<Vec<_>>());
            prop_assert_eq!(plain(&x.intersection(&y)), p.intersection(&q).copied().collect::<Vec<_>>());
            prop_assert_eq!(plain(&x.difference(&y)), p.difference(&q).copied().collect::<Vec<_>>());
            for n in 1..60 {
                prop_assert_eq!(x.contains(Uid::new(n).expect("not 0")), p.contains(&n));
            }
        }
    }
}
