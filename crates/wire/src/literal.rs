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
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // 63 bits: RFC 9051 §9, number64. A size above is one that nobody can take either; were it no
    // announcement, the bytes behind it would be read as commands.
    let bytes = std::str::from_utf8(digits).ok()?.parse::<i64>().unwrap_or(i64::MAX).unsigned_abs();
    Some(LiteralSpec { bytes, sync, binary: inner[..open].ends_with(b"~") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements() {
        let spec = |bytes, sync, binary| Some(LiteralSpec { bytes, sync, binary });
        for (line, expected) in [
            ("a LOGIN {5}", spec(5, true, false)),
            ("a LOGIN {5+}", spec(5, false, false)),
            ("a APPEND x ~{0}", spec(0, true, true)),
            ("a APPEND x UTF8 (~{310+}", spec(310, false, true)),
            ("{9223372036854775807}", spec(i64::MAX as u64, true, false)),
            ("{007}", spec(7, true, false)),
            ("{9223372036854775808}", spec(i64::MAX as u64, true, false)),
            ("{99999999999999999999999+}", spec(i64::MAX as u64, false, false)),
            ("{}", None),
            ("{+}", None),
            ("{5-}", None),
            ("{5} ", None),
            ("{ 5}", None),
            ("{-5}", None),
            ("5}", None),
            ("\"{5}\"", None),
            ("", None),
        ] {
            assert_eq!(at_line_end(line.as_bytes()), expected, "{line:?}");
        }
    }
}
