//! Encoded-words in headers (RFC 2047), both ways.

use crate::charset::{Charset, TextDecoder};
use crate::decode::{self, hex};
use crate::{TransferEncoding, text};

/// Longest charset name that is looked at.
const CHARSET_BYTES_MAX: usize = 64;
/// Bytes of UTF-8 in one encoded-word of base64, so that it stays within 75 characters.
const WORD_BYTES_MAX: usize = 45;
/// Characters of encoded text in one encoded-word of `q`: 75 without `=?utf-8?q?` and `?=`.
const WORD_CHARACTERS_MAX: usize = 63;

struct Word<'a> {
    charset: &'a [u8],
    base64: bool,
    text: &'a [u8],
}

/// Finds encoded-words from left to right in linear time: the place of the next `?=` is remembered.
struct Scanner<'a> {
    bytes: &'a [u8],
    next_end: Option<usize>,
}

impl<'a> Scanner<'a> {
    /// The encoded-word that begins at `at`, and where it ends.
    fn word_at(&mut self, at: usize) -> Option<(Word<'a>, usize)> {
        let bytes = self.bytes;
        if !bytes[at..].starts_with(b"=?") {
            return None;
        }
        let charset_at = at + 2;
        let window = &bytes[charset_at..bytes.len().min(charset_at + CHARSET_BYTES_MAX)];
        let charset_end = charset_at + memchr::memchr(b'?', window)?;
        let charset = &bytes[charset_at..charset_end];
        if charset.is_empty() || !charset.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let base64 = match bytes.get(charset_end + 1)? {
            b'b' | b'B' => true,
            b'q' | b'Q' => false,
            _ => return None,
        };
        if bytes.get(charset_end + 2) != Some(&b'?') {
            return None;
        }
        let text_at = charset_end + 3;
        if self.next_end.is_none_or(|end| end < text_at) {
            let found = memchr::memmem::find(&bytes[text_at..], b"?=");
            self.next_end = Some(found.map_or(usize::MAX, |found| text_at + found));
        }
        let end = self.next_end.filter(|&end| end != usize::MAX)?;
        let text = &bytes[text_at..end];
        // RFC 2231 §5: a language may follow the charset.
        let charset = charset.split(|&byte| byte == b'*').next().unwrap_or(charset);
        Some((Word { charset, base64, text }, end + 2))
    }
}

/// Where the encoded-word at the start of `bytes` ends, if one starts there: its text has no white
/// space. Looks at no more than `EXTENT_MAX` bytes.
pub(crate) fn extent(bytes: &[u8]) -> Option<usize> {
    const EXTENT_MAX: usize = 512;
    let bytes = &bytes[..bytes.len().min(EXTENT_MAX)];
    if !bytes.starts_with(b"=?") {
        return None;
    }
    let bytes = match bytes.iter().position(u8::is_ascii_whitespace) {
        Some(space) => &bytes[..space],
        None => bytes,
    };
    let mut scanner = Scanner { bytes, next_end: None };
    scanner.word_at(0).map(|(_, end)| end)
}

/// Text of a header with its encoded-words decoded (RFC 2047 §6). Tolerant: an encoded-word may
/// touch other text and contain spaces. Adjacent words of one charset are decoded together, because
/// some mailers split characters between them.
pub fn decode(value: &[u8]) -> String {
    decode_with(value, Charset::Guess)
}

pub(crate) fn decode_with(value: &[u8], fallback: Charset) -> String {
    let unfolded = text::unfold(value);
    let bytes = unfolded.as_ref();
    if memchr::memmem::find(bytes, b"=?").is_none() {
        return text::clean(bytes, fallback);
    }
    let mut scanner = Scanner { bytes, next_end: None };
    let mut out = String::new();
    // Bytes of adjacent words of one charset.
    let (mut pending, mut pending_charset) = (Vec::new(), Charset::Guess);
    let (mut plain_at, mut at) = (0, 0);
    let mut after_word = false;
    while let Some(found) = memchr::memmem::find(&bytes[at..], b"=?") {
        let start = at + found;
        let Some((word, end)) = scanner.word_at(start) else {
            at = start + 2;
            continue;
        };
        let Some(charset) = Charset::known(word.charset) else {
            // RFC 2047 §6.2: show it as it is.
            at = end;
            continue;
        };
        let between = &bytes[plain_at..start];
        let adjacent = after_word && between.trim_ascii().is_empty();
        if !adjacent || charset != pending_charset || stateful(charset) {
            flush(&mut pending, pending_charset, &mut out);
        }
        if !adjacent {
            out.push_str(&text::clean(between, fallback));
        }
        pending_charset = charset;
        pending.extend(word_bytes(&word));
        (plain_at, at, after_word) = (end, end, true);
    }
    flush(&mut pending, pending_charset, &mut out);
    out.push_str(&text::clean(&bytes[plain_at..], fallback));
    out
}

fn stateful(charset: Charset) -> bool {
    match charset {
        Charset::Utf7 => true,
        Charset::Known(encoding) => encoding == encoding_rs::ISO_2022_JP,
        Charset::Guess => false,
    }
}

fn flush(pending: &mut Vec<u8>, charset: Charset, out: &mut String) {
    if pending.is_empty() {
        return;
    }
    let mut text = String::new();
    let mut decoder = TextDecoder::new(charset);
    decoder.feed(pending, &mut text);
    decoder.finish(&mut text);
    pending.clear();
    out.extend(text.chars().filter_map(|char| match char {
        '\t' | '\r' | '\n' => Some(' '),
        '\0' => None,
        char if char.is_control() => Some('?'),
        char => Some(char),
    }));
}

fn word_bytes(word: &Word<'_>) -> Vec<u8> {
    if word.base64 {
        return decode::decode(TransferEncoding::Base64, word.text);
    }
    let mut out = Vec::with_capacity(word.text.len());
    let mut rest = word.text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = match after {
            [high, low, ..] if byte == b'=' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = &after[2..];
            }
            None if byte == b'_' => out.push(b' '),
            None => out.push(byte),
        }
    }
    out
}

/// `text` in ASCII: words that are not ASCII become encoded-words, the rest stays, encoded-words
/// that are there already too. Spaces between encoded-words do not count (RFC 2047 §6.2), so those
/// that do go into them.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let words: Vec<&str> = text.split(' ').collect();
    let mut at = 0;
    while at < words.len() {
        if at > 0 {
            out.push(' ');
        }
        if words[at].is_ascii() {
            out.push_str(words[at]);
            at += 1;
            continue;
        }
        // A run of words that are not ASCII, with the spaces between them.
        let mut end = at + 1;
        while end < words.len() {
            let Some(next) = words[end..].iter().position(|word| !word.is_empty()) else { break };
            if words[end + next].is_ascii() {
                break;
            }
            end += next + 1;
        }
        let mut run = words[at..end].join(" ");
        if at > 0 && extent(words[at - 1].as_bytes()).is_some() {
            run.insert(0, ' ');
        }
        if words.get(end).is_some_and(|word| extent(word.as_bytes()).is_some()) {
            run.push(' ');
        }
        encode_run(&run, &mut out);
        at = end;
    }
    out
}

/// Characters that stand for themselves in `q` also within a phrase (RFC 2047 §5, rule 3).
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'!' | b'*' | b'+' | b'-' | b'/')
}

fn encode_run(run: &str, out: &mut String) {
    let escaped = run.bytes().filter(|&byte| byte != b' ' && !is_literal(byte)).count();
    let quoted = run.len() + 2 * escaped <= run.len().div_ceil(3) * 4;
    let cost = |char: char| {
        if !quoted {
            return char.len_utf8();
        }
        let escaped = !char.is_ascii() || !(char == ' ' || is_literal(char as u8));
        if escaped { 3 * char.len_utf8() } else { 1 }
    };
    let most = if quoted { WORD_CHARACTERS_MAX } else { WORD_BYTES_MAX };
    let (mut start, mut length) = (0, 0);
    for (at, char) in run.char_indices() {
        if length + cost(char) > most {
            encode_word(&run[start..at], quoted, out);
            out.push(' ');
            (start, length) = (at, 0);
        }
        length += cost(char);
    }
    encode_word(&run[start..], quoted, out);
}

fn encode_word(text: &str, quoted: bool, out: &mut String) {
    use base64::Engine as _;
    use std::fmt::Write as _;
    if !quoted {
        out.push_str("=?utf-8?b?");
        base64::engine::general_purpose::STANDARD.encode_string(text, out);
        out.push_str("?=");
        return;
    }
    out.push_str("=?utf-8?q?");
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('_'),
            _ if is_literal(byte) => out.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(out, "={byte:02X}")),
        }
    }
    out.push_str("?=");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decodes() {
        for (input, expected) in [
            ("plain", "plain"),
            ("=?US-ASCII?Q?Keith_Moore?=", "Keith Moore"),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            ("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=", "If you can read this yo"),
            // RFC 2047 §8.
            ("(=?ISO-8859-1?Q?a?=)", "(a)"),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?= \r\n  =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
            // A character split between two words, and one with a language.
            ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
            ("=?utf-8*de?Q?=C3=BC?=", "ü"),
            // Text that begins with an escape, unencoded spaces, other text that touches.
            ("=?utf-8?Q?=41?=", "A"),
            ("=?utf-8?Q?a b?=x", "a bx"),
            ("x=?utf-8?b?w7w=?=y", "xüy"),
            ("=?utf-7?Q?+AOQ-?= =?utf-7?Q?+AOQ-?=", "ää"),
            // Not encoded-words.
            ("=?", "=?"),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=?utf-8?q?a", "=?utf-8?q?a"),
            ("=?nobody-knows?q?a?=", "=?nobody-knows?q?a?="),
            ("=?utf-8?q?a=0Ab=00?=", "a b"),
            ("a =?utf-8?q??= b", "a  b"),
        ] {
            assert_eq!(decode(input.as_bytes()), expected, "{input:?}");
        }
    }

    #[test]
    fn encodes() {
        for (input, expected) in [
            ("plain text", "plain text"),
            ("Grüße an alle", "=?utf-8?b?R3LDvMOfZQ==?= an alle"),
            ("ein süßer Käse fehlt", "ein =?utf-8?b?c8O8w59lciBLw6RzZQ==?= fehlt"),
            ("=?utf-8?q?a?= ü =?utf-8?q?b?=", "=?utf-8?q?a?= =?utf-8?q?_=C3=BC_?= =?utf-8?q?b?="),
        ] {
            assert_eq!(encode(input), expected);
        }
    }

    #[test]
    fn many_openings_take_linear_work() {
        let text = "=?a?q?".repeat(100_000);
        assert_eq!(decode(text.as_bytes()), text);
    }

    proptest! {
        #[test]
        fn there_and_back(text in "[ a-zäöü=?_😀]{0,80}") {
            let text = text.trim();
            prop_assume!(!text.contains("=?"));
            let encoded = encode(text);
            prop_assert!(encoded.is_ascii());
            prop_assert!(encoded.split(' ').all(|word| !word.starts_with("=?") || word.len() <= 75
                || text.contains(word)));
            prop_assert_eq!(decode(encoded.as_bytes()), text);
        }
    }
}
