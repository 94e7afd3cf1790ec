//! LOGOUT.
//!
//! RFC 9051 §6.1.3.

use wire::response::Untagged;

use crate::error::{Done, Next, No};
use crate::session::Driver;

/// Runs the command.
pub(crate) fn run<T>(driver: &mut Driver<T>) -> Result<Done, No> {
    driver.output.untagged(&Untagged::Bye(None, "Logging out".to_owned()));
    Ok(Done::new("LOGOUT completed").next(Next::Close))
}
