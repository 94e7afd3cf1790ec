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
