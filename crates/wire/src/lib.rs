//! IMAP's grammar in both directions: bytes to values and back. No IO, no mailbox, no clock.
//!
//! RFC 9051 and RFC 3501 at once, with every extension the server speaks; an extension lives with
//! the verb it extends. What a value may be is decided here; what it means, in `imap`.

#![forbid(unsafe_code)]

pub mod command;
pub mod response;
pub mod value;
