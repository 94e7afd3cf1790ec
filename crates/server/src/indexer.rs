//! Keeps the text index up to date, one account at a time, on a thread of its own with the lowest
//! priority, at most half of the time. What it has not done yet is only slower to search.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{AccountId, ModSeq};
use index::Library;
use storage::{Error, Task};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::node::Node;

/// How often it looks for what is new: often enough that searches right after a burst of mail are
/// fast, seldom enough that many deliveries make one segment.
const INTERVAL: Duration = Duration::from_secs(5);
/// Fewer new messages of an account wait: to scan these takes milliseconds.
const MESSAGES_LEAST: usize = 200;
/// As nice as can be: whatever else there is to do comes first.
const NICE: i32 = 19;

/// Starts the thread; it ends soon after `stop` is true, or its sender is gone. `alive` is dropped
/// then.
pub(crate) fn start(
    node: Arc<Node>,
    index: Arc<Library>,
    stop: watch::Receiver<bool>,
    alive: impl Send + 'static,
) {
    let handle = Handle::current();
    let run = move || {
        let _alive = alive;
        // On Linux this is about the thread alone. Without the right to it, it runs all the same.
        let _ = rustix::process::setpriority_process(None, NICE);
        handle.block_on(Indexer { node, index, stop, seen: HashMap::new() }.run());
    };
    if let Err(error) = std::thread::Builder::new().name("index".to_owned()).spawn(run) {
        tracing::error!(%error, "the text index is not kept up to date");
    }
}

struct Indexer {
    node: Arc<Node>,
    index: Arc<Library>,
    stop: watch::Receiver<bool>,
    /// How far each account in memory was when it was looked at last.
    seen: HashMap<AccountId, ModSeq>,
}

impl Indexer {
    async fn run(mut self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                _ = self.stop.wait_for(|stop| *stop) => return,
            }
            let heads = self.node.accounts().heads();
            self.seen.retain(|id, _| heads.iter().any(|(other, _)| other == id));
            for id in self.index.take_damaged() {
                self.seen.remove(&id);
            }
            for (id, head) in heads {
                if id == AccountId::SYSTEM || self.seen.get(&id) == Some(&head) {
                    continue;
                }
                self.seen.insert(id, head);
                match self.update(id).await {
                    // One that was removed meanwhile needs no index.
                    Ok(()) | Err(Error::NoAccount) => {}
                    Err(error) => tracing::warn!(account = %id, %error, "messages not indexed"),
                }
                if *self.stop.borrow() {
                    return;
                }
            }
        }
    }

    async fn update(&self, id: AccountId) -> Result<(), Error> {
        let live = self.node.accounts().open(id).await?;
        let state = live.state();
        drop(live);
        let stop = self.stop.clone();
        let mut began = Instant::now();
        let mut pause = move |_| -> Task<'static, bool> {
            let (worked, stop) = (began.elapsed(), stop.clone());
            // What follows begins after the rest.
            began = Instant::now() + worked;
            Box::pin(async move {
                tokio::time::sleep(worked).await;
                !*stop.borrow()
            })
        };
        let began = Instant::now();
        let progress = self.index.update(id, &state, MESSAGES_LEAST, &mut pause).await?;
        if progress.done > 0 {
            let milliseconds = began.elapsed().as_millis();
            tracing::debug!(account = %id, messages = progress.done, milliseconds, "indexed");
        }
        Ok(())
    }
}
