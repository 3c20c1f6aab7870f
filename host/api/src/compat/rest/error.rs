//! Errors as 0.3's HTTP+JSON writes them: a status, the name of an error, and a text.

use a2a::TypedDetail;
use a2a::errors::error_code;
use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::{ApiError, Described};
use crate::trace::RequestId;

#[derive(Debug, Serialize)]
pub(super) struct Failure {
    /// What the JavaScript client tells errors apart by: the code of JSON-RPC.
    code: i32,
    /// What newer Python clients tell them apart by; older ones have the status only.
    #[serde(rename = "type")]
    name: &'static str,
    message: String,
    /// Not of 0.3: reason, violations, when to come back, as the other bindings have them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<TypedDetail>,
}

impl Failure {
    pub(super) fn new(error: &ApiError, described: Described) -> Self {
        Self {
            code: super::super::error::code(described.row),
            name: row(error).1,
            message: described.message,
            details: described.details,
        }
    }
}

/// The answer with an error.
pub(super) fn refuse(error: &ApiError, request: &RequestId) -> Response {
    let described = error.describe(request);
    let mut headers = HeaderMap::new();
    described.write_headers(&mut headers);
    let status = row(error).0;
    (status, headers, Json(Failure::new(error, described))).into_response()
}

/// The statuses of 0.3, which later versions changed; those of the host are the same in all versions.
#[rustfmt::skip]
fn row(error: &ApiError) -> (StatusCode, &'static str) {
    let row = error.row();
    match super::super::error::code(row) {
        _ if row.is_http => (row.status, "HostError"),
        error_code::PARSE_ERROR => (StatusCode::BAD_REQUEST, "JSONParseError"),
        error_code::INVALID_REQUEST => (StatusCode::BAD_REQUEST, "InvalidRequestError"),
        error_code::METHOD_NOT_FOUND => (StatusCode::NOT_FOUND, "MethodNotFoundError"),
        error_code::INVALID_PARAMS => (StatusCode::UNPROCESSABLE_ENTITY, "InvalidParamsError"),
        error_code::TASK_NOT_FOUND => (StatusCode::NOT_FOUND, "TaskNotFoundError"),
        error_code::TASK_NOT_CANCELABLE => (StatusCode::CONFLICT, "TaskNotCancelableError"),
        error_code::PUSH_NOTIFICATION_NOT_SUPPORTED => (StatusCode::NOT_IMPLEMENTED, "PushNotificationNotSupportedError"),
        error_code::UNSUPPORTED_OPERATION => (StatusCode::NOT_IMPLEMENTED, "UnsupportedOperationError"),
        error_code::CONTENT_TYPE_NOT_SUPPORTED => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "ContentTypeNotSupportedError"),
        error_code::EXTENDED_CARD_NOT_CONFIGURED => (StatusCode::NOT_FOUND, "AuthenticatedExtendedCardNotConfiguredError"),
        _ => (row.status, "InternalError"),
    }
}
