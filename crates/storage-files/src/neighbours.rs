//! Many messages at once: what lies together in a segment is one read, and its messages are decoded
//! into one buffer.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::future::join_all;
use mailbox::Position;
use storage::Error;

use crate::codec::{Stored, damaged};
use crate::failed;
use crate::frame::padded;
use crate::log::Log;
use crate::pool::gone;
use crate::segment::Handle;

/// Bytes of one read, and what one thread decodes before another may help: some hundred microseconds,
/// many times what it costs to wake the thread.
const SPAN_BYTES: u32 = 128 * 1024;
/// Bytes between two messages that are read in vain rather than by a read of their own.
const GAP_BYTES: u32 = 8 * 1024;

type Answers = Vec<Result<Bytes, Error>>;

/// Spans that are read at the same time. Whoever waits for them is woken once, by the last.
struct Together {
    found: Vec<OnceLock<Answers>>,
    tell: oneshot::Sender<Vec<OnceLock<Answers>>>,
}

impl Together {
    /// One of those who have a share in it is done.
    fn end(self: Arc<Self>) {
        if let Some(Self { found, tell }) = Arc::into_inner(self) {
            // Nobody may wait any more.
            let _ = tell.send(found);
        }
    }
}

impl Log {
    /// The messages at these positions, in order. Neighbours are read together.
    pub(crate) async fn messages(self: &Arc<Self>, at: Vec<Position>) -> Answers {
        let newest = at.iter().copied().max_by_key(|at| (at.segment, at.offset));
        if let Some(newest) = newest
            && let Err(error) = self.arrived(newest).await
        {
            return all(&at, &error);
        }
        let spans: Vec<&[Position]> = spans(&at).collect();
        let (tell, told) = oneshot::channel();
        let found = spans.iter().map(|_| OnceLock::new()).collect();
        let together = Arc::new(Together { found, tell });
        let are_many = |span: &&[Position]| span.len() > 1;
        for (nth, span) in spans.iter().enumerate().filter(|(_, span)| are_many(span)) {
            let (log, span, together) = (self.clone(), span.to_vec(), together.clone());
            self.shared.pool.spawn(move || {
                let _ = together.found[nth].set(log.read_span(&span));
                Together::end(together);
            });
        }
        Together::end(together);
        let alone = spans.iter().filter(|span| !are_many(span)).flat_map(|span| span.iter());
        let mut alone = join_all(alone.map(|&at| self.message(at))).await.into_iter();
        // A job that panicked has no answers.
        let mut found = told.await.unwrap_or_default().into_iter();
        let answers = spans.iter().flat_map(|span| {
            let found = found.next().and_then(OnceLock::into_inner);
            match are_many(span) {
                true => found.unwrap_or_else(|| all(span, &gone())),
                false => alone.next().into_iter().collect(),
            }
        });
        answers.collect()
    }

    fn read_span(&self, at: &[Position]) -> Answers {
        let handle = match self.handle(at[0].segment) {
            Ok(handle) => handle,
            Err(error) => return all(at, &error),
        };
        match self.read_neighbours(&handle, at) {
            Ok(answers) => answers,
            Err(error) => all(at, &error),
        }
    }

    fn read_neighbours(&self, handle: &Handle, at: &[Position]) -> Result<Answers, Error> {
        // Rewriting keeps the order of frames and only takes away what lies between them.
        let places = at.iter().map(|at| handle.physical(at.offset)).collect::<Vec<_>>();
        let known =
            || places.iter().zip(at).filter_map(|(place, at)| Some((place.as_ref().ok()?, at)));
        let start = known().map(|(&place, _)| place).min().unwrap_or(0);
        let end = known().map(|(&place, at)| place + u64::from(at.stored_bytes)).max().unwrap_or(0);
        let mut buffer = vec![0; (end - start).min(u64::from(SPAN_BYTES)) as usize];
        let count = handle.file.read_at(&mut buffer, start);
        buffer.truncate(count.map_err(|error| failed("segment", &error))?);
        let frames = places.into_iter().zip(at).map(|(place, at)| {
            let from = (place? - start) as usize;
            let frame = buffer.get(from..from + at.stored_bytes as usize);
            let frame = frame.ok_or_else(|| damaged(at.offset, "no frame"))?;
            Stored::check(frame, handle.seed, at.offset)
        });
        let frames = frames.collect::<Vec<_>>();
        let octets = frames.iter().flatten().map(|stored| stored.octets).sum();
        let mut decoder = self.shared.codec.decoder();
        let mut decoded = Vec::with_capacity(octets);
        let ends = frames.into_iter().zip(at).map(|(stored, at)| {
            let stored = stored?;
            decoder.append_message(&stored, at.offset, &mut decoded)?;
            Ok(stored.octets)
        });
        let ends = ends.collect::<Vec<Result<usize, Error>>>();
        let mut decoded = Bytes::from(decoded);
        let answers = ends.into_iter().map(|octets| Ok(decoded.split_to(octets?)));
        Ok(answers
            .map(|answer| answer.inspect_err(|error| self.unreadable(handle, error)))
            .collect())
    }

    fn unreadable(&self, handle: &Handle, error: &Error) {
        let segment = handle.segment.number;
        tracing::error!(account = %self.id, segment, %error, "unreadable message");
    }
}

fn all(at: &[Position], error: &Error) -> Answers {
    at.iter().map(|_| Err(error.clone())).collect()
}

/// Cuts positions, in their order, where one read should end and another begin.
fn spans(at: &[Position]) -> impl Iterator<Item = &[Position]> {
    let mut first = at.first().copied();
    at.chunk_by(move |before, next| {
        let together = first.is_some_and(|first| are_neighbours(first, *before, *next));
        if !together {
            first = Some(*next);
        }
        together
    })
}

fn are_neighbours(first: Position, before: Position, next: Position) -> bool {
    let end = u64::from(before.offset) + padded(u64::from(before.stored_bytes));
    let next_end = u64::from(next.offset) + u64::from(next.stored_bytes);
    before.segment == next.segment
        && u64::from(next.offset) >= end
        && u64::from(next.offset) - end <= u64::from(GAP_BYTES)
        && next_end - u64::from(first.offset) <= u64::from(SPAN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(segment: u32, offset: u32, stored_bytes: u32) -> Position {
        Position { segment, offset, stored_bytes }
    }

    fn lengths(positions: &[Position]) -> Vec<usize> {
        spans(positions).map(<[Position]>::len).collect()
    }

    #[test]
    fn neighbours_are_read_together() {
        assert_eq!(lengths(&[]), [] as [usize; 0]);
        assert_eq!(lengths(&[at(1, 1024, 99), at(1, 1128, 50), at(1, 5000, 50)]), [3]);
        // Another segment, a wide gap, the wrong order, the same one twice.
        assert_eq!(lengths(&[at(1, 1024, 99), at(2, 1128, 50)]), [1, 1]);
        assert_eq!(lengths(&[at(1, 1024, 99), at(1, 30_000, 50)]), [1, 1]);
        assert_eq!(lengths(&[at(1, 1128, 50), at(1, 1024, 99)]), [1, 1]);
        assert_eq!(lengths(&[at(1, 1128, 50), at(1, 1128, 50)]), [1, 1]);
    }

    #[test]
    fn no_read_is_longer_than_a_span() {
        let positions: Vec<_> = (0..100).map(|n| at(1, 1024 + n * 4096, 4000)).collect();
        assert_eq!(lengths(&positions), [32, 32, 32, 4]);
        let large: Vec<_> = (0..3).map(|n| at(1, n * 200_000, 200_000)).collect();
        assert_eq!(lengths(&large), [1, 1, 1]);
        assert_eq!(lengths(&[at(1, u32::MAX, u32::MAX), at(1, 8, u32::MAX)]), [1, 1]);
    }
}
