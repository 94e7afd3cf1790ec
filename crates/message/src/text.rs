//! Header text: unfolding, cleaning and the strings of IMAP.

use std::borrow::Cow;

use crate::charset::Charset;
use crate::encoded_word;

/// A field's value without its line breaks (RFC 5322 §2.2.3) and without white space around it.
pub(crate) fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect())
}

/// Bytes of a header as text, one line without control characters. Encoded-words stay as they are.
/// What is not UTF-8 is read in the message's own charset, if it names one, or guessed.
pub(crate) fn clean(bytes: &[u8], fallback: Charset) -> String {
    let mut text = match std::str::from_utf8(bytes) {
        // ISO-2022-JP is 7-bit and shows by its escapes.
        Ok(text) if text.contains("\u{1b}$") => Charset::of(b"iso-2022-jp").decode(bytes),
        Ok(text) => text.to_owned(),
        Err(_) => fallback.decode(bytes),
    };
    if text.contains(char::is_control) {
        text = text
            .chars()
            .filter(|&char| !matches!(char, '\r' | '\n' | '\0'))
            .map(|char| match char {
                '\t' => ' ',
                char if char.is_control() => '?',
                char => char,
            })
            .collect();
    }
    text
}

/// [`unfold`] and [`clean`].
pub(crate) fn unfold_clean(value: &[u8], fallback: Charset) -> String {
    clean(&unfold(value), fallback)
}

/// How a string that is not ASCII goes to a client that reads only ASCII.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seven {
    /// As encoded-words: subjects, display names, descriptions.
    Words,
    /// A question mark for each character, where no encoding is allowed.
    Marks,
}

/// Writes `text` as a quoted string; with `utf8` in UTF-8, else in ASCII. `text` is clean.
pub(crate) fn string(out: &mut Vec<u8>, text: &str, utf8: bool, seven: Seven) {
    if utf8 || text.is_ascii() {
        quoted(out, text);
    } else if seven == Seven::Words {
        quoted(out, &encoded_word::encode(text));
    } else {
        let marks: String =
            text.chars().map(|char| if char.is_ascii() { char } else { '?' }).collect();
        quoted(out, &marks);
    }
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if memchr::memchr2(b'"', b'\\', text.as_bytes()).is_none() {
        out.extend_from_slice(text.as_bytes());
    } else {
        for &byte in text.as_bytes() {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
    }
    out.push(b'"');
}

/// Writes a string or NIL.
pub(crate) fn nstring(out: &mut Vec<u8>, text: Option<&str>, utf8: bool, seven: Seven) {
    match text {
        Some(text) => string(out, text, utf8, seven),
        None => out.extend_from_slice(b"NIL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans() {
        for (input, expected) in [
            (&b" a\r\n\tb "[..], "a b"),
            (b"nul\0 bell\x07", "nul bell?"),
            (b"gr\xfc\xdfe", "grüße"),
            (b"gr\xc3\xbc\xc3\x9fe", "grüße"),
            (b"\x1b$B%F\x1b(B", "テ"),
            (b"c1 \xc2\x85", "c1 ?"),
        ] {
            assert_eq!(unfold_clean(input, Charset::Guess), expected);
        }
        assert_eq!(unfold_clean(b"\xcd\xc9\xd2", Charset::of(b"koi8-r")), "мир");
    }

    #[test]
    fn strings() {
        let print = |text: &str, utf8, seven| {
            let mut out = Vec::new();
            string(&mut out, text, utf8, seven);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(print("a\"b\\c", false, Seven::Words), r#""a\"b\\c""#);
        assert_eq!(print("ü", true, Seven::Words), "\"ü\"");
        assert_eq!(print("xü", false, Seven::Marks), "\"x?\"");
        assert_eq!(print("ü", false, Seven::Words), "\"=?utf-8?b?w7w=?=\"");
    }
}
