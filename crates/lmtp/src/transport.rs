//! What a session asks of the connection that carries it. The `server` crate implements it over TCP
//! and unix sockets, tests in memory.

use std::future::Future;
use std::io;
use std::net::IpAddr;
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
    /// The server stops: no new message is begun.
    Stopping,
}

/// A connection to one mail transfer agent.
pub trait Transport: Send {
    /// Adds bytes to `into`: at least one, at most about 64 KiB.
    fn read(
        &mut self,
        into: &mut BytesMut,
        timeout: Duration,
    ) -> impl Future<Output = io::Result<Received>> + Send;

    /// Writes all of `bytes` and flushes. Gives up when the peer takes nothing for its stall time.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = io::Result<()>> + Send;

    /// The peer's address; `None` for a unix socket.
    fn remote(&self) -> Option<IpAddr>;

    /// Whether TLS is on: for `Received:`.
    fn is_tls(&self) -> bool;

    /// Ends the connection in order.
    fn shutdown(&mut self) -> impl Future<Output = ()> + Send;
}
