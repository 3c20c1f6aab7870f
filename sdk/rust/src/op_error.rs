//! Why the host did not do what a call asked for.

use std::fmt;

/// Why the host did not do what a call asked for. With `?` it ends the run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpError {
    /// The task was asked to cancel. The worker may clean up during the grace time; whatever it
    /// returns then, the task ends as canceled.
    Canceled,
    /// The operator's limit named in the text is reached; every further call of that kind fails too.
    LimitExceeded(String),
    /// The call itself is wrong. The text says how to mend it.
    Invalid(String),
}

impl OpError {
    /// The word that [`Error::code`](crate::Error::code) has after `?`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::LimitExceeded(_) => "limit-exceeded",
            Self::Invalid(_) => "invalid-call",
        }
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canceled => write!(f, "the task was asked to cancel"),
            Self::LimitExceeded(limit) => write!(f, "limit exceeded: {limit}"),
            Self::Invalid(reason) => write!(f, "invalid call: {reason}"),
        }
    }
}

impl std::error::Error for OpError {}
