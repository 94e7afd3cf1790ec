//! UNSELECT.

use crate::context::Selected;
use crate::error::{Done, No};

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>) -> Result<Done, No> {
    let _ = cx;
    Err(No::Bad("not there yet"))
}
