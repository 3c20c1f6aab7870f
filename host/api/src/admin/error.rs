//! What operators are answered when something does not go well: one table.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use taskyard_broker::Error;
use tracing::error;

use crate::body::Unread;
use crate::plain::problem;

/// Why an operator's request was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    #[error("{0}")]
    Broker(#[from] Error),
    /// A parameter makes no sense.
    #[error("{parameter} {problem}")]
    Parameter {
        parameter: &'static str,
        problem: String,
    },
    #[error("the body must be a component, of the type application/wasm")]
    WrongContentType,
    #[error("{0}")]
    Unread(#[from] Unread),
}

impl AdminError {
    fn row(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Parameter { .. } => (StatusCode::BAD_REQUEST, "invalid"),
            Self::WrongContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong-content-type"),
            Self::Unread(Unread::TooLarge(_)) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Self::Unread(Unread::Broken(_)) => (StatusCode::BAD_REQUEST, "invalid"),
            Self::Broker(error) => broker_row(error),
        }
    }
}

fn broker_row(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::AgentNotFound => (StatusCode::NOT_FOUND, "agent-not-found"),
        Error::PluginNotFound => (StatusCode::NOT_FOUND, "plugin-not-found"),
        Error::TaskNotFound => (StatusCode::NOT_FOUND, "task-not-found"),
        Error::PluginInUse { .. } => (StatusCode::CONFLICT, "in-use"),
        Error::Refused(_) | Error::IdempotencyConflict => (StatusCode::CONFLICT, "refused"),
        Error::PluginRefused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "plugin-refused"),
        Error::Invalid { .. } | Error::ContextMismatch | Error::WebhookRefused(_) => {
            (StatusCode::BAD_REQUEST, "invalid")
        }
        Error::QueueFull { .. } | Error::ShuttingDown | Error::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

impl IntoResponse for AdminError {
    /// Operators see everything, internal errors too.
    fn into_response(self) -> Response {
        let (status, code) = self.row();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            error!(error = %self, "internal error");
        }
        problem(status, code, &self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Into<AdminError>, status: u16, code: &str) {
        let (found, found_code) = error.into().row();
        assert_eq!((found.as_u16(), found_code), (status, code));
    }

    #[test]
    fn the_table() {
        check(Error::AgentNotFound, 404, "agent-not-found");
        check(Error::PluginNotFound, 404, "plugin-not-found");
        check(Error::PluginInUse { tasks: 3 }, 409, "in-use");
        check(Error::PluginRefused("no".to_owned()), 422, "plugin-refused");
        check(Error::ShuttingDown, 503, "unavailable");
        check(Error::Internal("bug".to_owned()), 500, "internal");
        check(Unread::TooLarge(1), 413, "too-large");
        check(AdminError::WrongContentType, 415, "wrong-content-type");
    }
}
