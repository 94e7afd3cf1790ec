//! Verdicts of recent password checks, so that a client that logs in a thousand times a second does
//! not cost a thousand argon2 runs.
//!
//! A verdict is found only under a keyed hash of everything it depends on: the account, its stored
//! hash, and the password. A changed password, another account, a removed and re-added account never
//! meet an old verdict. Wrong passwords are kept too, for names that exist and names that do not
//! alike, so that the time of an answer tells nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base::AccountId;
use zeroize::Zeroizing;

use crate::Secret;
use crate::password::hmac_sha256;

/// Verdicts kept: 32 bytes of key each.
const VERDICTS_MAX: usize = 32 * 1024;
/// How long a verdict is believed, in milliseconds.
const BELIEVED_MS: i64 = 3600 * 1000;

type Key = [u8; 32];

/// The verdicts.
pub(crate) struct Cache {
    secret: Zeroizing<[u8; 32]>,
    verdicts: Mutex<HashMap<Key, (bool, i64)>>,
}

impl Cache {
    /// An empty cache under a fresh random key.
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret: Zeroizing::new(secret), verdicts: Mutex::default() }
    }

    /// The key for a check of `password` against `hash` of `account`, whose name is `name`.
    pub(crate) fn key(&self, account: AccountId, name: &str, hash: &str, password: &Secret) -> Key {
        // Lengths before the parts: no two different inputs give the same bytes.
        let length = |text: &str| (text.len() as u64).to_le_bytes();
        hmac_sha256(
            &*self.secret,
            &[
                &account.0,
                &length(name),
                name.as_bytes(),
                &length(hash),
                hash.as_bytes(),
                password.expose(),
            ],
        )
    }

    /// The verdict under `key`, if there is one to believe at `now`.
    pub(crate) fn get(&self, key: &Key, now: i64) -> Option<bool> {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        let &(verdict, since) = verdicts.get(key)?;
        (since <= now && now - since < BELIEVED_MS).then_some(verdict)
    }

    /// Keeps a verdict.
    pub(crate) fn put(&self, key: Key, verdict: bool, now: i64) {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() >= VERDICTS_MAX && !verdicts.contains_key(&key) {
            verdicts.retain(|_, (_, since)| now - *since < BELIEVED_MS);
            if verdicts.len() > VERDICTS_MAX / 2 {
                // Guesses fill the cache faster than users do.
                verdicts.retain(|_, (verdict, _)| *verdict);
            }
            if verdicts.len() >= VERDICTS_MAX {
                verdicts.clear();
            }
        }
        verdicts.insert(key, (verdict, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_input_makes_another_key() {
        let cache = Cache::new([1; 32]);
        let (a, b) = (AccountId([1; 16]), AccountId([2; 16]));
        let secret = |text: &str| Secret::from(text.as_bytes());
        let keys = [
            cache.key(a, "n", "hash", &secret("password")),
            cache.key(b, "n", "hash", &secret("password")),
            cache.key(a, "m", "hash", &secret("password")),
            cache.key(a, "n", "hash2", &secret("password")),
            cache.key(a, "n", "hash", &secret("passwor")),
            cache.key(a, "n", "hashp", &secret("assword")),
            cache.key(a, "nh", "ash", &secret("password")),
        ];
        for (i, one) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|other| other != one), "{i}");
        }
        cache.put(keys[0], true, 10);
        assert_eq!(cache.get(&keys[0], 11), Some(true));
        assert_eq!(cache.get(&keys[1], 11), None);
        assert_eq!(cache.get(&keys[0], 10 + BELIEVED_MS), None, "old");
        assert_eq!(cache.get(&keys[0], 9), None, "from the future: the clock was set back");
    }

    #[test]
    fn memory_is_bounded_and_users_outlive_guesses() {
        let cache = Cache::new([1; 32]);
        let key = |n: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&(n as u64).to_le_bytes());
            key
        };
        cache.put(key(0), true, 0);
        for n in 1..100_000 {
            cache.put(key(n), false, 0);
        }
        assert!(cache.verdicts.lock().unwrap().len() <= VERDICTS_MAX);
        assert_eq!(cache.get(&key(0), 1), Some(true));
    }
}
