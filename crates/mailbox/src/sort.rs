//! SORT: an order over messages (RFC 5256 §3; DISPLAYFROM and DISPLAYTO: RFC 5957).

use std::cmp::Ordering;

use base::{Uid, UidSet};

use crate::keys::{Columns, Kind, Rows, SortKey};

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

impl By {
    /// The column it compares; `None`: the internal date or the size, which every row has.
    pub fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::Arrival | Self::Size => return None,
            Self::Date => Kind::Sent,
            Self::Cc => Kind::Text(SortKey::Cc),
            Self::From => Kind::Text(SortKey::From),
            Self::Subject => Kind::Text(SortKey::Subject),
            Self::To => Kind::Text(SortKey::To),
            Self::DisplayFrom => Kind::Text(SortKey::DisplayFrom),
            Self::DisplayTo => Kind::Text(SortKey::DisplayTo),
        })
    }

    /// What is compared of each message, so that numbers order as it does.
    fn values(self, uids: &UidSet, rows: Rows<'_>, columns: &Columns) -> Vec<u64> {
        // The sign bit turned: negative ones first.
        let signed = |number: i64| number.cast_unsigned() ^ (1 << 63);
        match self.kind() {
            Some(Kind::Text(key)) => columns.ranks(key, uids).into_iter().map(u64::from).collect(),
            Some(_) => columns.sent(uids, rows).into_iter().map(signed).collect(),
            None if self == Self::Size => rows().map(|row| u64::from(row.size)).collect(),
            None => rows().map(|row| signed(row.internal_date.seconds())).collect(),
        }
    }
}

/// Messages in order: their UIDs. `rows` are those of `uids`, which `columns` have the keys of;
/// between equals mailbox order decides. `before` is an order by the same criteria of most of them,
/// if there is one: then only the others have to find their places.
pub fn order(
    criteria: &[Criterion],
    (uids, rows): (&UidSet, Rows<'_>),
    columns: &Columns,
    before: Option<&[u32]>,
) -> Vec<u32> {
    let numbers: Vec<u32> = uids.iter().map(Uid::get).collect();
    let mut values: Vec<Vec<u64>> = criteria
        .iter()
        .map(|criterion| {
            let mut values = criterion.by.values(uids, rows, columns);
            if criterion.reverse {
                values.iter_mut().for_each(|value| *value = !*value);
            }
            values.resize(numbers.len(), u64::MAX);
            values
        })
        .collect();
    let rest = values.split_off(values.len().min(1));
    let first = values.pop().unwrap_or_else(|| vec![0; numbers.len()]);
    let mut order: Vec<(u64, u32)> = match before {
        None => first.iter().copied().zip(0..).collect(),
        Some(before) => {
            begun(uids, before).into_iter().map(|at| (first[at as usize], at)).collect()
        }
    };
    let compare = |&(p, a): &(u64, u32), &(q, b): &(u64, u32)| {
        let of_others = || {
            let both = rest.iter().map(|values| values[a as usize].cmp(&values[b as usize]));
            both.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
        };
        p.cmp(&q).then_with(of_others).then(a.cmp(&b))
    };
    match (before, &rest[..]) {
        (None, []) => order.sort_unstable(),
        (None, _) => order.sort_unstable_by(compare),
        // It makes use of what is sorted already.
        (Some(_), _) => order.sort_by(compare),
    }
    order.into_iter().map(|(_, at)| numbers[at as usize]).collect()
}

/// The places of messages in `uids`: first as in `before`, then the others.
fn begun(uids: &UidSet, before: &[u32]) -> Vec<u32> {
    let mut count = 0;
    let starts: Vec<(u32, u32, u32)> = uids
        .ranges()
        .iter()
        .map(|&(first, last)| {
            let range = (first.get(), last.get(), count);
            count += last.get() - first.get() + 1;
            range
        })
        .collect();
    let place = |uid: u32| {
        let at = starts.partition_point(|&(_, last, _)| last < uid);
        let &(first, _, before) = starts.get(at).filter(|&&(first, ..)| first <= uid)?;
        Some(before + (uid - first))
    };
    let mut is_new = vec![true; count as usize];
    let mut places = Vec::with_capacity(count as usize);
    for at in before.iter().filter_map(|&uid| place(uid)) {
        if std::mem::replace(&mut is_new[at as usize], false) {
            places.push(at);
        }
    }
    places.extend((0..count).filter(|&at| is_new[at as usize]));
    places
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::keys::tests::columns;
    use crate::{Position, Row};
    use base::{DateTime, EmailId, ModSeq, SystemFlags, ThreadId};
    use message::KeysView;
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

    fn sort(
        messages: &[(Row, KeysView<'_>)],
        criteria: &[Criterion],
        before: Option<&[u32]>,
    ) -> Vec<u32> {
        let columns = columns(messages.iter().map(|(row, keys)| (row.uid, *keys)));
        let uids: UidSet = messages.iter().map(|(row, _)| row.uid).collect();
        let rows =
            || -> Box<dyn Iterator<Item = Row>> { Box::new(messages.iter().map(|(row, _)| *row)) };
        order(criteria, (&uids, &rows), &columns, before)
    }

    fn keys(subject: &str, sent: Option<i64>) -> KeysView<'_> {
        KeysView { sent, ..KeysView::default() }.with_text(SortKey::Subject, subject)
    }

    #[test]
    fn orders() {
        // Without a date the internal date counts.
        let messages = [
            (row(1, 30, 500), keys("b", Some(100))),
            (row(2, 10, 400), keys("a", Some(300))),
            (row(3, 20, 200), keys("b", None)),
            (row(4, 20, 900), keys("", Some(300))),
        ];
        for (criteria, order) in [
            (&[(By::Arrival, false)][..], [3, 2, 1, 4]),
            (&[(By::Date, false)], [1, 3, 2, 4]),
            (&[(By::Size, false)], [2, 3, 4, 1]),
            (&[(By::Size, true)], [1, 3, 4, 2]),
            (&[(By::Subject, false)], [4, 2, 1, 3]),
            (&[(By::Subject, true)], [1, 3, 2, 4]),
            (&[(By::Subject, false), (By::Date, true)], [4, 2, 3, 1]),
            (&[(By::From, false)], [1, 2, 3, 4]),
            (&[], [1, 2, 3, 4]),
        ] {
            let criterion = |&(by, reverse): &(By, bool)| Criterion { by, reverse };
            let criteria: Vec<Criterion> = criteria.iter().map(criterion).collect();
            assert_eq!(sort(&messages, &criteria, None), order, "{criteria:?}");
        }
    }

    proptest! {
        /// Every criterion orders; ties keep mailbox order, also when reversed; an order of some
        /// messages, which may be gone, changes nothing.
        #[test]
        fn equals_stable_sorts_from_the_last_criterion(
            messages in prop::collection::vec((0u32..4, 0i64..4, "[ab]{0,10}"), 0..20),
            criteria in prop::collection::vec((0usize..4, any::<bool>()), 1..4),
            first in 0usize..22,
        ) {
            let by = [By::Size, By::Arrival, By::Subject, By::Date];
            let criteria_of = |&(at, reverse): &(usize, bool)| Criterion { by: by[at], reverse };
            let asked: Vec<Criterion> = criteria.iter().map(criteria_of).collect();
            let messages: Vec<(Row, KeysView<'_>)> = (1..).zip(&messages).map(|(uid, message)| {
                let (size, seconds, subject) = message;
                let sent = (seconds % 2 == 0).then_some(2 - seconds);
                (row(uid, *size, *seconds), keys(subject, sent))
            }).collect();
            let mut expected: Vec<&(Row, KeysView<'_>)> = messages.iter().collect();
            for &(at, reverse) in criteria.iter().rev() {
                expected.sort_by(|(a, of_a), (b, of_b)| {
                    let seconds = |row: &Row| row.internal_date.seconds();
                    let sent = |row: &Row, keys: &KeysView<'_>| keys.sent.unwrap_or(seconds(row));
                    let ordering = match at {
                        0 => a.size.cmp(&b.size),
                        1 => seconds(a).cmp(&seconds(b)),
                        2 => of_a.text(SortKey::Subject).cmp(of_b.text(SortKey::Subject)),
                        _ => sent(a, of_a).cmp(&sent(b, of_b)),
                    };
                    if reverse { ordering.reverse() } else { ordering }
                });
            }
            let expected: Vec<u32> = expected.into_iter().map(|(row, _)| row.uid.get()).collect();
            let first = first.min(messages.len());
            let mut before = sort(&messages[..first], &asked, None);
            before.push(1000);
            prop_assert_eq!(&sort(&messages, &asked, Some(&before)), &expected);
            prop_assert_eq!(sort(&messages, &asked, None), expected);
        }
    }
}
