//! CHECK: a checkpoint. Whatever was acknowledged is durable already, so it is a NOOP.
//!
//! RFC 3501 §6.4.1.

use crate::context::Selected;
use crate::error::{Done, No};

/// Runs the command.
pub async fn run(_: &mut Selected<'_>) -> Result<Done, No> {
    Ok(Done::new("CHECK completed"))
}
