//! BINARY: a part's body without its transfer encoding, in pieces (RFC 2045 §6.7, §6.8).
//!
//! Broken input is decoded as far as it makes sense, like everywhere in mail.

use message::TransferEncoding;

/// Decodes a body that comes in pieces of any size.
pub(super) enum Decoder {
    Identity,
    Base64 {
        bits: u32,
        count: u8,
        done: bool,
    },
    /// Holds what may yet be an escape or white space at a line's end.
    QuotedPrintable {
        held: Vec<u8>,
    },
}

/// White space that may have to be dropped at a line's end; RFC 2045 allows lines of 76.
const HELD_MAX: usize = 1024;

impl Decoder {
    pub(super) fn new(encoding: TransferEncoding) -> Self {
        match encoding {
            TransferEncoding::Base64 => Self::Base64 { bits: 0, count: 0, done: false },
            TransferEncoding::QuotedPrintable => Self::QuotedPrintable { held: Vec::new() },
            TransferEncoding::Identity | TransferEncoding::Unknown => Self::Identity,
        }
    }

    /// Takes the next bytes; adds to `out` what they decode to.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Identity => out.extend_from_slice(bytes),
            Self::Base64 { bits, count, done } => {
                for &byte in bytes {
                    if byte == b'=' {
                        // What follows the padding is not part of the data.
                        *done = true;
                    }
                    let Some(value) = base64_value(byte).filter(|_| !*done) else { continue };
                    *bits = *bits << 6 | u32::from(value);
                    *count += 1;
                    if *count == 4 {
                        out.extend_from_slice(&bits.to_be_bytes()[1..]);
                        (*bits, *count) = (0, 0);
                    }
                }
            }
            Self::QuotedPrintable { held } => {
                bytes.iter().for_each(|&byte| quoted_printable(held, byte, out));
            }
        }
    }

    /// The end of the body.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Identity => {}
            Self::Base64 { bits, count, .. } => {
                // 2 or 3 digits hold 1 or 2 bytes.
                let bytes = (*bits << (6 * (4 - u32::from(*count)))).to_be_bytes();
                out.extend_from_slice(&bytes[1..1 + usize::from(count.saturating_sub(1))]);
                *count = 0;
            }
            Self::QuotedPrintable { held } => {
                // White space at the end of the last line, or an escape that was cut off.
                if held.first() == Some(&b'=') && held.len() > 1 {
                    out.append(held);
                }
                held.clear();
            }
        }
    }
}

fn base64_value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// One byte. `held` is empty, or white space that a line's end would drop, or `=` and what follows.
fn quoted_printable(held: &mut Vec<u8>, byte: u8, out: &mut Vec<u8>) {
    let escaping = held.first() == Some(&b'=');
    match (escaping, byte) {
        (false, b'=') => {
            out.append(held);
            held.push(byte);
        }
        (false, b' ' | b'\t' | b'\r') if held.len() < HELD_MAX => held.push(byte),
        (false, b'\n') => {
            let crlf = held.last() == Some(&b'\r');
            held.clear();
            out.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        }
        (false, _) => {
            out.append(held);
            out.push(byte);
        }
        // A soft line break, with white space before it that transports may have added.
        (true, b'\n') => held.clear(),
        (true, b' ' | b'\t' | b'\r')
            if held.len() < HELD_MAX && held[1..].iter().all(u8::is_ascii_whitespace) =>
        {
            held.push(byte);
        }
        (true, _) => match (&held[..], hex(byte)) {
            ([_], Some(_)) => held.push(byte),
            ([_, high], Some(low)) => {
                match hex(*high) {
                    Some(high) => out.push(high << 4 | low),
                    None => {
                        out.append(held);
                        out.push(byte);
                    }
                }
                held.clear();
            }
            // Not an escape after all: as it is.
            _ => {
                out.append(held);
                quoted_printable(held, byte, out);
            }
        },
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: TransferEncoding, input: &str) -> String {
        let whole = decode_by(encoding, input.as_bytes(), input.len().max(1));
        for piece in 1..input.len() {
            assert_eq!(decode_by(encoding, input.as_bytes(), piece), whole, "{input:?} by {piece}");
        }
        String::from_utf8_lossy(&whole).into_owned()
    }

    fn decode_by(encoding: TransferEncoding, input: &[u8], piece: usize) -> Vec<u8> {
        let (mut decoder, mut out) = (Decoder::new(encoding), Vec::new());
        input.chunks(piece).for_each(|piece| decoder.feed(piece, &mut out));
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn base64() {
        for (input, output) in [
            ("", ""),
            ("aGVsbG8=", "hello"),
            ("aGVs\r\nbG8=\r\n", "hello"),
            ("aGVsbG8", "hello"),
            ("aGVsbA==", "hell"),
            ("aGVs!bG8=", "hello"),
            ("aGVsbG8=\r\nfooter", "hello"),
            ("aGVsb", "hel"),
        ] {
            assert_eq!(decode(TransferEncoding::Base64, input), output, "{input:?}");
        }
    }

    #[test]
    fn quoted_printable() {
        for (input, output) in [
            ("", ""),
            ("plain\r\ntext", "plain\r\ntext"),
            ("a=3Db=c3=A9", "a=bé"),
            ("soft=\r\nbreak= \t\r\nagain=\nbare", "softbreakagainbare"),
            ("trailing  \t\r\nspace ", "trailing\r\nspace"),
            ("in  side\rx", "in  side\rx"),
            ("a=XYb=4", "a=XYb=4"),
            ("a==3D", "a=="),
            ("end=", "end"),
        ] {
            assert_eq!(decode(TransferEncoding::QuotedPrintable, input), output, "{input:?}");
        }
    }
}
