//! CAPABILITY.
//!
//! RFC 9051 §6.1.1.

use wire::response::Untagged;

use crate::capability;
use crate::error::{Done, No};
use crate::session::Driver;

/// Runs the command.
pub(crate) fn run<T>(driver: &mut Driver<T>) -> Result<Done, No> {
    let list = capability::list(&driver.shared, &driver.client);
    driver.output.untagged(&Untagged::Capability(list));
    Ok(Done::new("CAPABILITY completed"))
}
