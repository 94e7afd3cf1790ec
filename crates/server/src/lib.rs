//! The only crate that knows sockets, TLS and the clock: listeners, drivers of connections, limits,
//! the admin socket, the graceful stop.

#![forbid(unsafe_code)]

pub mod directory;
pub mod settings;
pub mod tls;

pub use settings::Settings;
