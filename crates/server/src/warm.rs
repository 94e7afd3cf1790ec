//! Opens the accounts that were used before the last stop, while a password's hash is computed for the
//! start, and after it: their clients come back at once, and find in memory what takes milliseconds to
//! load. The start does not wait for that.
//!
//! Nothing about names can be learnt from that. Which accounts are opened, and when, does not depend on
//! what anybody says to this server; whether an account is in memory shows only behind a right password.
//! That is also why an account is not opened while its password is being checked: a stranger would find
//! a name that exists by the load that a wrong password causes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use account::{Accounts, Prepared};
use base::AccountId;
use storage::Error;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::indexer::Activity;

/// How often the list is written if it has changed: what a kill or a power cut leaves.
const INTERVAL: Duration = Duration::from_secs(60);
/// Between two accounts while clients say something: the one who is here comes first, and the account
/// that was used last is open by then.
const REST: Duration = Duration::from_millis(20);

/// How far it is.
pub(crate) struct Warm(watch::Receiver<Option<usize>>);

impl Warm {
    /// How many accounts were opened, when no more will be.
    pub(crate) async fn prepared(&self) -> usize {
        let mut counted = self.0.clone();
        let counted = counted.wait_for(Option::is_some).await;
        counted.ok().and_then(|count| *count).unwrap_or_default()
    }
}

/// Opens accounts on a thread of its own, where the work of milliseconds is in nobody's way, and keeps
/// the list up to date. `alive` is dropped when both have ended, soon after `stop` is true.
pub(crate) fn start<A: Clone + Send + 'static>(
    accounts: &Arc<Accounts>,
    activity: &Arc<Activity>,
    mut stop: watch::Receiver<bool>,
    alive: &A,
) -> Warm {
    let (counted, counting) = watch::channel(None);
    let handle = Handle::current();
    let (opened, activity) = (Arc::clone(accounts), Arc::clone(activity));
    let (mut stopping, guard) = (stop.clone(), alive.clone());
    let run = move || {
        let _alive = guard;
        let mut count = 0;
        handle.block_on(async {
            tokio::select! {
                () = prepare(&opened, &activity, &mut count) => {}
                _ = stopping.wait_for(|stop| *stop) => {}
            }
        });
        counted.send_replace(Some(count));
    };
    if let Err(error) = std::thread::Builder::new().name("warm".to_owned()).spawn(run) {
        tracing::warn!(%error, "accounts used before the start are not opened");
    }
    let (accounts, alive) = (Arc::clone(accounts), alive.clone());
    tokio::spawn(async move {
        let _alive = alive;
        tokio::select! {
            () = keep(&accounts) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    });
    Warm(counting)
}

/// Opens them, the one used last first.
async fn prepare(accounts: &Arc<Accounts>, activity: &Activity, count: &mut usize) {
    let began = Instant::now();
    let most = accounts.limits().prepared_accounts_max;
    let mut said = activity.said();
    for id in accounts.load_used().await.into_iter().take(most) {
        match accounts.prepare(id).await {
            Ok(Prepared::Loaded) => *count += 1,
            Ok(Prepared::Present | Prepared::TooLarge) => {}
            Ok(Prepared::Full) => break,
            // Removed meanwhile, by a command while no server ran.
            Err(Error::NoAccount) => {}
            Err(error) => tracing::warn!(account = %id, %error, "account not opened ahead"),
        }
        let says = activity.said();
        if std::mem::replace(&mut said, says) != says {
            tokio::time::sleep(REST).await;
        }
    }
    let milliseconds = began.elapsed().as_millis();
    tracing::debug!(accounts = *count, milliseconds, "opened accounts that were used before");
}

/// Writes the list every now and then.
async fn keep(accounts: &Arc<Accounts>) {
    let mut saved = None;
    loop {
        tokio::time::sleep(INTERVAL).await;
        save(accounts, &mut saved).await;
    }
}

/// Writes the list if it is not the one that was `saved`. Nobody waits for that, and it is not synced.
pub(crate) async fn save(accounts: &Accounts, saved: &mut Option<Vec<AccountId>>) {
    let used = accounts.used(accounts.limits().prepared_accounts_max);
    if saved.as_ref() == Some(&used) {
        return;
    }
    if let Err(error) = accounts.save_used(&used).await {
        tracing::warn!(%error, "the list of accounts used lately is not kept");
    }
    // Also what could not be written: the same list would not fare better in a minute.
    *saved = Some(used);
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::{Memory, Storage};

    struct Still;

    impl account::Clock for Still {
        fn now_ms(&self) -> i64 {
            1_700_000_000_000
        }
    }

    #[tokio::test]
    async fn a_list_is_written_when_it_has_changed() {
        let storage = Arc::new(Memory::new());
        storage.create(AccountId::SYSTEM).await.unwrap();
        let limits = base::Limits { prepared_accounts_max: 2, ..base::Limits::default() };
        let accounts = Accounts::new(storage, Arc::new(Still), limits);
        let id = |n| AccountId([n; 16]);
        let mut saved = None;
        for n in 1..4 {
            drop(accounts.create(id(n)).await.unwrap());
            save(&accounts, &mut saved).await;
        }
        assert_eq!(saved, Some(vec![id(3), id(2)]), "the latest, and no more than wanted");
        assert_eq!(accounts.load_used().await, [id(3), id(2)]);
        accounts.save_used(&[]).await.unwrap();
        save(&accounts, &mut saved).await;
        assert_eq!(accounts.load_used().await, [], "not written again");
        drop(accounts.open(id(1)).await.unwrap());
        save(&accounts, &mut saved).await;
        assert_eq!(accounts.load_used().await, [id(1), id(3)]);
    }
}
