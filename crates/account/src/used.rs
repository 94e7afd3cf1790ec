//! Which accounts were used lately: kept in the cache of the system account, so that after a start
//! they can be in memory before their clients come.
//!
//! A hint and no more: it has no durability, and one that is damaged, of another version or out of
//! date costs nothing but the time of those who come first.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use base::AccountId;
use bytes::Bytes;
use storage::{Error, Storage};

use crate::Accounts;
use crate::accounts::lock;
use crate::load::load_small;

/// The file in the system account's cache.
const NAME: &str = "used";
const MAGIC: [u8; 8] = *b"martused";
const VERSION: u16 = 1;
/// Magic, version, two bytes of nothing, the count.
const HEADER_BYTES: usize = 16;
const ID_BYTES: usize = 16;
/// Of the BLAKE3 of what is before it.
const CHECK_BYTES: usize = 8;
/// More are not written, so a file that claims more is damaged.
const COUNT_MAX: usize = 4096;

/// Accounts that nobody uses are loaded ahead while they take so small a part of what they may: what
/// nobody asked for yet should not be most of what a server has in memory when its clients come.
const PREPARED_SHARE: usize = 8;
/// How many times as large as its snapshot a fold is in memory.
const GROWTH: usize = 2;

/// What [`Accounts::prepare`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prepared {
    /// The account is in memory; nobody uses it yet.
    Loaded,
    /// It was there.
    Present,
    /// It is larger than what is left of the memory for such accounts.
    TooLarge,
    /// Nothing is left of that.
    Full,
}

impl Accounts {
    /// The accounts that were used last, at most `count`: those in use, then the others in memory, the
    /// latest first.
    pub fn used(&self, count: usize) -> Vec<AccountId> {
        let known = lock(&self.known);
        let in_use = known.slots.iter().filter(|(_, slot)| {
            lock(&slot.folds).upgrade().is_some_and(|folds| folds.users.load(Relaxed) > 0)
        });
        // In an order that does not change by itself.
        let mut used: Vec<AccountId> = in_use.map(|(&id, _)| id).collect();
        used.sort_unstable();
        used.extend(known.idle.latest());
        used.truncate(count.min(COUNT_MAX));
        used
    }

    /// Loads an account that will probably be asked for, if it is not in memory. Nobody uses it by that,
    /// and nothing is written to its log; of all accounts that nobody uses it is the first to go.
    pub async fn prepare(self: &Arc<Self>, id: AccountId) -> Result<Prepared, Error> {
        let slot = self.slot(id);
        let _loading = slot.loading.lock().await;
        if lock(&slot.folds).upgrade().is_some_and(|folds| folds.end().is_none()) {
            return Ok(Prepared::Present);
        }
        let room = self.around.limits.idle_accounts_bytes_max / PREPARED_SHARE;
        let left = room.saturating_sub(self.in_memory().2);
        if left == 0 {
            self.forget(id, &slot);
            return Ok(Prepared::Full);
        }
        let loaded = load_small(id, &self.around, left / GROWTH).await;
        let Some(folds) = loaded.inspect_err(|_| self.forget(id, &slot))? else {
            self.forget(id, &slot);
            return Ok(Prepared::TooLarge);
        };
        let folds = Arc::new(folds);
        *lock(&slot.folds) = Arc::downgrade(&folds);
        let bytes = folds.state().memory_bytes();
        let mut known = lock(&self.known);
        known.idle.put_first_to_go(folds, bytes);
        let dropped = known.over(self.around.limits.idle_accounts_bytes_max);
        drop(known);
        // To free much memory takes its time.
        drop(dropped);
        Ok(Prepared::Loaded)
    }

    /// Keeps a list of accounts until [`Accounts::load_used`] asks for it.
    pub async fn save_used(&self, used: &[AccountId]) -> Result<(), Error> {
        self.storage().cache_write(AccountId::SYSTEM, NAME, encode(used)).await
    }

    /// The list that was kept; empty if there is none to be used. A damaged one is thrown away.
    pub async fn load_used(&self) -> Vec<AccountId> {
        match read(&**self.storage()).await {
            Ok(used) => used.unwrap_or_default(),
            Err(why) => {
                tracing::warn!(why, "the list of accounts used lately is thrown away");
                // The next one replaces it anyway.
                let _ = self.storage().cache_remove(AccountId::SYSTEM, NAME).await;
                Vec::new()
            }
        }
    }
}

fn encode(used: &[AccountId]) -> Bytes {
    let used = &used[..used.len().min(COUNT_MAX)];
    let mut bytes = Vec::with_capacity(length(used.len()));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(&(used.len() as u32).to_le_bytes());
    used.iter().for_each(|id| bytes.extend_from_slice(&id.0));
    let check = blake3::hash(&bytes);
    bytes.extend_from_slice(&check.as_bytes()[..CHECK_BYTES]);
    Bytes::from(bytes)
}

fn length(count: usize) -> usize {
    HEADER_BYTES + count * ID_BYTES + CHECK_BYTES
}

/// The list; nothing if there is no file; an error in words if it can't be used.
async fn read(storage: &dyn Storage) -> Result<Option<Vec<AccountId>>, &'static str> {
    let part = async |end: usize| {
        let whole = std::iter::once(0..end as u64).collect();
        let parts = storage.cache_read(AccountId::SYSTEM, NAME, whole).await;
        parts.map(|parts| parts.and_then(|parts| parts.into_iter().next()))
    };
    let unreadable = |_: Error| "it cannot be read";
    let Some(header) = part(HEADER_BYTES).await.map_err(unreadable)? else { return Ok(None) };
    if header.get(..8) != Some(&MAGIC[..]) || header.get(8..10) != Some(&VERSION.to_le_bytes()[..])
    {
        return Err("it has another version");
    }
    let count = header.get(12..HEADER_BYTES).and_then(|count| count.try_into().ok());
    let count = count.map_or(usize::MAX, |count| u32::from_le_bytes(count) as usize);
    if count > COUNT_MAX {
        return Err("it is damaged");
    }
    let whole = part(length(count)).await.map_err(unreadable)?.ok_or("it is too short")?;
    let (list, check) =
        whole.split_at_checked(whole.len() - CHECK_BYTES).ok_or("it is too short")?;
    if blake3::hash(list).as_bytes()[..CHECK_BYTES] != *check {
        return Err("it is damaged");
    }
    let ids = list[HEADER_BYTES..].chunks_exact(ID_BYTES);
    Ok(Some(ids.filter_map(|id| id.try_into().ok().map(AccountId)).collect()))
}
