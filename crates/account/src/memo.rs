//! What is worked out of whole mailboxes for searches, sorts and threads, kept in memory for the
//! next time.
//!
//! Only caches: messages never change, so what was read of them stays right, and new ones are added.
//! What was not used longest goes when memory runs out.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{AccountId, MailboxId, Uid, UidValidity};
use bytes::Bytes;
use mailbox::Mailbox;
use mailbox::keys;
use mailbox::sort::Criterion;
use mailbox::thread::Algorithm;
use message::column::Column;

/// Which mailbox of which account.
pub type Place = (AccountId, MailboxId);

/// What is kept of mailboxes.
pub struct Memo {
    /// Header fields, by their names in lower case.
    pub fields: Cache<(Place, String), Field>,
    /// Keys of all messages.
    pub columns: Cache<(Place, keys::Kind), Arc<keys::Column>>,
    /// Held by whoever writes files of keys.
    pub saving: async_lock::Mutex<()>,
    /// Orders of all messages.
    pub orders: Cache<(Place, Vec<Criterion>), Arc<Order>>,
    /// Answers about all messages, as they were written.
    pub answers: Cache<(Place, Question), Answer>,
}

/// What was asked about all messages.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Question {
    /// Their order; whether by UID.
    Sort(Vec<Criterion>, bool),
    /// Their threads; whether by UID.
    Thread(Algorithm, bool),
}

/// An answer about all messages of a mailbox.
#[derive(Clone, Debug)]
pub struct Answer {
    /// While the mailbox has these messages.
    pub messages: Messages,
    /// The numbers, as they are sent.
    pub text: Bytes,
}

/// Which messages a mailbox has. UIDs are never given twice, so with one UIDNEXT they only become
/// fewer, and two folds with as many have the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Messages {
    uid_validity: UidValidity,
    uid_next: Uid,
    count: u32,
}

impl Messages {
    /// Those of `mailbox`.
    pub fn of(mailbox: &Mailbox) -> Self {
        Self {
            uid_validity: mailbox.uid_validity(),
            uid_next: mailbox.uid_next(),
            count: mailbox.len(),
        }
    }
}

/// A header field of all messages.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// None: it would be too large to be kept.
    pub column: Option<Arc<Column>>,
    /// Messages below this UID are in it, or were not there when it was made.
    pub below: Option<Uid>,
}

/// An order of all messages.
#[derive(Clone, Debug)]
pub struct Order {
    /// The messages.
    pub messages: Messages,
    /// Their UIDs in order.
    pub uids: Vec<u32>,
}

impl Memo {
    /// Keeps at most so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let cache = |share: usize| bytes_max / share;
        Self {
            fields: Cache::new(cache(2)),
            columns: Cache::new(cache(4)),
            saving: async_lock::Mutex::default(),
            orders: Cache::new(cache(8)),
            answers: Cache::new(cache(8)),
        }
    }
}

/// Values with their sizes, of which the ones used last stay.
pub struct Cache<K, V> {
    bytes_max: usize,
    state: Mutex<State<K, V>>,
}

struct State<K, V> {
    kept: HashMap<K, Entry<V>>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

/// What keeping something costs besides its own size.
const ENTRY_BYTES: usize = 256;

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    fn new(bytes_max: usize) -> Self {
        let state = State { kept: HashMap::new(), bytes: 0, clock: 0 };
        Self { bytes_max, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes that one value may have.
    pub fn value_bytes_max(&self) -> usize {
        self.bytes_max.saturating_sub(ENTRY_BYTES)
    }

    /// What is kept, if anything is.
    pub fn get(&self, key: &K) -> Option<V> {
        let mut state = self.lock();
        state.clock += 1;
        let clock = state.clock;
        let entry = state.kept.get_mut(key)?;
        entry.used = clock;
        Some(entry.value.clone())
    }

    /// Keeps a value of so many bytes in place of what was there, unless it is too large.
    pub fn put(&self, key: K, value: V, bytes: usize) {
        let mut state = self.lock();
        state.clock += 1;
        if let Some(before) = state.kept.remove(&key) {
            state.bytes -= before.bytes;
        }
        if bytes > self.value_bytes_max() {
            return;
        }
        let entry = Entry { value, bytes: bytes + ENTRY_BYTES, used: state.clock };
        state.bytes += entry.bytes;
        state.kept.insert(key, entry);
        while state.bytes > self.bytes_max {
            let oldest = state.kept.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            if let Some(gone) = state.kept.remove(&oldest) {
                state.bytes -= gone.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_not_used_longest_goes_first() {
        let cache = Cache::new(10_000);
        for key in ["from", "to", "subject"] {
            cache.put(key, key.len(), 2_900);
        }
        assert_eq!(cache.get(&"from"), Some(4));
        cache.put("cc", 2, 2_900);
        assert_eq!(
            ["from", "to", "subject", "cc"].map(|key| cache.get(&key)),
            [Some(4), None, Some(7), Some(2)]
        );
        cache.put("cc", 3, 20_000);
        assert_eq!((cache.get(&"cc"), cache.get(&"from")), (None, Some(4)), "too large");
        cache.put("from", 5, 10);
        assert_eq!(cache.lock().bytes, 2_900 + 10 + 2 * ENTRY_BYTES);
    }
}
