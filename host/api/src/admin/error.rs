//! What operators are answered when something does not go well: one table.

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use taskyard_broker::Error;
use taskyard_task::Refusal;
use tracing::{debug, error};

use super::task_view::state_word;
use crate::body::Unread;
use crate::error::{INTERNAL, Violation, whole_seconds};
use crate::plain::problem;

/// Why an operator's request was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    #[error("{0}")]
    Broker(Error),
    /// The task does not allow it.
    #[error("{}", in_words(.0))]
    Refused(Refusal),
    /// A parameter makes no sense.
    #[error("{parameter} {problem}")]
    Parameter {
        parameter: &'static str,
        problem: String,
    },
    /// Its deliveries go well, or it does not exist.
    #[error("no delivery of this task and configuration is in trouble")]
    NoDelivery,
    #[error("the body must be a component, of the type application/wasm")]
    WrongContentType,
    #[error("{0}")]
    Unread(#[from] Unread),
    /// A parameter that nobody can know the value of.
    #[error("{0}")]
    Ambiguous(#[from] Violation),
}

impl AdminError {
    fn row(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Parameter { .. } | Self::Ambiguous(_) => (StatusCode::BAD_REQUEST, "invalid"),
            Self::NoDelivery => (StatusCode::NOT_FOUND, "delivery-not-found"),
            Self::WrongContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong-content-type"),
            Self::Unread(Unread::TooLarge(_)) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Self::Unread(Unread::TooSlow) => (StatusCode::REQUEST_TIMEOUT, "too-slow"),
            Self::Unread(Unread::Full(_)) => (StatusCode::SERVICE_UNAVAILABLE, "memory-full"),
            Self::Unread(Unread::Broken(_)) => (StatusCode::BAD_REQUEST, "invalid"),
            Self::Broker(error) => broker_row(error),
            Self::Refused(refusal) => refusal_row(refusal),
        }
    }
}

impl From<Error> for AdminError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self::Refused(refusal),
            other => Self::Broker(other),
        }
    }
}

fn refusal_row(refusal: &Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::Ended(_) => (StatusCode::CONFLICT, "ended"),
        Refusal::NotParked => (StatusCode::CONFLICT, "not-parked"),
        Refusal::NotAsking => (StatusCode::CONFLICT, "not-asking"),
        Refusal::Busy => (StatusCode::CONFLICT, "busy"),
        Refusal::BadPosition { .. } => (StatusCode::BAD_REQUEST, "invalid"),
        _ => (StatusCode::CONFLICT, "refused"),
    }
}

/// Refusals of the task model are worded for clients; operators can do other things.
fn in_words(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Ended(state) => {
            let state = state_word(*state);
            format!("the task has ended ({state}), and nothing changes it any more")
        }
        Refusal::NotParked => {
            "the task is not parked; only what stands still can be resumed or retried".to_owned()
        }
        // A retry is told the first entry that does not count, a task the last one that does.
        Refusal::BadPosition { from, until } => {
            let first = from.next();
            format!(
                "from must be between {first} and {until}, and a task can be sent back 64 times"
            )
        }
        other => other.to_string(),
    }
}

fn broker_row(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::AgentNotFound => (StatusCode::NOT_FOUND, "agent-not-found"),
        Error::PluginNotFound => (StatusCode::NOT_FOUND, "plugin-not-found"),
        Error::ApiKeyNotFound => (StatusCode::NOT_FOUND, "key-not-found"),
        Error::OtherPlugin { .. } => (StatusCode::CONFLICT, "other-plugin"),
        Error::TooManyApiKeys { .. } => (StatusCode::CONFLICT, "too-many-keys"),
        Error::TaskNotFound => (StatusCode::NOT_FOUND, "task-not-found"),
        Error::WhichPlugin { found, .. } if found.is_empty() => {
            (StatusCode::NOT_FOUND, "plugin-not-found")
        }
        Error::WhichPlugin { .. } => (StatusCode::CONFLICT, "ambiguous"),
        Error::Incompatible(_) => (StatusCode::CONFLICT, "incompatible"),
        Error::PluginInUse { .. } => (StatusCode::CONFLICT, "in-use"),
        Error::Refused(_) | Error::IdempotencyConflict => (StatusCode::CONFLICT, "refused"),
        Error::PluginRefused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "plugin-refused"),
        Error::Invalid { .. } | Error::ContextMismatch | Error::WebhookRefused(_) => {
            (StatusCode::BAD_REQUEST, "invalid")
        }
        Error::StorageFull { .. } => (StatusCode::SERVICE_UNAVAILABLE, "storage-full"),
        Error::QueueFull { .. } | Error::ShuttingDown | Error::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
        Error::OutcomeUnknown(_) => (StatusCode::INTERNAL_SERVER_ERROR, "outcome-unknown"),
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

impl IntoResponse for AdminError {
    /// Operators see everything, internal errors too.
    fn into_response(self) -> Response {
        let (status, code) = self.row();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            match INTERNAL.next() {
                Some(left_out) => error!(error = %self, left_out, "internal error"),
                None => debug!(error = %self, "internal error"),
            }
        }
        let mut answer = problem(status, code, &self.to_string());
        if let Self::Broker(
            Error::QueueFull { retry_after, .. } | Error::StorageFull { retry_after, .. },
        ) = self
        {
            let seconds = whole_seconds(retry_after).into();
            answer.headers_mut().insert(RETRY_AFTER, seconds);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use taskyard_task::{Digest, Seq, TaskState};

    use super::*;

    #[test]
    fn a_bad_position_is_told_as_operators_say_it() {
        let (from, until) = (Seq(1), Seq(9));
        let error = AdminError::from(Error::from(Refusal::BadPosition { from, until }));
        assert!(
            error
                .to_string()
                .starts_with("from must be between 2 and 9")
        );
        assert_eq!(error.row().0, StatusCode::BAD_REQUEST);
    }

    fn check(error: impl Into<AdminError>, status: u16, code: &str) {
        let (found, found_code) = error.into().row();
        assert_eq!((found.as_u16(), found_code), (status, code));
    }

    #[test]
    fn what_is_full_says_when_to_come_back() {
        let full = Error::QueueFull {
            what: "another component is being compiled".to_owned(),
            retry_after: std::time::Duration::from_secs(10),
        };
        let answer = AdminError::from(full).into_response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[RETRY_AFTER], "10");
    }

    #[test]
    fn the_table() {
        check(Error::AgentNotFound, 404, "agent-not-found");
        check(Error::PluginNotFound, 404, "plugin-not-found");
        check(Error::PluginInUse { tasks: 3 }, 409, "in-use");
        check(Error::PluginRefused("no".to_owned()), 422, "plugin-refused");
        check(Error::from(Refusal::NotParked), 409, "not-parked");
        check(Error::from(Refusal::Busy), 409, "busy");
        check(Error::from(Refusal::Ended(TaskState::Failed)), 409, "ended");
        let which = |found| Error::WhichPlugin {
            named: "1".to_owned(),
            found,
        };
        check(which(Vec::new()), 404, "plugin-not-found");
        check(which(vec![Digest::of(b"a")]), 409, "ambiguous");
        check(Error::ShuttingDown, 503, "unavailable");
        check(Error::Internal("bug".to_owned()), 500, "internal");
        check(Unread::TooLarge(1), 413, "too-large");
        check(AdminError::WrongContentType, 415, "wrong-content-type");
    }
}
