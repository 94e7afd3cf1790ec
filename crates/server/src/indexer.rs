//! Keeps the text index up to date, one account at a time, on a thread of its own with the lowest
//! priority and within a [budget](IndexBudget). What it has not done yet is only slower to search.
//!
//! Accounts in memory are looked at every few seconds. All others have their turn after a start and
//! then once an hour: those whose mark says that nothing is missing are not even loaded.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base::{AccountId, ModSeq};
use index::{Library, Progress};
use storage::{Error, Task};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::node::Node;
use crate::settings::IndexBudget;

/// How often it looks for what is new: often enough that searches right after a burst of mail are
/// fast, seldom enough that many deliveries make one segment.
const INTERVAL: Duration = Duration::from_secs(5);
/// Fewer new messages of an account wait until it is quiet: to scan these takes milliseconds.
pub const MESSAGES_LEAST: usize = 200;
/// An account in which nothing happened for so long is quiet.
const QUIET: Duration = Duration::from_secs(60);
/// How often accounts that are not in memory are looked at.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// Of these, so many at once, with a rest after them.
const SWEEP_ACCOUNTS: usize = 64;
const SWEEP_REST: Duration = Duration::from_millis(100);
/// Clients are active for so long after they said something.
const ACTIVE: Duration = Duration::from_secs(2);
/// Shorter rests are saved up: a timer is not exact enough for them.
const REST_LEAST: Duration = Duration::from_millis(20);
/// As nice as can be: whatever else there is to do comes first.
const NICE: i32 = 19;

/// Counts what clients say, so that the indexer knows when to hold back.
#[derive(Debug, Default)]
pub(crate) struct Activity(AtomicU64);

impl Activity {
    /// A client said something.
    pub(crate) fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often clients have said something.
    pub(crate) fn said(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Starts the thread; it ends soon after `stop` is true, or its sender is gone. `alive` is dropped
/// then.
pub(crate) fn start(
    node: Arc<Node>,
    index: Arc<Library>,
    activity: Arc<Activity>,
    stop: watch::Receiver<bool>,
    alive: impl Send + 'static,
) {
    let handle = Handle::current();
    let run = move || {
        let _alive = alive;
        // On Linux this is about the thread alone. Without the right to it, it runs all the same.
        let _ = rustix::process::setpriority_process(None, NICE);
        let (seen, sweep) = (HashMap::new(), VecDeque::new());
        let pace = Pace::new(node.settings().index_budget, activity);
        handle.block_on(Indexer { node, index, stop, seen, sweep, swept: None, pace }.run());
    };
    if let Err(error) = std::thread::Builder::new().name("index".to_owned()).spawn(run) {
        tracing::error!(%error, "the text index is not kept up to date");
    }
}

/// What is known of an account.
#[derive(Clone, Copy)]
struct Seen {
    /// Where its log ended, and since when.
    head: ModSeq,
    since: Instant,
    /// Whether nothing was left to be indexed.
    complete: bool,
}

struct Indexer {
    node: Arc<Node>,
    index: Arc<Library>,
    stop: watch::Receiver<bool>,
    seen: HashMap<AccountId, Seen>,
    /// Accounts that have their turn though nobody uses them.
    sweep: VecDeque<AccountId>,
    swept: Option<Instant>,
    pace: Pace,
}

impl Indexer {
    async fn run(mut self) {
        loop {
            let rest = if self.sweep.is_empty() { INTERVAL } else { SWEEP_REST };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                _ = self.stop.wait_for(|stop| *stop) => return,
            }
            for id in self.index.take_damaged() {
                self.seen.remove(&id);
                self.sweep.push_back(id);
            }
            for (id, head) in self.node.accounts().heads() {
                self.look_at(id, head).await;
                if *self.stop.borrow() {
                    return;
                }
            }
            self.sweep_some().await;
        }
    }

    /// Looks at some of the accounts that are not in memory.
    async fn sweep_some(&mut self) {
        if self.sweep.is_empty() && self.swept.is_none_or(|at| at.elapsed() > SWEEP_INTERVAL) {
            self.swept = Some(Instant::now());
            match self.node.accounts().storage().accounts().await {
                Ok(accounts) => {
                    self.seen.retain(|id, _| accounts.contains(id));
                    self.sweep.extend(accounts);
                }
                Err(error) => tracing::warn!(%error, "accounts cannot be listed to index them"),
            }
        }
        for _ in 0..SWEEP_ACCOUNTS {
            let Some(id) = self.sweep.pop_front() else { return };
            if let Err(error) = self.sweep_one(id).await {
                warn(id, &error);
            }
            if *self.stop.borrow() {
                return;
            }
        }
    }

    async fn sweep_one(&mut self, id: AccountId) -> Result<(), Error> {
        let head = self.node.accounts().storage().head(id).await?;
        if id == AccountId::SYSTEM || self.seen.get(&id).is_some_and(|seen| seen.head == head) {
            return Ok(());
        }
        let since = Instant::now();
        if self.index.is_complete(id, head).await? {
            self.seen.insert(id, Seen { head, since, complete: true });
            return Ok(());
        }
        // Its end is known once it is loaded.
        let complete = self.update(id, 1).await?;
        self.seen.insert(id, Seen { head, since, complete });
        Ok(())
    }

    /// Indexes what is new in an account in memory.
    async fn look_at(&mut self, id: AccountId, head: ModSeq) {
        let now = Instant::now();
        let least = match self.seen.get(&id).filter(|seen| seen.head == head) {
            Some(seen) if seen.complete || now.duration_since(seen.since) < QUIET => return,
            Some(_) => 1,
            None => MESSAGES_LEAST,
        };
        if id == AccountId::SYSTEM {
            return;
        }
        let complete = self.update(id, least).await.unwrap_or_else(|error| {
            warn(id, &error);
            true
        });
        self.seen.insert(id, Seen { head, since: now, complete });
    }

    /// Whether all is indexed.
    async fn update(&self, id: AccountId, least: usize) -> Result<bool, Error> {
        let live = self.node.accounts().open(id).await?;
        let state = live.state();
        drop(live);
        let (stop, mut pace) = (self.stop.clone(), self.pace.begin());
        let mut pause = move |progress| -> Task<'static, bool> {
            let (rest, stop) = (pace.rest(progress), stop.clone());
            Box::pin(async move {
                if !rest.is_zero() {
                    tokio::time::sleep(rest).await;
                }
                !*stop.borrow()
            })
        };
        let began = Instant::now();
        let progress = self.index.update(id, &state, least, &mut pause).await?;
        if progress.done > 0 {
            let milliseconds = began.elapsed().as_millis();
            tracing::debug!(account = %id, messages = progress.done, milliseconds, "indexed");
        }
        Ok(progress.done == progress.total)
    }
}

fn warn(account: AccountId, error: &Error) {
    // One that was removed meanwhile needs no index.
    if !matches!(error, Error::NoAccount) {
        tracing::warn!(%account, %error, "messages not indexed");
    }
}

/// Keeps within the budget by rests between the steps of an update.
#[derive(Clone)]
struct Pace {
    budget: IndexBudget,
    activity: Arc<Activity>,
    /// What clients had said when that was looked at last, and when it changed last.
    said: u64,
    active: Option<Instant>,
    /// When the work after the last rest begins, and what had been read by then.
    began: Instant,
    bytes: u64,
    /// Rest that was not taken yet.
    owed: Duration,
}

impl Pace {
    fn new(budget: IndexBudget, activity: Arc<Activity>) -> Self {
        let said = activity.said();
        let (began, owed) = (Instant::now(), Duration::ZERO);
        Self { budget, activity, said, active: None, began, bytes: 0, owed }
    }

    /// The same for an update that begins now.
    fn begin(&self) -> Self {
        Self { began: Instant::now(), bytes: 0, owed: Duration::ZERO, ..self.clone() }
    }

    fn rest(&mut self, progress: Progress) -> Duration {
        let now = Instant::now();
        let said = self.activity.said();
        if std::mem::replace(&mut self.said, said) != said {
            self.active = Some(now);
        }
        let is_active = self.active.is_some_and(|at| now.duration_since(at) < ACTIVE);
        let read = progress.bytes.saturating_sub(self.bytes);
        self.owed += self.budget.rest(is_active, now.duration_since(self.began), read);
        let rest = if self.owed < REST_LEAST { Duration::ZERO } else { self.owed };
        self.owed = self.owed.saturating_sub(rest);
        (self.began, self.bytes) = (now + rest, progress.bytes);
        rest
    }
}

impl IndexBudget {
    /// How long to rest after `worked`, in which so many bytes were read.
    fn rest(&self, is_active: bool, worked: Duration, bytes: u64) -> Duration {
        let percent = if is_active { self.percent_busy } else { self.percent_idle };
        let percent = percent.clamp(1, 100) as u32;
        let by_time = worked * (100 - percent) / percent;
        let by_bytes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second.max(1) as f64);
        by_time.max(by_bytes.saturating_sub(worked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests() {
        let budget =
            IndexBudget { percent_busy: 25, percent_idle: 100, bytes_per_second: 1_000_000 };
        let ms = Duration::from_millis;
        assert_eq!(budget.rest(true, ms(10), 0), ms(30));
        assert_eq!(budget.rest(false, ms(10), 0), ms(0));
        assert_eq!(budget.rest(false, ms(10), 50_000), ms(40));
        assert_eq!(budget.rest(true, ms(10), 20_000), ms(30));
    }

    #[test]
    fn clients_are_active_for_a_while() {
        let activity = Arc::new(Activity::default());
        let budget = IndexBudget { percent_busy: 1, percent_idle: 100, bytes_per_second: 1000 };
        let mut pace = Pace::new(budget, Arc::clone(&activity));
        let read = |bytes| Progress { bytes, ..Progress::default() };
        assert_eq!(pace.rest(Progress::default()), Duration::ZERO);
        assert_eq!(pace.rest(read(5)), Duration::ZERO, "too short to be taken");
        assert!(pace.rest(read(1_000_005)) > Duration::ZERO, "taken together");
        let owed = pace.rest(read(1_000_005));
        assert_eq!(owed, Duration::ZERO);
        activity.note();
        pace.rest(Progress::default());
        assert!(pace.active.is_some());
        pace.active = pace.active.and_then(|at| at.checked_sub(ACTIVE));
        pace.rest(Progress::default());
        assert_eq!(pace.said, 1);
    }
}
