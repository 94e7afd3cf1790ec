//! Charsets: names to decoders, whole and streaming, with a best guess for what names no charset.
//!
//! `encoding_rs` knows the charsets of the web. UTF-7 (RFC 2152), which it leaves out, is here,
//! because real mail uses it.

use encoding_rs::{CoderResult, Encoding};

/// What windows-1252 shows for 0x80 to 0x9f.
const WINDOWS_1252_HIGH: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Charset {
    Known(&'static Encoding),
    Utf7,
    /// US-ASCII, or a charset nobody here knows: UTF-8, and windows-1252 where it is not UTF-8.
    Guess,
}

impl Charset {
    /// The charset of that name, in any case. US-ASCII and unknown names are a guess.
    pub(crate) fn of(label: &[u8]) -> Self {
        Self::known(label).unwrap_or(Self::Guess)
    }

    /// The charset of that name; `None` if it is not known.
    pub(crate) fn known(label: &[u8]) -> Option<Self> {
        let label = label.trim_ascii().to_ascii_lowercase();
        let alias: &[u8] = match label.as_slice() {
            b"utf-7" | b"utf7" | b"unicode-1-1-utf-7" | b"x-unicode-2-0-utf-7" => {
                return Some(Self::Utf7);
            }
            b"us-ascii" | b"ascii" | b"ansi_x3.4-1968" | b"646" | b"iso646-us" => {
                return Some(Self::Guess);
            }
            b"cp932" => b"shift_jis",
            b"cp936" | b"ms936" => b"gbk",
            b"cp949" | b"ms949" | b"uhc" => b"euc-kr",
            b"cp950" => b"big5",
            b"iso-2022-jp-1" | b"iso-2022-jp-2" | b"cp50220" | b"cp50221" => b"iso-2022-jp",
            b"latin-1" | b"8859-1" | b"iso8859_1" => b"iso-8859-1",
            other => other,
        };
        let encoding = Encoding::for_label(alias)?;
        // The web maps charsets that it forbids to "replacement", which shows nothing.
        (encoding != encoding_rs::REPLACEMENT).then_some(Self::Known(encoding))
    }

    /// `bytes` as text.
    pub(crate) fn decode(self, bytes: &[u8]) -> String {
        let mut out = String::new();
        let mut decoder = TextDecoder::new(self);
        decoder.feed(bytes, &mut out);
        decoder.finish(&mut out);
        out
    }
}

/// A streaming decoder: bytes in pieces of any size in, text out.
pub(crate) enum TextDecoder {
    Known(Box<encoding_rs::Decoder>),
    Utf7(Utf7),
    Guess(Guess),
}

impl TextDecoder {
    pub(crate) fn new(charset: Charset) -> Self {
        match charset {
            Charset::Known(encoding) => {
                Self::Known(Box::new(encoding.new_decoder_without_bom_handling()))
            }
            Charset::Utf7 => Self::Utf7(Utf7::default()),
            Charset::Guess => Self::Guess(Guess::default()),
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut String) {
        match self {
            Self::Known(decoder) => known(decoder, bytes, out, false),
            Self::Utf7(utf7) => utf7.feed(bytes, out),
            Self::Guess(guess) => guess.feed(bytes, out),
        }
    }

    /// `bytes` if they are the text that [`TextDecoder::feed`] would give, and nothing else would change
    /// by it: nearly all mail is ASCII.
    pub(crate) fn as_they_stand<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        let stand = match self {
            Self::Known(decoder) => {
                bytes.is_ascii() && decoder.latin1_byte_compatible_up_to(bytes) == Some(bytes.len())
            }
            Self::Utf7(_) => false,
            Self::Guess(guess) => guess.partial.is_empty(),
        };
        std::str::from_utf8(bytes).ok().filter(|_| stand)
    }

    /// What was left in the middle of a character.
    pub(crate) fn finish(&mut self, out: &mut String) {
        match self {
            Self::Known(decoder) => known(decoder, b"", out, true),
            Self::Utf7(utf7) => *utf7 = Utf7::default(),
            Self::Guess(guess) => guess.finish(out),
        }
    }
}

fn known(decoder: &mut encoding_rs::Decoder, mut bytes: &[u8], out: &mut String, last: bool) {
    loop {
        out.reserve(bytes.len().min(16 * 1024) + 32);
        let (result, read, _) = decoder.decode_to_string(bytes, out, last);
        bytes = &bytes[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

/// UTF-8 where it is UTF-8, windows-1252 byte by byte elsewhere.
#[derive(Default)]
pub(crate) struct Guess {
    /// The beginning of a UTF-8 sequence that the next bytes may complete: at most 3 bytes.
    partial: Vec<u8>,
}

impl Guess {
    fn feed(&mut self, mut bytes: &[u8], out: &mut String) {
        while !self.partial.is_empty() {
            let Some((&next, rest)) = bytes.split_first() else { return };
            self.partial.push(next);
            match std::str::from_utf8(&self.partial) {
                Ok(text) => {
                    out.push_str(text);
                    self.partial.clear();
                    bytes = rest;
                }
                Err(error) if error.error_len().is_none() => bytes = rest,
                Err(_) => {
                    // The new byte belongs to what follows.
                    self.partial.pop();
                    self.finish(out);
                }
            }
        }
        loop {
            match std::str::from_utf8(bytes) {
                Ok(text) => return out.push_str(text),
                Err(error) => {
                    let (valid, rest) = bytes.split_at(error.valid_up_to());
                    out.push_str(std::str::from_utf8(valid).unwrap_or_default());
                    let Some(length) = error.error_len() else {
                        self.partial.extend_from_slice(rest);
                        return;
                    };
                    let (bad, rest) = rest.split_at(length);
                    out.extend(bad.iter().map(|&byte| windows_1252(byte)));
                    bytes = rest;
                }
            }
        }
    }

    fn finish(&mut self, out: &mut String) {
        out.extend(self.partial.drain(..).map(windows_1252));
    }
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252_HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// UTF-7 of mail (RFC 2152): `+` begins base64 of UTF-16, `-` or any other byte ends it.
#[derive(Default)]
pub(crate) struct Utf7 {
    shifted: bool,
    /// Whether nothing followed the `+` yet: `+-` is a plus sign.
    fresh: bool,
    bits: u32,
    bit_count: u32,
    high_surrogate: Option<u16>,
}

impl Utf7 {
    fn feed(&mut self, bytes: &[u8], out: &mut String) {
        for &byte in bytes {
            if !self.shifted {
                match byte {
                    b'+' => *self = Self { shifted: true, fresh: true, ..Self::default() },
                    0..=0x7f => out.push(char::from(byte)),
                    _ => out.push(windows_1252(byte)),
                }
                continue;
            }
            if let Some(value) = crate::decode::base64_value(byte) {
                self.fresh = false;
                self.bits = self.bits << 6 | u32::from(value);
                self.bit_count += 6;
                if self.bit_count >= 16 {
                    self.bit_count -= 16;
                    let unit = (self.bits >> self.bit_count) as u16;
                    self.bits &= (1 << self.bit_count) - 1;
                    self.unit(unit, out);
                }
                continue;
            }
            let fresh = self.fresh;
            if self.high_surrogate.is_some() {
                out.push(char::REPLACEMENT_CHARACTER);
            }
            *self = Self::default();
            match byte {
                b'-' if fresh => out.push('+'),
                b'-' => {}
                0..=0x7f => out.push(char::from(byte)),
                _ => out.push(windows_1252(byte)),
            }
        }
    }

    fn unit(&mut self, unit: u16, out: &mut String) {
        let units = self.high_surrogate.take().into_iter().chain([unit]);
        for decoded in char::decode_utf16(units) {
            match decoded {
                Ok(char) => out.push(char),
                Err(error) if (0xd800..0xdc00).contains(&error.unpaired_surrogate()) => {
                    if error.unpaired_surrogate() == unit {
                        self.high_surrogate = Some(unit);
                    } else {
                        out.push(char::REPLACEMENT_CHARACTER);
                    }
                }
                Err(_) => out.push(char::REPLACEMENT_CHARACTER),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decodes() {
        for (label, bytes, expected) in [
            ("utf-8", &b"gr\xc3\xbc\xc3\x9fe"[..], "grüße"),
            ("ISO-8859-1", b"gr\xfc\xdfe", "grüße"),
            ("us-ascii", b"gr\xfc\xdfe \x93x\x94", "grüße “x”"),
            ("us-ascii", b"gr\xc3\xbc\xc3\x9fe", "grüße"),
            ("x-nobody-knows", b"\xc3", "Ã"),
            ("utf-7", b"Hi Mom -+Jjo--!", "Hi Mom -☺-!"),
            ("UTF-7", b"A+ImIDkQ.", "A≢Α."),
            ("utf-7", b"1 +- 1 +2D3eAA-", "1 + 1 😀"),
            ("cp932", b"\x83\x65", "テ"),
            ("iso-2022-jp", b"\x1b$B%F\x1b(B", "テ"),
            ("koi8-r", b"\xcd\xc9\xd2", "мир"),
        ] {
            assert_eq!(Charset::of(label.as_bytes()).decode(bytes), expected, "{label}");
        }
        assert_eq!(Charset::known(b"iso-2022-kr"), None);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes: Vec<u8>, size in 1usize..7) {
            for charset in [Charset::Guess, Charset::Utf7, Charset::of(b"gb18030")] {
                let mut decoder = TextDecoder::new(charset);
                let mut out = String::new();
                bytes.chunks(size).for_each(|piece| decoder.feed(piece, &mut out));
                decoder.finish(&mut out);
                prop_assert_eq!(&out, &charset.decode(&bytes));
            }
        }
    }
}
