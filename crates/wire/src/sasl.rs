//! Lines of a SASL exchange (RFC 9051 §6.2.2).

use base64::Engine;
use bytes::Bytes;

use crate::error::{SyntaxError, SyntaxErrorKind};

/// Reads a client's line in an AUTHENTICATE exchange, with or without its line ending: base64, or
/// `*` for a cancelled exchange, which gives `None`.
///
/// # Errors
/// The line is not base64.
pub fn sasl_response(line: &[u8]) -> Result<Option<Bytes>, SyntaxError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line == b"*" {
        return Ok(None);
    }
    match base64::engine::general_purpose::STANDARD.decode(line) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(_) => {
            Err(SyntaxError { tag: None, at: 0, expected: "base64", kind: SyntaxErrorKind::Syntax })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let bytes = |text: &'static str| Some(Some(Bytes::from_static(text.as_bytes())));
        for (line, expected) in [
            ("*", Some(None)),
            ("*\r\n", Some(None)),
            ("", bytes("")),
            ("\r\n", bytes("")),
            ("AHRlc3QAdGVzdA==", bytes("\0test\0test")),
            ("AHRlc3QAdGVzdA==\n", bytes("\0test\0test")),
            ("AHRlc3QAdGVzdA", None),
            ("AHRlc3QAdGVzdA==\r\n\r\n", None),
            ("A A=", None),
            ("**", None),
            ("=", None),
        ] {
            assert_eq!(sasl_response(line.as_bytes()).ok(), expected, "{line:?}");
        }
    }
}
