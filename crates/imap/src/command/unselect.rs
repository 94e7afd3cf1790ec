//! UNSELECT: leave the mailbox and expunge nothing.
//!
//! RFC 9051 §6.4.2, RFC 3691.

use crate::context::Selected;
use crate::error::{Done, Next, No};

/// Runs the command.
pub async fn run(_: &mut Selected<'_>) -> Result<Done, No> {
    Ok(Done::new("UNSELECT completed").next(Next::Unselect))
}
