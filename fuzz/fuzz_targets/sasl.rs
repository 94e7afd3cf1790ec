//! No exchange logs in without the password, panics, goes on after its end, or writes what breaks a
//! line of the log.
//!
//! The first byte chooses the mechanism and what is known of the connection; bytes of 255 part the
//! client's responses. A client certificate is made of the rest.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auth::{
    Authenticator, Channel, Cost, Credential, Internal, NoRandomness, Options, Runtime, Secret,
    Shared, Source, Step, Task, Tls, decide,
};
use base::{AccountId, Limits};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

const PASSWORD: &[u8] = b"4f1e0a5c8f7b93d2 nobody guesses this";
const COST: Cost = Cost { memory_kib: 8, passes: 1, scram_iterations: 4096 };

/// An hour passes with each look at the clock, so that nobody is throttled.
struct World(AtomicI64);

impl Runtime for World {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(3_600_000, Ordering::Relaxed)
    }
    fn blocking(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
    fn sleep(&self, _: Duration) -> Task<'static, ()> {
        Box::pin(async {})
    }
    fn later(&self, _: Duration, work: Box<dyn FnOnce() + Send>) {
        work();
    }
    fn random(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
        out.fill(7);
        Ok(())
    }
}

fn server() -> &'static Internal {
    static SERVER: OnceLock<Internal> = OnceLock::new();
    SERVER.get_or_init(|| {
        let directory = Arc::new(Shared::default());
        let change = |entries: Vec<Bytes>| assert!(directory.apply(&entries).is_empty());
        change(decide::initialise(&directory.directory(), &[42; 32]));
        let password = Credential::derive(&Secret::from(PASSWORD), COST, &[1; 32]).expect("hashes");
        let id = AccountId([1; 16]);
        let added = decide::add_account(&directory.directory(), id, "alice", Some(password), 0);
        change(added.expect("it is new"));
        let options = Options { limits: Limits::default(), cost: COST, checks_at_once: 1 };
        Internal::new(directory, Arc::new(World(AtomicI64::new(0))), &options).expect("it starts")
    })
}

fuzz_target!(|input: &[u8]| {
    let Some((&mode, bytes)) = input.split_first() else { return };
    let tls = Tls {
        exporter: (mode & 16 != 0).then_some([7; 32]),
        end_point: (mode & 32 != 0).then(|| Bytes::from_static(&[8; 32])),
        client_certificate: (mode & 64 != 0).then(|| Bytes::copy_from_slice(bytes)),
    };
    let channel = Channel {
        remote: IpAddr::V4(Ipv4Addr::LOCALHOST),
        tls: (mode & 8 != 0).then_some(tls),
        secure: mode & 8 != 0 || mode & 128 != 0,
        protocol: "imap",
    };
    let offered = server().mechanisms(&channel);
    let Some(mechanism) = offered.get(usize::from(mode & 7)) else { return };
    let mut exchange = server().start(mechanism, &channel).expect("it is offered");
    let mut over = false;
    // One more than any mechanism takes.
    for response in bytes.split(|&byte| byte == 255).take(5) {
        let response = (!response.is_empty() || over).then_some(response);
        match futures_executor::block_on(exchange.step(response)) {
            Step::Challenge(challenge) => {
                assert!(!over, "{mechanism} goes on after its end");
                assert!(challenge.len() <= 16_384);
            }
            Step::Failed(failure) => {
                over = true;
                let reason = failure.reason;
                assert!(reason.len() < 2000 && !reason.chars().any(char::is_control), "{reason:?}");
            }
            // Which certificates are good is decided before they come here.
            Step::Done(_) => assert!(*mechanism == "EXTERNAL", "{mechanism} without the password"),
        }
    }
});
