//! The gRPC binding (A2A 10): the protocol's one service, on the port that the other bindings have.
//!
//! Requests become ProtoJSON first, by the protocol's own definition, and are then checked like those of
//! the other bindings. What the transport needs is little: one message in, one or many out, a status at
//! the end. Standing beside the service: health and reflection, which are open to anybody.

mod frame;
mod health;
mod reflection;
mod reply;
mod request;
mod status;
mod stream;
mod values;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use tonic::Status;

use crate::call::{Call, check_scope};
use crate::definition::SERVICE;
use crate::error::ApiError;
use crate::operation::{self, Answer, Operation};
use crate::parameters::{Parameters, asked_version};
use crate::target::Target;
use crate::trace::RequestId;
use crate::{Door, body, metric, single};

#[cfg(test)]
pub(crate) use request::params;
use status::status_of;

/// What fits a call that names another version than this binding speaks.
const VERSION_ADVICE: &str =
    "send the metadata a2a-version: 1.0; version 0.3 is spoken over JSON-RPC and HTTP+JSON alone";

/// The protocol's service, health and reflection.
pub(crate) fn router(door: &Arc<Door>) -> Router {
    Router::new()
        .route(&format!("/{SERVICE}/{{method}}"), post(handle))
        .with_state(Arc::clone(door))
        .merge(health::router(door.broker.clone(), door.stopping.clone()))
        .merge(reflection::router())
}

async fn handle(
    State(door): State<Arc<Door>>,
    Path(method): Path<String>,
    request: Request,
) -> Response {
    let began = door.clock.instant();
    let (head, body) = request.into_parts();
    if let Some(refused) = refuse_transport(&head.headers) {
        return refused;
    }
    let request_id = RequestId::of(&head);
    let operation = Operation::parse(&method);
    let outcome = serve(&door, head, body, operation, &method).await;
    let code = outcome.as_ref().err().map_or(0, ApiError::code);
    let name = operation.map_or("none", Operation::name);
    metric::answered("grpc", name, code, began.elapsed());
    outcome.unwrap_or_else(|error| refuse(&error, &request_id))
}

/// Nobody's message is read before it is known who sends it, and that it may.
async fn serve(
    door: &Arc<Door>,
    head: Parts,
    body: Body,
    operation: Option<Operation>,
    method: &str,
) -> Result<Response, ApiError> {
    let access = door.gate.admit(&head).await?;
    let operation = operation.ok_or_else(|| ApiError::no_method(method, ""))?;
    let assumed = door.config.assume_version_when_absent.as_deref();
    let version = asked_version(&head, assumed).require_v1(|| VERSION_ADVICE.to_owned())?;
    check_scope(&access, operation)?;
    let mut body = door.incoming(&access, &head.headers, body);
    let limit = operation.max_body_bytes(door.config.max_body_bytes);
    let message = frame::read(&mut body, limit).await?;
    // Whatever was read counts until the operation is done.
    let (params, _account) = request::read(door, operation, message, body.take_account()).await?;
    // The path names the operation, so the field alone says whom the call is for.
    let target = Target::default().with_field(params.get("tenant").and_then(Value::as_str))?;
    let parameters = Parameters::read(&head, version, Some(&params));
    let call = Call::enter(door, head, access, target, operation, parameters)?;
    let (parameters, request_id) = (call.parameters.clone(), call.request_id());
    let mut answers = door.answers(&call.caller.tenant);
    // A message says how long it is before it begins.
    let answer = operation::serve(call, operation, Some(params)).await?;
    let mut response = match answer {
        Answer::Plain(plain) => answers.until_written(reply::respond(&plain)?),
        Answer::Pieced(plain, holes) => {
            let response = reply::respond(&holes.whole(plain, &mut answers)?)?;
            answers.until_written(response)
        }
        Answer::Stream(follow) => stream::respond(door, *follow, request_id),
    };
    parameters.echo(response.headers_mut());
    Ok(response)
}

/// Whether a request is one of gRPC.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    body::content_type_is(headers, is_grpc)
}

/// The answer to a call that is refused.
pub(crate) fn refuse(error: &ApiError, request: &RequestId) -> Response {
    status_of(error, request).into_http()
}

/// The answer to a request that is no gRPC, or none that this host can read.
fn refuse_transport(headers: &HeaderMap) -> Option<Response> {
    if !is_call(headers) {
        let problem = "gRPC needs the Content-Type application/grpc\n";
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, problem).into_response());
    }
    if let Ok(None | Some("identity")) = single::header(headers, "grpc-encoding") {
        return None;
    }
    let mut refused: Response =
        Status::unimplemented("this host reads no compressed messages").into_http();
    refused
        .headers_mut()
        .insert("grpc-accept-encoding", HeaderValue::from_static("identity"));
    Some(refused)
}

/// Messages of this service are Protocol Buffers, whether the client says so or not.
fn is_grpc(content_type: &str) -> bool {
    matches!(content_type, "application/grpc" | "application/grpc+proto")
}
