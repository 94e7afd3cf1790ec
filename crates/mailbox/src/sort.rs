//! SORT: an order over messages (RFC 5256 §3; DISPLAYFROM and DISPLAYTO: RFC 5957).

use std::cmp::Ordering;

use message::SortKeys;

use crate::Row;

/// What messages are compared by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum By {
    /// ARRIVAL: internal date and time.
    Arrival,
    /// CC: local part of the first address.
    Cc,
    /// DATE: sent date (RFC 5256 §2.2).
    Date,
    /// FROM: local part of the first address.
    From,
    /// SIZE
    Size,
    /// SUBJECT: base subject.
    Subject,
    /// TO: local part of the first address.
    To,
    /// DISPLAYFROM
    DisplayFrom,
    /// DISPLAYTO
    DisplayTo,
}

/// One criterion.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Criterion {
    /// What by.
    pub by: By,
    /// Largest first. Ties stay in mailbox order (RFC 5256 §3).
    pub reverse: bool,
}

impl Criterion {
    /// Whether [`SortKeys`] are needed, and not only columns.
    pub fn needs_keys(self) -> bool {
        !matches!(self.by, By::Arrival | By::Size)
    }
}

/// The sent date in seconds since 1970 UTC: `Date:`, or else the internal date (RFC 5256 §2.2).
pub fn sent_seconds(row: &Row, keys: &SortKeys) -> i64 {
    keys.date.unwrap_or(row.internal_date).seconds()
}

/// Collects messages and puts them into order. Holds of each message what the criteria compare.
#[derive(Clone, Debug)]
pub struct Sorter {
    criteria: Vec<Criterion>,
    numbers: Vec<u32>,
    /// The messages that were sorted, by their places in `numbers`.
    order: Vec<u32>,
    /// For each criterion what it compares.
    columns: Vec<Column>,
}

/// What one criterion compares, message by message.
#[derive(Clone, Debug)]
enum Column {
    Numbers(Vec<i64>),
    Texts {
        /// Where each one ends.
        ends: Vec<usize>,
        texts: String,
    },
}

impl Column {
    fn text(ends: &[usize], texts: &str, at: u32) -> (usize, usize) {
        let at = at as usize;
        let start = at.checked_sub(1).map_or(0, |before| ends[before]);
        (start, ends[at].min(texts.len()))
    }

    /// Orders as the values do as far as it goes; equal ones have to be compared.
    fn prefix(&self, at: u32) -> u64 {
        match self {
            // The sign bit turned: negative ones first.
            Self::Numbers(numbers) => numbers[at as usize].cast_unsigned() ^ (1 << 63),
            Self::Texts { ends, texts } => {
                let (start, end) = Self::text(ends, texts, at);
                let mut first = [0; 8];
                let bytes = &texts.as_bytes()[start..end.min(start + 8)];
                first[..bytes.len()].copy_from_slice(bytes);
                u64::from_be_bytes(first)
            }
        }
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        match self {
            Self::Numbers(numbers) => numbers[a as usize].cmp(&numbers[b as usize]),
            Self::Texts { ends, texts } => {
                let of = |at: u32| {
                    let (start, end) = Self::text(ends, texts, at);
                    &texts.as_bytes()[start..end]
                };
                of(a).cmp(of(b))
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.capacity() * size_of::<i64>(),
            Self::Texts { ends, texts } => ends.capacity() * size_of::<usize>() + texts.capacity(),
        }
    }
}

impl Sorter {
    /// A sorter by `criteria`, the most important first.
    pub fn new(criteria: Vec<Criterion>) -> Self {
        let column = |criterion: &Criterion| match criterion.by {
            By::Arrival | By::Date | By::Size => Column::Numbers(Vec::new()),
            _ => Column::Texts { ends: Vec::new(), texts: String::new() },
        };
        let columns = criteria.iter().map(column).collect();
        Self { criteria, numbers: Vec::new(), order: Vec::new(), columns }
    }

    /// Whether [`Sorter::push`] looks at its `keys`.
    pub fn needs_keys(&self) -> bool {
        self.criteria.iter().any(|criterion| criterion.needs_keys())
    }

    /// Adds a message that is answered as `number`. Messages come in mailbox order, which decides
    /// between equals.
    pub fn push(&mut self, number: u32, row: &Row, keys: &SortKeys) {
        self.numbers.push(number);
        for (criterion, column) in self.criteria.iter().zip(&mut self.columns) {
            let (numeric, text) = match criterion.by {
                By::Arrival => (row.internal_date.seconds(), ""),
                By::Date => (sent_seconds(row, keys), ""),
                By::Size => (i64::from(row.size), ""),
                By::Cc => (0, &*keys.cc),
                By::From => (0, &*keys.from),
                By::To => (0, &*keys.to),
                By::Subject => (0, &*keys.base_subject),
                By::DisplayFrom => (0, &*keys.display_from),
                By::DisplayTo => (0, &*keys.display_to),
            };
            match column {
                Column::Numbers(numbers) => numbers.push(numeric),
                Column::Texts { ends, texts } => {
                    texts.push_str(text);
                    ends.push(texts.len());
                }
            }
        }
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Memory it takes, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.columns.iter().map(Column::memory_bytes).sum::<usize>()
            + (self.numbers.capacity() + self.order.capacity()) * size_of::<u32>()
    }

    /// Puts the messages into order. More may be added afterwards: then only those are sorted, and
    /// put where they belong among the others.
    pub fn sort(&mut self) {
        let new = self.order.len() as u32..self.numbers.len() as u32;
        // Most comparisons are of one number each.
        let (first, reverse) = (self.columns.first(), self.criteria.first().map(|c| c.reverse));
        let prefix = |at: u32| {
            let prefix = first.map_or(0, |column| column.prefix(at));
            if reverse == Some(true) { !prefix } else { prefix }
        };
        let mut added: Vec<(u64, u32)> = new.map(|at| (prefix(at), at)).collect();
        added.sort_unstable_by(|&(p, a), &(q, b)| {
            // Between equals mailbox order decides.
            p.cmp(&q).then_with(|| self.compare(a, b)).then(a.cmp(&b))
        });
        let mut order = Vec::with_capacity(self.numbers.len());
        let mut rest = &self.order[..];
        for (_, at) in added {
            let before = rest.partition_point(|&other| self.compare(other, at).is_le());
            order.extend_from_slice(&rest[..before]);
            order.push(at);
            rest = &rest[before..];
        }
        order.extend_from_slice(rest);
        self.order = order;
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        let by = |(criterion, column): (&Criterion, &Column)| {
            let ordering = column.compare(a, b);
            if criterion.reverse { ordering.reverse() } else { ordering }
        };
        let differing = |ordering: &Ordering| ordering.is_ne();
        let all = self.criteria.iter().zip(&self.columns).map(by);
        all.into_iter().find(differing).unwrap_or(Ordering::Equal)
    }

    /// The numbers of the messages that were sorted, in order.
    pub fn numbers(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.order.iter().map(|&message| self.numbers[message as usize])
    }

    /// The numbers in order.
    pub fn finish(mut self) -> Vec<u32> {
        self.sort();
        self.numbers().collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Position;
    use base::{DateTime, EmailId, ModSeq, SystemFlags, ThreadId, Uid};
    use proptest::prelude::*;

    pub(crate) fn row(uid: u32, size: u32, seconds: i64) -> Row {
        Row {
            uid: Uid::new(uid).unwrap(),
            mod_seq: ModSeq::ZERO,
            system: SystemFlags::EMPTY,
            size,
            internal_date: DateTime::new(seconds, 0),
            save_date: 0,
            email_id: EmailId([0; 16]),
            thread_id: ThreadId(0),
            position: Position { segment: 0, offset: 0, stored_bytes: 0 },
        }
    }

    fn keys(subject: &str, date: Option<(i64, i16)>) -> SortKeys {
        SortKeys {
            base_subject: subject.into(),
            date: date.map(|(seconds, offset)| DateTime::new(seconds, offset)),
            ..SortKeys::default()
        }
    }

    fn sort(criteria: &[(By, bool)]) -> Vec<u32> {
        let criteria = criteria.iter().map(|&(by, reverse)| Criterion { by, reverse }).collect();
        let mut sorter = Sorter::new(criteria);
        // The time zone does not matter for DATE; without a date the internal date counts.
        sorter.push(1, &row(1, 30, 500), &keys("b", Some((100, 600))));
        sorter.push(2, &row(2, 10, 400), &keys("a", Some((300, -600))));
        sorter.push(3, &row(3, 20, 200), &keys("b", None));
        sorter.push(4, &row(4, 20, 900), &keys("", Some((300, 0))));
        sorter.finish()
    }

    #[test]
    fn orders() {
        for (criteria, order) in [
            (&[(By::Arrival, false)][..], [3, 2, 1, 4]),
            (&[(By::Date, false)], [1, 3, 2, 4]),
            (&[(By::Size, false)], [2, 3, 4, 1]),
            (&[(By::Size, true)], [1, 3, 4, 2]),
            (&[(By::Subject, false)], [4, 2, 1, 3]),
            (&[(By::Subject, true)], [1, 3, 2, 4]),
            (&[(By::Subject, false), (By::Date, true)], [4, 2, 3, 1]),
            (&[(By::From, false)], [1, 2, 3, 4]),
        ] {
            assert_eq!(sort(criteria), order, "{criteria:?}");
        }
    }

    proptest! {
        /// Every criterion orders; ties keep mailbox order, also when reversed.
        #[test]
        fn equals_stable_sorts_from_the_last_criterion(
            messages in prop::collection::vec((0u32..4, 0i64..4, "[ab]{0,10}"), 0..20),
            criteria in prop::collection::vec((0usize..3, any::<bool>()), 1..4),
            sorted_at in prop::collection::vec(any::<bool>(), 20),
        ) {
            let by = [By::Size, By::Arrival, By::Subject];
            let criteria_of = |&(at, reverse): &(usize, bool)| Criterion { by: by[at], reverse };
            let mut sorter = Sorter::new(criteria.iter().map(criteria_of).collect());
            let mut expected: Vec<(u32, (u32, i64, String))> = Vec::new();
            for (at, (size, seconds, subject)) in messages.into_iter().enumerate() {
                let number = at as u32 + 1;
                sorter.push(number, &row(number, size, seconds), &keys(&subject, None));
                if sorted_at[at] {
                    sorter.sort();
                }
                expected.push((number, (size, seconds, subject)));
            }
            for &(at, reverse) in criteria.iter().rev() {
                expected.sort_by(|(_, a), (_, b)| {
                    let ordering = match at {
                        0 => a.0.cmp(&b.0),
                        1 => a.1.cmp(&b.1),
                        _ => a.2.cmp(&b.2),
                    };
                    if reverse { ordering.reverse() } else { ordering }
                });
            }
            let expected: Vec<u32> = expected.into_iter().map(|(number, _)| number).collect();
            prop_assert_eq!(sorter.finish(), expected);
        }
    }
}
