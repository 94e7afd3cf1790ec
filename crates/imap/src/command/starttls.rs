//! STARTTLS.
//!
//! RFC 9051 §6.2.1. A byte that came before the handshake is never read as a command after it: bytes
//! behind the command end the connection.

use crate::error::{Done, Next, No};
use crate::session::Driver;

/// Runs the command. The handshake follows the tagged line: see [`Driver::start_tls`].
pub(crate) fn run<T: crate::Transport>(driver: &mut Driver<T>) -> Result<Done, No> {
    if driver.client.channel.tls.is_some() {
        return Err(No::Bad("TLS is on already"));
    }
    if !driver.client.can_start_tls {
        return Err(No::Bad("TLS is not offered here"));
    }
    if driver.connection.has_more() {
        tracing::warn!(remote = %driver.client.channel.remote, "bytes behind STARTTLS, closing");
        return Err(No::Bye("bytes behind STARTTLS"));
    }
    Ok(Done::new("Begin TLS negotiation").next(Next::StartTls))
}
