//! The heart: an account is a log, a mailbox is a fold over it, a session is a view of that fold.
//!
//! Pure, total and deterministic: no IO, no clock, no chance. The same [`Account::apply`] runs for a
//! session, in recovery, on a replica and in tests.

#![forbid(unsafe_code)]

pub mod account;
mod codec;
pub mod mailbox;
pub mod record;
pub mod search;
pub mod sort;
pub mod thread;
pub mod view;

pub use account::Account;
pub use mailbox::{Mailbox, Row};
pub use record::{BadRecord, Content, FlagOp, NewMessage, Position, Record, Role};
pub use view::{Event, Expunges, View};
