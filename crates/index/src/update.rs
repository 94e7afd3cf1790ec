//! Building: what is new is read and written in batches, small segments become larger ones, and
//! those of expunged messages shrink.

use std::collections::HashSet;
use std::sync::Arc;

use base::{AccountId, EmailId, ModSeq};
use bytes::Bytes;
use mailbox::{Account, Position};
use storage::{Error, Task};

use crate::Library;
use crate::build::Builder;
use crate::gram::{Document, Extractor};
use crate::mark;
use crate::merge::{Merge, Merged};
use crate::segment::{DOCUMENTS_MAX, Head};
use crate::shelf::{Catalogue, Shelf, read};

/// So many segments of about one size become one.
const MERGED_AT_ONCE: usize = 4;
/// Messages that are read together, between two looks at the time: some milliseconds of work.
const STEP_MESSAGES: usize = 64;
/// Bytes of these. A larger message is read in pieces.
const STEP_BYTES: u32 = 256 * 1024;

/// How far an update is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Messages indexed.
    pub done: usize,
    /// Messages that were not indexed when it began.
    pub total: usize,
    /// Bytes of the messages that were read.
    pub bytes: u64,
}

/// Called between the steps of an update, each some milliseconds of work: rests as long as it takes
/// to keep within a budget. False ends the update; what it has read is kept.
pub type Pause<'p> = dyn FnMut(Progress) -> Task<'static, bool> + Send + 'p;

/// What there is of an account's index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Messages that are indexed; of equal ones, one.
    pub indexed: usize,
    /// Messages that are not indexed yet: searches read them.
    pub waiting: usize,
    /// Messages that are damaged.
    pub unreadable: usize,
    /// Messages that segments hold, with those that were expunged since.
    pub documents: usize,
    /// Files.
    pub segments: usize,
    /// Bytes of these.
    pub index_bytes: u64,
    /// Bytes of the documents' folded texts.
    pub text_bytes: u64,
    /// Bytes of memory that are held to use the index.
    pub memory_bytes: u64,
    /// The log up to here is indexed, as told on the disk.
    pub upto: Option<ModSeq>,
}

struct Message {
    id: EmailId,
    position: Position,
    size: u32,
}

/// What there is to do.
struct Survey {
    missing: Vec<Message>,
    /// Documents that a message of the account still has, as bits.
    used: Vec<u64>,
    /// Messages that could not be read.
    unreadable: usize,
}

impl Library {
    /// Indexes what of `state` is missing, if that is at least `least` messages, and merges. Returns
    /// how many messages were indexed.
    pub async fn update(
        &self,
        account: AccountId,
        state: &Account,
        least: usize,
        pause: &mut Pause<'_>,
    ) -> Result<Progress, Error> {
        let shelf = self.shelf(account);
        let mut unreadable = shelf.writing.lock().await;
        let catalogue = shelf.catalogue(&*self.storage, self.fingerprint).await?;
        let missing = survey(&catalogue, state, &unreadable).missing;
        let mut progress = Progress { total: missing.len(), ..Progress::default() };
        if missing.len() >= least.max(1) {
            let all = self.add_all(&shelf, missing, &mut unreadable, &mut progress, pause);
            if !all.await? {
                return Ok(progress);
            }
        }
        loop {
            let catalogue = shelf.catalogue(&*self.storage, self.fingerprint).await?;
            let used = survey(&catalogue, state, &unreadable).used;
            let Some(chosen) = choose(&catalogue, &used) else {
                if progress.done == progress.total {
                    self.mark(account, state.head(), &catalogue).await?;
                }
                return Ok(progress);
            };
            let what = (&*catalogue, &chosen[..], &used[..]);
            if !self.merge(&shelf, what, &mut progress, pause).await? || !pause(progress).await {
                return Ok(progress);
            }
        }
    }

    /// Drops the index of an account; searches scan until it is built again.
    pub async fn clear(&self, account: AccountId) -> Result<(), Error> {
        let shelf = self.shelf(account);
        let mut unreadable = shelf.writing.lock().await;
        unreadable.clear();
        let catalogue = shelf.catalogue(&*self.storage, self.fingerprint).await?;
        let names: Vec<String> =
            catalogue.segments.iter().map(|segment| segment.name.clone()).collect();
        shelf.change(&names, Vec::new()).await;
        for name in names {
            self.storage.cache_remove(account, &name).await?;
        }
        self.storage.cache_remove(account, mark::NAME).await
    }

    /// What there is of the index of an account whose messages are those of `state`.
    pub async fn status(&self, account: AccountId, state: &Account) -> Result<Status, Error> {
        let shelf = self.shelf(account);
        let catalogue = shelf.catalogue(&*self.storage, self.fingerprint).await?;
        // Whoever indexes at the moment holds them for long.
        let unreadable = shelf.writing.try_lock().map(|held| held.clone()).unwrap_or_default();
        let survey = survey(&catalogue, state, &unreadable);
        let indexed = survey.used.iter().map(|word| word.count_ones() as usize).sum();
        let heads = || catalogue.segments.iter().map(|segment| &segment.head);
        Ok(Status {
            indexed,
            waiting: survey.missing.len(),
            unreadable: survey.unreadable,
            documents: heads().map(|head| head.documents as usize).sum(),
            segments: catalogue.segments.len(),
            index_bytes: heads().map(Head::file_bytes).sum(),
            text_bytes: heads().map(|head| head.text_bytes).sum(),
            memory_bytes: catalogue.memory_bytes() as u64,
            upto: mark::read(&*self.storage, account, self.fingerprint).await?,
        })
    }

    /// Whether everything of an account whose log ends at `head` is known to be indexed: the account
    /// need not be loaded to find out.
    pub async fn is_complete(&self, account: AccountId, head: ModSeq) -> Result<bool, Error> {
        let upto = mark::read(&*self.storage, account, self.fingerprint).await?;
        Ok(upto == Some(head))
    }

    async fn mark(
        &self,
        account: AccountId,
        head: ModSeq,
        catalogue: &Catalogue,
    ) -> Result<(), Error> {
        if self.is_complete(account, head).await? {
            return Ok(());
        }
        let names = catalogue.segments.iter().map(|segment| segment.name.clone());
        let bytes = mark::encode(head, self.fingerprint, &names.collect::<Vec<_>>());
        self.storage.cache_write(account, mark::NAME, bytes.into()).await
    }

    /// False: it was told to end.
    async fn add_all(
        &self,
        shelf: &Shelf,
        missing: Vec<Message>,
        unreadable: &mut HashSet<EmailId>,
        progress: &mut Progress,
        pause: &mut Pause<'_>,
    ) -> Result<bool, Error> {
        let mut extractor = Extractor::new();
        let mut builder = Builder::default();
        let mut rest = &missing[..];
        while !rest.is_empty() {
            let (step, others) = rest.split_at(step_messages(rest));
            rest = others;
            // Each wait for the storage costs as much as indexing a fifth of a message.
            let mut together = match step.len() {
                1 => Vec::new(),
                _ => {
                    let at = step.iter().map(|message| message.position).collect();
                    self.storage.messages(shelf.account, at).await
                }
            }
            .into_iter();
            for message in step {
                let read;
                (read, extractor) = match together.next() {
                    Some(bytes) => self.take(bytes, extractor),
                    None => self.read(shelf.account, message.position, extractor).await,
                };
                match read {
                    Ok(document) => builder.add(message.id, &document),
                    Err(Error::Damaged(why)) => {
                        let account = shelf.account;
                        tracing::warn!(%account, id = %message.id, why, "message not indexed");
                        unreadable.insert(message.id);
                    }
                    Err(error) => return Err(error),
                }
                progress.done += 1;
                progress.bytes += u64::from(message.size);
                if builder.is_full() {
                    self.write(shelf, std::mem::take(&mut builder)).await?;
                }
            }
            if !pause(*progress).await {
                self.write(shelf, builder).await?;
                return Ok(false);
            }
        }
        self.write(shelf, builder).await?;
        Ok(true)
    }

    fn take(
        &self,
        message: Result<Bytes, Error>,
        extractor: Extractor,
    ) -> (Result<Document, Error>, Extractor) {
        let bytes = match message {
            Ok(bytes) => bytes,
            Err(error) => return (Err(error), extractor),
        };
        let mut reader = extractor.read(&self.limits, self.documents.clone());
        reader.feed(&bytes);
        let mut extractor = reader.finish();
        (Ok(extractor.document()), extractor)
    }

    async fn read(
        &self,
        account: AccountId,
        at: Position,
        extractor: Extractor,
    ) -> (Result<Document, Error>, Extractor) {
        let mut reader = extractor.read(&self.limits, self.documents.clone());
        let fed = async {
            let mut message = self.storage.open(account, at).await?;
            // To the end, because what is damaged is known only there.
            while let Some(bytes) = message.next().await? {
                reader.feed(&bytes);
            }
            Ok(())
        }
        .await;
        let mut extractor = reader.finish();
        let document = extractor.document();
        (fed.map(|()| document), extractor)
    }

    async fn write(&self, shelf: &Shelf, builder: Builder) -> Result<(), Error> {
        if builder.is_empty() {
            return Ok(());
        }
        let catalogue = shelf.catalogue(&*self.storage, self.fingerprint).await?;
        let name = catalogue.next_name();
        let bytes = builder.finish(self.fingerprint);
        self.storage.cache_write(shelf.account, &name, bytes).await?;
        let new = read(&*self.storage, shelf.account, &name, self.fingerprint).await?;
        shelf.change(&[], new.into_iter().collect()).await;
        Ok(())
    }

    /// False: it was told to end.
    async fn merge(
        &self,
        shelf: &Shelf,
        (catalogue, chosen, used): (&Catalogue, &[usize], &[u64]),
        progress: &mut Progress,
        pause: &mut Pause<'_>,
    ) -> Result<bool, Error> {
        let segments: Vec<_> =
            chosen.iter().map(|&nth| Arc::clone(&catalogue.segments[nth])).collect();
        let names: Vec<String> = segments.iter().map(|segment| segment.name.clone()).collect();
        let place = (&*self.storage, shelf.account, self.fingerprint);
        let merge = Merge::new(place, segments, catalogue.ids.entries(), |doc| is_set(used, doc));
        let name = catalogue.next_name();
        let mut new = None;
        if !merge.documents.is_empty() {
            match merge.run(&name, progress, pause).await? {
                Merged::Done => {
                    new = read(&*self.storage, shelf.account, &name, self.fingerprint).await?
                }
                Merged::Damaged(segment) => {
                    self.drop_segment(shelf, &segment).await;
                    return Ok(true);
                }
                Merged::Ended => return Ok(false),
            }
        }
        drop(merge);
        shelf.change(&names, new.into_iter().collect()).await;
        for name in names {
            self.storage.cache_remove(shelf.account, &name).await?;
        }
        Ok(true)
    }
}

/// How many messages are read together next.
fn step_messages(rest: &[Message]) -> usize {
    let mut bytes = 0u32;
    let fits = |message: &&Message| {
        bytes = bytes.saturating_add(message.size);
        bytes <= STEP_BYTES
    };
    rest.iter().take(STEP_MESSAGES).take_while(fits).count().max(1)
}

fn survey(catalogue: &Catalogue, state: &Account, unreadable: &HashSet<EmailId>) -> Survey {
    let used = vec![0; catalogue.words()];
    let mut survey = Survey { missing: Vec::new(), used, unreadable: 0 };
    let mut seen = HashSet::new();
    for row in state.mailboxes().flat_map(|info| info.mailbox.rows()) {
        match catalogue.ids.find(row.email_id) {
            Some(doc) => survey.used[(doc / 64) as usize] |= 1 << (doc % 64),
            None if !seen.insert(row.email_id) => {}
            None if unreadable.contains(&row.email_id) => survey.unreadable += 1,
            None => {
                let (id, position, size) = (row.email_id, row.position, row.size);
                survey.missing.push(Message { id, position, size });
            }
        }
    }
    survey
}

fn is_set(bits: &[u64], at: u32) -> bool {
    bits.get((at / 64) as usize).is_some_and(|word| word >> (at % 64) & 1 == 1)
}

/// The segments to be merged next: one that is mostly unused, or some of about one size.
fn choose(catalogue: &Catalogue, used: &[u64]) -> Option<Vec<usize>> {
    let mut tiers: [Vec<usize>; 16] = Default::default();
    for (nth, segment) in catalogue.segments.iter().enumerate() {
        let documents = segment.head.documents;
        let in_use = (segment.base..segment.base + documents).filter(|&doc| is_set(used, doc));
        if in_use.count() < documents.div_ceil(2) as usize {
            return Some(vec![nth]);
        }
        // A tier is four times as large as the one below.
        let tier = (documents.max(64).ilog2() / 2) as usize;
        if let Some(tier) = tiers.get_mut(tier) {
            tier.push(nth);
        }
    }
    tiers.into_iter().find_map(|tier| {
        let mut documents = 0;
        let fits = |&&nth: &&usize| {
            documents += catalogue.segments[nth].head.documents;
            documents <= DOCUMENTS_MAX
        };
        let chosen: Vec<usize> =
            tier.iter().take_while(fits).take(MERGED_AT_ONCE).copied().collect();
        (chosen.len() == MERGED_AT_ONCE).then_some(chosen)
    })
}
