//! ID.

use bytes::Bytes;

use crate::error::{Done, No};
use crate::session::Driver;

/// Runs the command.
pub(crate) fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    args: Option<Vec<(Bytes, Option<Bytes>)>>,
) -> Result<Done, No> {
    let _ = (driver, args);
    Err(No::Bad("not there yet"))
}
