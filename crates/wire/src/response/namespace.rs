//! NAMESPACE response.
//!
//! RFC 9051 §6.3.10.

use crate::emit::{self, Style};
use crate::utf7;

/// Personal prefixes with their delimiters; other users' and shared mailboxes have none.
pub(super) fn print(personal: &[(String, char)], out: &mut Vec<u8>, style: Style) {
    out.extend_from_slice(b"NAMESPACE ");
    if personal.is_empty() {
        out.extend_from_slice(b"NIL");
    } else {
        out.push(b'(');
        for (prefix, delimiter) in personal {
            out.push(b'(');
            if style.utf8 {
                emit::string(out, prefix.as_bytes(), style);
            } else {
                emit::string(out, utf7::encode(prefix).as_bytes(), style);
            }
            out.push(b' ');
            emit::string(out, delimiter.to_string().as_bytes(), style);
            out.push(b')');
        }
        out.push(b')');
    }
    out.extend_from_slice(b" NIL NIL");
}
