//! The clock, threads and timers of the operating system, as the pure crates ask for them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;

/// The real world.
#[derive(Clone, Debug)]
pub struct System {
    handle: Handle,
}

impl System {
    /// In the executor that is running now.
    pub fn current() -> Self {
        Self { handle: Handle::current() }
    }

    fn now() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

impl account::Clock for System {
    fn now_ms(&self) -> i64 {
        Self::now()
    }
}

impl auth::Runtime for System {
    fn now_ms(&self) -> i64 {
        Self::now()
    }

    fn blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.handle.spawn_blocking(work);
    }

    fn sleep(&self, duration: Duration) -> auth::Task<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn later(&self, duration: Duration, work: Box<dyn FnOnce() + Send>) {
        self.handle.spawn(async move {
            tokio::time::sleep(duration).await;
            work();
        });
    }
}
