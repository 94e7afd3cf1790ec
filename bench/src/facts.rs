//! What the messages of the big mailbox hold, found without any server: the right answers.

use std::sync::OnceLock;

use memchr::memmem;

use crate::mail::{FREQUENT_WORD, RARE_WORD, Sizes, message};

/// Of whom mail is looked for.
pub(crate) const SENDER: &str = "Chen";
/// In the Return-Path, a field that clients do not ask for, of the same.
pub(crate) const RETURN_PATH: &str = "chen@";
/// A word of subjects.
pub(crate) const TOPIC: &str = "winter";

/// The right answers.
#[derive(Default)]
pub(crate) struct Facts {
    /// The size of each message.
    pub(crate) octets: Vec<u64>,
    /// Messages from [`SENDER`].
    pub(crate) from: u64,
    /// Messages with [`RETURN_PATH`].
    pub(crate) return_path: u64,
    /// Messages with [`TOPIC`] in their subject.
    pub(crate) subject: u64,
    /// Messages with [`RARE_WORD`] in their text.
    pub(crate) rare: u64,
    /// Messages with [`FREQUENT_WORD`] in their text.
    pub(crate) frequent: u64,
}

impl Facts {
    /// Of so many messages; always the same number.
    pub(crate) fn of(messages: usize) -> &'static Self {
        static FACTS: OnceLock<Facts> = OnceLock::new();
        FACTS.get_or_init(|| (0..messages).fold(Self::default(), Self::with))
    }

    fn with(mut self, n: usize) -> Self {
        let message = message(n, Sizes::Small);
        let text = String::from_utf8_lossy(&message);
        let field = |name: &str, word: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            u64::from(line.to_ascii_lowercase().contains(&word.to_ascii_lowercase()))
        };
        let word = |word: &str| u64::from(memmem::find(&message, word.as_bytes()).is_some());
        self.octets.push(message.len() as u64);
        self.from += field("From: ", SENDER);
        self.return_path += field("Return-Path: ", RETURN_PATH);
        self.subject += field("Subject: ", TOPIC);
        self.rare += word(RARE_WORD);
        self.frequent += word(FREQUENT_WORD);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Facts;

    #[test]
    fn every_kind_of_word_occurs_in_the_smallest_mailbox() {
        let facts = (0..2000).fold(Facts::default(), Facts::with);
        assert_eq!((facts.rare, facts.frequent, facts.octets.len()), (1, 100, 2000));
        assert!(facts.return_path > 50, "{}", facts.return_path);
        assert!(facts.from > 50 && facts.subject > 20, "{} {}", facts.from, facts.subject);
    }
}
