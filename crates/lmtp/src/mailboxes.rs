//! Delivery into live accounts.

use std::sync::Arc;

use account::{Accounts, Failure, Live, NewMail};
use base::{AccountId, DateTime, Flags};
use mailbox::Account;
use mailbox::account::MailboxInfo;

use crate::target::{Delivered, Error, Receiving, Store, Task};

/// The accounts of this node as a [`Store`].
pub struct Mailboxes {
    accounts: Arc<Accounts>,
}

impl Mailboxes {
    /// Over `accounts`.
    pub fn new(accounts: Arc<Accounts>) -> Self {
        Self { accounts }
    }
}

fn error(error: storage::Error) -> Error {
    match error {
        storage::Error::NoSpace => Error::Full(error.to_string()),
        _ => Error::Unavailable(error.to_string()),
    }
}

/// The mailbox that a detail names: exactly, or in other case; else INBOX. Nothing is ever created.
fn target<'a>(account: &'a Account, detail: Option<&str>) -> Option<MailboxInfo<'a>> {
    let named = detail.filter(|detail| !detail.is_empty()).and_then(|detail| {
        account.find(detail).or_else(|| {
            let folded = detail.to_lowercase();
            account.mailboxes().find(|mailbox| mailbox.name.to_lowercase() == folded)
        })
    });
    named.or_else(|| account.find("INBOX"))
}

struct Copy {
    live: Arc<Live>,
    detail: Option<String>,
    receiving: account::Receiving,
}

impl Store for Mailboxes {
    fn begin<'a>(
        &'a self,
        account: AccountId,
        detail: Option<&'a str>,
        size_hint: Option<u64>,
    ) -> Task<'a, Result<Box<dyn Receiving>, Error>> {
        Box::pin(async move {
            let live = self.accounts.open(account).await.map_err(error)?;
            let receiving = live.incoming(size_hint).await.map_err(error)?;
            let copy = Copy { live, detail: detail.map(str::to_owned), receiving };
            Ok(Box::new(copy) as Box<dyn Receiving>)
        })
    }
}

impl Receiving for Copy {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Task<'a, Result<(), Error>> {
        Box::pin(async move { self.receiving.write(bytes).await.map_err(error) })
    }

    fn finish(self: Box<Self>) -> Task<'static, Result<Delivered, Error>> {
        Box::pin(self.commit())
    }
}

impl Copy {
    async fn commit(self: Box<Self>) -> Result<Delivered, Error> {
        let Self { live, detail, receiving } = *self;
        let received = receiving.finish().await.map_err(error)?;
        let size = u64::from(received.size);
        let message_id = received.summary.thread_keys().message_id.clone();
        let mail = NewMail {
            received,
            flags: Flags::default(),
            internal_date: DateTime::new(live.now_ms().div_euclid(1000), 0),
            uid: None,
        };
        let mut name = String::new();
        // Chosen at the commit: a mailbox that was just deleted is none.
        let choose = |account: &Account| {
            let chosen = target(account, detail.as_deref());
            let chosen =
                chosen.ok_or_else(|| Error::Unavailable("the account has no INBOX".into()))?;
            chosen.name.clone_into(&mut name);
            Ok(chosen.id)
        };
        let appended = live.append(choose, vec![mail]).await.map_err(|failure| match failure {
            Failure::Refused(refused) => refused,
            Failure::Storage(failed) => error(failed),
        })?;
        let uid = appended.uids.first().copied();
        let uid = uid.ok_or_else(|| Error::Unavailable("the commit names no UID".into()))?;
        Ok(Delivered { mailbox: name, uid, size, message_id })
    }
}
