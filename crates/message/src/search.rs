//! Search in decoded text: what SEARCH's BODY, TEXT and HEADER keys find (RFC 9051 §6.4.4).
//!
//! A needle matches if it is a substring of a text, both [folded](crate::fold). Texts are each
//! header field (unfolded; as it stands, and with its encoded-words and parameters decoded) and the
//! body of each text part (transfer encoding and charset undone). HTML, calendars and cards are two
//! texts each: as they stand, and as they are seen. Documents (PDF, office formats) are texts where
//! somebody reads them. A match never spans two texts. Bodies of other parts are not searched.

use std::sync::Arc;

use base::Limits;

mod documents;
mod entities;
mod kind;
mod seen;
mod texts;

use crate::TransferEncoding;
use crate::charset::Charset;
use crate::fold::{fold, fold_into};
use crate::mime::{Implied, Mime};

pub use documents::{DocumentKind, DocumentText, Documents};
pub use texts::{Lane, OwnHeader, Reader, Scope, Texts};

/// Folded text is collected up to this many bytes before it is searched.
const WINDOW_BYTES: usize = 32 * 1024;
/// Stands between two texts; IMAP strings do not contain it.
const BETWEEN: char = '\0';

/// A text to look for, prepared once for many messages.
#[derive(Clone, Debug)]
pub struct Needle {
    folded: Arc<str>,
    finder: Arc<memchr::memmem::Finder<'static>>,
}

impl Needle {
    /// Looks for `text` without regard to case.
    pub fn new(text: &str) -> Self {
        let folded: Arc<str> = fold(text).into();
        let finder = Arc::new(memchr::memmem::Finder::new(folded.as_bytes()).into_owned());
        Self { folded, finder }
    }

    /// What is looked for in folded text.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Whether this is the empty string, which every text contains.
    pub fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// Whether `text` contains it.
    pub fn is_in(&self, text: &str) -> bool {
        self.is_in_folded(&fold(text))
    }

    /// Whether `folded`, which went through [`fold`], contains it.
    pub fn is_in_folded(&self, folded: &str) -> bool {
        self.find_in_folded(folded.as_bytes()).is_some()
    }

    /// Where it is first in `folded`, which went through [`fold`].
    pub(crate) fn find_in_folded(&self, folded: &[u8]) -> Option<usize> {
        self.finder.find(folded)
    }
}

/// Whether a field `name` of `header` contains the needle in its decoded value. The empty needle
/// asks whether there is such a field.
pub fn header(header: &[u8], name: &str, needle: &Needle) -> bool {
    let fallback = match header.is_ascii() {
        true => Charset::Guess,
        false => Mime::parse(header, Implied::Text, &Limits::default()).fallback,
    };
    header_with(&OwnHeader::new(header, fallback), name, needle)
}

fn header_with(header: &OwnHeader<'_>, name: &str, needle: &Needle) -> bool {
    header
        .fields()
        .filter(|field| field.is(name.as_bytes()))
        .any(|field| needle.is_empty() || needle.is_in(&header.value(&field)))
}

/// What to look for in a message.
#[derive(Clone, Debug)]
pub enum Want {
    /// In the text parts: BODY. The header and the text of an enclosed message belong to the body.
    Body(Needle),
    /// In all headers and text parts: TEXT.
    Text(Needle),
    /// In a field of the message's own header: HEADER, and FROM, SUBJECT and the like.
    Header {
        /// The field's name, in any case.
        field: String,
        /// What its decoded value contains; empty: there is such a field.
        needle: Needle,
    },
}

/// Answers several [`Want`]s in one pass over a message, in bounded memory: a header, a window of
/// text, and four times the longest needle. One message after the other: what was set up for the
/// first one serves them all.
pub struct Scan {
    reader: Reader<Matcher>,
}

impl Scan {
    /// A scan at the first byte of a message.
    pub fn new(wants: Vec<Want>) -> Self {
        Self::with_limits(wants, &Limits::default())
    }

    /// The same with configured limits.
    pub fn with_limits(wants: Vec<Want>, limits: &Limits) -> Self {
        Self::with_documents(wants, limits, None)
    }

    /// The same, with the texts of documents.
    pub fn with_documents(
        wants: Vec<Want>,
        limits: &Limits,
        documents: Option<Arc<dyn Documents>>,
    ) -> Self {
        Self { reader: Reader::with_documents(limits, Matcher::new(wants), documents) }
    }

    /// Of the message that begins, only those wants matter of which `asked` says so.
    pub fn ask(&mut self, asked: impl Fn(usize) -> bool) {
        self.reader.texts_mut().ask(asked);
    }

    /// The next bytes, in pieces of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.reader.feed(bytes);
    }

    /// Whether the rest of the message cannot change the answer.
    pub fn is_decided(&self) -> bool {
        self.reader.texts().is_done()
    }

    /// The end of the message: whether each want was found, in order; of those that were not asked it
    /// says nothing. What follows is the next message, of which all are asked.
    pub fn end(&mut self) -> &[bool] {
        self.reader.end();
        let matcher = self.reader.texts_mut();
        matcher.look(Lane::Plain);
        matcher.look(Lane::Seen);
        matcher.restart();
        &matcher.answers
    }

    /// As [`Scan::end`], of one message.
    pub fn finish(mut self) -> Vec<bool> {
        self.end().to_vec()
    }
}

/// Answers `wants` about a message that is in memory.
pub fn scan(message: &[u8], wants: Vec<Want>) -> Vec<bool> {
    let mut scan = Scan::new(wants);
    scan.feed(message);
    scan.finish()
}

struct Matcher {
    wants: Vec<Want>,
    /// Of this message; those that are not asked count as found.
    found: Vec<bool>,
    /// Of the last one.
    answers: Vec<bool>,
    /// Bytes of the longest needle.
    needle_bytes_max: usize,
    header_seen: bool,
    /// Of [`Lane::Plain`].
    scope: Scope,
    /// Text of each lane that was not searched yet.
    folded: [String; 2],
}

impl Matcher {
    fn new(wants: Vec<Want>) -> Self {
        let needle_bytes_max = wants.iter().map(|want| match want {
            Want::Body(needle) | Want::Text(needle) => needle.folded.len(),
            Want::Header { .. } => 0,
        });
        let mut matcher = Self {
            needle_bytes_max: needle_bytes_max.max().unwrap_or(0),
            found: Vec::with_capacity(wants.len()),
            answers: Vec::with_capacity(wants.len()),
            wants,
            header_seen: false,
            scope: Scope::Header,
            folded: Default::default(),
        };
        matcher.restart();
        matcher
    }

    /// Begins with a message.
    fn restart(&mut self) {
        std::mem::swap(&mut self.found, &mut self.answers);
        self.found.clear();
        self.found.extend(self.wants.iter().map(|want| match want {
            Want::Body(needle) | Want::Text(needle) => needle.is_empty(),
            Want::Header { .. } => false,
        }));
        (self.header_seen, self.scope) = (false, Scope::Header);
        self.folded.iter_mut().for_each(String::clear);
    }

    fn ask(&mut self, asked: impl Fn(usize) -> bool) {
        for (nth, found) in self.found.iter_mut().enumerate() {
            *found |= !asked(nth);
        }
    }

    /// Searches what was collected.
    fn look(&mut self, lane: Lane) {
        let folded = &self.folded[lane as usize];
        let is_body = lane == Lane::Seen || self.scope == Scope::Body;
        for (want, found) in self.wants.iter().zip(&mut self.found) {
            let needle = match want {
                Want::Body(needle) if is_body => needle,
                Want::Text(needle) => needle,
                _ => continue,
            };
            *found = *found || needle.is_in_folded(folded);
        }
    }

    fn set_scope(&mut self, scope: Scope) {
        if self.scope != scope {
            self.look(Lane::Plain);
            self.folded[Lane::Plain as usize].clear();
            self.scope = scope;
        }
    }
}

impl Texts for Matcher {
    fn is_done(&self) -> bool {
        self.wants
            .iter()
            .zip(&self.found)
            .all(|(want, &found)| found || matches!(want, Want::Header { .. }) && self.header_seen)
    }

    /// Whether some want that is open counts texts of `scope`.
    fn asks(&self, scope: Scope) -> bool {
        self.wants.iter().zip(&self.found).any(|(want, &found)| {
            !found
                && match want {
                    Want::Body(_) => scope == Scope::Body,
                    Want::Text(_) => true,
                    Want::Header { .. } => false,
                }
        })
    }

    fn own_header(&mut self, header: &OwnHeader<'_>) {
        self.header_seen = true;
        for (want, found) in self.wants.iter().zip(&mut self.found) {
            if let (Want::Header { field, needle }, false) = (want, &found) {
                *found = header_with(header, field, needle);
            }
        }
    }

    fn piece(&mut self, lane: Lane, scope: Scope, text: &str) {
        if lane == Lane::Plain {
            self.set_scope(scope);
        }
        fold_into(text, &mut self.folded[lane as usize]);
        let window = WINDOW_BYTES.max(4 * self.needle_bytes_max);
        if self.folded[lane as usize].len() < window {
            return;
        }
        self.look(lane);
        // A match may begin in the last bytes.
        let keep = self.needle_bytes_max.saturating_sub(1);
        let folded = &mut self.folded[lane as usize];
        let mut at = folded.len() - keep;
        while !folded.is_char_boundary(at) {
            at -= 1;
        }
        folded.drain(..at);
    }

    fn end(&mut self, lane: Lane) {
        self.folded[lane as usize].push(BETWEEN);
    }
}

/// A body's text at once, for tests and for indexing small parts: transfer encoding and charset
/// undone.
pub fn decoded_text(body: &[u8], encoding: TransferEncoding, charset: Option<&str>) -> String {
    let bytes = crate::decode::decode(encoding, body);
    charset.map_or(Charset::Guess, |charset| Charset::of(charset.as_bytes())).decode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MESSAGE: &str = "\
From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>
Subject: A long
\tsubject =?iso-8859-1?Q?na=EFve?=
X-Empty:
Content-Type: multipart/mixed; boundary=b

preamble
--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe aus M=FCn=
chen
--b
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PGI+xIxlc2vDvSBrcsOhbDwvYj48cD53aWNoPGk+dGlnPC9pPiAmYW1wOyByaWNodGlnPHA+aGlkZGVu
--b
Content-Type: application/pdf; name*=utf-8''%C3%9Cbersicht.pdf
Content-Transfer-Encoding: base64

c2VjcmV0
--b
Content-Type: message/rfc822

Subject: inner =?utf-8?b?xJnFgg==?=

inner text
--b--
epilogue
";

    fn check(want: fn(Needle) -> Want, needle: &str) -> bool {
        scan(MESSAGE.as_bytes(), vec![want(Needle::new(needle))])[0]
    }

    #[test]
    fn body_and_text() {
        // Needle, whether BODY finds it, whether TEXT does.
        for (needle, body, text) in [
            ("grüsse AUS münchen", true, true),
            ("GRÜẞE", true, true),
            ("český král", true, true),
            ("<b>", true, true),
            ("wichtig & richtig", true, true),
            ("wich<i>tig", true, true),
            ("hidden", true, true),
            ("tighidden", false, false),
            ("inner text", true, true),
            ("inner ęł", true, true),
            ("Jörg", false, true),
            ("joerg@EXAMPLE", false, true),
            ("subject naïve", false, true),
            ("=?iso-8859-1?q?na=ef", false, true),
            ("übersicht", false, true),
            ("application/pdf", false, true),
            ("secret", false, false),
            ("c2VjcmV0", false, false),
            ("preamble", false, false),
            ("epilogue", false, false),
            ("münchen<b>", false, false),
            ("", true, true),
        ] {
            assert_eq!(check(Want::Body, needle), body, "BODY {needle:?}");
            assert_eq!(check(Want::Text, needle), text, "TEXT {needle:?}");
        }
    }

    #[test]
    fn headers() {
        for (field, needle, expected) in [
            ("from", "jörg <JOERG", true),
            ("SUBJECT", "long subject naïve", true),
            ("subject", "inner", false),
            ("x-empty", "", true),
            ("x-empty", "x", false),
            ("x-none", "", false),
            ("subject", "", true),
        ] {
            let needle = Needle::new(needle);
            assert_eq!(header(MESSAGE.as_bytes(), field, &needle), expected, "{field} {needle:?}");
            let want = Want::Header { field: field.to_owned(), needle };
            assert_eq!(scan(MESSAGE.as_bytes(), vec![want]), [expected], "{field}");
        }
        let koi8 = b"Content-Type: text/plain; charset=koi8-r\r\nSubject: \xcd\xc9\xd2\r\n\r\n";
        assert!(header(koi8, "subject", &Needle::new("МИР")));
    }

    #[test]
    fn encoded_messages_are_decoded() {
        let message = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n\
            U3ViamVjdDogeAoKaGlkZGVu\n";
        assert_eq!(scan(message.as_bytes(), vec![Want::Body(Needle::new("hidden"))]), [true]);
    }

    #[test]
    fn a_match_may_lie_across_windows() {
        let needle = "x".repeat(100) + "Ä" + &"y".repeat(WINDOW_BYTES);
        for before in [0, 1, WINDOW_BYTES - 50, WINDOW_BYTES, 5 * WINDOW_BYTES + 77] {
            let message = format!("A: b\r\n\r\n{}{needle}z", "é".repeat(before));
            let wants = vec![Want::Body(Needle::new(&needle)), Want::Body(Needle::new("yQ"))];
            assert_eq!(scan(message.as_bytes(), wants), [true, false], "{before}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pieces_do_not_matter(size in 1usize..40, needle in "[ a-eg-rü<]{1,3}") {
            let wants = || {
                vec![Want::Body(Needle::new(&needle)), Want::Text(Needle::new(&needle)),
                    Want::Header { field: "subject".to_owned(), needle: Needle::new(&needle) }]
            };
            let mut pieces = Scan::new(wants());
            MESSAGE.as_bytes().chunks(size).for_each(|piece| pieces.feed(piece));
            prop_assert_eq!(pieces.finish(), scan(MESSAGE.as_bytes(), wants()));
        }

        #[test]
        fn one_message_does_not_change_the_next(
            messages in prop::collection::vec((0usize..MESSAGE.len(), 0usize..MESSAGE.len()), 1..9),
            charsets in prop::collection::vec(prop::sample::select(vec!["utf-8", "koi8-r", "utf-7", "x"]), 9),
            asked in prop::collection::vec(any::<[bool; 3]>(), 9),
            size in 1usize..2000,
            needle in "[ a-eg-rü<]{0,3}",
        ) {
            let wants = || {
                vec![Want::Body(Needle::new(&needle)), Want::Text(Needle::new(&needle)),
                    Want::Header { field: "subject".to_owned(), needle: Needle::new(&needle) }]
            };
            let mut one = Scan::new(wants());
            for ((from, to), (charset, asked)) in messages.into_iter().zip(charsets.iter().zip(asked)) {
                // Parts of a message, and what is no message at all.
                let piece = &MESSAGE.as_bytes()[from.min(to)..from.max(to)];
                let head = format!("Content-Type: text/plain; charset={charset}\r\n\r\nGr\u{fc}n+AOQ-");
                let message = [piece, head.as_bytes()].concat();
                let message = if from % 2 == 0 { &message } else { head.as_bytes() };
                one.ask(|nth| asked[nth]);
                message.chunks(size).for_each(|piece| one.feed(piece));
                let found = scan(message, wants());
                for (nth, &answer) in one.end().iter().enumerate().filter(|&(nth, _)| asked[nth]) {
                    prop_assert_eq!(answer, found[nth]);
                }
            }
        }
    }
}
