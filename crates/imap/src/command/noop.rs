//! NOOP: the end of every command does all there is to do.
//!
//! RFC 9051 §6.1.2.

use crate::error::{Done, No};

/// Runs the command.
pub fn run() -> Result<Done, No> {
    Ok(Done::new("NOOP completed"))
}
