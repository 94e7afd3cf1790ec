//! What is kept of messages beside them, so that they need not be read again.

use bytes::Bytes;

/// What is kept. The engine does not know what the bytes mean.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Extract {
    /// What IMAP tells of a message without its bytes; made when it comes in.
    Summary,
    /// BODY and BODYSTRUCTURE alone, without the rest of the summary; made when first asked for.
    Structure,
    /// The header fields that clients list mailboxes by; made when it comes in.
    Fields,
    /// The whole header; made when first asked for.
    Header,
}

impl Extract {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Summary, Self::Structure, Self::Fields, Self::Header];
}

/// Extracts that were read together: slices of few buffers, so that none of them costs an
/// allocation.
#[derive(Clone, Default, Debug)]
pub struct Extracts {
    buffers: Vec<Bytes>,
    /// Which buffer, from where, to where.
    places: Vec<Option<(u32, u32, u32)>>,
}

impl Extracts {
    /// `count` answers, none found so far.
    pub fn none(count: usize) -> Self {
        Self { buffers: Vec::new(), places: vec![None; count] }
    }

    /// Adds a buffer; [`Extracts::set`] knows it by the answer.
    pub fn add_buffer(&mut self, bytes: Bytes) -> usize {
        self.buffers.push(bytes);
        self.buffers.len() - 1
    }

    /// The `nth` answer is this part of a buffer. What cannot be is ignored.
    pub fn set(&mut self, nth: usize, buffer: usize, range: std::ops::Range<usize>) {
        let number = |n: usize| u32::try_from(n).ok();
        let fits = self.buffers.get(buffer).is_some_and(|bytes| range.end <= bytes.len());
        if let Some(place) = self.places.get_mut(nth).filter(|_| fits && range.start <= range.end)
            && let (Some(buffer), Some(from), Some(to)) =
                (number(buffer), number(range.start), number(range.end))
        {
            *place = Some((buffer, from, to));
        }
    }

    /// How many positions are answered.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The `nth` answer; `None` if nothing is kept.
    pub fn get(&self, nth: usize) -> Option<&[u8]> {
        let (buffer, from, to) = (*self.places.get(nth)?)?;
        self.buffers.get(buffer as usize)?.get(from as usize..to as usize)
    }

    /// The same as a part of what was read, not copied.
    pub fn bytes(&self, nth: usize) -> Option<Bytes> {
        let (buffer, from, to) = (*self.places.get(nth)?)?;
        // `set` looked at the bounds.
        Some(self.buffers.get(buffer as usize)?.slice(from as usize..to as usize))
    }
}

impl FromIterator<Option<Bytes>> for Extracts {
    fn from_iter<I: IntoIterator<Item = Option<Bytes>>>(answers: I) -> Self {
        let mut extracts = Self::default();
        for (nth, answer) in answers.into_iter().enumerate() {
            extracts.places.push(None);
            if let Some(bytes) = answer {
                let length = bytes.len();
                let buffer = extracts.add_buffer(bytes);
                extracts.set(nth, buffer, 0..length);
            }
        }
        extracts
    }
}
