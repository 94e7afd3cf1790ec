//! Building: what is new is read and written in batches, small segments become larger ones, and
//! those of expunged messages shrink.

use std::sync::Arc;

use base::{AccountId, ModSeq};
use mailbox::Account;
use storage::{Error, Task};

use crate::Library;
use crate::add::Adding;
use crate::mark;
use crate::merge::{Merge, Merged};
use crate::segment::{DOCUMENTS_MAX, Head};
use crate::shelf::{Catalogue, Shelf, read};
use crate::survey::{self, Used};

/// So many segments of about one size become one; more if there are more.
const MERGED_AT_ONCE: usize = 4;
/// At most so many: each needs memory for a piece of it.
pub(crate) const MERGED_MAX: usize = 16;

/// How far an update is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Messages indexed, equal ones with the first of them.
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
    /// Messages that are not indexed yet, each of equal ones: searches read them.
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

impl Library {
    /// Indexes what of `state` is missing, if that is at least `least` messages, and merges. Returns
    /// how many messages were indexed. What grows with the account, not with what is new in it, is done
    /// by the first update after a start, after a damage, and when many messages are gone.
    pub async fn update(
        &self,
        account: AccountId,
        state: &Account,
        least: usize,
        pause: &mut Pause<'_>,
    ) -> Result<Progress, Error> {
        let shelf = self.shelf(account);
        let mut kept = shelf.writing.lock().await;
        let catalogue = shelf.catalogue(&*self.storage, self.fingerprint).await?;
        let losses = catalogue.losses;
        let Some(survey) = kept.survey(&catalogue, state) else { return Ok(Progress::default()) };
        let mut progress = Progress { total: survey.missing, ..Progress::default() };
        if survey.missing >= least.max(1) {
            let adding = Adding::new((self, &shelf, catalogue), (&mut kept, &survey.used));
            if !adding.all(state, &mut progress, pause).await? {
                return Ok(progress);
            }
        }
        let used = &survey.used;
        while self.merge_some(&shelf, (used, MERGED_AT_ONCE), &mut progress, pause).await? {
            if !pause(progress).await {
                return Ok(progress);
            }
        }
        let catalogue = shelf.catalogue(&*self.storage, self.fingerprint).await?;
        if progress.done == progress.total && catalogue.losses == losses {
            self.mark(account, state.head(), &catalogue).await?;
        }
        Ok(progress)
    }

    /// Drops the index of an account; searches scan until it is built again.
    pub async fn clear(&self, account: AccountId) -> Result<(), Error> {
        let shelf = self.shelf(account);
        let mut kept = shelf.writing.lock().await;
        kept.forget();
        let catalogue = shelf.catalogue(&*self.storage, self.fingerprint).await?;
        let names: Vec<String> =
            catalogue.segments.iter().map(|segment| segment.name.clone()).collect();
        shelf.lose(&names).await;
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
        let kept = shelf.writing.try_lock();
        let counts = survey::count(&catalogue, state, kept.as_deref());
        let heads = || catalogue.segments.iter().map(|segment| &*segment.head);
        Ok(Status {
            indexed: counts.indexed,
            waiting: counts.waiting,
            unreadable: counts.unreadable,
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

    /// Merges segments of about one size where there are `least` of it, or shrinks one that is mostly
    /// of messages that are gone. False: there is nothing to merge, or it was told to end.
    pub(crate) async fn merge_some(
        &self,
        shelf: &Shelf,
        (used, least): (&Used, usize),
        progress: &mut Progress,
        pause: &mut Pause<'_>,
    ) -> Result<bool, Error> {
        let catalogue = shelf.catalogue(&*self.storage, self.fingerprint).await?;
        let Some(chosen) = choose(&catalogue, used, least) else { return Ok(false) };
        let segments: Vec<_> =
            chosen.iter().map(|&nth| Arc::clone(&catalogue.segments[nth])).collect();
        drop(catalogue);
        let names: Vec<String> = segments.iter().map(|segment| segment.name.clone()).collect();
        let place = (&*self.storage, shelf.account, self.fingerprint);
        let merge = Merge::new(place, segments, used);
        let name = self.next_name(shelf).await?;
        let merged = match merge.documents.is_empty() {
            true => None,
            false => Some(merge.run(&name, progress, pause).await?),
        };
        // What it took of memory is needed to read the new one.
        drop(merge);
        let new = match merged {
            None => None,
            Some(Merged::Done) => {
                read(&*self.storage, shelf.account, &name, self.fingerprint).await?
            }
            Some(Merged::Damaged(segment)) => {
                self.drop_segment(shelf, &segment).await;
                return Ok(true);
            }
            Some(Merged::Ended) => return Ok(false),
        };
        shelf.change(&names, new.into_iter().collect()).await;
        for name in names {
            self.storage.cache_remove(shelf.account, &name).await?;
        }
        Ok(true)
    }

    pub(crate) async fn next_name(&self, shelf: &Shelf) -> Result<String, Error> {
        Ok(shelf.catalogue(&*self.storage, self.fingerprint).await?.next_name())
    }
}

/// The segments to be merged next: one that is mostly unused, or `least` or more of about one size.
fn choose(catalogue: &Catalogue, used: &Used, least: usize) -> Option<Vec<usize>> {
    let mut tiers: [Vec<usize>; 16] = Default::default();
    for (nth, segment) in catalogue.segments.iter().enumerate() {
        let documents = segment.head.documents;
        if used.count(segment) < documents.div_ceil(2) {
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
        let chosen: Vec<usize> = tier.iter().take_while(fits).take(MERGED_MAX).copied().collect();
        (chosen.len() >= least).then_some(chosen)
    })
}
