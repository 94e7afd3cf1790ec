//! The text index: which messages cannot match a search.
//!
//! IMAP's meaning of a search is a substring of folded, decoded text, and
//! [`Scan`](message::search::Scan) alone decides it. The index narrows: it holds which sequences of
//! three bytes a message's folded texts have, taken by the same [reader](message::search::Reader)
//! that `Scan` uses. A message without one of the pattern's sequences does not match; every other
//! one is scanned, and so is one that is not indexed yet. Patterns of two bytes are narrowed by the
//! sequences that begin with them, and single ASCII characters rarely.
//!
//! What is kept are segments, written once and merged into larger ones, as files that may be damaged
//! or lost at any time: a damaged one is dropped, and its messages are indexed again.

#![forbid(unsafe_code)]

mod add;
mod bits;
mod build;
mod encode;
mod gram;
mod ids;
mod library;
mod mark;
mod merge;
mod places;
mod query;
mod segment;
mod shelf;
mod survey;
mod update;

pub use library::{Answers, Library};
pub use update::{Pause, Progress, Status};
