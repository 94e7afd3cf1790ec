//! The base subject (RFC 5256 §2.1): what SORT and THREAD compare.

/// A subject without its artifacts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Base {
    /// The base subject, not folded.
    pub text: String,
    /// Whether a `Re:`, `Fwd:`, `(fwd)` or `[fwd: ]` was removed.
    pub is_reply: bool,
}

/// The base subject of a decoded, unfolded subject. Linear in its length.
pub fn base(subject: &str) -> Base {
    // Step 1: runs of white space are one space.
    let mut spaced = String::with_capacity(subject.len());
    for char in subject.chars() {
        let space = matches!(char, ' ' | '\t' | '\r' | '\n');
        if !space {
            spaced.push(char);
        } else if !spaced.ends_with(' ') {
            spaced.push(' ');
        }
    }
    let mut text = spaced.as_str();
    let mut is_reply = false;
    loop {
        text = without_trailers(text, &mut is_reply);
        text = without_leaders(text, &mut is_reply);
        // Step 6: `[fwd: ... ]` around it all.
        let inner = strip_prefix(text, "[fwd:").and_then(|inner| inner.strip_suffix(']'));
        let Some(inner) = inner else { break };
        text = inner;
        is_reply = true;
    }
    Base { text: text.to_owned(), is_reply }
}

/// Step 2.
fn without_trailers<'a>(mut text: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        let trimmed = text.trim_end_matches(' ');
        let at = trimmed.len().saturating_sub(5);
        match trimmed.get(at..) {
            Some(tail) if tail.eq_ignore_ascii_case("(fwd)") => {
                text = &trimmed[..at];
                *is_reply = true;
            }
            _ => return trimmed,
        }
    }
}

/// Steps 3 to 5.
fn without_leaders<'a>(mut text: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        text = text.trim_start_matches(' ');
        if let Some(rest) = leader(text) {
            text = rest;
            *is_reply = true;
            continue;
        }
        match blob(text) {
            Some(rest) if !rest.is_empty() => text = rest,
            _ => return text,
        }
    }
}

/// subj-refwd. The blobs that may precede it fall to step 4.
fn leader(text: &str) -> Option<&str> {
    let rest = strip_prefix(text, "re")
        .or_else(|| strip_prefix(text, "fwd"))
        .or_else(|| strip_prefix(text, "fw"))?;
    let rest = rest.trim_start_matches(' ');
    blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// subj-blob: `[...]` and the white space after it.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    Some(inner[end..].strip_prefix(']')?.trim_start_matches(' '))
}

/// `prefix` is ASCII and in lower case.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn subjects() {
        for (input, expected, is_reply) in [
            ("hello", "hello", false),
            ("", "", false),
            (" a  b\t c ", "a b c", false),
            ("Re: hello", "hello", true),
            ("RE :  Re[2]: fw: Fwd: hello", "hello", true),
            ("[list] hello", "hello", false),
            ("Re: [list] hello", "hello", true),
            ("[list] Re: [other] hello", "hello", true),
            ("[only]", "[only]", false),
            ("[a] [only]", "[only]", false),
            ("Re: [only]", "[only]", true),
            ("hello (fwd)", "hello", true),
            ("hello (FWD) (fwd) ", "hello", true),
            ("[fwd: hello]", "hello", true),
            ("[Fwd: Re: [Fwd: hello (fwd)]]", "hello", true),
            ("[fwd: a", "[fwd: a", false),
            ("Re:", "", true),
            ("re", "re", false),
            ("reply: x", "reply: x", false),
            ("(fwd)", "", true),
            ("[a[b] c", "[a[b] c", false),
            ("Re[x] hello", "Re[x] hello", false),
        ] {
            let base = base(input);
            assert_eq!((base.text.as_str(), base.is_reply), (expected, is_reply), "{input:?}");
        }
    }

    #[test]
    fn deep_subjects_take_linear_work() {
        let deep = format!("{}x{}", "[fwd:".repeat(100_000), "]".repeat(100_000));
        assert_eq!(base(&deep).text, "x");
        let blobs = "[a]".repeat(100_000);
        assert_eq!(base(&blobs).text, "[a]");
    }

    proptest! {
        #[test]
        fn the_base_of_a_base_is_itself(text in "([a-c:\\[\\]() ]|re|fwd|fw|\\(fwd\\)|\\[fwd:){0,12}") {
            let once = base(&text).text;
            prop_assert_eq!(&base(&once).text, &once);
        }
    }
}
