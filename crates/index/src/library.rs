//! The indexes of all accounts, and what a search asks of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use base::{AccountId, EmailId, Limits, MailboxId, UidSet};
use bytes::Bytes;
use futures_util::future::join_all;
use mailbox::Mailbox;
use message::search::{Documents, Want};
use storage::{Error, Storage};

use crate::query::{Bits, Query};
use crate::shelf::{Catalogue, Segment, Shelf};

/// Memory for heads and EMAILIDs of accounts that were searched or indexed; the account that was
/// used last stays whatever it takes: about 30 bytes a message.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Segments that are merged while they are asked are asked again, so many times in all.
const ATTEMPTS: usize = 3;
/// Questions of one search that are narrowed: an answer takes a bit a message, and what is read for
/// it up to 100 KiB of each segment.
const QUESTIONS_MAX: usize = 32;

/// The indexes of all accounts.
pub struct Library {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) limits: Limits,
    pub(crate) documents: Option<Arc<dyn Documents>>,
    /// Segments made with other limits hold other texts.
    pub(crate) fingerprint: u32,
    shelves: Mutex<Shelves>,
    /// Accounts that lost a part of their index.
    damaged: Mutex<HashSet<AccountId>>,
}

#[derive(Default)]
struct Shelves {
    by_account: HashMap<AccountId, (Arc<Shelf>, u64)>,
    clock: u64,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

impl Library {
    /// The indexes that `storage` caches. `limits` and `documents` are those that messages are scanned
    /// with.
    pub fn new(
        storage: Arc<dyn Storage>,
        limits: &Limits,
        documents: Option<Arc<dyn Documents>>,
    ) -> Arc<Self> {
        let fingerprint = fingerprint(limits, documents.as_deref());
        let (limits, shelves) = (limits.clone(), Mutex::default());
        let damaged = Mutex::default();
        Arc::new(Self { storage, limits, documents, fingerprint, shelves, damaged })
    }

    /// The accounts of which a part of the index was found damaged and dropped since this was asked
    /// last: an update makes it again.
    pub fn take_damaged(&self) -> Vec<AccountId> {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.drain().collect()
    }

    pub(crate) fn shelf(&self, account: AccountId) -> Arc<Shelf> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.clock += 1;
        let now = shelves.clock;
        let new = || (Arc::new(Shelf::new(account)), now);
        let (shelf, used) = shelves.by_account.entry(account).or_insert_with(new);
        *used = now;
        let shelf = Arc::clone(shelf);
        shelves.shrink();
        shelf
    }

    /// The messages of a mailbox that may match each of `wants`: `None` for all. An index that cannot
    /// be read is logged, and narrows nothing.
    pub async fn candidates(
        &self,
        account: AccountId,
        (id, mailbox): (MailboxId, &Mailbox),
        wants: &[Want],
    ) -> Vec<Option<UidSet>> {
        let Answers { catalogue, bits } = self.ask(account, wants).await;
        if bits.iter().all(Option::is_none) {
            return vec![None; wants.len()];
        }
        let places = self.shelf(account).places(&catalogue, id, mailbox);
        let mut found: Vec<Option<UidSet>> =
            bits.iter().map(|bits| bits.as_ref().map(|bits| places.of(bits))).collect();
        found.resize(wants.len(), None);
        found
    }

    /// Asks which messages of `account` may match each of `wants`. An index that cannot be read is
    /// logged, and narrows nothing.
    pub async fn ask(&self, account: AccountId, wants: &[Want]) -> Answers {
        let nothing = || Answers { catalogue: Arc::default(), bits: vec![None; wants.len()] };
        let queries: Vec<Query> = wants.iter().take(QUESTIONS_MAX).map(Query::new).collect();
        if !queries.iter().any(Query::narrows) {
            return nothing();
        }
        let shelf = self.shelf(account);
        for attempt in 0..ATTEMPTS {
            let catalogue = match shelf.catalogue(&*self.storage, self.fingerprint).await {
                Ok(catalogue) => catalogue,
                Err(error) => {
                    tracing::warn!(%account, %error, "the text index cannot be read");
                    return nothing();
                }
            };
            let (bits, is_stale) = self.ask_all(&shelf, &catalogue, &queries).await;
            if !is_stale || attempt + 1 == ATTEMPTS {
                return Answers { catalogue, bits };
            }
        }
        nothing()
    }

    /// The answers, and whether a segment was merged with others in the meantime.
    async fn ask_all(
        &self,
        shelf: &Shelf,
        catalogue: &Catalogue,
        queries: &[Query],
    ) -> (Vec<Option<Bits>>, bool) {
        let (account, words) = (shelf.account, catalogue.words());
        let mut bits: Vec<Option<Bits>> =
            queries.iter().map(|query| query.narrows().then(|| vec![u64::MAX; words])).collect();
        let ask = |segment| self.ask_segment(account, segment, queries);
        let answers = join_all(catalogue.segments.iter().map(|segment| ask(segment))).await;
        let mut is_stale = false;
        for (segment, answers) in catalogue.segments.iter().zip(answers) {
            match answers {
                Ok(Some(answers)) => {
                    let at = (segment.base / 64) as usize;
                    for (bits, answer) in bits.iter_mut().zip(answers) {
                        if let (Some(bits), Some(answer)) = (bits, answer) {
                            bits[at..at + answer.len()].copy_from_slice(&answer);
                        }
                    }
                }
                Ok(None) => is_stale |= !self.drop_segment(shelf, segment).await,
                Err(error) => tracing::warn!(%account, %error, "the text index cannot be read"),
            }
        }
        (bits, is_stale)
    }

    /// `None`: the segment is damaged, or was merged with others in the meantime.
    async fn ask_segment(
        &self,
        account: AccountId,
        segment: &Segment,
        queries: &[Query],
    ) -> Result<Option<Vec<Option<Bits>>>, Error> {
        let mut blocks = Vec::new();
        queries.iter().for_each(|query| query.blocks(&segment.head, &mut blocks));
        blocks.sort_unstable();
        blocks.dedup();
        let places = blocks.iter().map(|&block| segment.head.place(block)).collect();
        let read = self.storage.cache_read(account, &segment.name, places).await?;
        let Some(read) = read else { return Ok(None) };
        let block = |at: usize| {
            let nth = blocks.binary_search(&at).ok()?;
            read.get(nth).map(Bytes::as_ref)
        };
        let answer = |query: &Query| match query.narrows() {
            true => query.answer(&segment.head, block).map(Some),
            false => Some(None),
        };
        Ok(queries.iter().map(answer).collect())
    }

    /// Drops a segment that cannot be used. False: it was gone already.
    pub(crate) async fn drop_segment(&self, shelf: &Shelf, segment: &Segment) -> bool {
        let catalogue = shelf.catalogue(&*self.storage, self.fingerprint).await;
        let is_there = |catalogue: Arc<Catalogue>| {
            catalogue.segments.iter().any(|other| other.name == segment.name)
        };
        if !catalogue.is_ok_and(is_there) {
            return false;
        }
        let (account, name) = (shelf.account, segment.name.clone());
        tracing::warn!(%account, name, "part of the text index is damaged; removed");
        shelf.lose(std::slice::from_ref(&name)).await;
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).insert(account);
        if let Err(error) = self.storage.cache_remove(account, &name).await {
            tracing::warn!(%account, name, %error, "cannot be removed");
        }
        true
    }
}

impl Shelves {
    /// Lets go of what was not used longest.
    fn shrink(&mut self) {
        let sizes = self.by_account.iter().filter_map(|(&account, (shelf, used))| {
            let bytes = shelf.memory_bytes()? + size_of::<Shelf>();
            Some((*used, account, bytes, Arc::strong_count(shelf) == 1))
        });
        let mut sizes: Vec<_> = sizes.collect();
        let mut bytes: usize = sizes.iter().map(|&(_, _, bytes, _)| bytes).sum();
        sizes.sort_unstable();
        for (_, account, size, idle) in sizes {
            if bytes > MEMORY_BYTES_MAX && idle {
                self.by_account.remove(&account);
                bytes -= size;
            }
        }
    }
}

/// What a message's texts depend on.
fn fingerprint(limits: &Limits, documents: Option<&dyn Documents>) -> u32 {
    let Limits { mime_parts_max, mime_depth_max, header_bytes_max, parameters_max, .. } = limits;
    let text = format!("{mime_parts_max} {mime_depth_max} {header_bytes_max} {parameters_max}");
    let text = match documents {
        Some(documents) => format!("{text} {} {}", limits.document_bytes_max, documents.version()),
        None => text,
    };
    crc32c::crc32c(text.as_bytes())
}

/// Which messages may match.
#[derive(Debug)]
pub struct Answers {
    catalogue: Arc<Catalogue>,
    bits: Vec<Option<Bits>>,
}

impl Answers {
    /// Whether the message certainly does not match the `nth` question.
    pub fn excludes(&self, nth: usize, id: EmailId) -> bool {
        match self.place(id) {
            Some(place) => self.excludes_at(nth, place),
            None => false,
        }
    }

    /// Where the answers for a message are, for [`Answers::excludes_at`]; `None` if it is not
    /// indexed.
    pub fn place(&self, id: EmailId) -> Option<u32> {
        self.catalogue.find(id)
    }

    /// As [`Answers::excludes`], for a place.
    pub fn excludes_at(&self, nth: usize, place: u32) -> bool {
        let Some(Some(bits)) = self.bits.get(nth) else { return false };
        bits.get((place / 64) as usize).is_some_and(|word| word >> (place % 64) & 1 == 0)
    }
}
