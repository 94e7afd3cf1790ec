//! Case folding for SEARCH, SORT and THREAD.

use unicode_normalization::char::decompose_compatible;

/// `text` without regard to case, in the manner of `i;unicode-casemap` (RFC 5051): every character
/// is decomposed (with compatibility mappings) and upper-cased, so that equal text in any case or
/// composition gives equal results, and the result sorts by its octets.
///
/// It goes further than RFC 5051 in one point: full mappings apply, so that `ß` equals `SS`.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(text, &mut out);
    out
}

/// Appends the folded `text` to `out`. Character by character, so that pieces fold like the whole.
pub fn fold_into(text: &str, out: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = ascii_bytes(rest.as_bytes());
        let at = out.len();
        out.push_str(&rest[..ascii]);
        out[at..].make_ascii_uppercase();
        rest = &rest[ascii..];
        if let Some(char) = rest.chars().next() {
            decompose_compatible(char, |part| match part {
                // The one capital whose full folding is longer than itself.
                'ẞ' => out.push_str("SS"),
                _ => out.extend(part.to_uppercase()),
            });
            rest = &rest[char.len_utf8()..];
        }
    }
}

/// How many bytes are before the first that is not ASCII. Many are looked at together: nearly all
/// mail is ASCII, and searches fold all of it.
fn ascii_bytes(bytes: &[u8]) -> usize {
    const TOGETHER: usize = 64;
    let whole = bytes.chunks_exact(TOGETHER).take_while(|some| some.is_ascii()).count() * TOGETHER;
    let rest = &bytes[whole..];
    whole + rest.iter().position(|byte| !byte.is_ascii()).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal() {
        for (a, b) in [
            ("Hello", "hELLO"),
            ("Grüße", "GRU\u{308}SSE"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ﬁn", "FIN"),
            ("ǆ", "ǅ"),
            ("Ⅷ", "viii"),
            ("ｆｕｌｌ", "FULL"),
            ("ПРИВЕТ", "привет"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        assert_ne!(fold("a"), fold("b"));
        assert_ne!(fold("e"), fold("é"));
    }

    proptest! {
        #[test]
        fn once_is_enough(text: String) {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }

        #[test]
        fn ascii_ends_where_it_does(text in "[a-zA-Zß ]{0,20}([a-z]{0,300}[aäß]){0,3}") {
            let end = text.bytes().position(|byte| !byte.is_ascii()).unwrap_or(text.len());
            prop_assert_eq!(ascii_bytes(text.as_bytes()), end);
            let by_character: String = text.chars().map(|char| fold(&char.to_string())).collect();
            prop_assert_eq!(fold(&text), by_character);
        }
    }
}
