//! From the disk into memory: the snapshot, and the log behind it.

use base::{AccountId, ModSeq};
use mailbox::Account;
use storage::{Error, Storage};

use crate::fold::{Folds, Surroundings};

/// Entries read at once.
const PAGE_ENTRIES: usize = 1000;

/// A replay as long as this is saved the next one.
const REPLAY_ENTRIES_MAX: u64 = 5000;

/// Loads an account.
pub(crate) async fn load(id: AccountId, around: &Surroundings) -> Result<Folds, Error> {
    let storage = &*around.storage;
    let head = storage.head(id).await?;
    let mut fold = snapshot(storage, id, head).await.unwrap_or_default();
    let saved = fold.head();
    catch_up(storage, id, &mut fold).await?;
    let replayed = fold.head().get() - saved.get();
    let folds = Folds::new(id, around.clone(), fold, saved);
    if replayed >= REPLAY_ENTRIES_MAX {
        folds.save().await;
    }
    Ok(folds)
}

/// The fold of the newest snapshot. Without a usable one the log is read from its beginning.
async fn snapshot(storage: &dyn Storage, id: AccountId, head: ModSeq) -> Option<Account> {
    let found = storage.load_snapshot(id).await;
    let found = found.inspect_err(|error| tracing::warn!(account = %id, %error, "no snapshot"));
    let (at, pages) = found.ok().flatten()?;
    let fold = Account::decode_pages(pages).filter(|fold| fold.head() == at && at <= head);
    if fold.is_none() {
        tracing::warn!(account = %id, "snapshot not usable; reading the whole log");
    }
    fold
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
