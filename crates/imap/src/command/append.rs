//! APPEND.

use wire::command::append::AppendHead;

use crate::error::{Done, No};
use crate::session::Driver;

/// Runs the command.
pub(crate) async fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    head: AppendHead,
) -> Result<Done, No> {
    let _ = (driver, head);
    Err(No::Bad("not there yet"))
}
