//! Who is there: SASL mechanisms as state machines, password hashes, the directory of users,
//! throttling. No sockets, no clock: both come in as arguments.

#![forbid(unsafe_code)]

mod cache;
pub mod decide;
pub mod directory;
pub mod entry;
mod internal;
mod mechanism;
mod password;
pub mod prepare;
mod runtime;
mod scratch;
mod secret;
pub mod throttle;

pub use directory::{Directory, Shared, Source, User};
pub use entry::Entry;
pub use internal::{CannotStart, Internal, Options, Underivable};
pub use password::{CannotHash, Cost, Credential, ScramKeys};
pub use runtime::{NoRandomness, Runtime};
pub use secret::Secret;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use base::AccountId;
use bytes::Bytes;

/// A boxed future.
pub type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is known of the connection that authenticates.
#[derive(Clone, Debug)]
pub struct Channel {
    /// The peer; loopback for a unix socket.
    pub remote: IpAddr,
    /// The connection's TLS, if it has any.
    pub tls: Option<Tls>,
    /// Whether a password may cross this connection: TLS, or loopback where configured.
    pub secure: bool,
    /// Protocol, for the log: `imap`, `pop3`.
    pub protocol: &'static str,
}

/// Facts of a TLS connection that mechanisms use.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// 32 bytes of the `EXPORTER-Channel-Binding` exporter (RFC 9266); only TLS 1.3, or 1.2 with the
    /// extended master secret.
    pub exporter: Option<[u8; 32]>,
    /// Hash of the server's certificate (RFC 5929 §4.1).
    pub end_point: Option<Bytes>,
    /// The client's certificate in DER, verified against the configured authorities.
    pub client_certificate: Option<Bytes>,
}

/// Who logged in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: String,
}

/// Why nobody logged in. Clients learn only [`Failure::code`]'s part; the log learns all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What the client may know.
    pub kind: FailureKind,
    /// The true reason, for the log only.
    pub reason: String,
    /// How long to wait before answering (throttling).
    pub delay: Duration,
}

/// What a client may know of a failed login (RFC 5530 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureKind {
    /// Wrong name, wrong password, disabled: all look the same. AUTHENTICATIONFAILED
    Credentials,
    /// May not act as the asked identity. AUTHORIZATIONFAILED
    Authorization,
    /// Not on an unencrypted connection. PRIVACYREQUIRED
    NeedsTls,
    /// The exchange broke the mechanism's rules: tagged BAD.
    Protocol,
    /// The client cancelled with `*`: tagged BAD.
    Cancelled,
    /// The directory can't be asked now. UNAVAILABLE
    Unavailable,
}

/// One step of a SASL exchange.
#[derive(Debug)]
pub enum Step {
    /// Send this (not yet in base64) and wait for the answer.
    Challenge(Bytes),
    /// Logged in. For protocols that can carry it, data that goes with the success.
    Done(Identity),
    /// Not logged in.
    Failed(Failure),
}

/// A running SASL exchange.
pub trait Exchange: Send {
    /// Takes the client's response (decoded from base64); the initial one may be absent (`None`),
    /// which for client-first mechanisms asks for an empty challenge.
    fn step<'a>(&'a mut self, response: Option<&'a [u8]>) -> Task<'a, Step>;
}

/// What protocols ask of authentication.
pub trait Authenticator: Send + Sync {
    /// The mechanisms to offer on this channel, strongest first, as in `AUTH=` capabilities.
    fn mechanisms(&self, channel: &Channel) -> Vec<&'static str>;
    /// Begins an exchange; `None` for a mechanism that is not offered on this channel.
    fn start(&self, mechanism: &str, channel: &Channel) -> Option<Box<dyn Exchange>>;
    /// LOGIN and USER/PASS.
    fn login<'a>(
        &'a self,
        user: &'a [u8],
        password: &'a [u8],
        channel: &'a Channel,
    ) -> Task<'a, Result<Identity, Failure>>;
    /// The account that mail for `recipient` (local part or full address, without plus-detail
    /// handling) goes to; aliases are followed. Disabled accounts still get mail.
    fn recipient<'a>(&'a self, recipient: &'a str) -> Task<'a, Option<Identity>>;
}
