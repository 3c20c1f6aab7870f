//! An error as a JSON-RPC answer, by itself or within a stream (A2A 9.5).

use std::collections::HashMap;
use std::time::Duration;

use a2a::{FieldViolation, JsonRpcId, TypedDetail};
use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::{error, warn};

use super::ApiError;
use crate::trace::RequestId;

const RETRY_INFO_TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// When to come back after an outage whose end nobody knows: long enough for a restart.
const RETRY_AFTER_OUTAGE: Duration = Duration::from_secs(5);

/// A JSON-RPC response that holds an error.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorAnswer<'a> {
    jsonrpc: &'static str,
    id: &'a JsonRpcId,
    error: ErrorObject,
}

#[derive(Debug, Serialize)]
struct ErrorObject {
    code: i32,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data: Vec<TypedDetail>,
}

impl<'a> ErrorAnswer<'a> {
    /// The answer to the request `id`. Logs what operators must know.
    pub(crate) fn new(error: &ApiError, id: &'a JsonRpcId, request: &RequestId) -> Self {
        let mut message = error.to_string();
        if let ApiError::Internal(what) = error {
            error!(%request, what, "internal error");
            message = format!("{message} (request {request})");
        }
        if let ApiError::Unavailable(what) = error {
            warn!(%request, what, "unavailable");
        }
        Self {
            jsonrpc: "2.0",
            id,
            error: ErrorObject {
                code: error.code(),
                message,
                data: error.details(),
            },
        }
    }
}

impl ApiError {
    /// The JSON-RPC code.
    pub(crate) fn code(&self) -> i32 {
        self.row().code
    }

    /// The whole answer to the request `id`.
    pub(crate) fn respond(&self, id: &JsonRpcId, request: &RequestId) -> Response {
        let body = Json(ErrorAnswer::new(self, id, request));
        let mut response = (self.row().status, body).into_response();
        let headers = response.headers_mut();
        if let Self::Unauthenticated = self {
            let challenge = HeaderValue::from_static("Bearer realm=\"taskyard\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, whole_seconds(after).into());
        }
        response
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QueueFull { retry_after, .. } => Some(*retry_after),
            Self::Unavailable(_) => Some(RETRY_AFTER_OUTAGE),
            _ => None,
        }
    }

    fn details(&self) -> Vec<TypedDetail> {
        let reason = self.row().reason.map(|reason| {
            TypedDetail::error_info(reason.text(), reason.domain(), self.reason_metadata())
        });
        let retry = self.retry_after().map(retry_info);
        let details = [reason, self.bad_request(), retry];
        details.into_iter().flatten().collect()
    }

    fn bad_request(&self) -> Option<TypedDetail> {
        let Self::InvalidParams(violation) = self else {
            return None;
        };
        Some(TypedDetail::bad_request(vec![FieldViolation {
            field: violation.field.clone(),
            description: violation.problem.clone(),
        }]))
    }

    fn reason_metadata(&self) -> Option<HashMap<String, String>> {
        let Self::VersionNotSupported { .. } = self else {
            return None;
        };
        let versions = ("supportedVersions".to_owned(), a2a::VERSION.to_owned());
        Some(HashMap::from([versions]))
    }
}

fn retry_info(after: Duration) -> TypedDetail {
    // Durations in ProtoJSON are seconds with the letter s.
    let delay: Value = json!(format!("{}s", whole_seconds(after)));
    TypedDetail::new(
        RETRY_INFO_TYPE,
        HashMap::from([("retryDelay".to_owned(), delay)]),
    )
}

/// Rounded up: who comes back too early comes in vain.
fn whole_seconds(duration: Duration) -> u64 {
    let partial = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(partial).max(1)
}
