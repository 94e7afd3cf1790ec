//! The MIME fields of one part (RFC 2045, RFC 2183, RFC 3282, RFC 2557, RFC 1864).

use base::Limits;

use crate::TransferEncoding;
use crate::charset::Charset;
use crate::header;
use crate::params::{self, Param};
use crate::text::{self, Seven};
use crate::token::{Kind, Tokens};

/// Languages of one part that BODYSTRUCTURE lists.
const LANGUAGES_MAX: usize = 32;

/// What BODYSTRUCTURE tells of a part's header.
#[derive(Clone, Debug)]
pub(crate) struct Mime {
    /// Type and subtype in lower case.
    pub(crate) media_type: (String, String),
    pub(crate) params: Vec<Param>,
    pub(crate) id: Option<String>,
    pub(crate) description: Option<String>,
    /// The encoding's name in upper case.
    pub(crate) encoding_name: String,
    pub(crate) encoding: TransferEncoding,
    pub(crate) md5: Option<String>,
    pub(crate) disposition: Option<(String, Vec<Param>)>,
    pub(crate) languages: Vec<String>,
    pub(crate) location: Option<String>,
    /// In what charset to read header text that is not UTF-8.
    pub(crate) fallback: Charset,
    /// In what charset to read the body.
    pub(crate) body_charset: Charset,
}

/// What a part is when its header does not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Implied {
    /// RFC 2045 §5.2
    Text,
    /// Within multipart/digest: RFC 2046 §5.1.5.
    Message,
}

impl Mime {
    /// A part without any field.
    pub(crate) fn plain(default: Implied) -> Self {
        let (media, sub) = match default {
            Implied::Text => ("text", "plain"),
            Implied::Message => ("message", "rfc822"),
        };
        Self {
            media_type: (media.to_owned(), sub.to_owned()),
            encoding_name: "7BIT".to_owned(),
            ..Self::default()
        }
    }

    /// Reads the MIME fields of a header. The first of each name counts.
    pub(crate) fn parse(header: &[u8], default: Implied, limits: &Limits) -> Self {
        Self::of(values(header), default, limits)
    }

    fn of(values: Values<'_>, default: Implied, limits: &Limits) -> Self {
        let mut mime = Self::plain(default);
        let [kind, encoding, id, description, disposition, language, location, md5] = values;
        if let Some(value) = kind {
            mime.content_type(value, limits);
        }
        if let Some(value) = encoding {
            mime.transfer_encoding(value);
        }
        let fallback = mime.fallback;
        let clean = |value: &[u8]| text::unfold_clean(value, fallback);
        mime.id = id.map(clean);
        mime.description = description.map(clean);
        mime.disposition = disposition.and_then(|value| parse_disposition(value, limits, fallback));
        mime.languages = language.map(parse_languages).unwrap_or_default();
        mime.location = location.map(|value| clean(value).replace(' ', ""));
        mime.md5 = md5.map(clean);
        mime
    }

    fn content_type(&mut self, value: &[u8], limits: &Limits) {
        let unfolded = text::unfold(value);
        let Some((media, sub, rest)) = media_type(&unfolded) else { return };
        self.media_type = (media, sub);
        let guess = params::parse(rest, limits.parameters_max, Charset::Guess);
        let charset = params::value(&guess, "charset").unwrap_or_default();
        self.fallback = match Charset::of(charset.as_bytes()) {
            Charset::Known(encoding) if encoding == encoding_rs::UTF_8 => Charset::Guess,
            Charset::Known(encoding) if encoding.is_ascii_compatible() => Charset::Known(encoding),
            _ => Charset::Guess,
        };
        self.params = match self.fallback {
            Charset::Guess => guess,
            known => params::parse(rest, limits.parameters_max, known),
        };
        let charset = self.charset().map(|charset| Charset::of(charset.as_bytes()));
        self.body_charset = charset.unwrap_or(Charset::Guess);
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        let unfolded = text::unfold(value);
        let word = Tokens::new(&unfolded).find(|token| token.kind != Kind::Comment);
        let Some(word) = word else { return };
        let name = text::clean(&word.text, Charset::Guess).trim().to_ascii_uppercase();
        if name.is_empty() {
            return;
        }
        self.encoding = match name.as_str() {
            "7BIT" | "8BIT" | "BINARY" => TransferEncoding::Identity,
            "BASE64" => TransferEncoding::Base64,
            "QUOTED-PRINTABLE" => TransferEncoding::QuotedPrintable,
            _ => TransferEncoding::Unknown,
        };
        self.encoding_name = name;
    }

    pub(crate) fn is(&self, media: &str, sub: &str) -> bool {
        self.media_type.0 == media && self.media_type.1 == sub
    }

    pub(crate) fn is_text(&self) -> bool {
        self.media_type.0 == "text"
    }

    pub(crate) fn is_multipart(&self) -> bool {
        self.media_type.0 == "multipart"
    }

    /// RFC 6532 §3.7: message/global is message/rfc822 with UTF-8 headers.
    pub(crate) fn is_message(&self) -> bool {
        self.is("message", "rfc822") || self.is("message", "global")
    }

    pub(crate) fn charset(&self) -> Option<&str> {
        params::value(&self.params, "charset")
    }

    /// The boundary of a multipart; `None` if there is none that could end a part.
    pub(crate) fn boundary(&self) -> Option<&str> {
        // RFC 2046 §5.1.1: it does not end with a space.
        let boundary = params::value(&self.params, "boundary")?.trim_end();
        (!boundary.is_empty()).then_some(boundary)
    }

    /// Bytes of text held here.
    pub(crate) fn weight(&self) -> usize {
        let params = |params: &[Param]| -> usize {
            params.iter().map(|param| 3 * param.value.len() + param.name.len() + 64).sum()
        };
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.media_type.0.len()
            + self.media_type.1.len()
            + params(&self.params)
            + self.disposition.as_ref().map_or(0, |(kind, list)| kind.len() + params(list))
            + self.languages.iter().map(|language| language.len() + 24).sum::<usize>()
            + text(&self.id)
            + text(&self.description)
            + text(&self.location)
            + text(&self.md5)
            + self.encoding_name.len()
    }

    /// Forgets what is not needed to read the part.
    pub(crate) fn slim(&mut self) {
        let charset = self.charset().filter(|charset| charset.len() < 64).map(str::to_owned);
        let mut plain = Self::plain(Implied::Text);
        std::mem::swap(&mut plain.media_type, &mut self.media_type);
        if plain.media_type.0.len() + plain.media_type.1.len() > 255 {
            plain.media_type = ("application".to_owned(), "octet-stream".to_owned());
        }
        (plain.encoding, plain.body_charset) = (self.encoding, self.body_charset);
        if self.encoding_name.len() < 64 {
            std::mem::swap(&mut plain.encoding_name, &mut self.encoding_name);
        }
        if let Some(value) = charset {
            plain.params.push(Param { name: "charset".to_owned(), value, extended: None });
        }
        *self = plain;
    }
}

const NAMES: [&[u8]; 8] = [
    b"content-type",
    b"content-transfer-encoding",
    b"content-id",
    b"content-description",
    b"content-disposition",
    b"content-language",
    b"content-location",
    b"content-md5",
];

/// The values of [`NAMES`].
type Values<'a> = [Option<&'a [u8]>; NAMES.len()];

/// What a header has of [`NAMES`]; the first of each counts.
fn values(header: &[u8]) -> Values<'_> {
    let mut found = [None; NAMES.len()];
    let mut line_at = 0;
    loop {
        let line = &header[line_at..];
        // All names begin alike; most lines do not. None of them goes on with the field before it.
        match line {
            [b'C' | b'c', ..] => {
                let field = header::fields(line).next();
                if let Some(field) = field.filter(|field| field.name.len() >= 10)
                    && let Some(at) = NAMES.iter().position(|name| field.is(name))
                {
                    found[at].get_or_insert(field.value);
                }
            }
            [] | [b'\n', ..] | [b'\r', b'\n', ..] => return found,
            _ => {}
        }
        match memchr::memchr(b'\n', line) {
            Some(at) => line_at += at + 1,
            None => return found,
        }
    }
}

/// Headers that were read last: most messages of a mailbox have one of few.
#[derive(Default)]
pub(crate) struct Mimes {
    /// What was read and what it says. Some of it may have been taken.
    known: Vec<(Vec<u8>, Mime)>,
    /// Which of them is replaced next.
    oldest: usize,
    /// Which of them was asked for last.
    last: usize,
    key: Vec<u8>,
}

impl Mimes {
    const KNOWN_MAX: usize = 4;
    const KEY_BYTES_MAX: usize = 256;

    /// As [`Mime::parse`], with the same limits each time.
    pub(crate) fn parse(&mut self, header: &[u8], default: Implied, limits: &Limits) -> &mut Mime {
        let values = values(header);
        self.key.clear();
        self.key.push(default as u8);
        for value in values {
            // Lengths tell values apart; no header is as long as one that is absent.
            let length = value.map_or(u32::MAX, |value| value.len() as u32);
            self.key.extend_from_slice(&length.to_le_bytes());
            self.key.extend_from_slice(value.unwrap_or_default());
            if self.key.len() > Self::KEY_BYTES_MAX {
                break;
            }
        }
        let is_short = self.key.len() <= Self::KEY_BYTES_MAX;
        let found = self.known.iter().position(|(key, _)| is_short && *key == self.key);
        if let Some(at) = found.filter(|&at| !self.known[at].1.is_taken()) {
            self.last = at;
            return &mut self.known[at].1;
        }
        let mime = Mime::of(values, default, limits);
        if self.known.len() < Self::KNOWN_MAX {
            self.known.push(Default::default());
        }
        self.last = self.oldest;
        self.oldest = (self.oldest + 1) % Self::KNOWN_MAX;
        let (key, known) = &mut self.known[self.last];
        key.clear();
        if is_short {
            key.extend_from_slice(&self.key);
        }
        *known = mime;
        known
    }

    /// What was asked for last is not what the header says any more.
    pub(crate) fn forget_last(&mut self) {
        if let Some((_, mime)) = self.known.get_mut(self.last) {
            *mime = Mime::default();
        }
    }
}

impl Default for Mime {
    /// What stays behind when one is taken.
    fn default() -> Self {
        Self {
            media_type: (String::new(), String::new()),
            params: Vec::new(),
            id: None,
            description: None,
            encoding_name: String::new(),
            encoding: TransferEncoding::Identity,
            md5: None,
            disposition: None,
            languages: Vec::new(),
            location: None,
            fallback: Charset::Guess,
            body_charset: Charset::Guess,
        }
    }
}

impl Mime {
    /// Every part has a type.
    fn is_taken(&self) -> bool {
        self.media_type.0.is_empty()
    }
}

/// RFC 2045 §5.1, token.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(byte))
}

/// Type and subtype in lower case, and what follows them; `None` if they cannot be read, which is
/// as if there were none (RFC 2045 §5.2).
fn media_type(value: &[u8]) -> Option<(String, String, &[u8])> {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let (head, rest) = value.split_at(end);
    let slash = memchr::memchr(b'/', head)?;
    let media = head[..slash].trim_ascii();
    let sub = head[slash + 1..].trim_ascii_start();
    let end = sub.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'(');
    let (sub, after) = sub.split_at(end.unwrap_or(sub.len()));
    if !is_token(media) || !is_token(sub) {
        return None;
    }
    // A missing semicolon leaves the first parameter on this side.
    let rest = if memchr::memchr(b'=', after).is_some() {
        &value[value.len() - rest.len() - after.len()..]
    } else {
        rest
    };
    let lower = |text: &[u8]| String::from_utf8_lossy(text).to_ascii_lowercase();
    Some((lower(media), lower(sub), rest))
}

fn parse_disposition(
    value: &[u8],
    limits: &Limits,
    fallback: Charset,
) -> Option<(String, Vec<Param>)> {
    let unfolded = text::unfold(value);
    let end = memchr::memchr(b';', &unfolded).unwrap_or(unfolded.len());
    let (kind, rest) = unfolded.split_at(end);
    let word = Tokens::new(kind).find(|token| token.kind != Kind::Comment)?;
    let kind = text::clean(&word.text, fallback).trim().to_ascii_uppercase();
    let params = params::parse(rest, limits.parameters_max, fallback);
    (!kind.is_empty()).then_some((kind, params))
}

fn parse_languages(value: &[u8]) -> Vec<String> {
    let unfolded = text::unfold(value);
    let words = Tokens::new(&unfolded)
        .filter(|token| !matches!(token.kind, Kind::Comment | Kind::Special(_)))
        .take(LANGUAGES_MAX);
    words.map(|token| text::clean(&token.text, Charset::Guess)).collect()
}

impl Mime {
    /// Writes type and subtype.
    pub(crate) fn print_type(&self, out: &mut Vec<u8>) {
        let (media, sub) = &self.media_type;
        text::string(out, &media.to_ascii_uppercase(), false, Seven::Marks);
        out.push(b' ');
        text::string(out, &sub.to_ascii_uppercase(), false, Seven::Marks);
    }

    /// Writes body-fields without the size (RFC 9051 §9).
    pub(crate) fn print_fields(&self, out: &mut Vec<u8>, utf8: bool) {
        if self.is_text() && self.charset().is_none() {
            // RFC 2045 §5.2: what a text without charset is in.
            let mut params = self.params.clone();
            let value = "us-ascii".to_owned();
            params.insert(0, Param { name: "charset".to_owned(), value, extended: None });
            params::print(out, &params, utf8);
        } else {
            params::print(out, &self.params, utf8);
        }
        out.push(b' ');
        text::nstring(out, self.id.as_deref(), utf8, Seven::Marks);
        out.push(b' ');
        text::nstring(out, self.description.as_deref(), utf8, Seven::Words);
        out.push(b' ');
        text::string(out, &self.encoding_name, utf8, Seven::Marks);
    }

    /// Writes body-fld-dsp, body-fld-lang and body-fld-loc, each with a space before it.
    pub(crate) fn print_extension(&self, out: &mut Vec<u8>, utf8: bool) {
        out.push(b' ');
        match &self.disposition {
            Some((kind, params)) => {
                out.push(b'(');
                text::string(out, kind, utf8, Seven::Marks);
                out.push(b' ');
                params::print(out, params, utf8);
                out.push(b')');
            }
            None => out.extend_from_slice(b"NIL"),
        }
        out.push(b' ');
        if self.languages.is_empty() {
            out.extend_from_slice(b"NIL");
        }
        for (at, language) in self.languages.iter().enumerate() {
            out.push(if at == 0 { b'(' } else { b' ' });
            text::string(out, language, utf8, Seven::Marks);
        }
        if !self.languages.is_empty() {
            out.push(b')');
        }
        out.push(b' ');
        text::nstring(out, self.location.as_deref(), utf8, Seven::Marks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Mime {
        Mime::parse(header.as_bytes(), Implied::Text, &Limits::default())
    }

    #[test]
    fn types() {
        for (value, expected) in [
            ("text/plain", "text/plain"),
            ("Text/HTML; charset=x", "text/html"),
            (" multipart / mixed ; boundary=x", "multipart/mixed"),
            ("text/plain (a comment); x=y", "text/plain"),
            ("text/plain charset=utf-8", "text/plain"),
            ("text", "text/plain"),
            ("", "text/plain"),
            ("/", "text/plain"),
            ("image/x\"y", "text/plain"),
            ("image/svg+xml", "image/svg+xml"),
        ] {
            let mime = parse(&format!("Content-Type: {value}\r\n\r\n"));
            assert_eq!(format!("{}/{}", mime.media_type.0, mime.media_type.1), expected, "{value}");
        }
        assert_eq!(parse("Content-Type: text/plain charset=utf-8").charset(), Some("utf-8"));
    }

    #[test]
    fn encodings() {
        for (value, name, encoding) in [
            ("base64", "BASE64", TransferEncoding::Base64),
            ("Quoted-Printable;", "QUOTED-PRINTABLE", TransferEncoding::QuotedPrintable),
            ("(x) 8bit", "8BIT", TransferEncoding::Identity),
            ("", "7BIT", TransferEncoding::Identity),
            ("x-uuencode", "X-UUENCODE", TransferEncoding::Unknown),
        ] {
            let mime = parse(&format!("Content-Transfer-Encoding: {value}\n"));
            assert_eq!((mime.encoding_name.as_str(), mime.encoding), (name, encoding), "{value}");
        }
    }
}
