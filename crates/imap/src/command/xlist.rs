//! XLIST.

use wire::command::Lsub;

use crate::context::Authenticated;
use crate::error::{Done, No};

/// Runs the command.
pub async fn run(cx: &mut Authenticated<'_>, args: Lsub) -> Result<Done, No> {
    let _ = (cx, args);
    Err(No::Bad("not there yet"))
}
