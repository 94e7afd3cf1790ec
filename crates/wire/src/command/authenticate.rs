//! AUTHENTICATE with the initial response of SASL-IR.
//!
//! RFC 9051 §6.2.2, RFC 4959. The lines that follow are read by [`crate::sasl_response`].

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::cursor::{Cursor, Result};

/// AUTHENTICATE with the initial response of SASL-IR (RFC 4959), decoded from base64; `=` is empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// The mechanism's name, in upper case.
    pub mechanism: String,
    /// The initial response.
    pub initial: Option<Bytes>,
}

impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

pub(super) fn parse(c: &mut Cursor<'_>) -> Result<Authenticate> {
    c.sp()?;
    let mechanism = c.atom("a SASL mechanism")?;
    let mechanism = String::from_utf8_lossy(mechanism).to_ascii_uppercase();
    let initial = if c.eat(b' ') { Some(initial_response(c)?) } else { None };
    Ok(Authenticate { mechanism, initial })
}

/// RFC 4959 §4, initial-resp.
fn initial_response(c: &mut Cursor<'_>) -> Result<Bytes> {
    let start = c.at();
    let rest = c.rest();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let end = rest.iter().position(|byte| !is_base64(byte)).unwrap_or(rest.len());
    let text = &rest[..end];
    c.skip(end);
    if text == b"=" {
        return Ok(Bytes::new());
    }
    match STANDARD.decode(text) {
        Ok(bytes) if !bytes.is_empty() => Ok(Bytes::from(bytes)),
        _ => Err(c.fail_at(start, "base64 or =")),
    }
}

pub(super) fn print(authenticate: &Authenticate, out: &mut Vec<u8>) {
    out.extend_from_slice(b"AUTHENTICATE ");
    out.extend_from_slice(authenticate.mechanism.as_bytes());
    match authenticate.initial.as_deref() {
        None => {}
        Some([]) => out.extend_from_slice(b" ="),
        Some(bytes) => {
            out.push(b' ');
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn authenticate() {
        check(&[
            ("AUTHENTICATE PLAIN", Ok("AUTHENTICATE PLAIN")),
            ("authenticate scram-sha-256-plus", Ok("AUTHENTICATE SCRAM-SHA-256-PLUS")),
            ("AUTHENTICATE PLAIN AHRlc3QAdGVzdA==", Ok("AUTHENTICATE PLAIN AHRlc3QAdGVzdA==")),
            ("AUTHENTICATE EXTERNAL =", Ok("AUTHENTICATE EXTERNAL =")),
            ("AUTHENTICATE", Err("expected a space at byte 15")),
            ("AUTHENTICATE ", Err("expected a SASL mechanism at byte 16")),
            ("AUTHENTICATE PLAIN ", Err("expected base64 or = at byte 22")),
            ("AUTHENTICATE PLAIN AHR", Err("expected base64 or = at byte 22")),
            ("AUTHENTICATE PLAIN a*", Err("expected base64 or = at byte 22")),
            ("AUTHENTICATE PLAIN AAAA x", Err("expected the end of the line at byte 26")),
        ]);
    }
}
