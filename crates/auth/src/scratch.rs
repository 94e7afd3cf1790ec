//! The memory that checks of passwords work in: to get its pages from the system takes a third of a
//! check. It is kept while other checks run, and after the start, when all clients come, until the first
//! one has; and it is given back when the client has its answer, for that takes a millisecond too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::Block;

use crate::Runtime;

/// An allocation as large as this is given back to the system at once. What is smaller stays with
/// the thread that made it when the allocator of glibc has learnt that it comes again (its dynamic
/// threshold ends at 32 MiB), and a server of many threads would own a check's memory many times.
/// Of what is allocated, only what is used takes memory.
const OWN_MAPPING_BYTES: usize = 33 * 1024 * 1024;
/// How long the memory of the start's own check waits for the first client's: those that were
/// connected come again within seconds.
const KEPT: Duration = Duration::from_secs(10);

/// Until [`purge`].
const PURGED: Duration = Duration::from_millis(50);

/// mimalloc gives memory back to the system some milliseconds after it was freed, but only when something
/// large is freed or made at that time: in a quiet server a check's would stay for ever.
fn purge() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(1024 * 1024)));
}

/// Memory between two checks.
#[derive(Default)]
pub(crate) struct Scratch(Mutex<State>);

#[derive(Default)]
struct State {
    /// Never more than checks at once.
    free: Vec<Vec<Block>>,
    /// Checks that run.
    checks: usize,
    /// The start's own: its memory stays although nobody else runs.
    is_start: bool,
}

/// A check's memory while it runs.
pub(crate) struct Piece<'a> {
    scratch: &'a Scratch,
    /// As many as were wanted, with anything in them.
    pub(crate) blocks: Vec<Block>,
}

impl Scratch {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a check with so many blocks.
    pub(crate) fn piece(&self, count: usize) -> Piece<'_> {
        let mut state = self.lock();
        state.checks += 1;
        let free = state.free.pop().filter(|blocks| blocks.capacity() >= count);
        drop(state);
        let room = count.max(OWN_MAPPING_BYTES / Block::SIZE);
        let mut blocks = free.unwrap_or_else(|| Vec::with_capacity(room));
        blocks.resize(count, Block::new());
        Piece { scratch: self, blocks }
    }

    /// A check's answer is told: gives back what no check and no start needs.
    fn settle(&self) {
        let mut state = self.lock();
        // Only the first check has the start's.
        state.is_start = false;
        let unneeded = if state.checks == 0 { std::mem::take(&mut state.free) } else { Vec::new() };
        drop(state);
        // Not under the lock.
        drop(unneeded);
    }

    /// What becomes of the memory after a check is done when this is dropped.
    pub(crate) fn settles(self: &Arc<Self>, runtime: &Arc<dyn Runtime>) -> impl Sized + use<> {
        struct Settles(Arc<Scratch>, Arc<dyn Runtime>);
        impl Drop for Settles {
            fn drop(&mut self) {
                self.0.settle();
                self.1.later(PURGED, Box::new(purge));
            }
        }
        Settles(Arc::clone(self), Arc::clone(runtime))
    }

    /// Runs the check that a start begins with, and keeps its memory for a client that comes soon.
    pub(crate) fn start<T>(
        self: &Arc<Self>,
        runtime: &Arc<dyn Runtime>,
        check: impl FnOnce() -> T,
    ) -> T {
        self.lock().is_start = true;
        let answer = check();
        let (scratch, own) = (Arc::clone(self), Arc::clone(runtime));
        let forget = move || {
            if scratch.lock().is_start {
                drop(scratch.settles(&own));
            }
        };
        runtime.later(KEPT, Box::new(forget));
        answer
    }
}

impl Drop for Piece<'_> {
    fn drop(&mut self) {
        let blocks = std::mem::take(&mut self.blocks);
        let mut state = self.scratch.lock();
        state.checks -= 1;
        // A hash from elsewhere may have wanted far more.
        if blocks.capacity() * Block::SIZE <= OWN_MAPPING_BYTES {
            state.free.push(blocks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Task;

    /// Does later what is wanted later.
    #[derive(Default)]
    struct Later(Mutex<Vec<Box<dyn FnOnce() + Send>>>);

    impl Runtime for Later {
        fn now_ms(&self) -> i64 {
            0
        }
        fn blocking(&self, work: Box<dyn FnOnce() + Send>) {
            work();
        }
        fn sleep(&self, _: Duration) -> Task<'static, ()> {
            Box::pin(async {})
        }
        fn later(&self, _: Duration, work: Box<dyn FnOnce() + Send>) {
            self.0.lock().unwrap().push(work);
        }
    }

    #[test]
    fn memory_is_used_again_while_others_run() {
        let scratch = Scratch::default();
        let free = || scratch.lock().free.len();
        let (one, two) = (scratch.piece(64), scratch.piece(64));
        let at = one.blocks.as_ptr();
        drop(one);
        let again = scratch.piece(32);
        assert_eq!((again.blocks.as_ptr(), again.blocks.len(), free()), (at, 32, 0));
        drop(two);
        scratch.settle();
        assert_eq!(free(), 1, "the other check may be followed by one more");
        drop(again);
        assert_eq!(free(), 2, "its client has no answer yet");
        scratch.settle();
        assert_eq!(free(), 0);
    }

    #[test]
    fn memory_of_the_start_is_for_the_first_check_that_comes_soon() {
        let (scratch, later) = (Arc::new(Scratch::default()), Arc::new(Later::default()));
        let free = || scratch.lock().free.len();
        let forget = || {
            let waiting = std::mem::take(&mut *later.0.lock().unwrap());
            waiting.into_iter().for_each(|forget| forget());
        };
        let runtime: Arc<dyn Runtime> = later.clone();
        scratch.start(&runtime, || drop(scratch.piece(64)));
        assert_eq!(free(), 1);
        drop(scratch.piece(64));
        assert_eq!(free(), 1);
        scratch.settle();
        assert_eq!(free(), 0);
        let running = scratch.piece(64);
        drop(scratch.piece(64));
        forget();
        assert_eq!(free(), 1, "the start is over");
        drop(running);
        scratch.start(&runtime, || drop(scratch.piece(64)));
        forget();
        assert_eq!(free(), 0, "nobody came");
    }

    #[test]
    fn memory_of_a_hash_that_wants_much_is_not_kept() {
        let scratch = Scratch::default();
        let (other, large) = (scratch.piece(8), OWN_MAPPING_BYTES / Block::SIZE + 1);
        assert_eq!(scratch.piece(large).blocks.len(), large);
        assert_eq!(scratch.lock().free.len(), 0);
        drop(scratch.piece(8));
        assert_eq!(scratch.lock().free.len(), 1);
        // What was kept is too small for it.
        assert_eq!(scratch.piece(large).blocks.len(), large);
        drop(other);
    }
}
