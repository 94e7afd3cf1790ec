//! LMTP, the way mail comes in (RFC 2033), with PIPELINING (RFC 2920), 8BITMIME (RFC 6152), SMTPUTF8
//! (RFC 6531), ENHANCEDSTATUSCODES (RFC 2034), SIZE (RFC 1870) and CHUNKING (RFC 3030).
//!
//! A connection's bytes become commands and data in [`connection`], without IO; [`session`] answers
//! them; [`delivery`] gives each recipient a copy with its own trace headers and in bounded memory.

#![forbid(unsafe_code)]

pub mod address;
pub mod command;
pub mod connection;
pub mod delivery;
mod header;
mod mailboxes;
pub mod reply;
pub mod session;
pub mod target;
mod trace;
pub mod transport;

pub use mailboxes::Mailboxes;
pub use session::{Host, serve};
pub use target::{Delivered, Error, Receiving, Store, Task};
pub use transport::{Received, Transport};
