//! IDLE.

use crate::error::{Done, No};
use crate::session::Driver;

/// Runs the command.
pub(crate) async fn run<T: crate::Transport>(driver: &mut Driver<T>) -> Result<Done, No> {
    let _ = driver;
    Err(No::Bad("not there yet"))
}
