//! What tests of sessions share: users, storage in memory, a transport over a pipe.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test uses a part of it"
)]

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use account::{Accounts, Clock};
use auth::{Authenticator, Channel, Directory, Exchange, Failure, Identity, decide};
use base::{AccountId, Limits};
use bytes::{Bytes, BytesMut};
use lmtp::{Delivered, Error, Host, Mailboxes, Received, Receiving, Store, Task, Transport};
use mailbox::Record;
use storage::memory::Memory;
use testkit::{Pipe, Read, block_on};

/// 2026-11-23T10:00:00Z.
pub const NOW: i64 = 1_795_428_000;

pub struct Still;

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        NOW * 1000
    }
}

/// Names and aliases of a real directory.
pub struct Users(pub Directory);

impl Authenticator for Users {
    fn mechanisms(&self, _: &Channel) -> Vec<&'static str> {
        Vec::new()
    }
    fn start(&self, _: &str, _: &Channel) -> Option<Box<dyn Exchange>> {
        None
    }
    fn login<'a>(
        &'a self,
        _: &'a [u8],
        _: &'a [u8],
        _: &'a Channel,
    ) -> auth::Task<'a, Result<Identity, Failure>> {
        unreachable!("nobody logs in with LMTP")
    }
    fn recipient<'a>(&'a self, recipient: &'a str) -> auth::Task<'a, Option<Identity>> {
        let found = self.0.find(recipient).map(|user| user.identity());
        Box::pin(async move { found })
    }
}

pub fn id(n: u8) -> AccountId {
    AccountId([n; 16])
}

/// alice (al, alice@example.org, al+ias), bob, dora (disabled); full, broken and late, whose storage
/// fails in three ways.
pub fn directory() -> Directory {
    let mut directory = Directory::default();
    let mut apply = |entries: Result<Vec<Bytes>, decide::Refusal>| {
        for entry in entries.unwrap() {
            directory.apply(&entry).unwrap();
        }
        directory.clone()
    };
    let mut d = Directory::default();
    let names = ["alice", "bob", "dora", "full", "broken", "late", "j\u{f6}rg"];
    for (n, name) in (1..).zip(names) {
        d = apply(decide::add_account(&d, id(n), name, None, 0));
    }
    for alias in ["al", "alice@example.org", "al+ias"] {
        d = apply(decide::add_alias(&d, "alice", alias));
    }
    apply(decide::set_disabled(&d, "dora", true))
}

/// Real accounts, and some that fail.
pub struct Faulty {
    pub inner: Mailboxes,
    /// Messages that were begun and neither finished nor dropped.
    pub open: Arc<AtomicUsize>,
}

struct Held {
    inner: Box<dyn Receiving>,
    account: AccountId,
    open: Arc<AtomicUsize>,
    size: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Store for Faulty {
    fn begin<'a>(
        &'a self,
        account: AccountId,
        detail: Option<&'a str>,
        size_hint: Option<u64>,
    ) -> Task<'a, Result<Box<dyn Receiving>, Error>> {
        Box::pin(async move {
            if account == id(4) {
                return Err(Error::Full("test".into()));
            }
            let inner = self.inner.begin(account, detail, size_hint).await?;
            self.open.fetch_add(1, Ordering::SeqCst);
            let open = Arc::clone(&self.open);
            Ok(Box::new(Held { inner, account, open, size: 0 }) as Box<dyn Receiving>)
        })
    }
}

impl Receiving for Held {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Task<'a, Result<(), Error>> {
        self.size += bytes.len();
        if self.account == id(5) && self.size > 100 {
            return Box::pin(async { Err(Error::Unavailable("broken".into())) });
        }
        self.inner.write(bytes)
    }

    fn finish(mut self: Box<Self>) -> Task<'static, Result<Delivered, Error>> {
        if self.account == id(6) {
            return Box::pin(async { Err(Error::Unavailable("late".into())) });
        }
        let nothing = Box::new(Nothing) as Box<dyn Receiving>;
        std::mem::replace(&mut self.inner, nothing).finish()
    }
}

struct Nothing;

impl Receiving for Nothing {
    fn write<'a>(&'a mut self, _: &'a [u8]) -> Task<'a, Result<(), Error>> {
        unreachable!()
    }
    fn finish(self: Box<Self>) -> Task<'static, Result<Delivered, Error>> {
        unreachable!()
    }
}

/// A pipe as a session's transport.
pub struct Wire {
    pub pipe: Pipe,
    pub remote: Option<IpAddr>,
}

impl Transport for Wire {
    async fn read(&mut self, into: &mut BytesMut, _: Duration) -> io::Result<Received> {
        Ok(match self.pipe.read(into).await? {
            Read::Bytes => Received::Bytes,
            Read::Eof => Received::Eof,
            Read::TimedOut => Received::TimedOut,
        })
    }
    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.pipe.write(vec![bytes]).await
    }
    fn remote(&self) -> Option<IpAddr> {
        self.remote
    }
    fn is_tls(&self) -> bool {
        self.pipe.is_tls()
    }
    async fn shutdown(&mut self) {
        self.pipe.close();
    }
}

pub struct Server {
    pub host: Arc<Host>,
    pub accounts: Arc<Accounts>,
    pub open: Arc<AtomicUsize>,
}

impl Server {
    pub fn new(limits: Limits) -> Self {
        let accounts = Accounts::new(Arc::new(Memory::new()), Arc::new(Still), limits.clone());
        let directory = directory();
        for user in directory.users() {
            let live = block_on(accounts.create(user.id)).unwrap();
            for name in ["Lists", "Lists/Rust"] {
                block_on(create(&live, name));
            }
        }
        let open = Arc::new(AtomicUsize::new(0));
        let inner = Mailboxes::new(Arc::clone(&accounts));
        let host = Host {
            name: "mail.test".into(),
            authenticator: Arc::new(Users(directory)),
            store: Arc::new(Faulty { inner, open: Arc::clone(&open) }),
            clock: Arc::new(Still),
            limits,
        };
        Self { host: Arc::new(host), accounts, open }
    }

    /// The messages in a mailbox.
    pub fn messages(&self, user: &str, mailbox: &str) -> Vec<Vec<u8>> {
        block_on(messages(&self.accounts, user, mailbox))
    }
}

pub async fn messages(accounts: &Arc<Accounts>, user: &str, mailbox: &str) -> Vec<Vec<u8>> {
    let account = directory().find(user).expect("a user").id;
    let state = accounts.open(account).await.unwrap().state();
    let rows: Vec<_> = state.find(mailbox).expect("a mailbox").mailbox.rows().collect();
    let mut found = Vec::new();
    for row in rows {
        found.push(accounts.storage().message(account, row.position).await.unwrap().to_vec());
    }
    found
}

async fn create(live: &account::Live, name: &str) {
    let decide = |account: &mailbox::Account| {
        let record = Record::MailboxCreated {
            name: name.to_owned(),
            uid_validity: account.next_uid_validity(1),
            uid_next: base::Uid::MIN,
            roles: Vec::new(),
        };
        Ok::<_, ()>(account::Decision { records: vec![record], value: () })
    };
    let created = live.commit(Vec::new(), storage::Durability::Synced, decide).await;
    assert!(created.is_ok(), "{name} was not made");
}
