//! Messages that have to be read, some hundred at a time: each is looked at on the storage's threads,
//! where it was read, and what was found comes back in order. While one group's answers are taken, the
//! next group is being looked at.

use std::sync::{Arc, OnceLock};

use futures_util::future::{MaybeDone, maybe_done};
use mailbox::{Position, Row};
use storage::{Error, Lookers, Task};

use crate::context::Reading;

/// Octets of a message that is held in memory; a larger one streams.
const HELD_BYTES: u64 = 256 * 1024;
/// Octets of a group: what has begun is done, whoever has gone meanwhile.
const GROUP_BYTES: u64 = 2 * 1024 * 1024;
/// Messages of a group: work for all threads, and less than others would wait for.
const GROUP_MESSAGES: usize = 512;

/// Looks at messages one after the other.
pub(super) type Work<T, R> = Box<dyn FnMut(&T, &[u8]) -> R>;
/// Makes what looks at messages, for each thread that does.
pub(super) type Works<T, R> = Arc<dyn Fn() -> Work<T, R> + Send + Sync>;

/// Groups of `T`, each of which has a row, and what was found of them.
pub(super) struct Groups<'a, T, R> {
    cx: Reading<'a>,
    row: fn(&T) -> &Row,
    works: Works<T, R>,
    rest: &'a [T],
    ahead: Option<Ahead<'a, T, R>>,
}

/// A group that is being looked at.
struct Ahead<'a, T, R> {
    group: &'a [T],
    found: Arc<[OnceLock<Result<R, Error>>]>,
    shown: MaybeDone<Task<'a, ()>>,
}

/// What was found of a group's small messages, in their order.
pub(super) struct Found<R> {
    all: Arc<[OnceLock<Result<R, Error>>]>,
    next: usize,
}

impl<R> Found<R> {
    /// Of the next small message. Damage is the message's, any other error the command's.
    pub(super) fn next(&mut self) -> Result<&R, Error> {
        let found = self.all.get(self.next).and_then(OnceLock::get);
        self.next += 1;
        match found {
            Some(found) => found.as_ref().map_err(Error::clone),
            // Its thread came to grief, which it has logged.
            None => Err(Error::Failed("a message was not looked at".into())),
        }
    }
}

/// Whether a message is held in memory to be looked at.
pub(super) fn is_small(row: &Row) -> bool {
    u64::from(row.size) <= HELD_BYTES
}

impl<'a, T, R> Groups<'a, T, R>
where
    T: Copy + Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    pub(super) fn new(
        cx: &Reading<'a>,
        all: &'a [T],
        row: fn(&T) -> &Row,
        works: Works<T, R>,
    ) -> Self {
        let mut groups = Self { cx: *cx, row, works, rest: all, ahead: None };
        groups.ahead = groups.begin();
        groups
    }

    fn begin(&mut self) -> Option<Ahead<'a, T, R>> {
        let mut octets = 0;
        let fits = |one: &&T| {
            octets += u64::from((self.row)(one).size);
            octets <= GROUP_BYTES
        };
        let count = self.rest.iter().take(GROUP_MESSAGES).take_while(fits).count();
        let (group, rest) = self.rest.split_at(count.max(1).min(self.rest.len()));
        self.rest = rest;
        if group.is_empty() {
            return None;
        }
        let small: Vec<T> = group.iter().copied().filter(|one| is_small((self.row)(one))).collect();
        let at: Vec<Position> = small.iter().map(|one| (self.row)(one).position).collect();
        let found: Arc<[_]> = small.iter().map(|_| OnceLock::new()).collect();
        let lookers = lookers(small.into(), found.clone(), self.works.clone());
        let storage = self.cx.shared.accounts.storage();
        let shown = maybe_done(storage.show(self.cx.live.id(), at, lookers));
        Some(Ahead { group, found, shown })
    }

    /// The next group, and what was found of its small messages.
    pub(super) async fn next(&mut self) -> Option<(&'a [T], Found<R>)> {
        let Ahead { group, found, mut shown } = self.ahead.take()?;
        let _ = futures_util::poll!(&mut shown);
        self.ahead = self.begin();
        if let Some(ahead) = &mut self.ahead {
            // Begins: no thread has to wait for this one.
            let _ = futures_util::poll!(&mut ahead.shown);
        }
        shown.await;
        Some((group, Found { all: found, next: 0 }))
    }
}

fn lookers<T, R>(
    small: Arc<[T]>,
    found: Arc<[OnceLock<Result<R, Error>>]>,
    works: Works<T, R>,
) -> Lookers
where
    T: Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    Arc::new(move || {
        let (small, found, mut work) = (small.clone(), found.clone(), works());
        Box::new(move |nth, message| {
            let (Some(one), Some(place)) = (small.get(nth), found.get(nth)) else { return };
            // Each is shown once.
            let _ = place.set(message.map(|message| work(one, message)));
        })
    })
}
