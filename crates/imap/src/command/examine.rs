//! EXAMINE: SELECT that changes nothing.
//!
//! RFC 9051 §6.3.3.

use wire::command::Select;

use crate::command::select;
use crate::error::{Done, No};
use crate::session::Driver;

/// Runs the command.
pub(crate) async fn run<T: crate::Transport>(
    driver: &mut Driver<T>,
    args: Select,
) -> Result<Done, No> {
    select::run(driver, args, true).await
}
