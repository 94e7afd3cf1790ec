//! Message identifiers (RFC 5322 §3.6.4), normalised as threading wants them (RFC 5256 §3).

use crate::text;
use crate::token::{Kind, Tokens};

/// Longest identifier that is kept; RFC 5322 §2.1.1 bounds a line to 998.
const BYTES_MAX: usize = 998;

/// The identifiers in the value of `Message-ID:`, `References:` or `In-Reply-To:`, without `<>` and
/// without the quotes of a quoted local part, at most `most`: the first, and the last of the rest.
pub fn parse(value: &[u8], most: usize) -> Vec<String> {
    let unfolded = text::unfold(value);
    let mut ids: Vec<String> = Vec::new();
    let mut rest = unfolded.as_ref();
    while let Some(open) = memchr::memchr(b'<', rest) {
        rest = &rest[open + 1..];
        let Some(close) = end(rest) else { break };
        if rest.get(close) == Some(&b'>') && (1..=BYTES_MAX).contains(&close) {
            let id = normalise(&rest[..close]);
            if !id.is_empty() {
                ids.push(id);
            }
        }
        rest = &rest[close..];
    }
    let most = most.max(1);
    if ids.len() > most {
        ids.drain(1..=ids.len() - most);
    }
    ids
}

/// Where the identifier ends that begins `bytes`: at `>`, or before the next `<`.
fn end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2(b'>', b'<', bytes)
}

/// `"a"@b` is the same identifier as `a@b`.
fn normalise(id: &[u8]) -> String {
    if !id.iter().any(|byte| matches!(byte, b'"' | b'(' | b'\\') || byte.is_ascii_whitespace()) {
        return text::clean(id, crate::charset::Charset::Guess);
    }
    let joined: Vec<u8> = Tokens::new(id)
        .filter(|token| token.kind != Kind::Comment)
        .flat_map(|token| token.text)
        .collect();
    text::clean(&joined, crate::charset::Charset::Guess)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for (input, expected) in [
            ("<a@b>", &["a@b"][..]),
            ("<a@b> <c@d>\r\n <e@f>", &["a@b", "c@d", "e@f"]),
            (r#"<"01KF8JCEOCBS0045PS"@xxx.yyy.com>"#, &["01KF8JCEOCBS0045PS@xxx.yyy.com"]),
            ("Your message of 1 Jan <a@b>", &["a@b"]),
            ("<a@b><c@d>", &["a@b", "c@d"]),
            ("<broken <a@b>", &["a@b"]),
            ("<a@\r\n b>", &["a@b"]),
            ("<>", &[]),
            ("none", &[]),
            ("<unterminated", &[]),
        ] {
            assert_eq!(parse(input.as_bytes(), 10), expected, "{input:?}");
        }
        let many: String = (0..20).map(|n| format!("<{n}@x>")).collect();
        assert_eq!(parse(many.as_bytes(), 3), ["0@x", "18@x", "19@x"]);
    }
}
