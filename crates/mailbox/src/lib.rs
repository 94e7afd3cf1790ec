//! The heart: an account is a log, a mailbox is a fold over it, a session is a view of that fold.
//!
//! Pure, total and deterministic: no IO, no clock, no chance. The same [`Account::apply`] runs for a
//! session, in recovery, on a replica and in tests.

#![forbid(unsafe_code)]

pub mod account;
mod change;
mod chunk;
mod codec;
mod group;
mod history;
pub mod keys;
pub mod mailbox;
mod range;
pub mod record;
pub mod resync;
pub mod search;
mod snapshot;
pub mod sort;
mod sorted;
pub mod thread;
pub mod view;

pub use account::{Account, canonical_name};
pub use mailbox::{HotRow, Mailbox, Row};
pub use record::{BadRecord, Content, FlagOp, NewMessage, Position, Record, Role};
pub use view::{Event, Expunges, View};
