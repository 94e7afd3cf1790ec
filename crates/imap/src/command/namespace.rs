//! NAMESPACE: one personal namespace without a prefix.
//!
//! RFC 9051 §6.3.10, RFC 2342.

use wire::response::Untagged;

use crate::context::Authenticated;
use crate::error::{Done, No};

/// Runs the command.
pub fn run(cx: &mut Authenticated<'_>) -> Result<Done, No> {
    cx.out.untagged(&Untagged::Namespace(vec![(String::new(), '/')]));
    Ok(Done::new("NAMESPACE completed"))
}
