//! What tests of sessions share: a server in memory with two users, and a transport over a pipe.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use account::{Accounts, Clock, NewMail};
use auth::{Authenticator, Channel, Exchange, Failure, FailureKind, Identity, Step, Task};
use base::{AccountId, DateTime, Flags, Limits};
use bytes::{Bytes, BytesMut};
use imap::context::Uncounted;
use imap::{Received, Settings, Shared, Stop, Transport};
use storage::Storage;
use storage::memory::Memory;
use testkit::{Pipe, Read, block_on};

/// 2026-01-02T03:04:05Z.
pub const NOW: i64 = 1_767_323_045;

/// A clock that a test sets.
pub struct Hand {
    now_ms: AtomicI64,
    /// What each look at it costs.
    look_ms: AtomicI64,
}

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        self.now_ms.fetch_add(self.look_ms.load(Ordering::SeqCst), Ordering::SeqCst)
    }
}

impl Hand {
    pub fn advance(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// From here on, each look at the clock takes so long.
    pub fn hurry(&self, seconds: i64) {
        self.look_ms.store(seconds * 1000, Ordering::SeqCst);
    }
}

/// Knows alice and bob, whose password is `secret`.
pub struct Users;

pub fn identity(name: &str) -> Option<Identity> {
    let number = match name {
        "alice" => 1,
        "bob" => 2,
        "user/shared" => 3,
        _ => return None,
    };
    Some(Identity { account: AccountId([number; 16]), name: name.to_owned() })
}

fn check(user: &[u8], password: &[u8]) -> Result<Identity, Failure> {
    let known = std::str::from_utf8(user).ok().and_then(identity);
    known.filter(|_| password == b"secret").ok_or(Failure {
        kind: FailureKind::Credentials,
        reason: "test".to_owned(),
        delay: Duration::from_millis(20),
    })
}

/// PLAIN (RFC 4616), which sends an empty challenge when there is no initial response.
struct Plain;

impl Exchange for Plain {
    fn step<'a>(&'a mut self, response: Option<&'a [u8]>) -> Task<'a, Step> {
        Box::pin(async move {
            let Some(response) = response else { return Step::Challenge(Bytes::new()) };
            let mut parts = response.split(|&c| c == 0).skip(1);
            match check(parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
                Ok(identity) => Step::Done(identity),
                Err(failure) => Step::Failed(failure),
            }
        })
    }
}

impl Authenticator for Users {
    fn mechanisms(&self, channel: &Channel) -> Vec<&'static str> {
        if channel.secure { vec!["PLAIN"] } else { vec![] }
    }

    fn start(&self, mechanism: &str, channel: &Channel) -> Option<Box<dyn Exchange>> {
        let exchange: Box<dyn Exchange> = Box::new(Plain);
        (mechanism == "PLAIN" && channel.secure).then_some(exchange)
    }

    fn login<'a>(
        &'a self,
        user: &'a [u8],
        password: &'a [u8],
        _: &'a Channel,
    ) -> Task<'a, Result<Identity, Failure>> {
        Box::pin(async move { check(user, password) })
    }

    fn recipient<'a>(&'a self, recipient: &'a str) -> Task<'a, Option<Identity>> {
        Box::pin(async move { identity(recipient) })
    }
}

/// A pipe as a session's transport.
pub struct Wire {
    pub pipe: Pipe,
    /// Whether STARTTLS is offered.
    pub offers_tls: bool,
    /// Whether passwords may cross it without TLS.
    pub is_trusted: bool,
}

impl Transport for Wire {
    async fn read(&mut self, into: &mut BytesMut, _: Duration) -> io::Result<Received> {
        Ok(match self.pipe.read(into).await? {
            Read::Bytes => Received::Bytes,
            Read::Eof => Received::Eof,
            Read::TimedOut => Received::TimedOut,
        })
    }

    fn write(&mut self, chain: Vec<Bytes>) -> impl Future<Output = io::Result<()>> + Send {
        self.pipe.write(chain)
    }

    async fn start_tls(&mut self) -> io::Result<auth::Tls> {
        self.pipe.set_tls();
        Ok(auth::Tls::default())
    }

    fn can_start_tls(&self) -> bool {
        self.offers_tls && !self.pipe.is_tls()
    }

    fn tls(&self) -> Option<auth::Tls> {
        self.pipe.is_tls().then(auth::Tls::default)
    }

    fn is_secure(&self) -> bool {
        self.is_trusted || self.pipe.is_tls()
    }

    fn remote(&self) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }

    async fn sleep(&mut self, time: Duration) {
        self.pipe.slept(time.as_millis() as u64);
    }

    async fn shutdown(&mut self) {
        self.pipe.close();
    }
}

/// A server without sockets.
pub struct Server {
    pub shared: Arc<Shared>,
    pub clock: Arc<Hand>,
}

impl Server {
    pub fn new(limits: Limits, settings: Settings) -> Self {
        Self::over(Arc::new(Memory::new()), limits, settings)
    }

    /// A server over some storage.
    pub fn over(storage: Arc<dyn Storage>, limits: Limits, settings: Settings) -> Self {
        let clock =
            Arc::new(Hand { now_ms: AtomicI64::new(NOW * 1000), look_ms: AtomicI64::new(0) });
        let accounts = Accounts::new(storage, clock.clone(), limits.clone());
        for name in ["alice", "bob", "user/shared"] {
            let account = identity(name).expect("a known user").account;
            let created = block_on(accounts.create(account));
            // The storage may be one that a server had before.
            assert!(matches!(created, Ok(_) | Err(storage::Error::AccountExists)));
        }
        // Without an updater it stays empty, unless a test fills it.
        let index = Some(index::Library::new(accounts.storage().clone(), &limits, None));
        let shared = Shared {
            accounts,
            index,
            documents: None,
            authenticator: Arc::new(Users),
            clock: clock.clone(),
            limits,
            settings,
            registry: Arc::new(Uncounted),
            stop: Stop::default(),
        };
        Self { shared: Arc::new(shared), clock }
    }

    /// What `transcripts` run against: small limits, so that they can be reached.
    pub fn for_transcripts(overrides: &BTreeMap<String, String>) -> Self {
        let number = |key: &str, default: usize| {
            overrides.get(key).map_or(default, |value| value.parse().expect("a number"))
        };
        let limits = Limits {
            message_bytes_max: number("message_bytes_max", 100_000) as u64,
            command_bytes_max: number("command_bytes_max", 20_000),
            append_messages_max: number("append_messages_max", 5),
            bad_commands_max: number("bad_commands_max", 20),
            mailboxes_max: number("mailboxes_max", 1000),
            keywords_max: number("keywords_max", 100),
            output_bytes_max: number("output_bytes_max", 4096),
            ..Limits::default()
        };
        let mut settings = Settings { version: "1.0".to_owned(), ..Settings::default() };
        let list = |value: &String| value.split(',').map(str::to_owned).collect::<Vec<_>>();
        if let Some(hidden) = overrides.get("mask") {
            settings.mask.everywhere = list(hidden);
        }
        if let Some(hidden) = overrides.get("mask_bob") {
            settings.mask.accounts.insert("bob".to_owned(), list(hidden));
        }
        if let Some(hidden) = overrides.get("mask_microsoft") {
            settings.mask.clients.insert("microsoft office 365".to_owned(), list(hidden));
        }
        Self::new(limits, settings)
    }

    pub fn wire(pipe: Pipe, options: &str) -> Wire {
        let has = |word| options.split(' ').any(|option| option == word);
        Wire { pipe, offers_tls: has("starttls"), is_trusted: !has("insecure") }
    }

    /// Delivers a message as LMTP would.
    pub async fn deliver(shared: Arc<Shared>, user: String, mailbox: String, message: Vec<u8>) {
        let account = identity(&user).expect("a known user").account;
        let live = shared.accounts.open(account).await.expect("an account");
        let mut receiving = live.incoming(Some(message.len() as u64)).await.expect("room");
        receiving.write(&message).await.expect("room");
        let received = receiving.finish().await.expect("room");
        let seconds = shared.clock.now_ms().div_euclid(1000);
        let mail = NewMail {
            received,
            flags: Flags::default(),
            internal_date: DateTime::new(seconds, 0),
            uid: None,
        };
        let found = |state: &mailbox::Account| state.find(&mailbox).map(|info| info.id).ok_or(());
        live.append(found, vec![mail]).await.unwrap_or_else(|_| panic!("not delivered"));
    }

    pub async fn remove(shared: Arc<Shared>, user: String) {
        let account = identity(&user).expect("a known user").account;
        shared.accounts.remove(account).await.expect("an account");
    }
}
