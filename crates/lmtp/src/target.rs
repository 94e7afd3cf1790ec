//! What delivery asks of the accounts: small enough that tests can make it fail.

use std::future::Future;
use std::pin::Pin;

use base::{AccountId, Uid};

/// A boxed future.
pub type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a message can't be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No room, on the disk or in the account.
    #[error("no room: {0}")]
    Full(String),
    /// The message is more than can be kept.
    #[error("the message is too large")]
    TooLarge,
    /// The engine failed; trying again later may help.
    #[error("{0}")]
    Unavailable(String),
}

/// Where mail goes.
pub trait Store: Send + Sync {
    /// Begins to take in a message for the mailbox that `detail` names, if it exists (else INBOX).
    /// `size_hint` is its octets if known.
    fn begin<'a>(
        &'a self,
        account: AccountId,
        detail: Option<&'a str>,
        size_hint: Option<u64>,
    ) -> Task<'a, Result<Box<dyn Receiving>, Error>>;
}

/// A message on its way into one mailbox. Dropping it gives everything back.
pub trait Receiving: Send {
    /// Adds bytes.
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Task<'a, Result<(), Error>>;
    /// No more bytes follow: the message appears in the mailbox and is durable on return.
    fn finish(self: Box<Self>) -> Task<'static, Result<Delivered, Error>>;
}

/// Where a message went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The mailbox's name.
    pub mailbox: String,
    /// Its UID there.
    pub uid: Uid,
    /// Its octets, with the header fields that delivery added.
    pub size: u64,
    /// Its `Message-ID:`, for the log.
    pub message_id: Option<String>,
}
