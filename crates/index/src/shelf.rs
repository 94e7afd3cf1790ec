//! The segments of one account.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{AccountId, EmailId, MailboxId};
use mailbox::Mailbox;
use storage::{Error, Storage};

use crate::ids::Ids;
use crate::mark;
use crate::places::Places;
use crate::segment::{FIXED_BYTES, Fixed, Head};

/// Ends the names of segments.
const SUFFIX: &str = ".seg";

/// A segment that is ready to be asked.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) head: Head,
    /// The number of its first document among those of all segments; a multiple of 64.
    pub(crate) base: u32,
}

/// The segments at one moment. It never changes; what comes after it is another one.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) ids: Ids,
    /// In the name of the next segment.
    next: u64,
    /// As long as it is the same, documents keep their numbers.
    pub(crate) epoch: u64,
}

/// A segment just read or written.
pub(crate) struct New {
    pub(crate) name: String,
    pub(crate) head: Head,
    pub(crate) ids: Vec<EmailId>,
}

impl Catalogue {
    /// What is there without the segments named `without`, and with `new` ones.
    pub(crate) fn with(&self, without: &[String], new: Vec<New>) -> Self {
        let mut segments = Vec::new();
        let mut ids = Vec::with_capacity(self.ids.entries().len());
        let mut moved = Vec::new();
        let mut base = 0u32;
        for segment in self.segments.iter().filter(|segment| !without.contains(&segment.name)) {
            moved.push((segment.base..segment.base + segment.head.documents, base));
            // A head is large: the same one stands at another place.
            segments.push((Arc::clone(segment), base));
            base += segment.head.documents.next_multiple_of(64);
        }
        for &(id, doc) in self.ids.entries() {
            if let Some((range, to)) = moved.iter().find(|(range, _)| range.contains(&doc)) {
                ids.push((id, doc - range.start + to));
            }
        }
        let mut segments: Vec<Arc<Segment>> =
            segments.into_iter().map(|(segment, base)| segment.at(base)).collect();
        let mut next = self.next;
        for New { name, head, ids: new } in new {
            let from = ids.len();
            ids.extend((base..).zip(&new).map(|(doc, id)| (id.0, doc)));
            ids[from..].sort_unstable();
            next = next.max(number(&name).map_or(0, |number| number.saturating_add(1)));
            let documents = head.documents;
            segments.push(Arc::new(Segment { name, head, base }));
            base += documents.next_multiple_of(64);
        }
        let epoch = self.epoch + u64::from(!without.is_empty());
        Self { segments, ids: Ids::new(ids), next, epoch }
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
        let heads: usize = self.segments.iter().map(|segment| segment.head.memory_bytes()).sum();
        heads + self.ids.memory_bytes()
    }
}

impl Segment {
    fn at(self: Arc<Self>, base: u32) -> Arc<Self> {
        if self.base == base {
            return self;
        }
        let (name, head) = (self.name.clone(), self.head.clone());
        Arc::new(Self { name, head, base })
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
    pub(crate) writing: async_lock::Mutex<HashSet<EmailId>>,
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
