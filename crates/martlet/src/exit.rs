//! How a command ends.

use std::fmt;
use std::process::ExitCode;

/// Why a command did not do what it was asked for. The numbers are documented in `martlet --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Refused, or failed.
    Failed = 1,
    /// Wrong usage, or a mistake in the configuration.
    Usage = 2,
    /// The data can't be had.
    Unavailable = 3,
    /// Damage was found, or an import is not complete.
    Incomplete = 4,
}

/// The end of a command that did not go well.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

impl Failure {
    /// An end with a message for people; an empty one says nothing.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// It was refused, or failed.
    pub(crate) fn failed(error: impl fmt::Display) -> Self {
        Self::new(Kind::Failed, error.to_string())
    }

    /// Says why on standard error.
    pub(crate) fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("martlet: {}", self.message);
        }
        ExitCode::from(self.kind as u8)
    }
}

/// What a command comes to.
pub(crate) type Outcome = Result<(), Failure>;
