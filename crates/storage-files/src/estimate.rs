//! Whether it is worth looking at an account's log for what is dead, without reading it.

use mailbox::Account;
use storage::{Error, Task};

use crate::frame::padded;
use crate::log::Log;
use crate::{Files, failed};

impl Files {
    /// Whether [`Files::compact`] may find something to give back: so if a tenth of the log's bytes,
    /// and more than little, are not those of messages in mailboxes. Reads the newest snapshot and what follows it.
    pub fn is_worth_compacting(&self, account: base::AccountId) -> Task<'_, Result<bool, Error>> {
        Box::pin(async move {
            let log = self.shared.log(account).await?;
            log.flushed().await?;
            self.shared.pool.run(move || log.is_worth_compacting()).await
        })
    }
}

impl Log {
    fn is_worth_compacting(&self) -> Result<bool, Error> {
        let segments = self.lock().segments.clone();
        let mut bytes = 0;
        for (number, kind) in segments {
            let path = self.segment_path(number, kind);
            let length = match self.shared.disk.open(&path, storage::disk::Open::Read) {
                Ok(file) => file.len().map_err(|error| failed(&path, &error))?,
                // Removed meanwhile.
                Err(_) => 0,
            };
            bytes += length;
        }
        let Some((_, fold)) = self.load_snapshot()? else { return Ok(true) };
        let Some(fold) = Account::decode_pages(fold) else { return Ok(true) };
        let fold = self.fold_from(fold)?;
        let live = fold.mailboxes().flat_map(|info| info.mailbox.rows().collect::<Vec<_>>());
        let live: u64 = live.map(|row| padded(u64::from(row.position.stored_bytes))).sum();
        // A message in two mailboxes counts twice, so this may be less than there is.
        let dead = bytes.saturating_sub(live);
        Ok(dead >= (bytes / 10).max(self.shared.options.segment_bytes / 64))
    }
}
