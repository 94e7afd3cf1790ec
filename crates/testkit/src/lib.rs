//! What protocol tests are made of: a connection in memory, an executor without threads or time, a
//! player of transcripts, and a generator of mail. Knows no protocol's sessions: those are given to
//! it (see [`player::Subject`]).

#![forbid(unsafe_code)]

pub mod executor;
pub mod log_lines;
pub mod mail;
pub mod pattern;
pub mod pipe;
pub mod player;
pub mod transcript;

pub use executor::{Executor, block_on};
pub use pipe::{Peer, Pipe, Read};
pub use player::{Subject, play};
