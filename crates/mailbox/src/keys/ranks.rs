//! Ranks of texts.

use std::collections::HashMap;

/// The rank of each message's text among all: equal texts have one rank.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranks {
    pub(crate) ranks: Vec<u32>,
    /// How many there are: they are dense.
    pub(crate) count: u32,
    /// Rank 0 is that of the empty text.
    pub(crate) has_empty: bool,
}

impl Ranks {
    pub(crate) fn memory_bytes(&self) -> usize {
        self.ranks.capacity() * size_of::<u32>()
    }

    /// A number for the text of a message: 0 if it is empty.
    pub(crate) fn number(&self, at: usize) -> u32 {
        self.ranks[at] + u32::from(!self.has_empty)
    }
}

/// Texts of messages, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    texts: String,
    ends: Vec<usize>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: &str) {
        self.texts.push_str(text);
        self.ends.push(self.texts.len());
    }

    /// The distinct texts in order, and which of them each message has.
    pub(crate) fn ranked(&self) -> (Vec<&str>, Vec<u32>) {
        let mut distinct: Vec<(u64, &str, u32)> = Vec::new();
        let mut known: HashMap<&str, u32> = HashMap::new();
        let mut which = Vec::with_capacity(self.ends.len());
        let mut from = 0;
        for &end in &self.ends {
            let text = &self.texts[from..end];
            from = end;
            which.push(*known.entry(text).or_insert_with(|| {
                distinct.push((prefix(text), text, distinct.len() as u32));
                distinct.len() as u32 - 1
            }));
        }
        // Most comparisons are of one number each.
        distinct.sort_unstable();
        let mut ranks = vec![0; distinct.len()];
        for (rank, &(_, _, nth)) in (0..).zip(&distinct) {
            ranks[nth as usize] = rank;
        }
        which.iter_mut().for_each(|nth| *nth = ranks[*nth as usize]);
        (distinct.into_iter().map(|(_, text, _)| text).collect(), which)
    }
}

/// Orders as the texts do as far as it goes.
fn prefix(text: &str) -> u64 {
    let mut first = [0; 8];
    let length = text.len().min(8);
    first[..length].copy_from_slice(&text.as_bytes()[..length]);
    u64::from_be_bytes(first)
}
