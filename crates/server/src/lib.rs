//! The only crate that knows sockets, TLS and the clock: listeners, drivers of connections, limits,
//! the admin socket, the graceful stop.

#![forbid(unsafe_code)]

pub mod admin;
mod compaction;
mod counter;
pub mod directory;
mod documents;
mod indexer;
mod link;
mod listener;
mod lock;
mod node;
mod runtime;
mod server;
pub mod settings;
pub mod tls;
mod warm;

pub use compaction::Compactor;
pub use indexer::MESSAGES_LEAST as INDEX_MESSAGES_LEAST;
pub use listener::BindError;
pub use lock::{DataLock, LockError};
pub use node::{Node, OpenError};
pub use runtime::System;
pub use server::{Addresses, Handle, Server, StartError};
pub use settings::Settings;
