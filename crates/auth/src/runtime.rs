//! What authentication needs of the world: the time, threads, chance.

use std::time::Duration;

use crate::Task;

/// The world, as an argument. The server implements it with its executor, tests with a fake clock.
pub trait Runtime: Send + Sync {
    /// Milliseconds since 1970 UTC.
    fn now_ms(&self) -> i64;
    /// Runs `work`, which computes for tens of milliseconds, on a thread where that hurts nobody.
    fn blocking(&self, work: Box<dyn FnOnce() + Send>);
    /// Resolves after `duration`.
    fn sleep(&self, duration: Duration) -> Task<'static, ()>;
    /// Runs `work`, which takes no time, after `duration`; not at all if the program ends before.
    fn later(&self, duration: Duration, work: Box<dyn FnOnce() + Send>);
    /// Fills `out` with bytes nobody can guess.
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(out).map_err(|error| NoRandomness(error.to_string()))
    }
}

/// The operating system gives no random bytes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no random bytes: {0}")]
pub struct NoRandomness(pub String);
