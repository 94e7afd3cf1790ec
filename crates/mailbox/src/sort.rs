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
    /// The first messages as they were ordered before: what is sorted again is nearly sorted.
    order: Vec<u32>,
    /// `criteria.len()` values for each message.
    values: Vec<Value>,
    texts: String,
}

/// A number, or a range of [`Sorter::texts`].
#[derive(Clone, Copy, Debug)]
enum Value {
    Number(i64),
    Text(usize, usize),
}

impl Sorter {
    /// A sorter by `criteria`, the most important first.
    pub fn new(criteria: Vec<Criterion>) -> Self {
        Self {
            criteria,
            numbers: Vec::new(),
            order: Vec::new(),
            values: Vec::new(),
            texts: String::new(),
        }
    }

    /// Whether [`Sorter::push`] looks at its `keys`.
    pub fn needs_keys(&self) -> bool {
        self.criteria.iter().any(|criterion| criterion.needs_keys())
    }

    /// Adds a message that is answered as `number`. Messages come in mailbox order, which decides
    /// between equals.
    pub fn push(&mut self, number: u32, row: &Row, keys: &SortKeys) {
        self.numbers.push(number);
        for criterion in &self.criteria {
            let text = match criterion.by {
                By::Arrival => {
                    self.values.push(Value::Number(row.internal_date.seconds()));
                    continue;
                }
                By::Date => {
                    self.values.push(Value::Number(sent_seconds(row, keys)));
                    continue;
                }
                By::Size => {
                    self.values.push(Value::Number(i64::from(row.size)));
                    continue;
                }
                By::Cc => &keys.cc,
                By::From => &keys.from,
                By::To => &keys.to,
                By::Subject => &keys.base_subject,
                By::DisplayFrom => &keys.display_from,
                By::DisplayTo => &keys.display_to,
            };
            let start = self.texts.len();
            self.texts.push_str(text);
            self.values.push(Value::Text(start, self.texts.len()));
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
        self.texts.capacity()
            + self.values.capacity() * size_of::<Value>()
            + (self.numbers.capacity() + self.order.capacity()) * size_of::<u32>()
    }

    /// Puts the messages into order. More may be added afterwards, and sorted in.
    pub fn sort(&mut self) {
        let width = self.criteria.len();
        let mut order = std::mem::take(&mut self.order);
        order.extend(order.len() as u32..self.numbers.len() as u32);
        order.sort_by(|&a, &b| {
            let of = |message: u32, nth: usize| self.values[message as usize * width + nth];
            let by = |(nth, criterion): (usize, &Criterion)| {
                let ordering = self.compare(of(a, nth), of(b, nth));
                if criterion.reverse { ordering.reverse() } else { ordering }
            };
            let differing = |ordering: &Ordering| ordering.is_ne();
            self.criteria.iter().enumerate().map(by).find(differing).unwrap_or(Ordering::Equal)
        });
        self.order = order;
    }

    /// The numbers of the messages that were sorted, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.order.iter().map(|&message| self.numbers[message as usize])
    }

    /// The numbers in order.
    pub fn finish(mut self) -> Vec<u32> {
        self.sort();
        self.numbers().collect()
    }

    fn compare(&self, a: Value, b: Value) -> Ordering {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => a.cmp(&b),
            (Value::Text(a, b), Value::Text(c, d)) => self.texts[a..b].cmp(&self.texts[c..d]),
            // One criterion has one kind of value.
            _ => Ordering::Equal,
        }
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
            messages in prop::collection::vec((0u32..4, 0i64..4, "[ab]{0,1}"), 0..20),
            criteria in prop::collection::vec((0usize..3, any::<bool>()), 1..4),
        ) {
            let by = [By::Size, By::Arrival, By::Subject];
            let criteria_of = |&(at, reverse): &(usize, bool)| Criterion { by: by[at], reverse };
            let mut sorter = Sorter::new(criteria.iter().map(criteria_of).collect());
            let mut expected: Vec<(u32, (u32, i64, String))> = Vec::new();
            for (at, (size, seconds, subject)) in messages.into_iter().enumerate() {
                let number = at as u32 + 1;
                sorter.push(number, &row(number, size, seconds), &keys(&subject, None));
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
