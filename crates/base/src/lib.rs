//! Shared nouns of the mail store: identifiers, number sets, flags, dates and limits. No IO.

#![forbid(unsafe_code)]

pub mod date;
pub mod flag;
pub mod id;
pub mod limits;
pub mod set;

pub use date::{Date, DateTime};
pub use flag::{Flags, Keyword, SystemFlag, SystemFlags};
pub use id::{AccountId, EmailId, MailboxId, ModSeq, SeqNum, ThreadId, Uid, UidValidity};
pub use limits::Limits;
pub use set::{NumSet, SeqSet, UidSet};
