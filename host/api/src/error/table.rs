//! The one table of error codes: how every refusal looks in each binding (A2A 5.4).

use a2a::errors::error_code;
use axum::http::StatusCode;
use tonic::Code;

use super::ApiError;

/// What an error looks like on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// The JSON-RPC code.
    pub(crate) code: i32,
    /// The reason of its `google.rpc.ErrorInfo`; errors of the envelope have none.
    pub(crate) reason: Option<Reason>,
    /// The status of HTTP+JSON.
    pub(crate) status: StatusCode,
    /// The status of gRPC; its name is part of HTTP+JSON's answers.
    pub(crate) grpc: Code,
    /// JSON-RPC answers errors with 200, except those that HTTP software must understand.
    pub(crate) is_http: bool,
}

/// Who defined the reason; its domain follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Protocol(&'static str),
    Host(&'static str),
}

/// JSON-RPC leaves -32000 to -32099 to servers, and A2A takes -32001 to -32010 of them. What has no
/// number of its own is told apart by its reason.
const HOST_ERROR: i32 = -32000;
const IDEMPOTENCY_CONFLICT: i32 = -32011;

impl ApiError {
    #[rustfmt::skip]
    pub(crate) fn row(&self) -> Row {
        use Reason::{Host, Protocol};
        let (code, reason, status, grpc, is_http) = match self {
            Self::Parse(_) => (error_code::PARSE_ERROR, None, StatusCode::BAD_REQUEST, Code::InvalidArgument, false),
            Self::InvalidRequest(_) => (error_code::INVALID_REQUEST, None, StatusCode::BAD_REQUEST, Code::InvalidArgument, false),
            Self::MethodNotFound { .. } => (error_code::METHOD_NOT_FOUND, None, StatusCode::NOT_FOUND, Code::Unimplemented, false),
            Self::InvalidParams(_) => (error_code::INVALID_PARAMS, None, StatusCode::BAD_REQUEST, Code::InvalidArgument, false),
            Self::Internal(_) => (error_code::INTERNAL_ERROR, None, StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, false),
            Self::TaskNotFound => (error_code::TASK_NOT_FOUND, Some(Protocol("TASK_NOT_FOUND")), StatusCode::NOT_FOUND, Code::NotFound, false),
            Self::TaskNotCancelable(_) => (error_code::TASK_NOT_CANCELABLE, Some(Protocol("TASK_NOT_CANCELABLE")), StatusCode::BAD_REQUEST, Code::FailedPrecondition, false),
            Self::PushNotificationNotSupported => (error_code::PUSH_NOTIFICATION_NOT_SUPPORTED, Some(Protocol("PUSH_NOTIFICATION_NOT_SUPPORTED")), StatusCode::BAD_REQUEST, Code::FailedPrecondition, false),
            Self::UnsupportedOperation(_) | Self::MessageAfterEnd { .. } => (error_code::UNSUPPORTED_OPERATION, Some(Protocol("UNSUPPORTED_OPERATION")), StatusCode::BAD_REQUEST, Code::FailedPrecondition, false),
            Self::ContentTypeNotSupported { .. } => (error_code::CONTENT_TYPE_NOT_SUPPORTED, Some(Protocol("CONTENT_TYPE_NOT_SUPPORTED")), StatusCode::BAD_REQUEST, Code::InvalidArgument, false),
            Self::ExtendedCardNotConfigured => (error_code::EXTENDED_CARD_NOT_CONFIGURED, Some(Protocol("EXTENDED_AGENT_CARD_NOT_CONFIGURED")), StatusCode::BAD_REQUEST, Code::FailedPrecondition, false),
            Self::ExtensionSupportRequired { .. } => (error_code::EXTENSION_SUPPORT_REQUIRED, Some(Protocol("EXTENSION_SUPPORT_REQUIRED")), StatusCode::BAD_REQUEST, Code::FailedPrecondition, false),
            Self::VersionNotSupported { .. } => (error_code::VERSION_NOT_SUPPORTED, Some(Protocol("VERSION_NOT_SUPPORTED")), StatusCode::BAD_REQUEST, Code::FailedPrecondition, false),
            Self::WrongContentType => (error_code::CONTENT_TYPE_NOT_SUPPORTED, Some(Protocol("CONTENT_TYPE_NOT_SUPPORTED")), StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, true),
            Self::BodyTooLarge { .. } => (HOST_ERROR, Some(Host("BODY_TOO_LARGE")), StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, true),
            Self::BodyTooSlow => (HOST_ERROR, Some(Host("BODY_TOO_SLOW")), StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded, true),
            Self::TooManyValues => (HOST_ERROR, Some(Host("TOO_MANY_VALUES")), StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, true),
            Self::MemoryFull(_) => (HOST_ERROR, Some(Host("MEMORY_FULL")), StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, true),
            Self::Unauthenticated(_) => (HOST_ERROR, Some(Host("UNAUTHENTICATED")), StatusCode::UNAUTHORIZED, Code::Unauthenticated, true),
            Self::Forbidden(_) => (HOST_ERROR, Some(Host("FORBIDDEN")), StatusCode::FORBIDDEN, Code::PermissionDenied, true),
            Self::AgentNotFound(_) => (HOST_ERROR, Some(Host("AGENT_NOT_FOUND")), StatusCode::NOT_FOUND, Code::NotFound, true),
            Self::QueueFull { .. } => (HOST_ERROR, Some(Host("QUEUE_FULL")), StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, true),
            Self::StorageFull { .. } => (HOST_ERROR, Some(Host("STORAGE_FULL")), StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, true),
            Self::Unavailable(_) | Self::StreamCut(_) | Self::IssuerUnavailable => (HOST_ERROR, Some(Host("UNAVAILABLE")), StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, true),
            Self::OutcomeUnknown(_) => (HOST_ERROR, Some(Host("OUTCOME_UNKNOWN")), StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown, true),
            Self::IdempotencyConflict => (IDEMPOTENCY_CONFLICT, Some(Host("IDEMPOTENCY_CONFLICT")), StatusCode::CONFLICT, Code::Aborted, true),
        };
        Row { code, reason, status, grpc, is_http }
    }
}

impl Row {
    /// The HTTP status of a JSON-RPC answer.
    pub(crate) fn rpc_status(self) -> StatusCode {
        match self.is_http {
            true => self.status,
            false => StatusCode::OK,
        }
    }
}

impl Reason {
    /// The reason itself.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Protocol(text) | Self::Host(text) => text,
        }
    }

    /// Where the reason is defined.
    pub(crate) fn domain(self) -> &'static str {
        match self {
            Self::Protocol(_) => a2a::PROTOCOL_DOMAIN,
            Self::Host(_) => "taskyard",
        }
    }
}
