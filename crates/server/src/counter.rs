//! Connections, counted: by address, by account, and those that have not logged in.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth::Identity;
use base::{AccountId, Limits};

/// Why a connection is not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Full {
    /// Its address has too many.
    #[error("too many connections from your address")]
    Address,
    /// The server has too many that have not logged in.
    #[error("too many connections")]
    Server,
}

#[derive(Default)]
struct Counts {
    addresses: HashMap<IpAddr, usize>,
    accounts: HashMap<AccountId, usize>,
    /// Connections of protocols with a login.
    open: usize,
    logged_in: usize,
}

/// Counts all connections of a server.
pub(crate) struct Counter {
    counts: Mutex<Counts>,
    limits: Limits,
}

/// A connection that is counted for as long as this lives.
pub(crate) struct Admitted {
    counter: Arc<Counter>,
    address: IpAddr,
    has_login: bool,
}

/// A login that is counted for as long as this lives.
struct Entered {
    counter: Arc<Counter>,
    account: AccountId,
}

/// One household is one IPv4 address or one IPv6 network of 64 bits.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

fn raise<K: Hash + Eq>(map: &mut HashMap<K, usize>, key: K, max: usize) -> bool {
    let count = map.entry(key).or_default();
    let fits = *count < max;
    *count += usize::from(fits);
    fits
}

fn lower<K: Hash + Eq>(map: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = map.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            map.remove(key);
        }
    }
}

impl Counter {
    /// Counts nothing yet.
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { counts: Mutex::default(), limits })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection from `remote` begins, if there is room.
    pub(crate) fn admit(
        self: &Arc<Self>,
        remote: IpAddr,
        has_login: bool,
    ) -> Result<Admitted, Full> {
        let address = household(remote);
        let mut counts = self.lock();
        let strangers = counts.open.saturating_sub(counts.logged_in);
        if has_login && strangers >= self.limits.connections_before_login_max {
            return Err(Full::Server);
        }
        let max = self.limits.connections_per_address_max;
        if !raise(&mut counts.addresses, address, max) {
            return Err(Full::Address);
        }
        counts.open += usize::from(has_login);
        Ok(Admitted { counter: Arc::clone(self), address, has_login })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.counter.lock();
        lower(&mut counts.addresses, &self.address);
        counts.open -= usize::from(self.has_login);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut counts = self.counter.lock();
        lower(&mut counts.accounts, &self.account);
        counts.logged_in -= 1;
    }
}

/// What sessions ask when a client logs in.
pub(crate) struct Registry(pub(crate) Arc<Counter>);

impl imap::Registry for Registry {
    fn enter(&self, identity: &Identity, remote: IpAddr) -> Option<Box<dyn Send + Sync>> {
        let mut counts = self.0.lock();
        let max = self.0.limits.connections_per_account_max;
        if !raise(&mut counts.accounts, identity.account, max) {
            tracing::warn!(account = %identity.name, %remote, max, "too many connections");
            return None;
        }
        counts.logged_in += 1;
        Some(Box::new(Entered { counter: Arc::clone(&self.0), account: identity.account }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imap::Registry as _;

    #[test]
    fn connections_are_counted_and_given_back() {
        let limits = Limits {
            connections_per_address_max: 2,
            connections_per_account_max: 1,
            connections_before_login_max: 3,
            ..Limits::default()
        };
        let counter = Counter::new(limits);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let a = counter.admit(ip("192.0.2.1"), true).unwrap();
        let b = counter.admit(ip("::ffff:192.0.2.1"), true).unwrap();
        assert_eq!(counter.admit(ip("192.0.2.1"), true).err(), Some(Full::Address));
        let c = counter.admit(ip("2001:db8::1"), true).unwrap();
        assert_eq!(counter.admit(ip("192.0.2.9"), true).err(), Some(Full::Server));
        assert!(counter.admit(ip("192.0.2.9"), false).is_ok(), "no login, no strangers");

        let registry = Registry(Arc::clone(&counter));
        let alice = Identity { account: AccountId([1; 16]), name: "alice".to_owned() };
        let guard = registry.enter(&alice, ip("2001:db8::1")).unwrap();
        assert!(registry.enter(&alice, ip("2001:db8::1")).is_none());
        let d = counter.admit(ip("2001:db8::2"), true).unwrap();
        assert_eq!(counter.admit(ip("2001:db8::3"), true).err(), Some(Full::Server));
        drop((a, b));
        assert_eq!(counter.admit(ip("2001:db8::3"), true).err(), Some(Full::Address));
        drop(guard);
        assert!(registry.enter(&alice, ip("2001:db8::1")).is_some());
        drop((c, d));
        let counts = counter.lock();
        assert!(counts.addresses.is_empty() && counts.accounts.is_empty());
        assert_eq!((counts.open, counts.logged_in), (0, 0));
    }
}
