//! Adding messages: they are read some at a time, in a few milliseconds, and become segments, which are
//! merged as they come, so that there are never many.

use std::collections::HashSet;
use std::sync::Arc;

use base::{AccountId, EmailId};
use bytes::Bytes;
use mailbox::{Account, Position, Row};
use storage::Error;

use crate::Library;
use crate::build::Builder;
use crate::gram::{Document, Extractor};
use crate::shelf::{Catalogue, Shelf, read};
use crate::survey::{Kept, Used};
use crate::update::{MERGED_MAX, Pause, Progress};

/// Messages that are read together, between two looks at the time: some milliseconds of work.
const STEP_MESSAGES: usize = 64;
/// Bytes of these. A larger message is read in pieces.
const STEP_BYTES: u32 = 256 * 1024;

/// Adds what is missing of an account.
pub(crate) struct Adding<'a> {
    library: &'a Library,
    shelf: &'a Shelf,
    catalogue: Arc<Catalogue>,
    kept: &'a mut Kept,
    used: &'a Used,
    builder: Builder,
    /// What the builder has, and the step.
    taken: HashSet<EmailId>,
    /// Messages that are read next, and their bytes.
    step: Vec<Row>,
    step_bytes: u32,
}

impl<'a> Adding<'a> {
    pub(crate) fn new(
        (library, shelf, catalogue): (&'a Library, &'a Shelf, Arc<Catalogue>),
        (kept, used): (&'a mut Kept, &'a Used),
    ) -> Self {
        Self {
            library,
            shelf,
            catalogue,
            kept,
            used,
            builder: Builder::default(),
            taken: HashSet::new(),
            step: Vec::new(),
            step_bytes: 0,
        }
    }

    /// Goes through all messages that may be missing. False: it was told to end; what was read is
    /// written then as well.
    pub(crate) async fn all(
        mut self,
        state: &Account,
        progress: &mut Progress,
        pause: &mut Pause<'_>,
    ) -> Result<bool, Error> {
        let mut extractor = Extractor::new();
        for info in state.mailboxes() {
            let open = self.kept.open(info.id);
            for row in info.mailbox.rows_in(&open) {
                if !self.wants(row.email_id) {
                    continue;
                }
                if self.is_full_with(&row) {
                    extractor = self.read_step(extractor, progress, pause).await?;
                    if !pause(*progress).await {
                        self.write().await?;
                        return Ok(false);
                    }
                }
                self.step_bytes = self.step_bytes.saturating_add(row.size);
                self.taken.insert(row.email_id);
                self.step.push(row);
            }
        }
        self.read_step(extractor, progress, pause).await?;
        self.write().await?;
        self.kept.done(state);
        // The others are equal to those that were read.
        progress.done = progress.total;
        Ok(pause(*progress).await)
    }

    fn wants(&self, id: EmailId) -> bool {
        !self.taken.contains(&id)
            && self.catalogue.find(id).is_none()
            && !self.kept.unreadable.contains(&id)
    }

    /// Whether a step is read before the message comes to it.
    fn is_full_with(&self, row: &Row) -> bool {
        !self.step.is_empty()
            && (self.step.len() == STEP_MESSAGES
                || self.step_bytes.saturating_add(row.size) > STEP_BYTES)
    }

    async fn read_step(
        &mut self,
        mut extractor: Extractor,
        progress: &mut Progress,
        pause: &mut Pause<'_>,
    ) -> Result<Extractor, Error> {
        let step = std::mem::take(&mut self.step);
        self.step_bytes = 0;
        let account = self.shelf.account;
        // Each wait for the storage costs as much as indexing a fifth of a message.
        let mut together = match step.len() {
            0 | 1 => Vec::new(),
            _ => {
                let at = step.iter().map(|row| row.position).collect();
                self.library.storage.messages(account, at).await
            }
        }
        .into_iter();
        for (nth, row) in step.iter().enumerate() {
            let read;
            (read, extractor) = match together.next() {
                Some(bytes) => self.library.take(bytes, extractor),
                None => self.library.read(account, row.position, extractor).await,
            };
            match read {
                Ok(document) => self.builder.add(row.email_id, &document),
                Err(Error::Damaged(why)) => {
                    tracing::warn!(%account, id = %row.email_id, why, "message not indexed");
                    self.kept.unreadable.insert(row.email_id);
                }
                Err(error) => return Err(error),
            }
            progress.done += 1;
            progress.bytes += u64::from(row.size);
            if self.builder.is_full() {
                self.write().await?;
                self.taken.extend(step[nth + 1..].iter().map(|row| row.email_id));
                self.merge(progress, pause).await?;
            }
        }
        Ok(extractor)
    }

    /// Makes a segment of what was read.
    async fn write(&mut self) -> Result<(), Error> {
        self.taken.clear();
        if self.builder.is_empty() {
            return Ok(());
        }
        let (library, shelf) = (self.library, self.shelf);
        let name = library.next_name(shelf).await?;
        let bytes = self.builder.finish(library.fingerprint);
        library.storage.cache_write(shelf.account, &name, bytes).await?;
        let new = read(&*library.storage, shelf.account, &name, library.fingerprint).await?;
        self.catalogue = shelf.change(&[], new.into_iter().collect()).await;
        Ok(())
    }

    /// Merges where many segments wait for it: the more at once, the less often a list is written.
    async fn merge(&mut self, progress: &mut Progress, pause: &mut Pause<'_>) -> Result<(), Error> {
        let (library, shelf) = (self.library, self.shelf);
        while library.merge_some(shelf, (self.used, MERGED_MAX), progress, pause).await? {}
        self.catalogue = shelf.catalogue(&*library.storage, library.fingerprint).await?;
        Ok(())
    }
}

impl Library {
    fn take(
        &self,
        message: Result<Bytes, Error>,
        extractor: Extractor,
    ) -> (Result<Document, Error>, Extractor) {
        let bytes = match message {
            Ok(bytes) => bytes,
            Err(error) => return (Err(error), extractor),
        };
        let mut reader = extractor.read(&self.limits, self.documents.clone());
        reader.feed(&bytes);
        let mut extractor = reader.finish();
        (Ok(extractor.document()), extractor)
    }

    async fn read(
        &self,
        account: AccountId,
        at: Position,
        extractor: Extractor,
    ) -> (Result<Document, Error>, Extractor) {
        let mut reader = extractor.read(&self.limits, self.documents.clone());
        let fed = async {
            let mut message = self.storage.open(account, at).await?;
            // To the end, because what is damaged is known only there.
            while let Some(bytes) = message.next().await? {
                reader.feed(&bytes);
            }
            Ok(())
        }
        .await;
        let mut extractor = reader.finish();
        let document = extractor.document();
        (fed.map(|()| document), extractor)
    }
}
