//! How a command ends: [`Done`] or [`No`]. The only place where an error becomes protocol text.

use std::io;

use auth::FailureKind;
use wire::response::{Code, Condition};

use crate::connection::Refusal;

/// A command that did what it was asked.
#[derive(Debug)]
pub struct Done {
    /// Text for people.
    pub text: &'static str,
    /// The response code.
    pub code: Option<Code>,
    /// What becomes of the session.
    pub next: Next,
}

/// What becomes of the session after a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The state stays.
    Stay,
    /// No mailbox is selected any more.
    Unselect,
    /// The connection ends after the tagged line.
    Close,
    /// A TLS handshake follows the tagged line.
    StartTls,
}

impl Done {
    /// Success, with `text` for people.
    pub fn new(text: &'static str) -> Self {
        Self { text, code: None, next: Next::Stay }
    }

    /// With a response code.
    #[must_use]
    pub fn code(mut self, code: impl Into<Option<Code>>) -> Self {
        self.code = code.into();
        self
    }

    /// And then.
    #[must_use]
    pub fn next(mut self, next: Next) -> Self {
        self.next = next;
        self
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum No {
    /// Not understood, or not in this state: BAD.
    #[error("{0}")]
    Bad(&'static str),
    /// Not understood, and the client is told which rule: BAD with a code.
    #[error("{1}")]
    BadWith(Code, &'static str),
    /// Not understood, as the framing or the grammar says.
    #[error("{}", .0.text)]
    Syntax(Refusal),
    /// No such mailbox.
    #[error("no such mailbox")]
    NonExistent,
    /// No such target mailbox for APPEND, COPY, MOVE.
    #[error("no such mailbox; create it first")]
    TryCreate,
    /// The name is taken.
    #[error("mailbox exists already")]
    AlreadyExists,
    /// EXAMINEd.
    #[error("mailbox is read-only")]
    ReadOnly,
    /// Never possible, and why.
    #[error("{0}")]
    Cannot(&'static str),
    /// A configured bound, and which.
    #[error("{0}")]
    Limit(&'static str),
    /// A message above APPENDLIMIT.
    #[error("message is too big")]
    TooBig,
    /// A password may not cross this connection.
    #[error("not without TLS")]
    PrivacyRequired,
    /// Nobody logged in.
    #[error("{}", login_text(*.0))]
    Login(FailureKind),
    /// An expected refusal that has no variant of its own.
    #[error("{1}")]
    Refused(Option<Code>, &'static str),
    /// The engine failed; logged where it becomes text.
    #[error("storage is unavailable, try again later")]
    Unavailable(#[from] storage::Error),
    /// Nobody can be served on this connection any more; `* BYE`.
    #[error("{0}")]
    Bye(&'static str),
    /// Our own state broke a promise; logged, then BYE.
    #[error("internal error")]
    Bug(&'static str),
    /// The connection is gone; nothing is said.
    #[error("connection lost")]
    Lost(#[from] io::Error),
}

impl No {
    /// OK, NO or BAD.
    pub fn condition(&self) -> Condition {
        match self {
            Self::Syntax(refusal) if refusal.no => Condition::No,
            Self::Bad(_)
            | Self::BadWith(..)
            | Self::Syntax(_)
            | Self::Login(FailureKind::Protocol | FailureKind::Cancelled) => Condition::Bad,
            _ => Condition::No,
        }
    }

    /// RFC 5530's response code.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::BadWith(code, _) => Some(code.clone()),
            Self::NonExistent => Some(Code::NonExistent),
            Self::TryCreate => Some(Code::TryCreate),
            Self::AlreadyExists => Some(Code::AlreadyExists),
            Self::ReadOnly => Some(Code::NoPerm),
            Self::Cannot(_) => Some(Code::Cannot),
            Self::Limit(_) => Some(Code::Limit),
            Self::TooBig => Some(Code::TooBig),
            Self::PrivacyRequired | Self::Login(FailureKind::NeedsTls) => {
                Some(Code::PrivacyRequired)
            }
            Self::Login(FailureKind::Credentials) => Some(Code::AuthenticationFailed),
            Self::Login(FailureKind::Authorization) => Some(Code::AuthorizationFailed),
            Self::Login(FailureKind::Unavailable) => Some(Code::Unavailable),
            Self::Login(FailureKind::Protocol | FailureKind::Cancelled) => None,
            Self::Syntax(refusal) => refusal.code.clone(),
            Self::Refused(code, _) => code.clone(),
            Self::Unavailable(storage::Error::Damaged(_)) => Some(Code::Corruption),
            Self::Unavailable(_) => Some(Code::Unavailable),
            Self::Bug(_) => Some(Code::ServerBug),
            Self::Bad(_) | Self::Bye(_) | Self::Lost(_) => None,
        }
    }
}

impl From<account::Failure<No>> for No {
    fn from(failure: account::Failure<No>) -> Self {
        match failure {
            account::Failure::Refused(no) => no,
            account::Failure::Storage(error) => Self::Unavailable(error),
        }
    }
}

fn login_text(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Credentials => "wrong name or password",
        FailureKind::Authorization => "may not act as that user",
        FailureKind::NeedsTls => "not without TLS",
        FailureKind::Protocol => "authentication exchange was not understood",
        FailureKind::Cancelled => "authentication cancelled",
        FailureKind::Unavailable => "authentication is unavailable, try again later",
    }
}
