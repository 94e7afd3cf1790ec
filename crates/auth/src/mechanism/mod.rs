//! SASL mechanisms, one file each (RFC 4422 §5).

mod external;
mod login;
mod plain;
mod scram;
mod scram_message;

pub(crate) use external::External;
pub(crate) use login::Login;
pub(crate) use plain::Plain;
pub(crate) use scram::Scram;

use crate::internal::failure;
use crate::{FailureKind, Identity, Step};

/// The client broke the mechanism's rules.
fn protocol(reason: &str) -> Step {
    Step::Failed(failure(FailureKind::Protocol, reason))
}

fn outcome(result: Result<Identity, crate::Failure>) -> Step {
    match result {
        Ok(identity) => Step::Done(identity),
        Err(failure) => Step::Failed(failure),
    }
}
