//! An account: the fold of its log.

use base::{MailboxId, ModSeq, UidValidity};

use crate::{Mailbox, Record, Role};

/// The state of an account after the record at [`Account::head`].
///
/// Cloning costs per mailbox, not per message.
#[derive(Clone, Debug, Default)]
pub struct Account {
    // The owner of this file replaces the body; the methods are the contract.
    head: ModSeq,
}

/// A record that cannot follow the ones before it: the log is damaged or was written by a newer
/// version. Never caused by a client.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("record {at:?} does not fit the state before it: {why}")]
pub struct Inconsistent {
    /// The record's position.
    pub at: ModSeq,
    /// What does not fit.
    pub why: &'static str,
}

/// A mailbox's place in the hierarchy and what is known without opening it.
#[derive(Clone, Debug)]
pub struct MailboxInfo<'a> {
    /// Its identity.
    pub id: MailboxId,
    /// Full name.
    pub name: &'a str,
    /// Roles.
    pub roles: &'a [Role],
    /// Messages.
    pub mailbox: &'a Mailbox,
}

impl Account {
    /// Position of the last record folded in.
    pub fn head(&self) -> ModSeq {
        self.head
    }

    /// Folds in the record at `at`, which is `head().next()`. On error nothing has changed.
    pub fn apply(&mut self, at: ModSeq, record: &Record) -> Result<(), Inconsistent> {
        let _ = (at, record);
        unimplemented!()
    }

    /// The mailbox of exactly this name. `INBOX` is matched in any case.
    pub fn find(&self, name: &str) -> Option<MailboxInfo<'_>> {
        let _ = name;
        unimplemented!()
    }

    /// A mailbox by identity.
    pub fn get(&self, id: MailboxId) -> Option<MailboxInfo<'_>> {
        let _ = id;
        unimplemented!()
    }

    /// All mailboxes, by name in byte order.
    pub fn mailboxes(&self) -> impl Iterator<Item = MailboxInfo<'_>> {
        std::iter::empty()
    }

    /// All subscribed names, in byte order; some may not exist.
    pub fn subscriptions(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }

    /// Whether `name` is subscribed.
    pub fn is_subscribed(&self, name: &str) -> bool {
        let _ = name;
        unimplemented!()
    }

    /// A UIDVALIDITY for a new mailbox: greater than every one this account ever gave, and at least
    /// `now`, seconds since 1970 UTC.
    pub fn next_uid_validity(&self, now: i64) -> UidValidity {
        let _ = now;
        unimplemented!()
    }

    /// Memory the fold takes, in bytes, roughly.
    pub fn memory_bytes(&self) -> usize {
        unimplemented!()
    }

    /// The fold as bytes, versioned and checksummed by the caller; the form of `cache/state`.
    /// Equal folds give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        unimplemented!()
    }

    /// Reads [`Account::encode`]'s form; `None` for anything else. Never panics.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let _ = bytes;
        unimplemented!()
    }
}
