//! What is kept beside messages, a group of them at a time: the next group is looked up while one is
//! used.

use std::pin::Pin;

use futures_util::future::{MaybeDone, maybe_done};
use mailbox::Row;
use storage::{Extract, Extracts, Task};

use crate::context::Reading;

/// Messages that are looked up together.
const AT_ONCE: usize = 2048;

/// Messages with what is kept of them.
pub(super) struct Beside<'a, 'r> {
    cx: &'r Reading<'a>,
    of: Extract,
    rest: &'r [Row],
    ahead: Pin<Box<MaybeDone<Task<'a, Extracts>>>>,
}

impl<'a, 'r> Beside<'a, 'r> {
    pub(super) fn new(cx: &'r Reading<'a>, of: Extract, rows: &'r [Row]) -> Self {
        Self { cx, of, rest: rows, ahead: Box::pin(maybe_done(look_up(cx, of, rows))) }
    }

    /// The next messages, one at least, and what is kept of them; `None` behind the last.
    pub(super) async fn next(&mut self) -> Option<(&'r [Row], Extracts)> {
        if self.rest.is_empty() {
            return None;
        }
        (&mut self.ahead).await;
        let found = self.ahead.as_mut().take_output().unwrap_or_default();
        let (here, behind) = self.rest.split_at(found.len().clamp(1, self.rest.len()));
        self.rest = behind;
        self.ahead = Box::pin(maybe_done(look_up(self.cx, self.of, behind)));
        // Begins to read.
        let _ = futures_util::poll!(&mut self.ahead);
        Some((here, found))
    }
}

/// What is kept of the first messages of `rows`.
fn look_up<'a>(cx: &Reading<'a>, of: Extract, rows: &[Row]) -> Task<'a, Extracts> {
    let at = rows.iter().take(AT_ONCE).map(|row| row.position).collect();
    Box::pin(cx.live.extracts(of, at))
}
