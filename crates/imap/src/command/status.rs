//! STATUS.

use wire::command::Status;

use crate::context::Authenticated;
use crate::error::{Done, No};

/// Runs the command.
pub fn run(cx: &mut Authenticated<'_>, args: Status) -> Result<Done, No> {
    let _ = (cx, args);
    Err(No::Bad("not there yet"))
}
