//! The segments of one account.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{AccountId, EmailId, MailboxId};
use mailbox::Mailbox;
use storage::{Error, Storage};

use crate::ids::Ids;
use crate::mark;
use crate::places::Places;
use crate::segment::{FIXED_BYTES, Fixed, Head};
use crate::survey::Kept;

/// Ends the names of segments.
const SUFFIX: &str = ".seg";

/// A segment that is ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) head: Arc<Head>,
    /// Of its documents, numbered from 0.
    pub(crate) ids: Arc<Ids>,
    /// The number of its first document among those of all segments; a multiple of 64.
    pub(crate) base: u32,
}

/// The segments at one moment. It never changes; what comes after it is another one, which shares
/// with it what is large.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    pub(crate) segments: Vec<Arc<Segment>>,
    /// Places in `segments`, the largest first: most documents are found at once.
    by_size: Vec<usize>,
    /// In the name of the next segment.
    next: u64,
    /// As long as it is the same, documents keep their numbers.
    pub(crate) epoch: u64,
    /// How often documents were lost, not merged.
    pub(crate) losses: u64,
}

/// A segment just read or written.
pub(crate) struct New {
    pub(crate) name: String,
    pub(crate) head: Head,
    pub(crate) ids: Ids,
}

impl Catalogue {
    /// What is there without the segments named `without`, and with `new` ones.
    pub(crate) fn with(&self, without: &[String], new: Vec<New>) -> Self {
        let mut segments = Vec::new();
        let mut base = 0u32;
        for segment in self.segments.iter().filter(|segment| !without.contains(&segment.name)) {
            segments.push(Arc::clone(segment).at(base));
            base += segment.head.documents.next_multiple_of(64);
        }
        let mut next = self.next;
        for New { name, head, ids } in new {
            next = next.max(number(&name).map_or(0, |number| number.saturating_add(1)));
            let documents = head.documents;
            let (head, ids) = (Arc::new(head), Arc::new(ids));
            segments.push(Arc::new(Segment { name, head, ids, base }));
            base += documents.next_multiple_of(64);
        }
        let mut by_size: Vec<usize> = (0..segments.len()).collect();
        by_size.sort_by_key(|&nth| std::cmp::Reverse(segments[nth].head.documents));
        let epoch = self.epoch + u64::from(!without.is_empty());
        Self { segments, by_size, next, epoch, losses: self.losses }
    }

    /// The segment that has this content, and its number there.
    pub(crate) fn find_in(&self, id: EmailId) -> Option<(usize, u32)> {
        self.by_size.iter().find_map(|&nth| Some((nth, self.segments[nth].ids.find(id)?)))
    }

    /// The number of the document with this content.
    pub(crate) fn find(&self, id: EmailId) -> Option<u32> {
        self.find_in(id).map(|(nth, doc)| self.segments[nth].base + doc)
    }

    /// How many documents there are.
    pub(crate) fn documents(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.head.documents)).sum()
    }

    /// The name of the next segment.
    pub(crate) fn next_name(&self) -> String {
        format!("{:016x}{SUFFIX}", self.next)
    }

    /// Words of bits for all documents.
    pub(crate) fn words(&self) -> usize {
        self.end().div_ceil(64) as usize
    }

    /// Behind the number of the last document.
    pub(crate) fn end(&self) -> u32 {
        self.segments.last().map_or(0, |last| last.base + last.head.documents)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let each =
            |segment: &Arc<Segment>| segment.head.memory_bytes() + segment.ids.memory_bytes();
        self.segments.iter().map(each).sum()
    }
}

impl Segment {
    fn at(self: Arc<Self>, base: u32) -> Arc<Self> {
        if self.base == base {
            return self;
        }
        Arc::new(Self { base, ..Self::clone(&self) })
    }
}

fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// The segments of an account, loaded when they are needed.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) account: AccountId,
    catalogue: async_lock::Mutex<Option<Arc<Catalogue>>>,
    /// Held by whoever writes segments.
    pub(crate) writing: async_lock::Mutex<Kept>,
    /// Of mailboxes that were searched.
    places: Mutex<HashMap<MailboxId, Arc<Places>>>,
}

impl Shelf {
    pub(crate) fn new(account: AccountId) -> Self {
        let (catalogue, writing) = Default::default();
        Self { account, catalogue, writing, places: Mutex::default() }
    }

    /// The segments. What is no segment, or is damaged, is removed.
    pub(crate) async fn catalogue(
        &self,
        storage: &dyn Storage,
        fingerprint: u32,
    ) -> Result<Arc<Catalogue>, Error> {
        let mut held = self.catalogue.lock().await;
        if let Some(catalogue) = &*held {
            return Ok(Arc::clone(catalogue));
        }
        let mut names = storage.cache_list(self.account).await?;
        names.retain(|name| name != mark::NAME && !mark::is_foreign(name));
        names.sort_unstable();
        let mut found = Vec::new();
        for name in names {
            let new = match number(&name) {
                Some(_) => read(storage, self.account, &name, fingerprint).await?,
                None => None,
            };
            match new {
                Some(new) => found.push(new),
                None => {
                    tracing::warn!(account = %self.account, name, "not usable for search; removed");
                    storage.cache_remove(self.account, &name).await?;
                }
            }
        }
        let catalogue = Arc::new(Catalogue::default().with(&[], found));
        *held = Some(Arc::clone(&catalogue));
        Ok(catalogue)
    }

    /// Takes segments out and puts new ones in. Their files are written before and removed after.
    pub(crate) async fn change(&self, without: &[String], new: Vec<New>) -> Arc<Catalogue> {
        let mut held = self.catalogue.lock().await;
        let before = held.take().unwrap_or_default();
        let after = Arc::new(before.with(without, new));
        *held = Some(Arc::clone(&after));
        after
    }

    /// Takes segments out whose documents no other one has.
    pub(crate) async fn lose(&self, names: &[String]) {
        let mut held = self.catalogue.lock().await;
        let before = held.take().unwrap_or_default();
        let losses = before.losses + 1;
        *held = Some(Arc::new(Catalogue { losses, ..before.with(names, Vec::new()) }));
    }

    /// Which documents the messages of a mailbox are.
    pub(crate) fn places(
        &self,
        catalogue: &Catalogue,
        id: MailboxId,
        mailbox: &Mailbox,
    ) -> Arc<Places> {
        let kept = self.lock_places().get(&id).cloned();
        let places = match kept {
            Some(places) if places.is_current(catalogue, mailbox) => return places,
            Some(places) => Arc::unwrap_or_clone(places).brought_up(catalogue, mailbox),
            None => Places::new(catalogue, mailbox),
        };
        let places = Arc::new(places);
        self.lock_places().insert(id, Arc::clone(&places));
        places
    }

    fn lock_places(&self) -> MutexGuard<'_, HashMap<MailboxId, Arc<Places>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of memory, if nobody uses it at the moment.
    pub(crate) fn memory_bytes(&self) -> Option<usize> {
        let held = self.catalogue.try_lock()?;
        let places: usize = self.lock_places().values().map(|places| places.memory_bytes()).sum();
        Some(places + held.as_ref().map_or(0, |catalogue| catalogue.memory_bytes()))
    }
}

/// Reads a segment's head; `None` if there is none to be used.
pub(crate) async fn read(
    storage: &dyn Storage,
    account: AccountId,
    name: &str,
    fingerprint: u32,
) -> Result<Option<New>, Error> {
    let parts = async |ranges: Vec<Range<u64>>| storage.cache_read(account, name, ranges).await;
    let fixed = parts(std::iter::once(0..FIXED_BYTES as u64).collect()).await?;
    let fixed = fixed.and_then(|parts| Fixed::decode(parts.first()?, fingerprint));
    let Some(fixed) = fixed else { return Ok(None) };
    let read = parts(vec![fixed.ids(), fixed.table()]).await?;
    let head = read.and_then(|parts| match &parts[..] {
        [ids, table] => Head::decode(fixed, ids, table),
        _ => None,
    });
    Ok(head.map(|(head, ids)| New { name: name.to_owned(), head, ids }))
}
