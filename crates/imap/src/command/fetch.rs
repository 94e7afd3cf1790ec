//! FETCH.

use wire::command::Fetch;

use crate::context::Selected;
use crate::error::{Done, No};

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, args: Fetch) -> Result<Done, No> {
    let _ = (cx, args);
    Err(No::Bad("not there yet"))
}
