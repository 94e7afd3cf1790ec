//! Literal announcements, `{310}` and its like (RFC 9051 §4.3, RFC 7888, RFC 3516).

/// What a literal's announcement says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LiteralSpec {
    /// How many bytes follow the line.
    pub bytes: u64,
    /// Whether the client waits for a continuation request; false for `{n+}`.
    pub sync: bool,
    /// `~{n}`: a literal8, which may hold NUL (RFC 3516).
    pub binary: bool,
}

/// The literal that `line`, without its line ending, announces at its end, if it does.
pub fn at_line_end(line: &[u8]) -> Option<LiteralSpec> {
    let inner = line.strip_suffix(b"}")?;
    let (inner, sync) = match inner.strip_suffix(b"+") {
        Some(inner) => (inner, false),
        None => (inner, true),
    };
    let open = memchr::memrchr(b'{', inner)?;
    let digits = &inner[open + 1..];
    if digits.is_empty() || digits.len() > 20 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let bytes = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(LiteralSpec { bytes, sync, binary: inner[..open].ends_with(b"~") })
}
