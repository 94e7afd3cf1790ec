//! Which document a message is.

use base::EmailId;

/// Finds documents by EMAILID, which is a hash: its first bits tell the place in a sorted table, so
/// that a look-up takes about two cache lines. 22 bytes a message.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    entries: Vec<([u8; 16], u32)>,
    /// Where the entries with each value of the first `bits` bits begin.
    places: Vec<u32>,
    bits: u32,
}

impl Ids {
    /// Of documents with these ids, the first of which has the number 0.
    pub(crate) fn new(ids: impl ExactSizeIterator<Item = [u8; 16]>) -> Self {
        let mut entries = Vec::with_capacity(ids.len());
        entries.extend(ids.zip(0..));
        entries.sort_unstable();
        let bits = (entries.len().max(2).ilog2() - 1).clamp(1, 20);
        let mut places = vec![0; (1 << bits) + 1];
        for (id, _) in &entries {
            places[first_bits(id, bits) + 1] += 1;
        }
        let mut sum = 0;
        for place in &mut places {
            sum += *place;
            *place = sum;
        }
        Self { entries, places, bits }
    }

    /// The document with this content.
    pub(crate) fn find(&self, id: EmailId) -> Option<u32> {
        if self.entries.is_empty() {
            return None;
        }
        let at = first_bits(&id.0, self.bits);
        let near = &self.entries[self.places[at] as usize..self.places[at + 1] as usize];
        near.iter().find(|(other, _)| *other == id.0).map(|&(_, doc)| doc)
    }

    /// Ids and documents, by id.
    pub(crate) fn entries(&self) -> &[([u8; 16], u32)] {
        &self.entries
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<([u8; 16], u32)>() + self.places.capacity() * 4
    }
}

fn first_bits(id: &[u8; 16], bits: u32) -> usize {
    let first = u32::from_be_bytes([id[0], id[1], id[2], id[3]]);
    (first >> (32 - bits)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_there() {
        let id = |n: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
            id[8] = n as u8;
            id
        };
        for count in [0, 1, 2, 3, 1000] {
            let ids = Ids::new((0..count as usize).map(|n| id(n as u32)));
            for n in 0..count + 10 {
                assert_eq!(ids.find(EmailId(id(n))), (n < count).then_some(n), "{n} of {count}");
            }
        }
    }
}
