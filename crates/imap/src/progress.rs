//! How far a long command is: INPROGRESS (RFC 9585), so that no client, and nothing between it and
//! the server, takes a long silence for the end.
//!
//! Only commands that look through many messages before they answer say it: SEARCH, SORT, THREAD.
//! FETCH answers as it goes, and COPY, MOVE and STORE are one record whatever they name.

use wire::response::{Code, Condition, Untagged};

use crate::capability;
use crate::context::{Client, Shared};
use crate::error::No;
use crate::output::Out;

/// RFC 9585 §4: no more often than every ten seconds.
const INTERVAL_MS: i64 = 10_000;

/// How far one command is, and when that is said next.
#[derive(Debug)]
pub struct Pace {
    /// `None`: this client is not told.
    next_ms: Option<i64>,
    done: u64,
    goal: u64,
}

impl Pace {
    /// The beginning of a command.
    pub(crate) fn new(shared: &Shared, client: &Client) -> Self {
        let hidden = shared.settings.mask.hides(capability::INPROGRESS, client);
        let next_ms = (!hidden).then(|| shared.clock.now_ms().saturating_add(INTERVAL_MS));
        Self { next_ms, done: 0, goal: 0 }
    }
}

/// Tells how far a command is while it works.
pub(crate) struct Progress<'a> {
    pub(crate) pace: &'a mut Pace,
    pub(crate) tag: &'a str,
    pub(crate) shared: &'a Shared,
    pub(crate) out: Out<'a>,
}

impl Progress<'_> {
    /// So many more messages are to be looked at: a command that goes through them twice counts
    /// them twice.
    pub(crate) fn aim(&mut self, messages: u64) {
        self.pace.done = self.pace.goal;
        self.pace.goal = self.pace.goal.saturating_add(messages);
    }

    /// Messages were looked at.
    pub(crate) fn add(&mut self, messages: usize) {
        self.pace.done = self.pace.done.saturating_add(messages as u64).min(self.pace.goal);
    }

    /// Says it, if the time has come. Between responses only. An error when the server stops.
    pub(crate) async fn tell(&mut self) -> Result<(), No> {
        self.shared.go_on()?;
        let Some(next_ms) = self.pace.next_ms else { return Ok(()) };
        let now_ms = self.shared.clock.now_ms();
        if now_ms < next_ms {
            return Ok(());
        }
        self.pace.next_ms = Some(now_ms.saturating_add(INTERVAL_MS));
        let code = Code::InProgress(self.tag.to_owned(), Some((self.pace.done, self.pace.goal)));
        let text = "Still at it".to_owned();
        self.out.untagged(&Untagged::Status(Condition::Ok, Some(code), text));
        Ok(self.out.flush().await?)
    }
}
