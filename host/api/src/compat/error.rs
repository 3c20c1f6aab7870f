//! Errors as 0.3 writes them.

use a2a::errors::error_code;
use a2a::{JsonRpcId, TypedDetail};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use taskyard_task::wire::v03;

use crate::error::{ApiError, Described, Row};
use crate::operation::Operation;
use crate::trace::RequestId;

/// The answer with an error, in its envelope.
#[derive(Debug, Serialize)]
pub(super) struct Failure<'a> {
    jsonrpc: &'static str,
    id: &'a JsonRpcId,
    error: ErrorObject,
}

#[derive(Debug, Serialize)]
struct ErrorObject {
    code: i32,
    message: String,
    #[serde(skip_serializing_if = "Data::is_empty")]
    data: Data,
}

/// An object, as typed clients of 0.3 expect it; 1.0 has the list alone.
#[derive(Debug, Serialize)]
struct Data {
    details: Vec<TypedDetail>,
}

impl Data {
    fn is_empty(&self) -> bool {
        self.details.is_empty()
    }
}

impl<'a> Failure<'a> {
    pub(super) fn new(id: &'a JsonRpcId, described: Described) -> Self {
        let error = ErrorObject {
            code: code(described.row),
            message: described.message,
            data: Data {
                details: described.details,
            },
        };
        let jsonrpc = "2.0";
        Self { jsonrpc, id, error }
    }
}

/// The code. Those that only 1.0 has say that the request was not as it must be; the details still have
/// the reason.
pub(super) fn code(row: Row) -> i32 {
    match row.code {
        error_code::EXTENSION_SUPPORT_REQUIRED | error_code::VERSION_NOT_SUPPORTED => {
            error_code::INVALID_REQUEST
        }
        code => code,
    }
}

/// The answer with an error.
pub(super) fn refuse(error: &ApiError, id: &JsonRpcId, request: &RequestId) -> Response {
    let described = error.describe(request);
    let (status, mut headers) = (described.row.rpc_status(), HeaderMap::new());
    described.write_headers(&mut headers);
    (status, headers, Json(Failure::new(id, described))).into_response()
}

/// 0.3 says "not configured" where 1.0 says that the card does not offer it, and has names of its own for
/// states.
pub(super) fn of_operation(operation: Operation, error: ApiError) -> ApiError {
    match (operation, error) {
        (Operation::GetExtendedAgentCard, ApiError::UnsupportedOperation(_)) => {
            ApiError::ExtendedCardNotConfigured
        }
        (_, error) => error.with_state_names(|state| v03::state_name(state).to_owned()),
    }
}
