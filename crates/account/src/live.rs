//! An account in use.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

use base::{AccountId, Limits};
use bytes::Bytes;
use mailbox::{Account, Position, Row};
use message::{Parser, Summary};
use storage::{Durability, Error, Extract, Extracts, Staged, Storage};

use crate::fold::{Folds, News};
use crate::{Accounts, Decision, Done, Failure};

/// An account in use. While there is one, the account stays in memory.
pub struct Live {
    pub(crate) folds: Arc<Folds>,
    accounts: Weak<Accounts>,
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(accounts) = self.accounts.upgrade() {
            accounts.release(&self.folds);
        }
    }
}

impl Live {
    pub(crate) fn new(folds: Arc<Folds>, accounts: Weak<Accounts>) -> Self {
        Self { folds, accounts }
    }

    /// Which account.
    pub fn id(&self) -> AccountId {
        self.folds.id
    }

    /// The engine.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.folds.around.storage
    }

    /// The bounds this account is kept in.
    pub fn limits(&self) -> &Limits {
        &self.folds.around.limits
    }

    /// The time, milliseconds since 1970 UTC.
    pub fn now_ms(&self) -> i64 {
        self.folds.around.clock.now_ms()
    }

    /// The durable fold. A reference; cheap.
    pub fn state(&self) -> Arc<Account> {
        self.folds.state()
    }

    /// Why the account cannot be used any more: [`Error::NoAccount`] if it was removed,
    /// [`Error::Failed`] if its storage failed and it has to be opened again. [`Live::listen`] hears
    /// of it.
    pub fn end(&self) -> Option<Error> {
        self.folds.end()
    }

    /// Whether the account was removed.
    pub fn is_removed(&self) -> bool {
        matches!(self.end(), Some(Error::NoAccount))
    }

    /// Whether it has ended by [`Accounts::disconnect`].
    pub fn is_disconnected(&self) -> bool {
        self.folds.disconnected.load(Relaxed)
    }

    /// Decides on the newest fold, commits, waits for the disk, publishes. `decide` runs again if
    /// another node was faster. `staged` is what the records' contents name.
    ///
    /// Dropping the future leaves the commit done or not done, never half. A failed sync closes this
    /// live account for good: whoever needs it opens it again.
    pub async fn commit<T, E>(
        &self,
        staged: Vec<Staged>,
        durability: Durability,
        decide: impl FnMut(&Account) -> Result<Decision<T>, E> + Send,
    ) -> Result<Done<T>, Failure<E>> {
        self.folds.commit(staged, durability, decide).await
    }

    /// A hint that [`Live::state`] may have moved on: register, then look, then wait. Whoever waits
    /// also publishes commits whose callers went away.
    pub fn listen(&self) -> News {
        self.folds.listen()
    }

    /// Summaries of messages, in order: from the cache, or parsed from the bytes and put into the
    /// cache. An `Err` concerns that message only.
    pub async fn summaries(&self, rows: &[Row]) -> Vec<Result<Arc<Summary>, Error>> {
        let mut summaries = Vec::with_capacity(rows.len());
        let mut parsed = Vec::new();
        let (mut cached, mut from) = (Extracts::default(), 0);
        for (nth, row) in rows.iter().enumerate() {
            if nth >= from + cached.len() {
                (cached, from) =
                    (self.extracts(Extract::Summary, positions(&rows[nth..])).await, nth);
            }
            let summary = match cached.bytes(nth - from).as_ref().and_then(Summary::decode) {
                Some(summary) => Ok(summary),
                None => self.parse(row.position).await.inspect(|summary| {
                    parsed.push((row.position, summary.encode()));
                }),
            };
            summaries.push(summary.map(Arc::new));
        }
        self.put(parsed).await;
        summaries
    }

    /// What is kept beside the first of these messages: one answer at least. Whoever asks makes the
    /// rest from the messages, so what cannot be read is a line in the log and no error.
    pub async fn extracts(&self, of: Extract, at: Vec<Position>) -> Extracts {
        let (account, count) = (self.id(), at.len());
        let found = match at.is_empty() {
            true => return Extracts::none(0),
            false => self.storage().extracts(account, of, at).await,
        };
        match found {
            Ok(found) if !found.is_empty() => found,
            Ok(_) => Extracts::none(count),
            Err(error) => {
                tracing::warn!(%account, ?of, %error, "what is kept beside messages cannot be read");
                Extracts::none(count)
            }
        }
    }

    async fn put(&self, summaries: Vec<(Position, Bytes)>) {
        if summaries.is_empty() {
            return;
        }
        let put = self.storage().put_extracts(self.id(), Extract::Summary, summaries);
        if let Err(error) = put.await {
            tracing::debug!(account = %self.id(), %error, "summaries not cached");
        }
    }

    /// One pass over a stored message, in bounded memory.
    async fn parse(&self, at: Position) -> Result<Summary, Error> {
        let mut message = self.storage().open(self.id(), at).await?;
        let mut parser = Parser::new(self.limits());
        while let Some(bytes) = message.next().await? {
            parser.feed(&bytes);
        }
        Ok(parser.finish())
    }
}

fn positions(rows: &[Row]) -> Vec<Position> {
    rows.iter().map(|row| row.position).collect()
}
