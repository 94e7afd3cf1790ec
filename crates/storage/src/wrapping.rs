//! Whole messages together with the text around them, as they are sent.

use std::ops::Range;

use bytes::Bytes;
use mailbox::Position;

use crate::Error;

/// Messages, each with text in front of it and behind it; [`Storage::wrapped`] joins them.
///
/// [`Storage::wrapped`]: crate::Storage::wrapped
#[derive(Clone, Debug, Default)]
pub struct Wrapping {
    text: Vec<u8>,
    messages: Vec<Wrapped>,
}

#[derive(Clone, Copy, Debug)]
struct Wrapped {
    at: Position,
    octets: u32,
    /// Where the text in front of it ends, and where that behind it does.
    ends: (usize, usize),
}

/// Messages of a [`Wrapping`] that follow each other, with their text.
#[derive(Debug)]
pub struct Run {
    /// How many they are; at least one.
    pub count: usize,
    /// All of it in order; an error if one of them cannot be read.
    pub bytes: Result<Bytes, Error>,
}

impl Wrapping {
    /// Adds a message that is known to have `octets`; the functions write the text around it.
    pub fn push(
        &mut self,
        (at, octets): (Position, u32),
        front: impl FnOnce(&mut Vec<u8>),
        back: impl FnOnce(&mut Vec<u8>),
    ) {
        front(&mut self.text);
        let end = self.text.len();
        back(&mut self.text);
        self.messages.push(Wrapped { at, octets, ends: (end, self.text.len()) });
    }

    /// Whether it has no messages.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Where its messages are.
    pub fn positions(&self) -> Vec<Position> {
        self.messages.iter().map(|message| message.at).collect()
    }

    /// Octets of some of its messages, and of their text.
    pub fn octets(&self, some: Range<usize>) -> usize {
        let text = self.begin(some.start)..self.begin(some.end);
        let messages = self.messages.get(some).unwrap_or_default();
        messages.iter().map(|message| message.octets as usize).sum::<usize>() + text.len()
    }

    /// Octets of one message.
    pub fn octets_of(&self, nth: usize) -> Option<u32> {
        Some(self.messages.get(nth)?.octets)
    }

    /// The text in front of a message, and that behind it.
    pub fn around(&self, nth: usize) -> (&[u8], &[u8]) {
        let end = self.begin(nth + 1);
        let middle = self.messages.get(nth).map_or(end, |message| message.ends.0);
        (&self.text[self.begin(nth)..middle], &self.text[middle..end])
    }

    /// A message between its text; an error if it has another size than was said.
    pub fn wrap(&self, nth: usize, message: &[u8]) -> Result<Bytes, Error> {
        if self.octets_of(nth).map(|octets| octets as usize) != Some(message.len()) {
            return Err(Error::Damaged("a message has another size".to_owned()));
        }
        let (front, back) = self.around(nth);
        Ok([front, message, back].concat().into())
    }

    /// Where the text of the `nth` message begins.
    fn begin(&self, nth: usize) -> usize {
        let before = nth.checked_sub(1).and_then(|before| self.messages.get(before));
        match nth {
            0 => 0,
            _ => before.map_or(self.text.len(), |before| before.ends.1),
        }
    }

    /// Joins messages that were read one by one, in order.
    pub fn join(&self, messages: impl IntoIterator<Item = Result<Bytes, Error>>) -> Vec<Run> {
        let one = |(nth, message): (usize, Result<Bytes, Error>)| {
            let bytes = message.and_then(|message| self.wrap(nth, &message));
            Run { count: 1, bytes }
        };
        messages.into_iter().enumerate().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_where_it_belongs() {
        let mut wrapping = Wrapping::default();
        assert!(wrapping.is_empty() && wrapping.octets(0..0) == 0);
        let at = |offset| Position { segment: 1, offset, stored_bytes: 9 };
        for (nth, octets) in [3, 0, 2].into_iter().enumerate() {
            let number = |out: &mut Vec<u8>| out.extend_from_slice(format!("<{nth}").as_bytes());
            let back = |out: &mut Vec<u8>| out.extend_from_slice(&b">>>"[..=nth]);
            wrapping.push((at(nth as u32), octets), number, back);
        }
        assert_eq!(wrapping.positions(), [at(0), at(1), at(2)]);
        assert_eq!((wrapping.octets(0..3), wrapping.octets(1..2)), (3 + 2 + 3 + 4 + 5, 4));
        assert_eq!(wrapping.around(1), (&b"<1"[..], &b">>"[..]));
        let read = ["abc", "", "wrong"].map(|text| Ok(Bytes::from(text)));
        let runs = wrapping.join(read);
        let texts = runs.iter().map(|run| run.bytes.as_deref().ok());
        assert!(texts.eq([Some(&b"<0abc>"[..]), Some(b"<1>>"), None]));
        assert!(runs.iter().all(|run| run.count == 1));
    }
}
