//! Many messages looked at where they were read: what lies together in a segment is one read and one
//! job, in which each message is decoded, looked at, and gone.

use std::sync::Arc;

use futures_channel::oneshot;
use mailbox::Position;
use storage::{Error, Lookers};

use crate::log::Log;
use crate::neighbours::spans;
use crate::outgoing::LargeReader;

/// What the jobs of one question share. The last of them to end drops it, which is the answer.
struct Question {
    lookers: Lookers,
    told: oneshot::Sender<()>,
}

impl Log {
    /// Shows the messages at these positions to `lookers`.
    pub(crate) async fn show(self: &Arc<Self>, at: Vec<Position>, lookers: Lookers) {
        if let Err(error) = self.all_arrived(&at).await {
            let mut look = lookers();
            return (0..at.len()).for_each(|nth| look(nth, Err(error.clone())));
        }
        let (told, end) = oneshot::channel();
        let question = Arc::new(Question { lookers, told });
        for span in spans(&at) {
            let (log, first, at) = (self.clone(), span.start, at[span].to_vec());
            let question = question.clone();
            self.shared.pool.spawn_long(move || {
                // Whoever asked may have gone.
                if !question.told.is_canceled() {
                    log.show_span(&at, first, &question.lookers);
                }
            });
        }
        drop(question);
        // Nothing is ever sent.
        let _ = end.await;
    }

    /// Messages that are the `first`-th and those behind it.
    fn show_span(&self, at: &[Position], first: usize, lookers: &Lookers) {
        let mut look = lookers();
        if let [one] = *at {
            let message = match self.is_large(one) {
                true => LargeReader::open(self, one).and_then(|reader| reader.read_all(self)),
                false => self.read_message(one),
            };
            return look(first, message.as_deref().map_err(Error::clone));
        }
        let shown = self.with_span(at, |handle, frames, mut decoder| {
            let mut message = Vec::new();
            for ((nth, at), stored) in (first..).zip(at).zip(frames) {
                message.clear();
                let decoded = stored
                    .and_then(|stored| decoder.append_message(&stored, at.offset, &mut message))
                    .inspect_err(|error| self.unreadable(handle, error));
                look(nth, decoded.map(|()| &message[..]));
            }
        });
        if let Err(error) = shown {
            (first..first + at.len()).for_each(|nth| look(nth, Err(error.clone())));
        }
    }
}
