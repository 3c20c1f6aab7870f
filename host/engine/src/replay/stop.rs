//! Why a call does not return what was asked for.

use taskyard_broker::{self as broker, Difference};
use taskyard_task::http::HttpError;
use taskyard_task::{Event, Seq};

use crate::diagnostics::cut;

/// How much of two entries that differ the operator gets to see.
const SHOWN_BYTES: usize = 500;

/// Why a call does not return what was asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum CallError {
    /// The worker is told, and goes on.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The run is over.
    #[error(transparent)]
    Stopped(#[from] Stop),
}

/// What a worker is told about a call that was refused. Follows from the log and the call alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The client asked to cancel.
    #[error("the task was asked to cancel")]
    Canceled,
    /// It took longer than the worker was ready to wait.
    #[error("timed out")]
    TimedOut,
    /// The operator does not allow it; the text says what would have to be allowed.
    #[error("denied: {0}")]
    Denied(String),
    /// The other side could not be reached or broke off.
    #[error("failed: {0}")]
    Failed(String),
    /// Nobody knows whether it took effect.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// An operator's limit is reached; the text names it.
    #[error("limit exceeded: {0}")]
    Limit(String),
    /// The call itself is wrong; the text says how to mend it.
    #[error("invalid: {0}")]
    Invalid(String),
}

impl Refusal {
    /// The call is wrong.
    pub(crate) fn invalid(problem: &str) -> Self {
        Self::Invalid(problem.to_owned())
    }
}

impl From<HttpError> for Refusal {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Denied(reason) => Self::Denied(reason),
            HttpError::Invalid(problem) => Self::Invalid(problem),
            HttpError::TimedOut => Self::TimedOut,
            HttpError::TooLarge { limit } => Self::Limit(format!("bytes of a response: {limit}")),
            HttpError::Failed(problem) => Self::Failed(problem),
            HttpError::Interrupted => Self::Interrupted(
                "the host went down meanwhile, and the request is not sent again".to_owned(),
            ),
        }
    }
}

/// Why a run is over in the middle of a call. No code of the worker runs afterwards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The worker waits, without an instance.
    #[error("the worker waits")]
    Suspended,
    /// Nothing can ever wake the worker.
    #[error("the worker waits for something that can never happen")]
    NothingToWaitFor,
    /// The worker has more tickets than it may, and the call cannot be refused.
    #[error("exceeded the limit of {limit} tickets")]
    TicketLimit {
        /// The limit.
        limit: usize,
    },
    /// A probe is at the end of the log.
    #[error("the end of the log is reached")]
    EndOfLog,
    /// Another run took over, or the task ended; nothing of this run counts any more.
    #[error("the run is no longer the task's current one")]
    Stale,
    /// The log cannot be read or written; the task has to be run again.
    #[error("the task's log is unavailable: {0}")]
    Unavailable(String),
    /// The worker did something else than the log says.
    #[error("replay differs from the log {0}")]
    Mismatch(Difference),
    /// The log was begun in a way that this host cannot repeat.
    #[error("{0}")]
    Incompatible(String),
    /// The run computed for longer than it may.
    #[error("exceeded the CPU limit of {limit_ms} ms")]
    CpuLimit {
        /// The pinned limit.
        limit_ms: u128,
    },
    /// A wait would need a log entry beyond the limit, and a wait cannot be refused.
    #[error("exceeded the limit of {limit} log entries by waiting")]
    LogLimit {
        /// The pinned limit.
        limit: u64,
    },
    /// The worker called what must not be called while it describes itself.
    #[error(
        "`{0}` was called while the worker describes itself; `describe` must not call the host"
    )]
    Early(&'static str),
}

impl Stop {
    /// The worker did `did` where the log has `logged`.
    pub(super) fn mismatch(seq: Seq, logged: &Event, did: &Event) -> Self {
        let (in_log, in_replay) = (format!("{logged:?}"), format!("{did:?}"));
        tracing::warn!(
            entry = seq.0,
            logged = cut(&in_log, SHOWN_BYTES),
            did = cut(&in_replay, SHOWN_BYTES),
            "replay differs from the log",
        );
        let did = match (logged.kind(), did.kind()) {
            (logged, did) if logged == did => format!("another `{did}`"),
            (_, did) => format!("`{did}`"),
        };
        Self::differs(seq, logged, &did)
    }

    /// The worker waited where the log has `logged`.
    pub(super) fn waited(seq: Seq, logged: &Event) -> Self {
        Self::differs(seq, logged, "wait")
    }

    /// The worker ended where the log goes on with `logged`.
    pub(super) fn ended_early(seq: Seq, logged: &Event) -> Self {
        Self::differs(seq, logged, "nothing more")
    }

    fn differs(seq: Seq, logged: &Event, did: &str) -> Self {
        Self::Mismatch(Difference {
            seq,
            logged: logged.kind(),
            did: did.to_owned(),
        })
    }
}

impl From<broker::Error> for Stop {
    fn from(error: broker::Error) -> Self {
        match error {
            broker::Error::Refused(taskyard_task::Refusal::StaleRun) => Self::Stale,
            other => Self::Unavailable(other.to_string()),
        }
    }
}
