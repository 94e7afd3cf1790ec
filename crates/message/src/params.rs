//! Parameters of MIME fields (RFC 2045 §5.1) with continuations and charsets (RFC 2231).

use std::collections::HashMap;

use crate::charset::Charset;
use crate::decode::hex;
use crate::text::{self, Seven};

/// Raw parameters that are looked at for each that is kept: pieces of RFC 2231.
const PIECES_PER_PARAMETER: usize = 8;

/// A parameter with its pieces put together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Param {
    /// The name in lower case, without RFC 2231's marks.
    pub(crate) name: String,
    /// The value, decoded.
    pub(crate) value: String,
    /// The language, if the value was written with charset and language.
    pub(crate) extended: Option<String>,
}

/// A parameter as it stands in the field: `name*section*=value`.
struct Piece {
    section: Option<u32>,
    encoded: bool,
    value: Vec<u8>,
}

/// The value of the parameter `name`.
pub(crate) fn value<'a>(params: &'a [Param], name: &str) -> Option<&'a str> {
    let found = |extended: bool| {
        params.iter().find(|param| param.name == name && param.extended.is_some() == extended)
    };
    found(true).or_else(|| found(false)).map(|param| param.value.as_str())
}

/// Reads the parameters in an unfolded field value, from the first `;` on. At most `most`.
pub(crate) fn parse(rest: &[u8], most: usize, fallback: Charset) -> Vec<Param> {
    let mut names: Vec<String> = Vec::new();
    let mut pieces: HashMap<String, Vec<Piece>> = HashMap::new();
    let mut reader = Reader { rest };
    let mut left = most.saturating_mul(PIECES_PER_PARAMETER);
    while left > 0
        && let Some((name, value)) = reader.next()
    {
        left -= 1;
        let (name, section, encoded) = split_name(name);
        let name = text::clean(name, fallback).to_ascii_lowercase();
        if !pieces.contains_key(&name) {
            if names.len() >= most {
                continue;
            }
            names.push(name.clone());
        }
        pieces.entry(name).or_default().push(Piece { section, encoded, value });
    }
    let mut params = Vec::with_capacity(names.len());
    for name in names {
        let pieces = pieces.remove(&name).unwrap_or_default();
        join(name, pieces, fallback, &mut params);
    }
    params.truncate(most);
    params
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next `name=value`; what has no `=` is skipped.
    fn next(&mut self) -> Option<(&'a [u8], Vec<u8>)> {
        loop {
            self.skip_space();
            let end = self.rest.iter().position(|byte| matches!(byte, b'=' | b';' | b'"'));
            let end = end.unwrap_or(self.rest.len());
            let (name, rest) = self.rest.split_at(end);
            match rest.first() {
                None => return None,
                Some(b'=') => {
                    self.rest = &rest[1..];
                    let name = last_word(name);
                    let value = self.value();
                    if !name.is_empty() {
                        return Some((name, value));
                    }
                }
                Some(_) => self.rest = &rest[1..],
            }
        }
    }

    fn skip_space(&mut self) {
        loop {
            let trimmed = self.rest.trim_ascii_start();
            self.rest = match trimmed.first() {
                Some(b';') => &trimmed[1..],
                Some(b'(') => match memchr::memchr(b')', trimmed) {
                    Some(end) => &trimmed[end + 1..],
                    None => b"",
                },
                _ => {
                    self.rest = trimmed;
                    return;
                }
            };
        }
    }

    fn value(&mut self) -> Vec<u8> {
        self.rest = self.rest.trim_ascii_start();
        if self.rest.first() == Some(&b'"') {
            return self.quoted();
        }
        // Many mailers write values with spaces and no quotes: go to the next semicolon, or to
        // what is the next parameter after a forgotten one.
        let end = memchr::memchr(b';', self.rest).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(next_parameter(&self.rest[..end]));
        self.rest = rest;
        without_comment(value.trim_ascii()).to_vec()
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        let mut at = 1;
        while let Some(&byte) = self.rest.get(at) {
            at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    if let Some(&quoted) = self.rest.get(at) {
                        value.push(quoted);
                        at += 1;
                    }
                }
                _ => value.push(byte),
            }
        }
        self.rest = self.rest.get(at..).unwrap_or_default();
        value
    }
}

/// Where a word followed by `=` begins in `value`, not at its start.
fn next_parameter(value: &[u8]) -> usize {
    let mut word = None;
    let mut spaced = false;
    for (at, byte) in value.iter().enumerate() {
        match byte {
            b' ' | b'\t' => spaced = true,
            b'=' => {
                if let Some(start) = word {
                    return start;
                }
            }
            _ if spaced => {
                let name = byte.is_ascii_alphabetic();
                word = name.then_some(at);
                spaced = false;
            }
            _ if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'*' | b'_') => {}
            _ => word = None,
        }
    }
    value.len()
}

/// The last word of a name: a missing semicolon leaves others before it.
fn last_word(name: &[u8]) -> &[u8] {
    let name = name.trim_ascii();
    name.iter().rposition(u8::is_ascii_whitespace).map_or(name, |at| &name[at + 1..])
}

/// `value` without a comment at its end that white space sets apart.
fn without_comment(value: &[u8]) -> &[u8] {
    if value.last() != Some(&b')') {
        return value;
    }
    match memchr::memmem::rfind(value, b" (") {
        Some(at) => value[..at].trim_ascii_end(),
        None => value,
    }
}

/// `name*1*` is the name, its section and whether it is percent-encoded.
fn split_name(name: &[u8]) -> (&[u8], Option<u32>, bool) {
    let (name, encoded) = match name.strip_suffix(b"*") {
        Some(name) => (name, true),
        None => (name, false),
    };
    if let Some(star) = memchr::memrchr(b'*', name)
        && let Some(section) =
            std::str::from_utf8(&name[star + 1..]).ok().and_then(|digits| digits.parse().ok())
    {
        return (&name[..star], Some(section), encoded);
    }
    (name, None, encoded)
}

/// Puts the pieces of one name together: the plain value, the encoded one, or both.
fn join(name: String, mut pieces: Vec<Piece>, fallback: Charset, params: &mut Vec<Param>) {
    // The first of each section counts.
    pieces.sort_by_key(|piece| piece.section);
    let whole = |encoded: bool| {
        pieces.iter().find(|piece| piece.section.is_none() && piece.encoded == encoded)
    };
    if let Some(piece) = whole(false) {
        let value = text::clean(&piece.value, fallback);
        params.push(Param { name: name.clone(), value, extended: None });
    }
    let mut sections = Vec::new();
    if let Some(piece) = whole(true) {
        sections.push(piece);
    } else {
        for piece in pieces.iter().filter(|piece| piece.section.is_some()) {
            let next = u32::try_from(sections.len()).ok();
            if piece.section == next {
                sections.push(piece);
            }
        }
    }
    let Some(first) = sections.first() else { return };
    if !sections.iter().any(|piece| piece.encoded) {
        let bytes: Vec<u8> = sections.iter().flat_map(|piece| piece.value.clone()).collect();
        params.push(Param { name, value: text::clean(&bytes, fallback), extended: None });
        return;
    }
    let (charset, language, start) = match first.encoded {
        true => charset_and_language(&first.value),
        false => (&b""[..], &b""[..], 0),
    };
    let mut bytes = Vec::new();
    for (at, piece) in sections.iter().enumerate() {
        let value = if at == 0 { &piece.value[start..] } else { &piece.value };
        if piece.encoded {
            percent_decode(value, &mut bytes);
        } else {
            bytes.extend_from_slice(value);
        }
    }
    let charset = if charset.is_empty() { fallback } else { Charset::of(charset) };
    let value = text::clean(charset.decode(&bytes).as_bytes(), fallback);
    let language = text::clean(language, fallback);
    let language = if language.is_ascii() { language } else { String::new() };
    params.push(Param { name, value, extended: Some(language) });
}

/// `charset'language'` and the length of both with their apostrophes.
fn charset_and_language(value: &[u8]) -> (&[u8], &[u8], usize) {
    let mut quotes = memchr::memchr_iter(b'\'', value);
    match (quotes.next(), quotes.next()) {
        (Some(first), Some(second)) => (&value[..first], &value[first + 1..second], second + 1),
        _ => (b"", b"", 0),
    }
}

fn percent_decode(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%'
            && let [high, low, ..] = after
            && let Some((high, low)) = hex(*high).zip(hex(*low))
        {
            out.push(high << 4 | low);
            rest = &after[2..];
            continue;
        }
        out.push(byte);
    }
}

/// Writes body-fld-param (RFC 9051 §9). A value with RFC 2231's marks keeps them, in UTF-8; so does
/// any other that is not ASCII when the client reads only ASCII.
pub(crate) fn print(out: &mut Vec<u8>, params: &[Param], utf8: bool) {
    if params.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    for (at, param) in params.iter().enumerate() {
        out.push(if at == 0 { b'(' } else { b' ' });
        let name = param.name.to_ascii_uppercase();
        // A name with characters beyond ASCII is none of RFC 2045's.
        let taken =
            || params.iter().any(|other| other.extended.is_some() && other.name == param.name);
        let language = match &param.extended {
            Some(language) => Some(language.as_str()),
            None if !utf8 && !param.value.is_ascii() && !taken() => Some(""),
            None => None,
        };
        match language {
            Some(language) => {
                text::string(out, &format!("{name}*"), utf8, Seven::Marks);
                out.push(b' ');
                text::string(out, &percent_encode(language, &param.value), utf8, Seven::Marks);
            }
            None => {
                text::string(out, &name, utf8, Seven::Marks);
                out.push(b' ');
                text::string(out, &param.value, utf8, Seven::Marks);
            }
        }
    }
    out.push(b')');
}

/// RFC 2231 §7, extended-value, in UTF-8.
fn percent_encode(language: &str, value: &str) -> String {
    use std::fmt::Write as _;
    let mut out = format!("utf-8'{language}'");
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`{|}~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(input: &str, utf8: bool) -> String {
        let mut out = Vec::new();
        print(&mut out, &parse(input.as_bytes(), 10, Charset::Guess), utf8);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn parameters() {
        for (input, expected) in [
            ("", "NIL"),
            ("; charset=utf-8", r#"("CHARSET" "utf-8")"#),
            (";charset = \"utf-8\" ; format=flowed", r#"("CHARSET" "utf-8" "FORMAT" "flowed")"#),
            ("; charset=us-ascii (Plain text)", r#"("CHARSET" "us-ascii")"#),
            ("; (comment) charset=us-ascii", r#"("CHARSET" "us-ascii")"#),
            (r#"; name="a \"b\" \\ c""#, r#"("NAME" "a \"b\" \\ c")"#),
            ("; name=my file (1).txt; x=y", r#"("NAME" "my file (1).txt" "X" "y")"#),
            ("; name=\"unterminated; x=y", r#"("NAME" "unterminated; x=y")"#),
            (
                "; a=mail-server \t server=\"x@y\"; e=f",
                r#"("A" "mail-server" "SERVER" "x@y" "E" "f")"#,
            ),
            ("; name=a b=c", r#"("NAME" "a" "B" "c")"#),
            ("; novalue; x=y", r#"("X" "y")"#),
            ("; =value; x=", r#"("X" "")"#),
            (" charset=a", r#"("CHARSET" "a")"#),
            ("; a=1; a=2", r#"("A" "1")"#),
            (r#"; url*0="ftp://"; url*1="cs.utk.edu""#, r#"("URL" "ftp://cs.utk.edu")"#),
            (r#"; url*1="cs.utk.edu"; url*0="ftp://"; url*3=x"#, r#"("URL" "ftp://cs.utk.edu")"#),
            (
                "; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
                r#"("TITLE*" "utf-8'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A")"#,
            ),
            (
                "; title*0*=us-ascii'en'This%20is; title*1*=%20even%20more; title*2=\" isn't it!\"",
                r#"("TITLE*" "utf-8'en'This%20is%20even%20more%20isn%27t%20it!")"#,
            ),
            ("; filename*=iso-8859-1''na%EFve.txt", r#"("FILENAME*" "utf-8''na%C3%AFve.txt")"#),
            ("; filename*=%41; filename=b", r#"("FILENAME" "b" "FILENAME*" "utf-8''A")"#),
            ("; filename*1=only", "NIL"),
        ] {
            assert_eq!(seen(input, false), expected, "{input:?}");
        }
    }

    #[test]
    fn beyond_ascii() {
        assert_eq!(seen("; name=naïve", false), r#"("NAME*" "utf-8''na%C3%AFve")"#);
        assert_eq!(seen("; name=naïve", true), "(\"NAME\" \"naïve\")");
        let both = "; name=ü; name*=utf-8''%C3%BC";
        assert_eq!(seen(both, false), r#"("NAME" "?" "NAME*" "utf-8''%C3%BC")"#);
    }

    #[test]
    fn limits() {
        let many: String = (0..1000).map(|n| format!("; p{n}=v")).collect();
        assert_eq!(parse(many.as_bytes(), 10, Charset::Guess).len(), 10);
        let pieces: String = (0..100_000).map(|n| format!("; p*{n}=v")).collect();
        assert_eq!(parse(pieces.as_bytes(), 10, Charset::Guess).len(), 1);
    }
}
