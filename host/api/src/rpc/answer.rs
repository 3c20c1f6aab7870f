//! Answers in the envelope of JSON-RPC 2.0 (A2A 9.1, 9.5).

use a2a::{JsonRpcId, StreamResponse, TypedDetail};
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use taskyard_task::Seq;
use taskyard_task::wire::v1;

use crate::error::{ApiError, Described};
use crate::sse::Envelope;
use crate::trace::RequestId;

#[derive(Debug, Serialize)]
struct Success<'a, T> {
    jsonrpc: &'static str,
    id: &'a JsonRpcId,
    result: T,
}

#[derive(Debug, Serialize)]
struct Failure<'a> {
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

impl<'a> Failure<'a> {
    fn new(id: &'a JsonRpcId, described: Described) -> Self {
        Self {
            jsonrpc: "2.0",
            id,
            error: ErrorObject {
                code: described.row.code,
                message: described.message,
                data: described.details,
            },
        }
    }
}

/// The answer with a result.
pub(crate) fn reply(id: &JsonRpcId, result: &impl Serialize) -> Response {
    let jsonrpc = "2.0";
    Json(Success {
        jsonrpc,
        id,
        result,
    })
    .into_response()
}

/// The answer with an error.
pub(crate) fn refuse(error: &ApiError, id: &JsonRpcId, request: &RequestId) -> Response {
    let described = error.describe(request);
    let (status, mut headers) = (described.row.rpc_status(), axum::http::HeaderMap::new());
    described.write_headers(&mut headers);
    (status, headers, Json(Failure::new(id, described))).into_response()
}

/// Puts each event into a response to the same request.
#[derive(Debug)]
pub(super) struct RpcEnvelope {
    pub(super) id: JsonRpcId,
    pub(super) request: RequestId,
}

impl Envelope for RpcEnvelope {
    fn event<'a>(&'a self, _: Seq, event: &'a StreamResponse) -> impl Serialize + 'a {
        Success {
            jsonrpc: "2.0",
            id: &self.id,
            result: v1::Event::from(event),
        }
    }

    fn error<'a>(&'a self, error: &'a ApiError) -> impl Serialize + 'a {
        Failure::new(&self.id, error.describe(&self.request))
    }
}
