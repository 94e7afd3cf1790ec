//! EXPUNGE and UID EXPUNGE.

use wire::value::SequenceSet;

use crate::context::Selected;
use crate::error::{Done, No};

/// Runs the command.
pub async fn run(cx: &mut Selected<'_>, uids: Option<SequenceSet>) -> Result<Done, No> {
    let _ = (cx, uids);
    Err(No::Bad("not there yet"))
}
