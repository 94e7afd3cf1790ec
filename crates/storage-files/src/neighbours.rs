//! Many messages at once: what lies together in a segment is one read, and its messages are decoded
//! into one buffer.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::future::join_all;
use mailbox::Position;
use storage::{Error, Run, Wrapping};

use crate::codec::{Decoder, Stored, damaged};
use crate::failed;
use crate::frame::padded;
use crate::log::Log;
use crate::outgoing::LargeReader;
use crate::pool::gone;
use crate::segment::Handle;

/// Bytes of one read, and what one thread decodes before another may help: some hundred microseconds,
/// many times what it costs to wake the thread.
const SPAN_BYTES: u32 = 128 * 1024;
/// Bytes between two messages that are read in vain rather than by a read of their own.
const GAP_BYTES: u32 = 8 * 1024;

type Answers = Vec<Result<Bytes, Error>>;

/// Spans that are read at the same time. Whoever waits for them is woken once, by the last.
struct Together<T> {
    found: Vec<OnceLock<T>>,
    tell: oneshot::Sender<Vec<OnceLock<T>>>,
}

impl<T> Together<T> {
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
        if let Err(error) = self.all_arrived(&at).await {
            return all(at.len(), &error);
        }
        let spans = spans(&at);
        let (many, alone): (Vec<_>, Vec<_>) = spans.iter().cloned().partition(|s| s.len() > 1);
        let jobs = many.iter().map(|span| {
            let (log, at) = (self.clone(), at[span.clone()].to_vec());
            move || log.read_span(&at)
        });
        let told = self.together(jobs.collect());
        let mut alone = join_all(alone.iter().map(|span| self.message(at[span.start]))).await;
        let (mut alone, mut found) = (alone.drain(..), told.await.into_iter());
        let answers = spans.iter().flat_map(|span| match span.len() {
            1 => alone.next().into_iter().collect(),
            count => found.next().flatten().unwrap_or_else(|| all(count, &gone())),
        });
        answers.collect()
    }

    /// The same with the text around them.
    pub(crate) async fn wrapped(self: &Arc<Self>, wrapping: Wrapping) -> Vec<Run> {
        let at = wrapping.positions();
        if let Err(error) = self.all_arrived(&at).await {
            return wrapping.join(all(at.len(), &error));
        }
        let spans = spans(&at);
        // One alone is most often one of few, and read without another thread.
        if let [span] = &*spans
            && span.len() == 1
        {
            return wrapping.join([self.message(at[0]).await]);
        }
        let shared = Arc::new((wrapping, at));
        let jobs = spans.iter().map(|span| {
            let (log, shared, span) = (self.clone(), shared.clone(), span.clone());
            move || log.wrap_span(&shared.0, &shared.1, span)
        });
        let told = self.together(jobs.collect());
        let found = told.await.into_iter().map(|found| found.unwrap_or_else(|| Err(gone())));
        let runs = spans.iter().zip(found).map(|(span, bytes)| Run { count: span.len(), bytes });
        runs.collect()
    }

    pub(crate) async fn all_arrived(self: &Arc<Self>, at: &[Position]) -> Result<(), Error> {
        match at.iter().copied().max_by_key(|at| (at.segment, at.offset)) {
            Some(newest) => self.arrived(newest).await,
            None => Ok(()),
        }
    }

    /// Runs these jobs on the pool; their answers, in order, when all are done. One that panicked has
    /// none.
    fn together<T: Send + Sync + 'static, J: FnOnce() -> T + Send + 'static>(
        &self,
        jobs: Vec<J>,
    ) -> impl Future<Output = Vec<Option<T>>> + Send + use<T, J> {
        let (tell, told) = oneshot::channel();
        let count = jobs.len();
        let found = (0..count).map(|_| OnceLock::new()).collect();
        let together = Arc::new(Together { found, tell });
        for (nth, job) in jobs.into_iter().enumerate() {
            let together = together.clone();
            self.shared.pool.spawn(move || {
                let _ = together.found[nth].set(job());
                Together::end(together);
            });
        }
        Together::end(together);
        async move {
            let found = told.await.unwrap_or_default().into_iter().map(OnceLock::into_inner);
            found.chain(std::iter::repeat_with(|| None)).take(count).collect()
        }
    }

    fn read_span(&self, at: &[Position]) -> Answers {
        let answers = self.with_span(at, |handle, frames, mut decoder| {
            let octets = frames.iter().flatten().map(|stored| stored.octets).sum();
            let mut decoded = Vec::with_capacity(octets);
            let ends = frames.into_iter().zip(at).map(|(stored, at)| {
                let stored = stored?;
                decoder.append_message(&stored, at.offset, &mut decoded)?;
                Ok(stored.octets)
            });
            let ends = ends.collect::<Vec<Result<usize, Error>>>();
            let mut decoded = Bytes::from(decoded);
            let answers = ends.into_iter().map(|octets| Ok(decoded.split_to(octets?)));
            answers
                .map(|answer| answer.inspect_err(|error| self.unreadable(handle, error)))
                .collect()
        });
        answers.unwrap_or_else(|error| all(at.len(), &error))
    }

    fn wrap_span(
        &self,
        wrapping: &Wrapping,
        at: &[Position],
        span: Range<usize>,
    ) -> Result<Bytes, Error> {
        let at = &at[span.clone()];
        if let [at] = *at {
            let message = match self.is_large(at) {
                true => LargeReader::open(self, at)?.read_all(self)?,
                false => self.read_message(at)?,
            };
            return wrapping.wrap(span.start, &message);
        }
        self.with_span(at, |_, frames, mut decoder| {
            let mut out = Vec::with_capacity(wrapping.octets(span.clone()));
            for ((nth, at), stored) in span.clone().zip(at).zip(frames) {
                let (front, back) = wrapping.around(nth);
                out.extend_from_slice(front);
                let stored = stored?;
                if wrapping.octets_of(nth).map(|octets| octets as usize) != Some(stored.octets) {
                    return Err(damaged(at.offset, "another size"));
                }
                decoder.append_message(&stored, at.offset, &mut out)?;
                out.extend_from_slice(back);
            }
            Ok(Bytes::from(out))
        })?
    }

    /// Reads a span, checks its frames, and has them used.
    pub(crate) fn with_span<T>(
        &self,
        at: &[Position],
        each: impl FnOnce(&Handle, Vec<Result<Stored<'_>, Error>>, Decoder<'_>) -> T,
    ) -> Result<T, Error> {
        let handle = self.handle(at[0].segment)?;
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
        Ok(each(&handle, frames, self.shared.codec.decoder()))
    }

    pub(crate) fn unreadable(&self, handle: &Handle, error: &Error) {
        let segment = handle.segment.number;
        tracing::error!(account = %self.id, segment, %error, "unreadable message");
    }
}

fn all(count: usize, error: &Error) -> Answers {
    (0..count).map(|_| Err(error.clone())).collect()
}

/// Cuts positions, in their order, where one read should end and another begin.
pub(crate) fn spans(at: &[Position]) -> Vec<Range<usize>> {
    // Threads that help each other are to be done at the same time.
    let total = at.iter().map(|at| padded(u64::from(at.stored_bytes))).sum::<u64>();
    let even = match total.div_ceil(u64::from(SPAN_BYTES)) {
        0 | 1 => u64::from(SPAN_BYTES),
        count => total.div_ceil(count),
    };
    let mut first = at.first().copied();
    let mut end = 0;
    let chunks = at.chunk_by(move |before, next| {
        let together = first.is_some_and(|first| {
            are_neighbours(first, *before, *next)
                && u64::from(next.offset) - u64::from(first.offset) < even
        });
        if !together {
            first = Some(*next);
        }
        together
    });
    let ranges = chunks.map(|chunk| {
        end += chunk.len();
        end - chunk.len()..end
    });
    ranges.collect()
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
        spans(positions).iter().map(ExactSizeIterator::len).collect()
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
        // As many as needed, of one length.
        assert_eq!(lengths(&positions), [25, 25, 25, 25]);
        let large: Vec<_> = (0..3).map(|n| at(1, n * 200_000, 200_000)).collect();
        assert_eq!(lengths(&large), [1, 1, 1]);
        assert_eq!(lengths(&[at(1, u32::MAX, u32::MAX), at(1, 8, u32::MAX)]), [1, 1]);
    }
}
