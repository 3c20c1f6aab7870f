//! The one table of error codes: JSON-RPC code, reason and HTTP status of every refusal (A2A 5.4).

use a2a::errors::error_code;
use axum::http::StatusCode;

use super::ApiError;

/// What an error looks like on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// The JSON-RPC code.
    pub(super) code: i32,
    /// The reason of its `google.rpc.ErrorInfo`; JSON-RPC's own errors have none.
    pub(super) reason: Option<Reason>,
    /// JSON-RPC answers errors with 200, except those that HTTP software must understand.
    pub(super) status: StatusCode,
}

/// Who defined the reason; its domain follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Protocol(&'static str),
    Host(&'static str),
}

/// JSON-RPC leaves -32000 to -32099 to servers, and A2A takes -32001 to -32010 of them. What has no
/// number of its own is told apart by its reason.
const HOST_ERROR: i32 = -32000;
const IDEMPOTENCY_CONFLICT: i32 = -32011;

impl ApiError {
    #[rustfmt::skip]
    pub(super) fn row(&self) -> Row {
        use Reason::{Host, Protocol};
        let (code, reason, status) = match self {
            Self::Parse(_) => (error_code::PARSE_ERROR, None, StatusCode::OK),
            Self::InvalidRequest(_) => (error_code::INVALID_REQUEST, None, StatusCode::OK),
            Self::MethodNotFound(_) => (error_code::METHOD_NOT_FOUND, None, StatusCode::OK),
            Self::InvalidParams(_) => (error_code::INVALID_PARAMS, None, StatusCode::OK),
            Self::Internal(_) => (error_code::INTERNAL_ERROR, None, StatusCode::OK),
            Self::TaskNotFound => (error_code::TASK_NOT_FOUND, Some(Protocol("TASK_NOT_FOUND")), StatusCode::OK),
            Self::TaskNotCancelable(_) => (error_code::TASK_NOT_CANCELABLE, Some(Protocol("TASK_NOT_CANCELABLE")), StatusCode::OK),
            Self::UnsupportedOperation(_) => (error_code::UNSUPPORTED_OPERATION, Some(Protocol("UNSUPPORTED_OPERATION")), StatusCode::OK),
            Self::ContentTypeNotSupported { .. } => (error_code::CONTENT_TYPE_NOT_SUPPORTED, Some(Protocol("CONTENT_TYPE_NOT_SUPPORTED")), StatusCode::OK),
            Self::VersionNotSupported { .. } => (error_code::VERSION_NOT_SUPPORTED, Some(Protocol("VERSION_NOT_SUPPORTED")), StatusCode::OK),
            Self::WrongContentType => (error_code::CONTENT_TYPE_NOT_SUPPORTED, Some(Protocol("CONTENT_TYPE_NOT_SUPPORTED")), StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::BodyTooLarge { .. } => (HOST_ERROR, Some(Host("BODY_TOO_LARGE")), StatusCode::PAYLOAD_TOO_LARGE),
            Self::Unauthenticated => (HOST_ERROR, Some(Host("UNAUTHENTICATED")), StatusCode::UNAUTHORIZED),
            Self::Forbidden => (HOST_ERROR, Some(Host("FORBIDDEN")), StatusCode::FORBIDDEN),
            Self::AgentNotFound => (HOST_ERROR, Some(Host("AGENT_NOT_FOUND")), StatusCode::NOT_FOUND),
            Self::QueueFull { .. } => (HOST_ERROR, Some(Host("QUEUE_FULL")), StatusCode::SERVICE_UNAVAILABLE),
            Self::Unavailable(_) => (HOST_ERROR, Some(Host("UNAVAILABLE")), StatusCode::SERVICE_UNAVAILABLE),
            Self::IdempotencyConflict => (IDEMPOTENCY_CONFLICT, Some(Host("IDEMPOTENCY_CONFLICT")), StatusCode::CONFLICT),
        };
        Row { code, reason, status }
    }
}

impl Reason {
    /// The reason itself.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Protocol(text) | Self::Host(text) => text,
        }
    }

    /// Where the reason is defined.
    pub(super) fn domain(self) -> &'static str {
        match self {
            Self::Protocol(_) => a2a::PROTOCOL_DOMAIN,
            Self::Host(_) => "taskyard",
        }
    }
}
