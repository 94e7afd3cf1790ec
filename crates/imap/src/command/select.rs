//! SELECT.

use wire::command::Select;

use crate::error::{Done, No};
use crate::session::Driver;

/// Runs the command.
pub(crate) async fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    tag: &str,
    args: Select,
    read_only: bool,
) -> Result<Done, No> {
    let _ = (driver, tag, args, read_only);
    Err(No::Bad("not there yet"))
}
