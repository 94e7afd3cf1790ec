//! Failed logins make the next ones slow: per address and per account, forgotten with time.
//!
//! An attempt waits *before* its password is looked at, so that hanging up early gains nothing, and
//! attempts at the same time queue behind each other. A client that has logged in to an account from
//! an address before has a counter of its own: strangers who guess at the account, or neighbours
//! behind the same address, do not slow it down.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Limits;

/// Counters of one kind: 64 bytes each.
const COUNTERS_MAX: usize = 32 * 1024;
/// One failure is forgiven in this time.
const FORGIVEN_MS: i64 = 60_000;
/// The first delay; it doubles with each failure.
const DELAY_FIRST_MS: i64 = 1000;
/// How long a client that logged in keeps its own counter: a month.
const KNOWN_MS: i64 = 30 * 24 * 3600 * 1000;
/// Attempts that may be under way from one address before each counts as a failure: a webmail's
/// users reconnect together.
const AT_ONCE_ADDRESS: u32 = 256;
/// The same for one account: a mail program opens a handful of connections.
const AT_ONCE_ACCOUNT: u32 = 16;
/// Failures above the free ones that are remembered; more would never be forgiven in reasonable time.
const FAILURES_OVER_MAX: u32 = 12;

#[derive(Clone, Copy, Default)]
struct Counter {
    failures: u32,
    /// Attempts under way.
    pending: u32,
    /// Up to when failures have been forgiven.
    forgiven_at: i64,
    /// When the last attempt in the queue may go on.
    slot: i64,
    /// Keyed hashes of the last wrong passwords. A mail program with an old password repeats itself;
    /// somebody who guesses does not.
    guesses: [u64; 3],
}

impl Counter {
    fn forgive(&mut self, now: i64) {
        let steps = now.saturating_sub(self.forgiven_at).max(0) / FORGIVEN_MS;
        self.failures = self.failures.saturating_sub(u32::try_from(steps).unwrap_or(u32::MAX));
        self.forgiven_at = match self.failures {
            0 => now,
            _ => self.forgiven_at + steps * FORGIVEN_MS,
        };
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Subject {
    Address(u64),
    Account(u64),
    /// A client that logged in before: address and account.
    Known(u64),
}

impl Subject {
    fn at_once(self) -> u32 {
        if matches!(self, Self::Address(_)) { AT_ONCE_ADDRESS } else { AT_ONCE_ACCOUNT }
    }
}

#[derive(Default)]
struct State {
    counters: HashMap<Subject, Counter>,
    /// Until when an address and account are known together.
    known: HashMap<u64, i64>,
}

/// The counters of a server. Memory is bounded; time comes in as milliseconds.
pub struct Throttle {
    state: Mutex<State>,
    keys: RandomState,
    free: u32,
    delay_max_ms: i64,
}

/// What becomes of an attempt.
#[derive(Debug)]
pub enum Admission {
    /// Wait, then look at the password.
    Wait(Duration, Attempt),
    /// Too many are waiting: don't look at the password at all. Answer after this time.
    Refused(Duration),
}

/// An attempt under way; tells the counters how it ended. Dropped without a verdict, it counts as
/// nothing: its password was not looked at, or nobody learnt the answer.
pub struct Attempt {
    throttle: Arc<Throttle>,
    subjects: Vec<Subject>,
    pair: u64,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attempt")
    }
}

/// IPv6 hosts own a /64 and change addresses within it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into())
        }
        other => other,
    }
}

impl Throttle {
    /// Counters with the free failures and the longest delay of `limits`.
    pub fn new(limits: &Limits) -> Arc<Self> {
        let delay_max_ms = i64::try_from(limits.failed_login_delay_max.as_millis());
        Arc::new(Self {
            state: Mutex::default(),
            keys: RandomState::new(),
            free: limits.failed_logins_free,
            delay_max_ms: delay_max_ms.unwrap_or(i64::MAX / 4).min(i64::MAX / 4),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delay_ms(&self, failures: u32) -> i64 {
        match failures.checked_sub(self.free) {
            None => 0,
            Some(over) => {
                (DELAY_FIRST_MS << over.min(FAILURES_OVER_MAX + 16)).min(self.delay_max_ms)
            }
        }
    }

    /// An attempt to log in as `name` (in compared form) from `address` at `now`, milliseconds.
    pub fn admit(self: &Arc<Self>, now: i64, address: IpAddr, name: &str) -> Admission {
        let network = network(address);
        let pair = self.keys.hash_one((network, name));
        let mut state = self.lock();
        let known = state.known.get(&pair).is_some_and(|&until| until > now);
        let subjects = match known {
            true => vec![Subject::Known(pair)],
            // Behind loopback sit a webmail or a proxy and all their users.
            false if network.is_loopback() => vec![Subject::Account(self.keys.hash_one(name))],
            false => vec![
                Subject::Address(self.keys.hash_one(network)),
                Subject::Account(self.keys.hash_one(name)),
            ],
        };
        let (mut go_on, mut delayed) = (now, false);
        for &subject in &subjects {
            let mut counter = state.counters.get(&subject).copied().unwrap_or_default();
            counter.forgive(now);
            let crowd = counter.pending.saturating_sub(subject.at_once());
            let delay = self.delay_ms(counter.failures.saturating_add(crowd));
            if delay > 0 {
                delayed = true;
                go_on = go_on.max(counter.slot.max(now) + delay);
            }
        }
        let wait_ms = go_on - now;
        if delayed && wait_ms > self.delay_max_ms {
            return Admission::Refused(millis(self.delay_max_ms));
        }
        for &subject in &subjects {
            state.make_room(subject, now, self.free);
            let counter = state.counters.entry(subject).or_default();
            counter.forgive(now);
            counter.pending = counter.pending.saturating_add(1);
            if delayed {
                counter.slot = go_on;
            }
        }
        drop(state);
        Admission::Wait(millis(wait_ms), Attempt { throttle: Arc::clone(self), subjects, pair })
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

impl State {
    /// Keeps memory bounded: forgets what time has forgiven, then the smaller half.
    fn make_room(&mut self, subject: Subject, now: i64, free: u32) {
        if self.counters.len() < COUNTERS_MAX * 2 || self.counters.contains_key(&subject) {
            return;
        }
        self.counters.retain(|_, counter| {
            counter.forgive(now);
            counter.failures > 0 || counter.pending > 0
        });
        if self.counters.len() > COUNTERS_MAX {
            self.counters.retain(|_, counter| counter.failures >= free.max(1));
        }
        if self.counters.len() > COUNTERS_MAX {
            let mut ages: Vec<i64> = self.counters.values().map(|c| c.forgiven_at).collect();
            let middle = ages.len() / 2;
            let (_, &mut median, _) = ages.select_nth_unstable(middle);
            self.counters.retain(|_, counter| counter.forgiven_at > median);
        }
    }

    fn remember(&mut self, pair: u64, now: i64) {
        if self.known.len() >= COUNTERS_MAX && !self.known.contains_key(&pair) {
            let mut ends: Vec<i64> = self.known.values().copied().collect();
            let middle = ends.len() / 2;
            let (_, &mut median, _) = ends.select_nth_unstable(middle);
            self.known.retain(|_, until| *until > median.max(now));
        }
        self.known.insert(pair, now.saturating_add(KNOWN_MS));
    }
}

impl Attempt {
    /// The password was wrong. `guess` is anything that differs for different passwords.
    pub fn failed(self, now: i64, guess: &[u8]) {
        // 0 marks an empty place.
        let guess = self.throttle.keys.hash_one(guess).max(1);
        let limit = self.throttle.free.saturating_add(FAILURES_OVER_MAX);
        let mut state = self.throttle.lock();
        for subject in &self.subjects {
            let Some(counter) = state.counters.get_mut(subject) else { continue };
            counter.forgive(now);
            if !counter.guesses.contains(&guess) {
                counter.guesses.rotate_right(1);
                counter.guesses[0] = guess;
                counter.failures = counter.failures.saturating_add(1).min(limit);
            }
        }
    }

    /// The password was right. Counters of others stay as they are.
    pub fn succeeded(self, now: i64) {
        let mut state = self.throttle.lock();
        state.remember(self.pair, now);
        state.counters.remove(&Subject::Known(self.pair));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut state = self.throttle.lock();
        for subject in &self.subjects {
            if let Some(counter) = state.counters.get_mut(subject) {
                counter.pending = counter.pending.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(free: u32, delay_max: u64) -> Arc<Throttle> {
        let delay_max = Duration::from_secs(delay_max);
        Throttle::new(&Limits {
            failed_logins_free: free,
            failed_login_delay_max: delay_max,
            ..Limits::default()
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Seconds waited; -1 for refused.
    fn fail(t: &Arc<Throttle>, now: i64, from: &str, name: &str, guess: &str) -> i64 {
        match t.admit(now, ip(from), name) {
            Admission::Wait(wait, attempt) => {
                attempt.failed(now, guess.as_bytes());
                i64::try_from(wait.as_secs()).unwrap()
            }
            Admission::Refused(_) => -1,
        }
    }

    fn succeed(t: &Arc<Throttle>, now: i64, from: &str, name: &str) -> i64 {
        match t.admit(now, ip(from), name) {
            Admission::Wait(wait, attempt) => {
                attempt.succeeded(now);
                i64::try_from(wait.as_secs()).unwrap()
            }
            Admission::Refused(_) => -1,
        }
    }

    #[test]
    fn delays_double_and_are_forgiven() {
        let t = throttle(3, 15);
        let mut now = 1_000_000;
        for (guess, expected) in
            [("a", 0), ("b", 0), ("c", 0), ("d", 1), ("e", 2), ("f", 4), ("g", 8), ("h", 15)]
        {
            // Each waits for the one before.
            let waited = fail(&t, now, "192.0.2.1", "alice", guess);
            assert_eq!(waited, expected, "{guess}");
            now += waited * 1000;
        }
        // An hour later all is forgiven.
        now += 3_600_000;
        assert_eq!(fail(&t, now, "192.0.2.1", "alice", "i"), 0);
    }

    #[test]
    fn addresses_and_accounts_count_apart() {
        let t = throttle(2, 15);
        for guess in ["a", "b"] {
            fail(&t, 0, "192.0.2.1", "alice", guess);
        }
        assert_eq!(fail(&t, 0, "192.0.2.1", "bob", "c"), 1, "the address is slow");
        assert_eq!(fail(&t, 0, "192.0.2.2", "alice", "d"), 1, "the account is slow");
        assert_eq!(fail(&t, 0, "192.0.2.2", "carol", "e"), 0, "neither is");
    }

    #[test]
    fn a_v6_network_is_one_address() {
        let t = throttle(1, 15);
        fail(&t, 0, "2001:db8::1", "a", "x");
        assert_eq!(fail(&t, 0, "2001:db8::ffff:1", "b", "y"), 1);
        assert_eq!(fail(&t, 0, "2001:db8:0:1::1", "c", "z"), 0);
        fail(&t, 0, "::ffff:192.0.2.9", "d", "x");
        assert_eq!(fail(&t, 0, "192.0.2.9", "e", "y"), 1, "a mapped address is an IPv4 address");
    }

    #[test]
    fn the_same_wrong_password_counts_once() {
        let t = throttle(2, 15);
        for _ in 0..50 {
            assert_eq!(fail(&t, 0, "192.0.2.1", "alice", "old password"), 0);
        }
    }

    #[test]
    fn who_logged_in_before_is_not_slowed_by_others() {
        let t = throttle(2, 15);
        assert_eq!(succeed(&t, 0, "192.0.2.1", "alice"), 0);
        for guess in ["a", "b", "c", "d"] {
            fail(&t, 0, "192.0.2.1", "bob", guess);
            fail(&t, 0, "198.51.100.1", "alice", guess);
        }
        assert_eq!(succeed(&t, 0, "192.0.2.1", "alice"), 0);
        // But it has a counter of its own.
        for guess in ["a", "b"] {
            fail(&t, 0, "192.0.2.1", "alice", guess);
        }
        assert_eq!(fail(&t, 0, "192.0.2.1", "alice", "c"), 1);
    }

    #[test]
    fn a_success_does_not_forgive_the_address() {
        let t = throttle(2, 15);
        fail(&t, 0, "192.0.2.1", "alice", "a");
        fail(&t, 0, "192.0.2.1", "bob", "b");
        succeed(&t, 0, "192.0.2.1", "mallory");
        assert!(fail(&t, 0, "192.0.2.1", "carol", "c") > 0);
    }

    #[test]
    fn attempts_at_once_queue_and_are_refused() {
        let t = throttle(0, 4);
        let mut waits = Vec::new();
        let mut held = Vec::new();
        for _ in 0..6 {
            match t.admit(0, ip("192.0.2.1"), "alice") {
                Admission::Wait(wait, attempt) => {
                    waits.push(wait.as_secs());
                    held.push(attempt);
                }
                Admission::Refused(wait) => waits.push(100 + wait.as_secs()),
            }
        }
        assert_eq!(waits, [1, 2, 3, 4, 104, 104]);
    }

    #[test]
    fn loopback_counts_per_account_only() {
        let t = throttle(1, 15);
        fail(&t, 0, "127.0.0.1", "a", "x");
        fail(&t, 0, "::1", "b", "y");
        assert_eq!(fail(&t, 0, "127.0.0.1", "c", "z"), 0);
        assert_eq!(fail(&t, 0, "127.0.0.1", "a", "y"), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let t = throttle(5, 15);
        for n in 0..200_000u32 {
            let address = IpAddr::V4(n.into());
            if let Admission::Wait(_, attempt) = t.admit(0, address, &n.to_string()) {
                attempt.failed(0, b"x");
            }
        }
        assert!(t.lock().counters.len() <= COUNTERS_MAX * 2 + 2);
        for n in 0..100_000u32 {
            let mut state = t.lock();
            state.remember(u64::from(n), i64::from(n));
            assert!(state.known.len() <= COUNTERS_MAX);
        }
    }
}
