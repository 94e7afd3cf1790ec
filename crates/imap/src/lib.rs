//! IMAP sessions: framing without I/O, a state machine, one file a command, and the one place where
//! a client is told what happened to its mailbox.
//!
//! `connection` turns bytes into events, `session` dispatches commands through [`table::TABLE`],
//! `command/<verb>.rs` says what each does, `sync` ends every command. Sockets, TLS and time come in
//! through [`Transport`] and [`Shared`].

#![forbid(unsafe_code)]

pub mod capability;
pub mod command;
pub mod connection;
pub mod context;
pub mod error;
mod names;
pub mod output;
mod pattern;
mod progress;
pub mod session;
pub mod sync;
pub mod table;
pub mod transport;

pub use context::{Registry, Settings, Shared, Stop};
pub use session::serve;
pub use transport::{Received, Transport};
