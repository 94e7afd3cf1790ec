//! What a session asks of the connection that carries it. The `server` crate implements it over
//! sockets and TLS, tests in memory.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

/// How a read ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// At least one byte was added.
    Bytes,
    /// The peer sends nothing more.
    Eof,
    /// Nothing came in the given time.
    TimedOut,
}

/// A connection to one client.
pub trait Transport: Send + Sync {
    /// Adds bytes to `into`: at least one, at most about 64 KiB. Cancel-safe: dropping the future
    /// loses no bytes.
    fn read(
        &mut self,
        into: &mut BytesMut,
        timeout: Duration,
    ) -> impl Future<Output = io::Result<Received>> + Send;

    /// Writes all of `chain`. Resolves when the socket has accepted it, which is what holds back a
    /// session with a slow client. An implementation gives up with [`io::ErrorKind::TimedOut`] when
    /// the peer takes nothing for its stall time.
    fn write(&mut self, chain: Vec<Bytes>) -> impl Future<Output = io::Result<()>> + Send;

    /// Writes of these bytes what is taken at once, and says how many that were: what most answers need.
    fn write_now(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Ok(0)
    }

    /// The server's part of a TLS handshake. Bytes that were read before must not reach it.
    fn start_tls(&mut self) -> impl Future<Output = io::Result<auth::Tls>> + Send;

    /// Whether [`Transport::start_tls`] can work: TLS is configured and not on yet.
    fn can_start_tls(&self) -> bool;

    /// The connection's TLS, if it is on.
    fn tls(&self) -> Option<auth::Tls>;

    /// Whether a password may cross this connection: TLS, or loopback where configured.
    fn is_secure(&self) -> bool;

    /// The peer; loopback for a unix socket.
    fn remote(&self) -> IpAddr;

    /// The client logged in: from here on reads may take more at once.
    fn logged_in(&mut self) {}

    /// Waits: the delay before the answer to a failed login.
    fn sleep(&mut self, time: Duration) -> impl Future<Output = ()> + Send;

    /// Ends the connection in order, with TLS close_notify: after LOGOUT and BYE.
    fn shutdown(&mut self) -> impl Future<Output = ()> + Send;
}

/// The writing half of a [`Transport`] as an object, so that commands need not be generic.
pub trait Sink: Send + Sync {
    /// See [`Transport::write_now`].
    fn send_now(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// See [`Transport::write`].
    fn send(
        &mut self,
        chain: Vec<Bytes>,
    ) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + '_>>;
}

impl<T: Transport> Sink for T {
    fn send_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_now(bytes)
    }

    fn send(
        &mut self,
        chain: Vec<Bytes>,
    ) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + '_>> {
        Box::pin(self.write(chain))
    }
}
