//! LOGIN.

use wire::command::Login;

use crate::error::{Done, No};
use crate::session::Driver;

/// Runs the command.
pub(crate) async fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    args: Login,
) -> Result<Done, No> {
    let _ = (driver, args);
    Err(No::Bad("not there yet"))
}
