//! Why the host did not do what a call asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why the host did not do what a call asked for. With `?` it ends the run.
///
/// It is in the task's log: what was refused or failed once, is so again in every replay. So after `?`
/// all of them are [permanent](crate::Disposition::Permanent): another try of the run would meet the same
/// again. Let the host try a request several times with [`Request::retry`](crate::http::Request::retry),
/// or handle the error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OpError {
    /// The task was asked to cancel. Told once, by the first call that waits; later calls work again, so
    /// that the worker may clean up during the grace time. Questions stay refused. Whatever the worker
    /// returns then, the task ends as canceled.
    Canceled,
    /// It took longer than the worker was ready to wait.
    TimedOut,
    /// The operator does not allow it. The text says what would have to be allowed.
    Denied(String),
    /// The operator's limit named in the text is reached; every further call of that kind fails too.
    LimitExceeded(String),
    /// The call itself is wrong. The text says how to mend it.
    Invalid(String),
    /// The other side could not be reached or broke off. The text says how.
    Failed(String),
    /// Nobody knows whether it took effect, because the host went down in the middle: a request that must
    /// not be sent twice, or the rest of a stream. What came before is safe.
    Interrupted(String),
}

impl OpError {
    /// The word that [`Error::code`](crate::Error::code) has after `?`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::TimedOut => "timed-out",
            Self::Denied(_) => "denied",
            Self::LimitExceeded(_) => "limit-exceeded",
            Self::Invalid(_) => "invalid-call",
            Self::Failed(_) => "failed",
            Self::Interrupted(_) => "interrupted",
        }
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canceled => write!(f, "the task was asked to cancel"),
            Self::TimedOut => write!(f, "it took too long"),
            Self::Denied(reason) => write!(f, "not allowed: {reason}"),
            Self::LimitExceeded(limit) => write!(f, "limit exceeded: {limit}"),
            Self::Invalid(reason) => write!(f, "invalid call: {reason}"),
            Self::Failed(reason) => write!(f, "it failed: {reason}"),
            Self::Interrupted(what) => write!(f, "interrupted: {what}"),
        }
    }
}

impl std::error::Error for OpError {}
