//! From the disk into memory: the snapshot, and the log behind it.

use base::{AccountId, ModSeq};
use mailbox::Account;
use storage::{Error, Snapshot, Storage};

use crate::fold::{Folds, Surroundings};

/// Entries read at once.
const PAGE_ENTRIES: usize = 1000;

/// A replay as long as this is saved the next one.
const REPLAY_ENTRIES_MAX: u64 = 5000;

/// Loads an account.
pub(crate) async fn load(id: AccountId, around: &Surroundings) -> Result<Folds, Error> {
    let head = around.storage.head(id).await?;
    let pages = pages(id, around).await;
    load_from(id, around, head, pages).await
}

/// Loads an account if its snapshot has at most so many bytes, or there is only a short log.
pub(crate) async fn load_small(
    id: AccountId,
    around: &Surroundings,
    bytes_max: usize,
) -> Result<Option<Folds>, Error> {
    let head = around.storage.head(id).await?;
    if around.storage.snapshot_bytes(id).await? > bytes_max as u64 {
        return Ok(None);
    }
    let pages = pages(id, around).await;
    let is_small = match &pages {
        Some((_, pages)) => pages.iter().map(|page| page.len()).sum::<usize>() <= bytes_max,
        None => head.get() <= REPLAY_ENTRIES_MAX,
    };
    match is_small {
        true => load_from(id, around, head, pages).await.map(Some),
        false => Ok(None),
    }
}

async fn load_from(
    id: AccountId,
    around: &Surroundings,
    head: ModSeq,
    pages: Option<Snapshot>,
) -> Result<Folds, Error> {
    let storage = &*around.storage;
    let fold = pages.and_then(|(at, pages)| {
        let fold = Account::decode_pages(pages).filter(|fold| fold.head() == at && at <= head);
        if fold.is_none() {
            tracing::warn!(account = %id, "snapshot not usable; reading the whole log");
        }
        fold
    });
    let mut fold = fold.unwrap_or_default();
    let saved = fold.head();
    catch_up(storage, id, &mut fold).await?;
    let replayed = fold.head().get() - saved.get();
    let folds = Folds::new(id, around.clone(), fold, saved);
    if replayed >= REPLAY_ENTRIES_MAX {
        folds.save().await;
    }
    Ok(folds)
}

/// The newest snapshot. Without a usable one the log is read from its beginning.
async fn pages(id: AccountId, around: &Surroundings) -> Option<Snapshot> {
    let found = around.storage.load_snapshot(id).await;
    let found = found.inspect_err(|error| tracing::warn!(account = %id, %error, "no snapshot"));
    found.ok().flatten()
}

/// Folds in the log behind `fold`, page by page.
pub(crate) async fn catch_up(
    storage: &dyn Storage,
    id: AccountId,
    fold: &mut Account,
) -> Result<(), Error> {
    loop {
        let entries = storage.read(id, fold.head(), PAGE_ENTRIES).await?;
        for entry in &entries {
            let folded = fold.apply(entry.at, &entry.record);
            folded.map_err(|error| Error::Damaged(error.to_string()))?;
        }
        if entries.len() < PAGE_ENTRIES {
            return Ok(());
        }
    }
}
