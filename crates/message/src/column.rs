//! A header field of many messages in one text: a search looks at all of them at once.
//!
//! What is looked in is what [`crate::search::Want::Header`] looks in, so the answers are the same.

use base::{Limits, Uid, UidSet};

use crate::encoded_word;
use crate::fold::fold_into;
use crate::header::fields;
use crate::search::Needle;
use crate::walk::{Closed, Opened, Sink, Walk};

/// Ends each value; IMAP strings do not contain it, so no match spans two values.
const BETWEEN: char = '\0';

/// Reads one field of one message's own header: its values, decoded and folded.
pub struct FieldReader {
    walk: Walk<Collector>,
}

struct Collector {
    field: String,
    values: String,
    done: bool,
}

impl FieldReader {
    /// A reader of the field called `field`, in any case, at the first byte of a message.
    pub fn new(field: &str, limits: &Limits) -> Self {
        let field = field.to_owned();
        let collector = Collector { field, values: String::new(), done: false };
        Self { walk: Walk::new(limits, collector) }
    }

    /// The next bytes, in pieces of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        for step in bytes.chunks(4096) {
            if self.is_done() {
                return;
            }
            self.walk.feed(step);
        }
    }

    /// Whether the header has ended: more bytes change nothing.
    pub fn is_done(&self) -> bool {
        self.walk.sink.done
    }

    /// The values, for [`Column::push`].
    pub fn finish(self) -> String {
        if self.is_done() { self.walk.sink.values } else { self.walk.finish().values }
    }
}

impl Sink for Collector {
    fn open(&mut self, part: Opened<'_>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let name = self.field.as_bytes();
        for field in fields(part.header).filter(|field| field.is(name)) {
            let text = encoded_word::decode_with(field.value, part.mime.fallback);
            fold_into(&text, &mut self.values);
            self.values.push(BETWEEN);
        }
    }

    fn body(&mut self, _: &[u8]) {}

    fn close(&mut self, _: Closed) {}
}

/// One field of messages with ascending UIDs.
#[derive(Clone, Debug, Default)]
pub struct Column {
    uids: Vec<Uid>,
    /// Where each message's values end in `text`.
    ends: Vec<u32>,
    text: String,
}

impl Column {
    /// Adds a message behind all others, with what [`FieldReader`] found in it. False if the column
    /// cannot hold it.
    #[must_use]
    pub fn push(&mut self, uid: Uid, values: &str) -> bool {
        let Ok(end) = u32::try_from(self.text.len() + values.len()) else { return false };
        self.uids.push(uid);
        self.ends.push(end);
        self.text.push_str(values);
        true
    }

    /// How many messages.
    pub fn len(&self) -> usize {
        self.uids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.uids.is_empty()
    }

    /// Memory it takes, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.text.capacity() + self.uids.capacity() * 4 + self.ends.capacity() * 4
    }

    /// The messages whose field contains the needle; the empty needle asks whether there is one.
    pub fn matches(&self, needle: &Needle) -> UidSet {
        let mut found = UidSet::new();
        if needle.is_empty() {
            let starts = std::iter::once(0).chain(self.ends.iter().copied());
            let has =
                starts.zip(&self.ends).zip(&self.uids).filter(|((start, end), _)| start < end);
            return has.map(|(_, &uid)| uid).collect();
        }
        let (mut at, mut from) = (0, 0);
        while let Some(hit) = needle.find_in_folded(&self.text.as_bytes()[from..]) {
            let hit = from + hit;
            at += self.ends[at..].partition_point(|&end| end as usize <= hit);
            let (Some(&uid), Some(&end)) = (self.uids.get(at), self.ends.get(at)) else { break };
            found.insert(uid);
            from = end as usize;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Want, scan};
    use proptest::prelude::*;

    fn column(messages: &[Vec<u8>], field: &str) -> Column {
        let mut column = Column::default();
        for (uid, message) in (1..).zip(messages) {
            let mut reader = FieldReader::new(field, &Limits::default());
            reader.feed(message);
            assert!(column.push(Uid::new(uid).unwrap(), &reader.finish()));
        }
        column
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            "(Subject|SUBJECT|From|X): ?[a-cß\u{130}\0 ]{0,6}(\r\n [ab]{1,3})?",
            Just("Subject: =?utf-8?q?=C3=84b?= a".to_owned()),
            Just("Subject:".to_owned()),
            Just("no field".to_owned()),
            Just(String::new()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn finds_what_a_scan_finds(
            messages in prop::collection::vec(prop::collection::vec(line(), 0..5), 0..6),
            needle in "[a-cäß \u{69}]{0,3}",
        ) {
            let messages: Vec<Vec<u8>> =
                messages.iter().map(|lines| (lines.join("\r\n") + "\r\n").into_bytes()).collect();
            let needle = Needle::new(&needle);
            let want = || Want::Header { field: "subject".to_owned(), needle: needle.clone() };
            let scanned: UidSet = (1..)
                .zip(&messages)
                .filter(|(_, message)| scan(message, vec![want()])[0])
                .filter_map(|(uid, _)| Uid::new(uid))
                .collect();
            prop_assert_eq!(column(&messages, "Subject").matches(&needle), scanned);
        }
    }
}
