//! A world for tests: a fake clock, threads that are none, chance from a counter; and a SCRAM client.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use auth::{
    Authenticator, Channel, Cost, Credential, Exchange, Failure, FailureKind, Identity, Internal,
    NoRandomness, Options, Runtime, ScramKeys, Secret, Shared, Step, Task, Tls, decide,
};
use base::{AccountId, Limits};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

pub const COST: Cost = Cost { memory_kib: 64, passes: 1, scram_iterations: 4096 };

#[derive(Default)]
pub struct World {
    pub now: AtomicI64,
    pub hashes: AtomicUsize,
    chance: AtomicU64,
}

impl Runtime for World {
    fn now_ms(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }
    fn blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.hashes.fetch_add(1, Ordering::Relaxed);
        work();
    }
    fn sleep(&self, duration: Duration) -> Task<'static, ()> {
        self.now.fetch_add(i64::try_from(duration.as_millis()).unwrap(), Ordering::Relaxed);
        Box::pin(async {})
    }
    fn later(&self, _: Duration, work: Box<dyn FnOnce() + Send>) {
        work();
    }
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
        for chunk in out.chunks_mut(8) {
            let n = self.chance.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&n.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

pub struct Server {
    pub world: Arc<World>,
    pub directory: Arc<Shared>,
    pub auth: Internal,
}

pub fn id(n: u8) -> AccountId {
    AccountId([n; 16])
}

pub fn credential(password: &str, n: u8) -> Credential {
    Credential::derive(&Secret::from(password.as_bytes()), COST, &[n; 32]).unwrap()
}

/// alice (alias al, alice@example.org), bob, and dora who is disabled; passwords are name + "-pw".
pub fn server() -> Server {
    let directory = Arc::new(Shared::default());
    let server = |directory: &Arc<Shared>| {
        let world = Arc::new(World::default());
        world.now.store(1_000_000, Ordering::Relaxed);
        let options = Options { limits: Limits::default(), cost: COST, checks_at_once: 2 };
        let auth = Internal::new(directory.clone(), world.clone(), &options).unwrap();
        Server { world, directory: directory.clone(), auth }
    };
    let server = server(&directory);
    server.change(|d| Ok(decide::initialise(d, &[42; 32])));
    for (n, name) in [(1, "alice"), (2, "bob"), (3, "dora")] {
        let credential = credential(&format!("{name}-pw"), n);
        server.change(|d| decide::add_account(d, id(n), name, Some(credential.clone()), 0));
    }
    server.change(|d| decide::add_alias(d, "alice", "al"));
    server.change(|d| decide::add_alias(d, "alice", "alice@example.org"));
    server.change(|d| decide::set_disabled(d, "dora", true));
    server
}

impl Server {
    pub fn change(
        &self,
        decide: impl Fn(&auth::Directory) -> Result<Vec<bytes::Bytes>, decide::Refusal>,
    ) {
        use auth::Source;
        let entries = decide(&self.directory.directory()).unwrap();
        assert!(self.directory.apply(&entries).is_empty());
    }

    pub fn login(&self, user: &str, password: &str) -> Result<Identity, Failure> {
        wait(self.auth.login(user.as_bytes(), password.as_bytes(), &tls()))
    }

    pub fn start(&self, mechanism: &str, channel: &Channel) -> Box<dyn Exchange> {
        self.auth.start(mechanism, channel).expect("offered")
    }
}

pub fn wait<T>(future: impl Future<Output = T>) -> T {
    futures_executor::block_on(future)
}

pub fn channel(tls: Option<Tls>, secure: bool) -> Channel {
    Channel { remote: "192.0.2.1".parse().unwrap(), tls, secure, protocol: "imap" }
}

pub fn tls() -> Channel {
    let tls = Tls {
        exporter: Some([7; 32]),
        end_point: Some(bytes::Bytes::from_static(&[8; 32])),
        client_certificate: None,
    };
    channel(Some(tls), true)
}

pub fn challenge(step: Step) -> Vec<u8> {
    match step {
        Step::Challenge(bytes) => bytes.to_vec(),
        other => panic!("not a challenge: {other:?}"),
    }
}

pub fn failed(step: Step) -> (FailureKind, String) {
    match step {
        Step::Failed(failure) => (failure.kind, failure.reason),
        other => panic!("not a failure: {other:?}"),
    }
}

pub fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// A client of SCRAM that can also misbehave.
pub struct Client {
    pub header: String,
    /// What the client believes the channel to be.
    pub data: Vec<u8>,
    pub user: String,
    pub password: String,
}

impl Client {
    pub fn first(&self) -> String {
        format!("{}n={},r=clientnonce", self.header, self.user)
    }

    /// The client's last message and the server's expected one.
    pub fn last(&self, server_first: &[u8]) -> (String, String) {
        let reply = std::str::from_utf8(server_first).unwrap();
        let mut parts = reply.splitn(3, ',').map(|part| &part[2..]);
        let nonce = parts.next().unwrap();
        let salt = STANDARD.decode(parts.next().unwrap()).unwrap();
        let iterations: u32 = parts.next().unwrap().parse().unwrap();
        let mut salted = [0; 32];
        let password = self.password.as_bytes();
        pbkdf2::pbkdf2_hmac::<Sha256>(password, &salt, iterations, &mut salted);
        let client_key = hmac(&salted, b"Client Key");
        let stored: [u8; 32] = Sha256::digest(client_key).into();
        let binding = STANDARD.encode([self.header.as_bytes(), &self.data].concat());
        let bare = format!("c={binding},r={nonce}");
        let signed = format!("n={},r=clientnonce,{reply},{bare}", self.user);
        let signature = hmac(&stored, signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let server_key = hmac(&salted, b"Server Key");
        let expected = format!("v={}", STANDARD.encode(hmac(&server_key, signed.as_bytes())));
        (format!("{bare},p={}", STANDARD.encode(proof)), expected)
    }

    /// A whole exchange.
    pub fn run(&self, exchange: &mut dyn Exchange) -> Step {
        let first = match wait(exchange.step(Some(self.first().as_bytes()))) {
            Step::Challenge(bytes) => bytes,
            other => return other,
        };
        let (last, expected) = self.last(&first);
        match wait(exchange.step(Some(last.as_bytes()))) {
            Step::Challenge(bytes) => assert_eq!(bytes, expected.as_bytes()),
            other => return other,
        }
        wait(exchange.step(Some(b"")))
    }
}

pub fn client(header: &str, data: &[u8], user: &str, password: &str) -> Client {
    Client {
        header: header.into(),
        data: data.to_vec(),
        user: user.into(),
        password: password.into(),
    }
}

/// Keys compare without being shown.
pub fn same(a: &ScramKeys, b: &ScramKeys) -> bool {
    a == b
}
