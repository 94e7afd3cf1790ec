//! What an import tells at its end.

use serde::{Deserialize, Serialize};

/// The whole import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Whether every message that was found is in the account.
    pub(crate) complete: bool,
    /// By mailbox.
    pub(crate) mailboxes: Vec<MailboxReport>,
    /// What its reader should know.
    pub(crate) warnings: Vec<String>,
}

/// One mailbox of it. `found` is the sum of the other counts, or the import is not complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MailboxReport {
    /// Its name.
    pub(crate) name: String,
    /// Messages in the source.
    pub(crate) found: u64,
    /// Messages that came in by this import.
    pub(crate) imported: u64,
    /// Messages that were there already.
    pub(crate) present: u64,
    /// Messages that an earlier import brought and that were expunged since.
    pub(crate) expunged: u64,
    /// Messages that can't be read, or that are gone.
    pub(crate) failed: u64,
    /// Whether UIDs and UIDVALIDITY are those of the source.
    pub(crate) keeps_uids: bool,
}

impl MailboxReport {
    /// Whether every message that was found is accounted for.
    pub(super) fn is_complete(&self) -> bool {
        self.failed == 0 && self.found == self.imported + self.present + self.expunged
    }
}
