//! Content transfer encodings, streaming: base64 and quoted-printable (RFC 2045 §6).

use crate::TransferEncoding;

/// The body was not what its Content-Transfer-Encoding says: BINARY answers UNKNOWN-CTE
/// (RFC 3516 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the content transfer encoding is unknown or broken")]
pub struct Undecodable;

/// Decodes one body in pieces of any size. Tolerant: what is not in the alphabet is skipped in
/// base64 and taken as it is in quoted-printable; [`Decoder::strict`] says so instead.
#[derive(Clone, Debug)]
pub struct Decoder {
    encoding: TransferEncoding,
    strict: bool,
    broken: bool,
    written: u64,
    base64: Base64,
    /// Quoted-printable: what began with `=` or white space and is not decided yet. White space at
    /// a line's end is not content (RFC 2045 §6.7, rule 3). Bounded by `HELD_MAX`.
    held: Vec<u8>,
}

/// White space that is held back until its line ends or goes on; more is content. A line of
/// quoted-printable has at most 76 characters.
const HELD_MAX: usize = 998;

#[derive(Clone, Copy, Debug, Default)]
struct Base64 {
    bits: u32,
    count: u8,
    padding: u8,
}

const BAD: u8 = 0xff;
static BASE64_VALUES: [u8; 256] = base64_values();

const fn base64_values() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [BAD; 256];
    let mut at = 0;
    while at < alphabet.len() {
        values[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    values
}

/// The value of a character of base64's alphabet.
pub(crate) fn base64_value(byte: u8) -> Option<u8> {
    let value = BASE64_VALUES[usize::from(byte)];
    (value != BAD).then_some(value)
}

impl Decoder {
    /// A tolerant decoder; an unknown encoding passes through.
    pub fn new(encoding: TransferEncoding) -> Self {
        let base64 = Base64::default();
        Self { encoding, strict: false, broken: false, written: 0, base64, held: Vec::new() }
    }

    /// A decoder whose `feed` and `finish` fail on what the encoding does not allow. Line breaks
    /// and white space are always allowed.
    pub fn strict(encoding: TransferEncoding) -> Self {
        let broken = encoding == TransferEncoding::Unknown;
        Self { strict: true, broken, ..Self::new(encoding) }
    }

    /// Whether bytes come out as they went in.
    pub(crate) fn changes_nothing(&self) -> bool {
        matches!(self.encoding, TransferEncoding::Identity | TransferEncoding::Unknown)
    }

    /// Bytes written so far: BINARY.SIZE after `finish`.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Decodes `bytes` and appends to `out`; at most as many bytes as were fed in all.
    ///
    /// # Errors
    /// Only a strict decoder fails, and then on every further call.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Undecodable> {
        let before = out.len();
        match self.encoding {
            TransferEncoding::Identity | TransferEncoding::Unknown => out.extend_from_slice(bytes),
            TransferEncoding::Base64 => self.feed_base64(bytes, out),
            TransferEncoding::QuotedPrintable => self.feed_quoted_printable(bytes, out),
        }
        self.written += (out.len() - before) as u64;
        self.verdict()
    }

    /// The end of the body: writes what was held back.
    ///
    /// # Errors
    /// As [`Decoder::feed`]; also for base64 that ends in the middle of a byte.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Undecodable> {
        let before = out.len();
        match self.encoding {
            TransferEncoding::Base64 => self.finish_base64(out),
            TransferEncoding::QuotedPrintable => {
                let held = std::mem::take(&mut self.held);
                // White space and soft breaks at the end are not content; a lone `=` is a mistake.
                if let Some(at) = memchr::memchr(b'=', &held) {
                    let rest = held[at + 1..].trim_ascii();
                    if !rest.is_empty() {
                        self.broken = true;
                        out.extend_from_slice(&held);
                    }
                }
            }
            TransferEncoding::Identity | TransferEncoding::Unknown => {}
        }
        self.written += (out.len() - before) as u64;
        self.verdict()
    }

    fn verdict(&self) -> Result<(), Undecodable> {
        if self.strict && self.broken { Err(Undecodable) } else { Ok(()) }
    }

    fn feed_base64(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(bytes.len() / 4 * 3 + 3);
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if self.base64.count == 0 && self.base64.padding == 0 && rest.len() >= 4 {
                let [a, b, c, d] = [rest[0], rest[1], rest[2], rest[3]]
                    .map(|byte| BASE64_VALUES[usize::from(byte)]);
                if (a | b | c | d) < 64 {
                    let bits =
                        u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
                    out.extend_from_slice(&bits.to_be_bytes()[1..]);
                    rest = &rest[4..];
                    continue;
                }
            }
            rest = after;
            self.base64_byte(byte, out);
        }
    }

    fn base64_byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        let state = &mut self.base64;
        match base64_value(byte) {
            Some(value) => {
                if state.padding > 0 {
                    // Several encoded bodies one after the other, as some mailers write: go on
                    // with the next one.
                    self.broken = true;
                    *state = Base64::default();
                }
                state.bits = state.bits << 6 | u32::from(value);
                state.count += 1;
                if state.count == 4 {
                    out.extend_from_slice(&state.bits.to_be_bytes()[1..]);
                    *state = Base64::default();
                }
            }
            None if byte == b'=' => {
                match state.count {
                    0 if state.padding > 0 && state.padding < 2 => {}
                    2 | 3 => {
                        let padding = u8::from(state.count == 3);
                        Self::flush_base64(state, out);
                        state.padding = padding;
                    }
                    _ => self.broken = true,
                }
                self.base64.padding = self.base64.padding.saturating_add(1);
            }
            None if byte.is_ascii_whitespace() => {}
            None => self.broken = true,
        }
    }

    fn flush_base64(state: &mut Base64, out: &mut Vec<u8>) {
        match state.count {
            2 => out.push((state.bits >> 4) as u8),
            3 => out.extend_from_slice(&((state.bits >> 2) as u16).to_be_bytes()),
            _ => {}
        }
        *state = Base64::default();
    }

    fn finish_base64(&mut self, out: &mut Vec<u8>) {
        // Missing padding is common and loses nothing; half a byte is.
        self.broken |= self.base64.count == 1;
        Self::flush_base64(&mut self.base64, out);
    }

    fn feed_quoted_printable(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            if self.held.is_empty() {
                let plain = memchr::memchr3(b'=', b' ', b'\t', bytes).unwrap_or(bytes.len());
                out.extend_from_slice(&bytes[..plain]);
                bytes = &bytes[plain..];
            }
            let Some((&byte, rest)) = bytes.split_first() else { return };
            bytes = rest;
            self.held_byte(byte, out);
        }
    }

    fn held_byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        let escape = self.held.first() == Some(&b'=');
        match byte {
            b'\n' if escape => {
                // A soft line break. Something other than white space before it is a mistake.
                if self.held[1..].trim_ascii().is_empty() {
                    self.held.clear();
                } else {
                    self.give_up(out);
                    out.push(byte);
                }
            }
            b'\n' => {
                // White space at the end of a line was added in transport.
                let carriage_return = self.held.last() == Some(&b'\r');
                self.held.clear();
                out.extend_from_slice(if carriage_return { b"\r\n" } else { b"\n" });
            }
            b'\r' if !self.held.is_empty() && self.held.last() != Some(&b'\r') => {
                self.held.push(byte);
            }
            b' ' | b'\t' if self.held.len() < HELD_MAX && self.held.last() != Some(&b'\r') => {
                if escape && self.held.len() > 1 && !self.held[1..].trim_ascii().is_empty() {
                    self.give_up(out);
                }
                self.held.push(byte);
            }
            b'=' => {
                self.give_up(out);
                self.held.push(byte);
            }
            _ if escape && self.held.len() == 1 && byte.is_ascii_hexdigit() => self.held.push(byte),
            _ if escape && self.held.len() == 2 && byte.is_ascii_hexdigit() => {
                match (hex(self.held[1]), hex(byte)) {
                    (Some(high), Some(low)) => {
                        out.push(high << 4 | low);
                        self.held.clear();
                    }
                    _ => {
                        self.give_up(out);
                        out.push(byte);
                    }
                }
            }
            _ => {
                self.give_up(out);
                if matches!(byte, b' ' | b'\t') {
                    self.held.push(byte);
                } else {
                    out.push(byte);
                }
            }
        }
    }

    /// What is held is content as it stands.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        self.broken |= self.held.first() == Some(&b'=');
        out.append(&mut self.held);
    }
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Decodes `bytes` at once.
pub(crate) fn decode(encoding: TransferEncoding, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut decoder = Decoder::new(encoding);
    // A tolerant decoder does not fail.
    let _ = decoder.feed(bytes, &mut out);
    let _ = decoder.finish(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn strict(encoding: TransferEncoding, bytes: &[u8]) -> Result<Vec<u8>, Undecodable> {
        let (mut decoder, mut out) = (Decoder::strict(encoding), Vec::new());
        decoder.feed(bytes, &mut out)?;
        decoder.finish(&mut out)?;
        assert_eq!(decoder.written(), out.len() as u64);
        Ok(out)
    }

    #[test]
    fn base64() {
        for (input, expected, clean) in [
            ("", "", true),
            ("aGVsbG8=", "hello", true),
            ("aGVs\r\nbG8=\r\n", "hello", true),
            ("aGVsbG8", "hello", true),
            ("aGVsbG8h", "hello!", true),
            ("aGVsbG8hIQ==", "hello!!", true),
            ("a-G*V!s\nbG8=", "hello", false),
            ("aGVsbG8=aGVsbG8=", "hellohello", false),
            ("aGVsb", "hel", false),
            ("====", "", false),
        ] {
            let bytes = decode(TransferEncoding::Base64, input.as_bytes());
            assert_eq!(bytes, expected.as_bytes(), "{input:?}");
            let outcome = strict(TransferEncoding::Base64, input.as_bytes());
            assert_eq!(outcome.is_ok(), clean, "{input:?}");
        }
    }

    #[test]
    fn quoted_printable() {
        for (input, expected, clean) in [
            ("plain\r\n", "plain\r\n", true),
            ("gr=C3=BC=c3=9fe", "grüße", true),
            ("soft=\r\nbreak", "softbreak", true),
            ("soft=  \r\nbreak", "softbreak", true),
            ("soft=\nbreak", "softbreak", true),
            ("trailing \t \r\nx", "trailing\r\nx", true),
            ("in  side", "in  side", true),
            ("end  ", "end", true),
            ("end=", "end", true),
            ("1=1", "1=1", false),
            ("a=zz=3D", "a=zz=", false),
            ("==3D", "==", false),
            ("=4", "=4", false),
            ("x =\r\ny", "x y", true),
            ("a =20\r\n", "a  \r\n", true),
            ("a\rb", "a\rb", true),
            ("a \rb", "a \rb", true),
        ] {
            let bytes = decode(TransferEncoding::QuotedPrintable, input.as_bytes());
            assert_eq!(String::from_utf8_lossy(&bytes), expected, "{input:?}");
            let outcome = strict(TransferEncoding::QuotedPrintable, input.as_bytes());
            assert_eq!(outcome.is_ok(), clean, "{input:?}");
        }
    }

    #[test]
    fn unknown_passes_or_fails() {
        assert_eq!(decode(TransferEncoding::Unknown, b"begin 644 x"), b"begin 644 x");
        assert_eq!(strict(TransferEncoding::Unknown, b"x"), Err(Undecodable));
    }

    proptest! {
        #[test]
        fn base64_as_the_library(bytes: Vec<u8>) {
            let text = STANDARD.encode(&bytes);
            prop_assert_eq!(strict(TransferEncoding::Base64, text.as_bytes()), Ok(bytes));
        }

        #[test]
        fn pieces_do_not_matter(
            text in "[=A-F0-9 \t\r\nx]{0,60}",
            size in 1usize..5,
        ) {
            for encoding in [TransferEncoding::Base64, TransferEncoding::QuotedPrintable] {
                let (mut decoder, mut out) = (Decoder::new(encoding), Vec::new());
                for piece in text.as_bytes().chunks(size) {
                    let _ = decoder.feed(piece, &mut out);
                }
                let _ = decoder.finish(&mut out);
                prop_assert_eq!(&out, &decode(encoding, text.as_bytes()));
            }
        }
    }
}
