//! What a message contains, as sequences of three bytes of its folded texts.
//!
//! A text is followed by two zero bytes, so that each of its bytes begins a gram: then patterns of
//! one or two bytes are found by the grams that begin with them.

use std::sync::Arc;

use base::Limits;
use message::fold::{fold, fold_into};
use message::search::{Documents, Lane, OwnHeader, Reader, Scope, Texts};

/// Which texts a gram is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Class {
    /// All header texts of TEXT, and the decoded values of the message's own header.
    Header = 0,
    /// The texts of BODY.
    Body = 1,
    /// The decoded values of one field of the message's own header, and so below.
    From = 2,
    To = 3,
    Cc = 4,
    Bcc = 5,
    Subject = 6,
}

impl Class {
    /// The class that holds the values of the field `name`.
    pub(crate) fn of_field(name: &[u8]) -> Option<Self> {
        let fields = [
            ("from", Self::From),
            ("to", Self::To),
            ("cc", Self::Cc),
            ("bcc", Self::Bcc),
            ("subject", Self::Subject),
        ];
        let same = |(field, _): &&(&str, Self)| name.eq_ignore_ascii_case(field.as_bytes());
        fields.iter().find(same).map(|&(_, class)| class)
    }

    /// The key of three bytes.
    pub(crate) fn key(self, gram: u32) -> u32 {
        (self as u32) << 24 | gram & GRAM_MASK
    }

    /// The key of documents that were too large to index: they may contain anything. UTF-8 does not
    /// have these bytes.
    pub(crate) fn always(self) -> u32 {
        self.key(GRAM_MASK)
    }
}

const GRAM_MASK: u32 = 0xff_ffff;
/// A message with more folded text, in bytes, is a candidate for every question: it would take long,
/// and narrow little.
const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// So is one with more different grams in its headers or its bodies, for questions to these.
const GRAMS_MAX: usize = 100_000;

/// A message's grams.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    /// Each once, in any order.
    pub(crate) keys: Vec<u32>,
    /// Bytes of its folded texts.
    pub(crate) text_bytes: u64,
}

/// Different grams of one class. Takes 2 MiB, so it is used again and again.
struct Set {
    bits: Vec<u64>,
    list: Vec<u32>,
    full: bool,
}

impl Set {
    fn new() -> Self {
        Self { bits: vec![0; (GRAM_MASK as usize + 1) / 64], list: Vec::new(), full: false }
    }

    fn add(&mut self, gram: u32) {
        let (word, bit) = ((gram / 64) as usize, 1 << (gram % 64));
        if self.bits[word] & bit == 0 && !self.full {
            self.bits[word] |= bit;
            self.list.push(gram);
            self.full = self.list.len() >= GRAMS_MAX;
        }
    }

    /// Empties the set into `keys`.
    fn take(&mut self, class: Class, keys: &mut Vec<u32>) {
        for &gram in &self.list {
            self.bits[(gram / 64) as usize] = 0;
        }
        match self.full {
            true => keys.push(class.always()),
            false => keys.extend(self.list.iter().map(|&gram| class.key(gram))),
        }
        self.list.clear();
        self.full = false;
    }
}

/// Takes the grams out of messages, one after another.
pub(crate) struct Extractor {
    header: Set,
    body: Set,
    fields: Vec<u32>,
    folded: String,
    /// Of each lane the last two bytes, and how many bytes of the text came.
    ends: [(u32, u64); 2],
    scope: Scope,
    text_bytes: u64,
}

impl Extractor {
    pub(crate) fn new() -> Self {
        Self {
            header: Set::new(),
            body: Set::new(),
            fields: Vec::new(),
            folded: String::new(),
            ends: Default::default(),
            scope: Scope::Header,
            text_bytes: 0,
        }
    }

    /// Begins a message.
    pub(crate) fn read(
        self,
        limits: &Limits,
        documents: Option<Arc<dyn Documents>>,
    ) -> Reader<Self> {
        Reader::with_documents(limits, self, documents)
    }

    /// The message's grams, and itself for the next one.
    pub(crate) fn document(&mut self) -> Document {
        let mut keys = std::mem::take(&mut self.fields);
        keys.sort_unstable();
        keys.dedup();
        let over = self.text_bytes > TEXT_BYTES_MAX;
        self.header.full |= over;
        self.body.full |= over;
        self.header.take(Class::Header, &mut keys);
        self.body.take(Class::Body, &mut keys);
        self.ends = Default::default();
        Document { keys, text_bytes: std::mem::take(&mut self.text_bytes) }
    }

    fn bytes(&mut self, lane: Lane, scope: Scope, bytes: &[u8]) {
        let set = match scope {
            Scope::Header => &mut self.header,
            Scope::Body => &mut self.body,
        };
        let (mut last, count) = self.ends[lane as usize];
        // The first two bytes of a text end no gram.
        let begun = 2usize.saturating_sub(usize::try_from(count).unwrap_or(2)).min(bytes.len());
        let (begin, rest) = bytes.split_at(begun);
        for &byte in begin {
            last = last << 8 | u32::from(byte);
        }
        for &byte in rest {
            last = (last << 8 | u32::from(byte)) & GRAM_MASK;
            set.add(last);
        }
        self.ends[lane as usize] = (last, count + bytes.len() as u64);
    }
}

/// The grams of a whole text, as they are told one by one.
pub(crate) fn grams(text: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let ended = text.iter().copied().chain([0; 2]);
    ended
        .scan(0u32, |last, byte| {
            *last = (*last << 8 | u32::from(byte)) & GRAM_MASK;
            Some(*last)
        })
        .skip(2)
}

impl Texts for Extractor {
    fn is_done(&self) -> bool {
        self.text_bytes > TEXT_BYTES_MAX || self.header.full && self.body.full
    }

    fn asks(&self, scope: Scope) -> bool {
        match scope {
            Scope::Header => !self.header.full,
            Scope::Body => !self.body.full,
        }
    }

    fn own_header(&mut self, header: &OwnHeader<'_>) {
        for field in header.fields() {
            let value = fold(&header.value(&field));
            grams(value.as_bytes()).for_each(|gram| self.header.add(gram));
            if let Some(class) = Class::of_field(field.name) {
                self.fields.extend(grams(value.as_bytes()).map(|gram| class.key(gram)));
            }
        }
    }

    fn piece(&mut self, lane: Lane, scope: Scope, text: &str) {
        let mut folded = std::mem::take(&mut self.folded);
        fold_into(text, &mut folded);
        // What is told twice is one text.
        if lane == Lane::Plain {
            self.text_bytes += folded.len() as u64;
            self.scope = scope;
        }
        self.bytes(lane, scope, folded.as_bytes());
        folded.clear();
        self.folded = folded;
    }

    fn end(&mut self, lane: Lane) {
        let scope = if lane == Lane::Plain { self.scope } else { Scope::Body };
        self.bytes(lane, scope, &[0; 2]);
        self.ends[lane as usize] = (0, 0);
    }

    /// It may contain anything.
    fn unknown(&mut self) {
        self.body.full = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(message: &[u8]) -> Document {
        let mut reader = Extractor::new().read(&Limits::default(), None);
        reader.feed(message);
        let mut document = reader.finish().document();
        document.keys.sort_unstable();
        assert!(document.keys.is_sorted_by(|a, b| a < b));
        document
    }

    fn key(class: Class, gram: &str) -> u32 {
        class.key(gram.bytes().fold(0, |key, byte| key << 8 | u32::from(byte)))
    }

    #[test]
    fn grams_of_a_text() {
        let text = |text: &str| grams(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(text("ab"), [0x61_6200, 0x62_0000]);
        assert_eq!(text("abc"), [0x61_6263, 0x62_6300, 0x63_0000]);
        assert_eq!(text(""), Vec::<u32>::new());
    }

    #[test]
    fn classes() {
        let found = document(b"Subject: =?utf-8?q?xyz?=\r\nFrom: ab\r\n\r\nbody").keys;
        for (class, gram, expected) in [
            (Class::Subject, "XYZ", true),
            (Class::Header, "XYZ", true),
            (Class::Header, "=?U", true),
            (Class::Subject, "=?U", false),
            (Class::From, "AB\0", true),
            (Class::Body, "BOD", true),
            (Class::Body, "Y\0\0", true),
            (Class::Header, "BOD", false),
        ] {
            let key = key(class, gram);
            assert_eq!(found.binary_search(&key).is_ok(), expected, "{class:?} {gram:?}");
        }
    }

    #[test]
    fn too_large_is_always_a_candidate() {
        let mut message = b"Subject: x\r\n\r\n".to_vec();
        for n in 0..62u32 * 62 * 62 {
            let byte = |n: u32| {
                b"!#$%&*+,./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`{|}~()'"[n as usize % 62]
            };
            message.extend([byte(n / 3844), byte(n / 62), byte(n)]);
        }
        let keys = document(&message).keys;
        let body: Vec<_> = keys.iter().filter(|&&key| key >> 24 == 1).collect();
        assert_eq!(body, [&Class::Body.always()]);
        assert!(keys.binary_search(&key(Class::Subject, "X\0\0")).is_ok());
    }

    #[test]
    fn a_set_is_empty_for_the_next_message() {
        let mut extractor = Extractor::new();
        let limits = Limits::default();
        let mut all = Vec::new();
        for _ in 0..2 {
            let mut reader = extractor.read(&limits, None);
            reader.feed(b"A: b\r\n\r\nsome text");
            extractor = reader.finish();
            all.push(extractor.document());
        }
        assert_eq!(all[0], all[1]);
    }
}
