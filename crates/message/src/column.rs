//! A header field of many messages in one text: a search looks at all of them at once.
//!
//! What is looked in is what [`crate::search::Want::Header`] looks in, so the answers are the same.

use std::sync::Arc;

use base::{Limits, Uid, UidSet};
use memchr::memmem;

use crate::charset::Charset;
use crate::encoded_word;
use crate::fold::fold_into;
use crate::header::fields;
use crate::mime::{Implied, Mime};
use crate::search::Needle;
use crate::walk::{Closed, Opened, Sink, Walk};

/// Ends each value; IMAP strings do not contain it, so no match spans two values.
const BETWEEN: char = '\0';

/// Reads some fields of messages' own headers, one message after the other: their values, decoded
/// and folded.
pub struct FieldReader {
    limits: Limits,
    walk: Walk<Collector>,
    /// Whether the walk has seen bytes of this message.
    begun: bool,
    /// What was read of the last message, for each field.
    values: Vec<String>,
}

struct Collector {
    fields: Arc<[String]>,
    values: Vec<String>,
    done: bool,
}

impl FieldReader {
    /// A reader of the fields called `fields`, in any case, at the first byte of a message.
    pub fn new(fields: &[impl AsRef<str>], limits: &Limits) -> Self {
        let values = vec![String::new(); fields.len()];
        let fields = fields.iter().map(|field| field.as_ref().to_owned()).collect();
        let collector = Collector { fields, values: values.clone(), done: false };
        Self { limits: limits.clone(), walk: Walk::new(limits, collector), begun: false, values }
    }

    /// The next bytes, in pieces of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        // The body is of no interest: most headers end where this looks first.
        let head = memmem::find(bytes, b"\r\n\r\n").map_or(0, |at| at + 4);
        let (head, rest) = bytes.split_at(head);
        let is_whole = !self.begun && !head.is_empty();
        if is_whole && head.len() <= self.limits.header_bytes_max && !self.is_done() {
            return self.header(head);
        }
        for step in std::iter::once(head).chain(rest.chunks(4096)) {
            if self.is_done() {
                return;
            }
            self.begun = true;
            self.walk.feed(step);
        }
    }

    /// The message's whole header at once instead of [`FieldReader::feed`]: the fields in their order
    /// up to the empty line, if there is one. Those that are not looked for may be left out, but for
    /// `Content-Type`, which tells the charset; nothing may be cut. No longer than
    /// [`Limits::header_bytes_max`].
    pub fn header(&mut self, header: &[u8]) {
        let fallback = match header.is_ascii() {
            true => Charset::Guess,
            false => Mime::parse(header, Implied::Text, &self.limits).fallback,
        };
        self.walk.sink.take(header, fallback);
    }

    /// Whether the header has ended: more bytes change nothing.
    pub fn is_done(&self) -> bool {
        self.walk.sink.done
    }

    /// The message is to count as one without fields.
    pub fn forget(&mut self) {
        self.start();
        self.walk.sink.values.iter_mut().for_each(String::clear);
        self.walk.sink.done = true;
    }

    /// The message has ended: its values of each field, for [`Column::push`]. What follows is the
    /// next message.
    pub fn finish(&mut self) -> impl Iterator<Item = &str> {
        if self.begun {
            if !self.walk.sink.done {
                self.walk.end();
            }
            self.start();
        }
        let sink = &mut self.walk.sink;
        sink.done = false;
        std::mem::swap(&mut self.values, &mut sink.values);
        sink.values.iter_mut().for_each(String::clear);
        self.values.iter().map(|values| &**values)
    }

    /// Begins with the next message.
    fn start(&mut self) {
        self.walk.restart();
        self.begun = false;
    }
}

impl Collector {
    /// The first header is the message's own.
    fn take(&mut self, header: &[u8], fallback: Charset) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        for field in fields(header) {
            let length = field.name.len();
            let names = self.fields.iter().zip(&mut self.values);
            let named = names.filter(|(name, _)| name.len() == length);
            for (_, values) in named.filter(|(name, _)| field.is(name.as_bytes())) {
                let text = encoded_word::decode_with(field.value, fallback);
                fold_into(&text, values);
                values.push(BETWEEN);
            }
        }
    }
}

impl Sink for Collector {
    const COUNTS_LINES: bool = false;

    fn open(&mut self, part: Opened<'_>) {
        self.take(part.header, part.mime.fallback);
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

    /// The first message from `from` on whose values end behind `hit`. Hits ascend: it is looked for
    /// in steps that double.
    fn holder(&self, from: usize, hit: usize) -> usize {
        let (mut low, mut step) = (from, 1);
        while self.ends.get(low + step).is_some_and(|&end| end as usize <= hit) {
            low += step;
            step *= 2;
        }
        let high = self.ends.len().min(low + step + 1);
        low + self.ends[low..high].partition_point(|&end| end as usize <= hit)
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
            at = self.holder(at, hit);
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

    fn column(messages: &[Vec<u8>], field: &str, piece: usize) -> Column {
        let mut column = Column::default();
        let mut reader = FieldReader::new(&[field, "from", field], &Limits::default());
        for (uid, message) in (1..).zip(messages) {
            // What is damaged has no fields.
            if damaged(uid) {
                reader.feed(b"Subject: abc\r\n\r\n");
                reader.forget();
            } else {
                message.chunks(piece).for_each(|bytes| reader.feed(bytes));
            }
            let read: Vec<&str> = reader.finish().collect();
            assert_eq!(read[0], read[2]);
            assert!(column.push(Uid::new(uid).unwrap(), read[0]));
        }
        column
    }

    fn damaged(uid: u32) -> bool {
        uid == 3
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            "(Subject|SUBJECT|From|X): ?[a-cß\u{130}\0 ]{0,6}(\r\n [ab]{1,3})?",
            Just("Subject: =?utf-8?q?=C3=84b?= a".to_owned()),
            Just("Subject:".to_owned()),
            Just("no field".to_owned()),
            Just("Content-Type: text/plain; charset=koi8-r".to_owned()),
            Just("Subject: \u{c4}\u{ff}".to_owned()),
            Just(String::new()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn finds_what_a_scan_finds(
            messages in prop::collection::vec(prop::collection::vec(line(), 0..5), 0..6),
            needle in "[a-cäßдъ \u{69}]{0,3}",
            (latin, piece) in (any::<bool>(), 1usize..200),
        ) {
            // Latin 1 is not UTF-8: the charset that Content-Type names matters.
            let bytes = |text: String| match latin {
                true => text.chars().map(|char| u8::try_from(char).unwrap_or(b'?')).collect(),
                false => text.into_bytes(),
            };
            let messages: Vec<Vec<u8>> =
                messages.iter().map(|lines| bytes(lines.join("\r\n") + "\r\n")).collect();
            let needle = Needle::new(&needle);
            let want = || Want::Header { field: "subject".to_owned(), needle: needle.clone() };
            let scanned: UidSet = (1..)
                .zip(&messages)
                .filter(|(uid, message)| !damaged(*uid) && scan(message, vec![want()])[0])
                .filter_map(|(uid, _)| Uid::new(uid))
                .collect();
            prop_assert_eq!(column(&messages, "Subject", piece).matches(&needle), scanned);
        }
    }
}
