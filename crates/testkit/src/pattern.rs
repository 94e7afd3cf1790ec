//! Expected lines: text, `<any>` for anything, `<x:name>` for a value that is bound where it first
//! appears and the same ever after.

use std::collections::HashMap;

/// Values by name.
pub type Bindings = HashMap<String, String>;

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token<'a> {
    Text(&'a str),
    Any,
    Value(&'a str),
}

fn tokens(pattern: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    let mut text = 0;
    while let Some(open) = rest[text..].find('<').map(|at| at + text) {
        let after = &rest[open + 1..];
        let token = match after.find('>') {
            Some(3) if after.starts_with("any") => Some((Token::Any, 4)),
            Some(close) if after.starts_with("x:") => {
                Some((Token::Value(&after[2..close]), close + 1))
            }
            _ => None,
        };
        match token {
            Some((token, length)) => {
                tokens.push(Token::Text(&rest[..open]));
                tokens.push(token);
                (rest, text) = (&after[length..], 0);
            }
            None => text = open + 1,
        }
    }
    tokens.push(Token::Text(rest));
    tokens
}

/// Whether `line` is what `pattern` expects; binds values if it is.
pub fn matches(pattern: &str, line: &str, bindings: &mut Bindings) -> bool {
    let mut trial = bindings.clone();
    let is_match = walk(&tokens(pattern), line, &mut trial);
    if is_match {
        *bindings = trial;
    }
    is_match
}

fn walk(tokens: &[Token<'_>], line: &str, bindings: &mut Bindings) -> bool {
    let Some((first, rest)) = tokens.split_first() else { return line.is_empty() };
    match first {
        Token::Text(text) => line.strip_prefix(text).is_some_and(|line| walk(rest, line, bindings)),
        Token::Any => {
            let mut ends = (0..=line.len()).filter(|&at| line.is_char_boundary(at));
            ends.any(|at| walk(rest, &line[at..], bindings))
        }
        Token::Value(name) => {
            if let Some(value) = bindings.get(*name) {
                let value = value.clone();
                return line
                    .strip_prefix(value.as_str())
                    .is_some_and(|line| walk(rest, line, bindings));
            }
            let end = line.find(|c| " ()[]\"{}".contains(c)).unwrap_or(line.len());
            (1..=end).rev().filter(|&at| line.is_char_boundary(at)).any(|at| {
                bindings.insert((*name).to_owned(), line[..at].to_owned());
                walk(rest, &line[at..], bindings)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wildcards_and_values() {
        let mut bound = Bindings::new();
        for (pattern, line, wanted) in [
            ("* OK", "* OK", true),
            ("* OK", "* OK ", false),
            ("* <any> done", "* a b done", true),
            ("<any>", "", true),
            ("BODY[]<0> <any>", "BODY[]<0> {3}", true),
            ("* OK [UIDVALIDITY <x:v>] x", "* OK [UIDVALIDITY 12] x", true),
            ("<x:v>", "13", false),
            ("(<x:v>)", "(12)", true),
            ("<a@b>", "<a@b>", true),
        ] {
            assert_eq!(matches(pattern, line, &mut bound), wanted, "{pattern:?} {line:?}");
        }
    }
}
