//! Everything that a call of the public door can be refused with.
//!
//! One of the protocol's errors cannot occur here: workers' answers are checked before they become
//! entries, so none is invalid.

mod describe;
mod end;
mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

use taskyard_broker as broker;
use taskyard_task::wire::InvalidMessage;
use taskyard_task::{Refusal, TaskState};

use crate::body::Unread;
use crate::gate::Accepted;
use crate::memory::Full;
use crate::parameters::AskedVersion;
use crate::reading::MAX_VALUES;

pub(crate) use describe::{Described, INTERNAL, whole_seconds};
pub(crate) use end::EndState;
pub(crate) use table::Row;

/// Why a call was refused. The texts are for the client's developer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the body is not JSON: {0}")]
    Parse(String),
    #[error("the body is not a JSON-RPC 2.0 request: {0}")]
    InvalidRequest(&'static str),
    #[error("there is no method {name:?}{advice}")]
    MethodNotFound {
        name: String,
        /// What to call instead, as the text goes on; empty if nobody knows.
        advice: String,
    },
    #[error("{0}")]
    InvalidParams(#[from] Violation),
    #[error("there is no such task")]
    TaskNotFound,
    #[error("the task has ended ({0}) and cannot be canceled")]
    TaskNotCancelable(EndState),
    /// A2A 3.1.1: a terminal task accepts no further messages.
    #[error(
        "the task has ended ({state}) and takes no more messages; to go on, begin a new task with the contextId {context_id:?}"
    )]
    MessageAfterEnd {
        state: EndState,
        /// The task's context.
        context_id: String,
    },
    #[error("this host sends no notifications; poll or stream instead")]
    PushNotificationNotSupported,
    #[error("{0}")]
    UnsupportedOperation(String),
    #[error("{field} has the media type {media_type:?}, which the agent does not take")]
    ContentTypeNotSupported { field: String, media_type: String },
    #[error("the agent has no extended card")]
    ExtendedCardNotConfigured,
    #[error("the agent requires the extension {uri}: name it in the header A2A-Extensions")]
    ExtensionSupportRequired { uri: &'static str },
    #[error("{asked}: {advice}")]
    VersionNotSupported {
        asked: AskedVersion,
        /// The path and the header that fit what was sent.
        advice: String,
    },
    #[error("the Content-Type must be application/json or application/a2a+json")]
    WrongContentType,
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error("the body came too slowly, or stopped in the middle")]
    BodyTooSlow,
    #[error("the request has more than {MAX_VALUES} values; send large data as a file")]
    TooManyValues,
    #[error("{0}; try again later")]
    MemoryFull(#[from] Full),
    #[error("the request needs credentials that this host knows: {0}")]
    Unauthenticated(Accepted),
    /// Who calls is known, and may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The text says what to call instead.
    #[error("{0}")]
    AgentNotFound(String),
    #[error("the Idempotency-Key was used for another request")]
    IdempotencyConflict,
    #[error("{what}; try again later")]
    QueueFull { what: String, retry_after: Duration },
    #[error("{what}; try again later")]
    StorageFull { what: String, retry_after: Duration },
    #[error("the host cannot serve now: {0}")]
    Unavailable(String),
    /// The disk failed after the change was handed over. Not to be repeated blindly, so there is no hint to.
    #[error("it is not known whether the request took effect: {0}")]
    OutcomeUnknown(String),
    /// The task goes on, and its stream does not.
    #[error(
        "the stream ends before its task: {0}; follow the task again from the last event that you saw"
    )]
    StreamCut(&'static str),
    /// Nobody can say now whether a token is genuine.
    #[error("the host cannot serve now: the issuer of the token is out of reach")]
    IssuerUnavailable,
    /// The text is for operators and is logged; the client learns which request it was.
    #[error("internal error")]
    Internal(String),
}

/// A field of the request that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub(crate) struct Violation {
    /// Its path from the request's `params`, or the name of a header.
    pub(crate) field: String,
    /// What is wrong with it; reads on from the field.
    pub(crate) problem: String,
}

impl Violation {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

impl From<broker::Error> for ApiError {
    fn from(error: broker::Error) -> Self {
        use broker::Error;
        match error {
            Error::TaskNotFound => Self::TaskNotFound,
            Error::AgentNotFound => Self::AgentNotFound("there is no such agent".to_owned()),
            Error::Refused(refusal) => refusal.into(),
            Error::ContextMismatch => {
                Violation::new("message.contextId", "is not the context of the task").into()
            }
            Error::Invalid { field, problem } => Violation::new(field, problem).into(),
            Error::QueueFull { what, retry_after } => Self::QueueFull { what, retry_after },
            Error::StorageFull { what, retry_after } => Self::StorageFull { what, retry_after },
            Error::IdempotencyConflict => Self::IdempotencyConflict,
            Error::WebhookRefused(problem) => Violation::new("url", problem).into(),
            Error::ShuttingDown => Self::stopping(),
            Error::Unavailable(what) => Self::Unavailable(what),
            Error::OutcomeUnknown(what) => Self::OutcomeUnknown(what),
            Error::Internal(what) => Self::Internal(what),
            // Only operators deal with plugins and keys; a client cannot cause these.
            Error::PluginNotFound
            | Error::ApiKeyNotFound
            | Error::OtherPlugin { .. }
            | Error::TooManyApiKeys { .. }
            | Error::WhichPlugin { .. }
            | Error::Incompatible(_)
            | Error::PluginRefused(_)
            | Error::PluginInUse { .. } => Self::Internal(error.to_string()),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotCancelable(state) => Self::TaskNotCancelable(state.into()),
            Refusal::MessageAfterEnd { state, context_id } => Self::MessageAfterEnd {
                state: state.into(),
                context_id,
            },
            Refusal::TooManyMessages | Refusal::TooManyPushConfigs => {
                Self::UnsupportedOperation(refusal.to_string())
            }
            // Runs, operators and the scheduler meet these, never a client.
            Refusal::Ended(_)
            | Refusal::StaleRun
            | Refusal::NotQueued
            | Refusal::NotJournaled(_)
            | Refusal::NotParked
            | Refusal::NotAsking
            | Refusal::BadPosition { .. }
            | Refusal::Busy
            | Refusal::NotEnded
            | Refusal::TooManyChildren => Self::Internal(refusal.to_string()),
        }
    }
}

impl From<InvalidMessage> for ApiError {
    fn from(invalid: InvalidMessage) -> Self {
        Violation::new(invalid.field, invalid.problem).into()
    }
}

impl From<Unread> for ApiError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge(limit) => Self::BodyTooLarge { limit },
            Unread::TooSlow => Self::BodyTooSlow,
            Unread::Full(full) => Self::MemoryFull(full),
            Unread::Broken(what) => Self::Parse(what),
        }
    }
}

impl ApiError {
    /// A method that nobody has; `advice` says what to call instead, as the text goes on.
    pub(crate) fn no_method(name: &str, advice: impl Into<String>) -> Self {
        // The name is repeated in the answer, but not at any length.
        const SHOWN_CHARS: usize = 64;
        Self::MethodNotFound {
            name: name.chars().take(SHOWN_CHARS).collect(),
            advice: advice.into(),
        }
    }

    /// The host is shutting down.
    pub(crate) fn stopping() -> Self {
        Self::Unavailable("it is shutting down".to_owned())
    }

    /// The same with `name` for the state that a task ended in.
    pub(crate) fn with_state_names(self, name: impl FnOnce(TaskState) -> String) -> Self {
        match self {
            Self::TaskNotCancelable(state) => Self::TaskNotCancelable(state.named(name)),
            Self::MessageAfterEnd { state, context_id } => Self::MessageAfterEnd {
                state: state.named(name),
                context_id,
            },
            other => other,
        }
    }
}
