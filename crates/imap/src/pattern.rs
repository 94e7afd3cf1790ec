//! LIST's patterns: `*` matches anything, `%` anything but the delimiter (RFC 9051 §6.3.9).
//!
//! All places a match can stand at advance together, so no pattern costs more than its length times
//! the name's.

use unicode_normalization::UnicodeNormalization;

use crate::error::No;
use crate::names::DELIMITER;

/// Steps that all matches of one command may take together: seconds of work. Lists of a hundred
/// thousand mailboxes stay below it, patterns made to be slow do not.
const STEPS_MAX: u64 = 1 << 29;

/// A pattern with its reference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pattern {
    tokens: Vec<Token>,
    /// Tokens that are characters: no shorter name matches.
    literals: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    /// `*`
    Any,
    /// `%`
    Level,
    /// A character.
    Char(char),
}

impl Pattern {
    /// The canonical pattern. One that begins at the root does not care for the reference.
    pub(crate) fn new(reference: &str, pattern: &str) -> Self {
        let reference = if pattern.starts_with(DELIMITER) { "" } else { reference };
        let mut tokens: Vec<Token> = Vec::new();
        // Names are in form C, and clients may write them otherwise (RFC 9051 §5.1).
        for c in reference.chars().chain(pattern.chars()).nfc() {
            let token = match c {
                '*' => Token::Any,
                '%' => Token::Level,
                c => Token::Char(c),
            };
            // Neighbouring wildcards are one: the stronger.
            match (tokens.last(), token) {
                (Some(Token::Any), Token::Any | Token::Level)
                | (Some(Token::Level), Token::Level) => {}
                (Some(Token::Level), Token::Any) => {
                    tokens.pop();
                    tokens.push(token);
                }
                _ => tokens.push(token),
            }
        }
        // Thunderbird asks for `name/`; no name ends so.
        if matches!(tokens.last(), Some(Token::Char(DELIMITER))) && tokens.len() > 1 {
            tokens.pop();
        }
        let literals = tokens.iter().filter(|token| matches!(token, Token::Char(_))).count();
        Self { tokens, literals }
    }

    /// Whether levels above mailboxes are wanted too (RFC 3501 §6.3.8).
    pub(crate) fn ends_with_level(&self) -> bool {
        self.tokens.last() == Some(&Token::Level)
    }

    /// At most so many steps does a match take.
    fn steps(&self, name: &str) -> u64 {
        match self.literals > name.len() {
            true => 1,
            false => self.tokens.len() as u64 * name.len() as u64,
        }
    }

    /// Whether it matches a whole name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        if self.literals > name.len() {
            return false;
        }
        // INBOX has no case (RFC 9051 §5.1); other names do.
        let inbox = if name == "INBOX" || name.starts_with("INBOX/") { 5 } else { 0 };
        let mut at = vec![0];
        let mut next = Vec::new();
        self.rest(&mut at);
        for (index, c) in name.chars().enumerate() {
            for &place in &at {
                match self.tokens.get(place) {
                    Some(Token::Any) => next.push(place),
                    Some(Token::Level) if c != DELIMITER => next.push(place),
                    Some(&Token::Char(wanted))
                        if wanted == c || index < inbox && wanted.eq_ignore_ascii_case(&c) =>
                    {
                        next.push(place + 1);
                    }
                    _ => {}
                }
            }
            self.rest(&mut next);
            std::mem::swap(&mut at, &mut next);
            next.clear();
            if at.is_empty() {
                return false;
            }
        }
        at.last() == Some(&self.tokens.len())
    }

    /// Adds the places reached because a wildcard may match nothing. `at` stays sorted, each place
    /// once.
    fn rest(&self, at: &mut Vec<usize>) {
        let mut index = 0;
        while let Some(&place) = at.get(index) {
            if matches!(self.tokens.get(place), Some(Token::Any | Token::Level)) {
                at.push(place + 1);
            }
            index += 1;
        }
        at.sort_unstable();
        at.dedup();
    }
}

/// Refuses patterns that would take too long over these names.
pub(crate) fn check<'a>(
    patterns: &[Pattern],
    names: impl Iterator<Item = &'a str>,
) -> Result<(), No> {
    let steps = |name| patterns.iter().map(|pattern| pattern.steps(name)).sum::<u64>();
    match names.map(steps).fold(0, u64::saturating_add) > STEPS_MAX {
        true => Err(No::Limit("the patterns take too long")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (reference, pattern, name, wanted) in [
            ("", "*", "a/b/c", true),
            ("", "%", "a", true),
            ("", "%", "a/b", false),
            ("a/", "%", "a/b", true),
            ("a", "%", "a", true),
            ("a", "%", "ab", true),
            ("", "a*c", "a/b/c", true),
            ("", "a%c", "a/b/c", false),
            ("", "%/%", "a/b", true),
            ("", "%/%", "a/b/c", false),
            ("", "*%", "a/b", true),
            ("", "%*", "a/b", true),
            ("", "*b%", "a/bc", true),
            ("", "*b%", "a/b/c", false),
            ("", "a/", "a", true),
            ("", "/", "a", false),
            ("x/", "/a", "x/a", false),
            ("", "inbox", "INBOX", true),
            ("", "Inb%", "INBOX", true),
            ("", "inbox/%", "INBOX/sub", true),
            ("", "inbox/SUB", "INBOX/sub", false),
            ("", "INBOXES", "inboxes", false),
            ("", "", "", true),
            ("", "é%", "éa", true),
            ("", "e\u{301}%", "éa", true),
        ] {
            let matches = Pattern::new(reference, pattern).matches(name);
            assert_eq!(matches, wanted, "{reference:?} {pattern:?} {name:?}");
        }
    }

    #[test]
    fn many_wildcards_cost_little() {
        let pattern = Pattern::new("", &"%*a*%b".repeat(300));
        assert!(!pattern.matches(&"ab".repeat(299)));
        assert!(pattern.matches(&"ab".repeat(300)));
    }

    #[test]
    fn what_would_take_too_long_is_refused() {
        let name = "ab".repeat(500);
        let names = |count: usize| std::iter::repeat_n(name.as_str(), count);
        let one = |text: &str| vec![Pattern::new("", text)];
        assert!(check(&one("*"), names(100_000)).is_ok());
        assert!(check(&one("%a%"), names(100_000)).is_ok());
        assert!(check(&vec![Pattern::new("", "*ab*"); 100], names(1000)).is_ok());
        assert!(check(&one(&"%a".repeat(500)), names(100_000)).is_err());
        assert!(check(&vec![Pattern::new("", &"*a".repeat(500)); 256], names(1000)).is_err());
    }
}
