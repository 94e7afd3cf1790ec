//! The threads that wait for the disk, so that callers do not, but for a quick sync now and then.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use futures_channel::oneshot;
use storage::{Error, Task};

type Job = Box<dyn FnOnce() + Send>;

/// Where blocking work runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Threads {
    /// On at most so many threads, started when they are needed.
    Pool(usize),
    /// At once, on the caller's thread: tests with a simulated disk are deterministic so.
    Inline,
    /// When [`crate::Files::step`] says so: tests decide what waits together.
    Manual,
}

/// A sync that takes longer is none that a caller may wait for on its own thread: waking another one
/// takes some 50 microseconds.
const QUICK_SYNC: Duration = Duration::from_micros(800);

/// So many commits in a row, each with nothing else on its way, tell that one client works alone. With
/// several the row ends sooner. So many quick syncs in a row tell that the disk is fast.
const ROW_MIN: u32 = 12;

pub(crate) struct Pool {
    shared: Arc<Shared>,
    /// Whether there is a processor for others while a caller does a job itself.
    has_room: bool,
    threads: Threads,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// A caller does a job.
    guest: AtomicBool,
    /// How many commits in a row had no company.
    alone: AtomicU32,
    /// How many syncs in a row were quick.
    quick: AtomicU32,
}

/// Leave to do a job of the pool on the caller's thread; one at a time has it.
pub(crate) struct Guest(Arc<Shared>);

/// Counts up to what matters. Two at a time may lose one of them, which does not.
fn count(row: &AtomicU32) {
    let before = row.load(Relaxed);
    if before < ROW_MIN {
        row.store(before + 1, Relaxed);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.guest.store(false, Relaxed);
    }
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Jobs that compute for milliseconds: they wait for all others, and for each other.
    long: VecDeque<Job>,
    /// How many of those are being done, and how many may be at once.
    long_running: usize,
    long_max: usize,
    /// Threads without a job. The last one is woken first: it knows its memory best.
    idle: Vec<Thread>,
    started: usize,
    closing: bool,
}

impl Queue {
    /// The next job, and whether it is a long one.
    fn next(&mut self) -> Option<(Job, bool)> {
        if let Some(job) = self.jobs.pop_front() {
            return Some((job, false));
        }
        if self.long_running >= self.long_max {
            return None;
        }
        let job = self.long.pop_front()?;
        self.long_running += 1;
        Some((job, true))
    }

    /// How many jobs could begin.
    fn ready(&self) -> usize {
        self.jobs.len() + self.long.len().min(self.long_max.saturating_sub(self.long_running))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this thread is taken from those without a job.
    fn wait<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let own = thread::current();
        let id = own.id();
        queue.idle.push(own);
        while queue.idle.iter().any(|thread| thread.id() == id) {
            drop(queue);
            thread::park();
            queue = self.lock();
        }
        queue
    }

    fn work(&self) {
        let mut queue = self.lock();
        loop {
            if let Some((job, is_long)) = queue.next() {
                drop(queue);
                // A job that panics is a bug of ours; it must not take a thread with it. Whoever
                // waits for it finds its channel closed.
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                if outcome.is_err() {
                    tracing::error!("a storage job panicked");
                }
                queue = self.lock();
                queue.long_running -= usize::from(is_long);
            } else if queue.closing {
                return;
            } else {
                queue = self.wait(queue);
            }
        }
    }
}

impl Pool {
    pub(crate) fn new(threads: Threads) -> Self {
        let shared = Arc::<Shared>::default();
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        shared.lock().long_max = match threads {
            // One thread at least is there for those who wait for the disk.
            Threads::Pool(most) => processors.min(most.saturating_sub(1)).max(1),
            Threads::Inline | Threads::Manual => usize::MAX,
        };
        let has_room = matches!(threads, Threads::Pool(_)) && processors > 1;
        Self { shared, has_room, threads, handles: Mutex::default() }
    }

    /// Leave to do a job here, for a commit that is alone in its account: while no thread of the pool
    /// works, as long as the disk is fast, and after a while without company. Under load threads of
    /// the pool work, and callers serve their clients meanwhile.
    pub(crate) fn guest(&self) -> Option<Guest> {
        let is_idle = {
            let queue = self.shared.lock();
            queue.jobs.is_empty() && queue.idle.len() == queue.started && !queue.closing
        };
        if !is_idle || self.shared.guest.load(Relaxed) {
            self.has_company();
            return None;
        }
        count(&self.shared.alone);
        let is_quick = self.shared.quick.load(Relaxed) >= ROW_MIN;
        let is_lone = self.shared.alone.load(Relaxed) >= ROW_MIN;
        let mine = self.has_room && is_lone && is_quick;
        (mine && !self.shared.guest.swap(true, Relaxed)).then(|| Guest(self.shared.clone()))
    }

    /// A commit came while another one was on its way: a caller who waits for the disk keeps others
    /// from being served.
    pub(crate) fn has_company(&self) {
        self.shared.alone.store(0, Relaxed);
    }

    /// Whether one client works alone, as far as the last commits tell.
    pub(crate) fn is_lone(&self) -> bool {
        self.shared.alone.load(Relaxed) >= ROW_MIN
    }

    /// A sync took so long.
    pub(crate) fn took(&self, time: Duration) {
        match time <= QUICK_SYNC {
            true => count(&self.shared.quick),
            false => self.shared.quick.store(0, Relaxed),
        }
    }

    pub(crate) fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.add(Box::new(job), |queue| &mut queue.jobs);
    }

    /// For a job that computes for milliseconds: as many as there are processors run at once, and only
    /// when nothing else waits for a thread.
    pub(crate) fn spawn_long(&self, job: impl FnOnce() + Send + 'static) {
        self.add(Box::new(job), |queue| &mut queue.long);
    }

    fn add(&self, job: Job, to: fn(&mut Queue) -> &mut VecDeque<Job>) {
        let most = match self.threads {
            Threads::Inline => return job(),
            Threads::Manual => 0,
            Threads::Pool(most) => most.max(1),
        };
        let mut queue = self.shared.lock();
        if queue.closing {
            drop(queue);
            return job();
        }
        to(&mut queue).push_back(job);
        if queue.idle.len() < queue.ready() && queue.started < most {
            queue.started += 1;
            let shared = self.shared.clone();
            let builder = std::thread::Builder::new().name("storage".to_owned());
            match builder.spawn(move || shared.work()) {
                Ok(handle) => {
                    let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
                    handles.push(handle);
                }
                Err(error) => {
                    queue.started -= 1;
                    tracing::error!(%error, "cannot start a storage thread");
                    if queue.started == 0 {
                        // Slow is better than never.
                        let job = to(&mut queue).pop_back();
                        drop(queue);
                        return job.map_or((), |job| job());
                    }
                }
            }
        }
        let idle = queue.idle.pop();
        drop(queue);
        if let Some(thread) = idle {
            thread.unpark();
        }
    }

    /// Runs `work` and answers with its result.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Task<'static, Result<T, Error>> {
        if self.threads == Threads::Inline {
            return Box::pin(std::future::ready(work()));
        }
        let (tell, told) = oneshot::channel();
        self.spawn(move || drop(tell.send(work())));
        Box::pin(async move { told.await.unwrap_or_else(|_| Err(gone())) })
    }

    /// Whether other work waits for a thread. A job that does one thing after the other lets it pass
    /// in between.
    pub(crate) fn is_crowded(&self) -> bool {
        match self.threads {
            Threads::Inline => false,
            Threads::Manual => true,
            Threads::Pool(_) => !self.shared.lock().jobs.is_empty(),
        }
    }

    /// Does what waits, and stops the threads. Later jobs run on their caller's thread.
    pub(crate) fn close(&self) {
        let idle = {
            let mut queue = self.shared.lock();
            queue.closing = true;
            std::mem::take(&mut queue.idle)
        };
        idle.iter().for_each(Thread::unpark);
        let own = std::thread::current().id();
        let handles =
            std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        for handle in handles.into_iter().filter(|handle| handle.thread().id() != own) {
            drop(handle.join());
        }
        while self.step() {}
    }

    /// Runs one waiting job on this thread; false if there is none.
    pub(crate) fn step(&self) -> bool {
        let next = self.shared.lock().next();
        let Some((job, is_long)) = next else { return false };
        job();
        self.shared.lock().long_running -= usize::from(is_long);
        true
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // What waits is still done: a commit that was accepted reaches the disk.
        self.close();
    }
}

pub(crate) fn gone() -> Error {
    Error::Failed("the storage is closing".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many times leave is asked for until it is given.
    fn asked(pool: &Pool) -> Option<u32> {
        (1..100).find(|_| pool.guest().is_some())
    }

    /// A pool on a machine with several processors and a fast disk.
    fn pool(threads: Threads) -> Pool {
        let mut pool = Pool::new(threads);
        pool.has_room = matches!(threads, Threads::Pool(_));
        (0..ROW_MIN).for_each(|_| pool.took(QUICK_SYNC));
        pool
    }

    #[test]
    fn leave_is_given_after_a_while_without_company() {
        let pool = pool(Threads::Pool(1));
        assert_eq!(asked(&pool), Some(ROW_MIN));
        assert_eq!(asked(&pool), Some(1));
        pool.has_company();
        assert_eq!(asked(&pool), Some(ROW_MIN));
        // One at a time, and asking is company.
        let guest = pool.guest();
        assert!(guest.is_some() && pool.guest().is_none());
        drop(guest);
        assert_eq!(asked(&pool), Some(ROW_MIN));
    }

    #[test]
    fn a_slow_sync_ends_it_until_others_were_quick() {
        let pool = pool(Threads::Pool(1));
        assert!(asked(&pool).is_some());
        pool.took(QUICK_SYNC * 2);
        (1..ROW_MIN).for_each(|_| pool.took(QUICK_SYNC));
        assert!(asked(&pool).is_none());
        pool.took(QUICK_SYNC);
        assert_eq!(asked(&pool), Some(1));
    }

    #[test]
    fn idle_threads_are_woken_for_every_job() {
        let pool = Pool::new(Threads::Pool(3));
        // One after the other, by threads that sleep in between or not; and many at once.
        for _ in 0..500 {
            let (tell, told) = std::sync::mpsc::channel();
            pool.spawn(move || tell.send(7).unwrap_or_default());
            assert_eq!(told.recv(), Ok(7));
        }
        let done = Arc::new(AtomicU32::new(0));
        for _ in 0..500 {
            let done = done.clone();
            pool.spawn_long(move || {
                done.fetch_add(1, Relaxed);
            });
        }
        pool.close();
        assert_eq!(done.load(Relaxed), 500);
        assert!(pool.shared.lock().idle.is_empty());
    }

    #[test]
    fn nobody_is_a_guest_where_tests_say_what_runs() {
        assert!(asked(&pool(Threads::Inline)).is_none());
        assert!(asked(&pool(Threads::Manual)).is_none());
    }
}
