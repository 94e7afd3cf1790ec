//! IMAP's grammar in both directions: bytes to values and back. No IO, no mailbox, no clock.
//!
//! RFC 9051 and RFC 3501 at once, with every extension the server speaks; an extension lives with
//! the verb it extends. What a value may be is decided here; what it means, in `imap`.

#![forbid(unsafe_code)]

pub mod abnf;
pub mod command;
mod cursor;
mod emit;
pub mod error;
mod grammar;
pub mod literal;
pub mod parse;
pub mod print;
pub mod reply;
pub mod response;
mod sasl;
pub mod utf7;
pub mod value;

pub use error::{SyntaxError, SyntaxErrorKind};
pub use literal::LiteralSpec;
pub use parse::{Parsed, Syntax};
pub use print::{print, print_for};
pub use response::{nstring, string};
pub use sasl::sasl_response;
