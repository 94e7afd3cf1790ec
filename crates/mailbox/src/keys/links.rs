//! Message ids and references as numbers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::sip;
use crate::codec::{Reader, put_u64};

/// No message id.
pub(crate) const NO_ID: u32 = (1 << 31) - 1;
/// In [`Links::own`]: the subject says reply or forward.
const IS_REPLY: u32 = 1 << 31;
/// In [`Links::heads`]: the references are those of an earlier message and then its id.
const CHAINED: u32 = 1 << 31;

/// Which messages refer to which. Ids are numbered as they are first met.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    /// The key of the hashes.
    pub(crate) seeds: (u64, u64),
    /// Of each id.
    pub(crate) hashes: Vec<u64>,
    /// The number of each message's own id, and [`IS_REPLY`].
    own: Vec<u32>,
    /// For each message where its references are in `lists`; or [`CHAINED`] and which message.
    heads: Vec<u32>,
    /// How many, and their numbers.
    lists: Vec<u32>,
}

impl Links {
    pub(crate) fn new(seeds: (u64, u64)) -> Self {
        let (hashes, own, heads) = Default::default();
        // The empty list is at 0.
        Self { seeds, hashes, own, heads, lists: vec![0] }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let numbers = self.own.capacity() + self.heads.capacity() + self.lists.capacity();
        numbers * size_of::<u32>() + self.hashes.capacity() * size_of::<u64>()
    }

    pub(crate) fn len(&self) -> usize {
        self.own.len()
    }

    /// The number of a message's id.
    pub(crate) fn own(&self, at: usize) -> Option<u32> {
        Some(self.own[at] & !IS_REPLY).filter(|&own| own != NO_ID)
    }

    pub(crate) fn is_reply(&self, at: usize) -> bool {
        self.own[at] & IS_REPLY != 0
    }

    /// The message before whose references this one's begin with, if that is so.
    pub(crate) fn chained(&self, at: usize) -> Option<usize> {
        (self.heads[at] & CHAINED != 0).then_some((self.heads[at] & !CHAINED) as usize)
    }

    /// The numbers of the ids that a message refers to.
    pub(crate) fn references(&self, mut at: usize, out: &mut Vec<u32>) {
        out.clear();
        // Each is before the one it came from.
        while let Some(before) = self.chained(at) {
            out.extend(self.own(before));
            at = before;
        }
        out.extend(self.list(at).iter().rev());
        out.reverse();
    }
}

/// How a message is kept: bits below the number of its references.
mod bit {
    pub(super) const OWN: u64 = 1;
    pub(super) const REPLY: u64 = 2;
    pub(super) const CHAINED: u64 = 4;
    pub(super) const COUNT: u32 = 3;
}

impl Links {
    /// The hashes' key; for each message what it has, its references or the last one of a chain, its
    /// id: a zero for one that was not met before, or how far back it was; the hashes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.seeds.0.to_le_bytes());
        out.extend_from_slice(&self.seeds.1.to_le_bytes());
        let mut known = 0u32;
        let mut put = |out: &mut Vec<u8>, id: u32| {
            put_u64(out, u64::from(known.wrapping_sub(id)));
            known += u32::from(id == known);
        };
        for at in 0..self.len() {
            let own = self.own(at);
            let mut head = if own.is_some() { bit::OWN } else { 0 };
            head |= if self.is_reply(at) { bit::REPLY } else { 0 };
            match self.chained(at) {
                Some(before) => {
                    put_u64(out, head | bit::CHAINED);
                    self.own(before).into_iter().for_each(|id| put(out, id));
                }
                None => {
                    let list = self.list(at);
                    put_u64(out, head | (list.len() as u64) << bit::COUNT);
                    list.iter().for_each(|&id| put(out, id));
                }
            }
            own.into_iter().for_each(|id| put(out, id));
        }
        self.hashes.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
    }

    /// Reads them of so many messages.
    pub(crate) fn decode(reader: &mut Reader<'_>, messages: usize) -> Option<Self> {
        let seeds = [reader.array().ok()?, reader.array().ok()?].map(u64::from_le_bytes);
        let mut linker = Linker::new((seeds[0], seeds[1]));
        let links = &mut linker.links;
        let get = |reader: &mut Reader<'_>, owners: &mut Vec<u32>| {
            let known = owners.len() as u32;
            let id = known.checked_sub(reader.u32().ok()?).filter(|_| known < NO_ID)?;
            if id == known {
                owners.push(NOBODY);
            }
            Some(id)
        };
        for at in 0..messages {
            let head = reader.u64().ok()?;
            if head & bit::CHAINED != 0 {
                let last = get(reader, &mut linker.owners)?;
                links.heads.push(CHAINED | linker.owners[last as usize]);
                // Somebody has that id.
                Some(()).filter(|()| linker.owners[last as usize] < at as u32)?;
            } else if head >> bit::COUNT == 0 {
                links.heads.push(0);
            } else {
                links.heads.push(u32::try_from(links.lists.len()).ok().filter(|&n| n < CHAINED)?);
                links.lists.push(u32::try_from(head >> bit::COUNT).ok()?);
                for _ in 0..head >> bit::COUNT {
                    links.lists.push(get(reader, &mut linker.owners)?);
                }
            }
            let mut own = NO_ID;
            if head & bit::OWN != 0 {
                own = get(reader, &mut linker.owners)?;
                let owner = &mut linker.owners[own as usize];
                *owner = (*owner).min(at as u32);
            }
            links.own.push(own | if head & bit::REPLY != 0 { IS_REPLY } else { 0 });
        }
        let hashes = reader.take(linker.owners.len().checked_mul(8)?).ok()?;
        links.hashes = hashes.as_chunks().0.iter().map(|hash| u64::from_le_bytes(*hash)).collect();
        Some(linker.finish())
    }

    /// The references of a message that is not chained.
    fn list(&self, at: usize) -> &[u32] {
        let head = self.heads[at] as usize;
        let count = self.lists[head] as usize;
        &self.lists[head + 1..=head + count]
    }
}

/// Adds messages one by one.
pub(crate) struct Linker {
    links: Links,
    /// For each id the first message that has it, if any.
    owners: Vec<u32>,
    before: Vec<u32>,
}

const NOBODY: u32 = u32::MAX;

impl Linker {
    pub(crate) fn new(seeds: (u64, u64)) -> Self {
        Self { links: Links::new(seeds), owners: Vec::new(), before: Vec::new() }
    }

    /// The number of an id that has none yet.
    pub(crate) fn number(&mut self, hash: u64) -> u32 {
        self.links.hashes.push(hash);
        self.owners.push(NOBODY);
        self.links.hashes.len() as u32 - 1
    }

    fn owner(&self, id: u32) -> Option<usize> {
        self.owners.get(id as usize).filter(|&&owner| owner != NOBODY).map(|&owner| owner as usize)
    }

    /// The next message.
    pub(crate) fn push(&mut self, own: Option<u32>, is_reply: bool, references: &[u32]) {
        let at = self.links.own.len() as u32;
        let head = match self.like_one_before(references) {
            Some(before) => before | CHAINED,
            // No memory holds so many that they could not be numbered.
            None if references.is_empty() || self.links.lists.len() >= CHAINED as usize => 0,
            None => {
                let head = self.links.lists.len() as u32;
                self.links.lists.push(references.len() as u32);
                self.links.lists.extend_from_slice(references);
                head
            }
        };
        self.links.heads.push(head);
        let reply = if is_reply { IS_REPLY } else { 0 };
        self.links.own.push(own.unwrap_or(NO_ID) | reply);
        if let Some(owner) = own.and_then(|own| self.owners.get_mut(own as usize))
            && *owner == NOBODY
        {
            *owner = at;
        }
    }

    fn like_one_before(&mut self, references: &[u32]) -> Option<u32> {
        let (&last, others) = references.split_last()?;
        let before = self.owner(last)?;
        let mut of_it = std::mem::take(&mut self.before);
        self.links.references(before, &mut of_it);
        let is_alike = of_it == others;
        self.before = of_it;
        is_alike.then_some(before as u32)
    }

    pub(crate) fn finish(mut self) -> Links {
        self.links.hashes.shrink_to_fit();
        self.links.lists.shrink_to_fit();
        self.links
    }
}

/// What is known of new messages: hashes of their ids.
#[derive(Debug)]
pub(crate) struct NewLinks {
    pub(crate) seeds: (u64, u64),
    /// Own id, whether it is a reply, where its references end.
    messages: Vec<(Option<u64>, bool, usize)>,
    references: Vec<u64>,
}

impl NewLinks {
    pub(crate) fn new(seeds: (u64, u64)) -> Self {
        Self { seeds, messages: Vec::new(), references: Vec::new() }
    }

    pub(crate) fn push<'a>(
        &mut self,
        own: Option<&str>,
        is_reply: bool,
        references: impl Iterator<Item = &'a str>,
    ) {
        let hash = |id: &str| sip::hash(self.seeds, id.as_bytes());
        let own = own.map(hash);
        self.references.extend(references.map(hash));
        self.messages.push((own, is_reply, self.references.len()));
    }

    /// Puts messages together: for each in turn, its place in the old ones or the next new one.
    pub(crate) fn join(
        &self,
        old: Option<&Links>,
        order: impl Iterator<Item = Option<usize>>,
    ) -> Links {
        let mut linker = Linker::new(self.seeds);
        let mut ids = Ids {
            new: self.hashes().map(|hash| (hash, NO_ID)).collect(),
            old: vec![NO_ID; old.map_or(0, |old| old.hashes.len())],
        };
        let mut next = self.messages.iter();
        let mut from = 0;
        let mut references = Vec::new();
        for place in order {
            let (own, is_reply) = match (place, old) {
                (Some(at), Some(old)) => {
                    old.references(at, &mut references);
                    for id in &mut references {
                        *id = ids.of_old(&mut linker, old, *id);
                    }
                    let own = old.own(at).map(|own| ids.of_old(&mut linker, old, own));
                    (own, old.is_reply(at))
                }
                _ => {
                    let Some(&(own, is_reply, to)) = next.next() else { break };
                    references.clear();
                    for &hash in &self.references[from..to] {
                        references.push(ids.of_new(&mut linker, hash));
                    }
                    from = to;
                    (own.map(|hash| ids.of_new(&mut linker, hash)), is_reply)
                }
            };
            linker.push(own, is_reply, &references);
        }
        linker.finish()
    }

    fn hashes(&self) -> impl Iterator<Item = u64> + '_ {
        let own = self.messages.iter().filter_map(|&(own, ..)| own);
        own.chain(self.references.iter().copied())
    }
}

/// Numbers that ids were given: by the hashes of those that new messages have, and by their old
/// numbers.
struct Ids {
    new: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    old: Vec<u32>,
}

impl Ids {
    fn of_new(&mut self, linker: &mut Linker, hash: u64) -> u32 {
        let number = self.new.entry(hash).or_insert(NO_ID);
        if *number == NO_ID {
            *number = linker.number(hash);
        }
        *number
    }

    fn of_old(&mut self, linker: &mut Linker, links: &Links, id: u32) -> u32 {
        if self.old[id as usize] == NO_ID {
            let hash = links.hashes[id as usize];
            self.old[id as usize] = match self.new.contains_key(&hash) {
                true => self.of_new(linker, hash),
                false => linker.number(hash),
            };
        }
        self.old[id as usize]
    }
}

/// What is hashed already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
