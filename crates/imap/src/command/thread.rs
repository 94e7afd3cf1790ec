//! THREAD.

use wire::command::Thread;

use crate::context::Selected;
use crate::error::{Done, No};

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Thread) -> Result<Done, No> {
    let _ = (cx, args);
    Err(No::Bad("not there yet"))
}
