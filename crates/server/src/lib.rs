//! server

#![forbid(unsafe_code)]

pub mod directory;
pub mod tls;
