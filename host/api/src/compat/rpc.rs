//! 0.3 over JSON-RPC: at the same addresses, and the method's name decides.

use std::sync::Arc;

use a2a::{JsonRpcId, StreamResponse};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use taskyard_task::Seq;
use taskyard_task::wire::v03::Shown;

use super::error::{Failure, code, of_operation, refuse};
use super::method::Method;
use super::{answer, request};
use crate::call::Call;
use crate::error::ApiError;
use crate::follow::{Follow, Until};
use crate::gate::Access;
use crate::operation::{self, Answer, Operation};
use crate::parameters::{Parameters, Version, asked_version};
use crate::rpc::reply;
use crate::sse::Envelope;
use crate::target::Target;
use crate::trace::RequestId;
use crate::{Config, Door, metric, sse};

/// The method of 0.3 that a request wants, if it is one that is served. A request that names another
/// version does not want it; one that names none does, whatever the operator assumes of such requests, as
/// no other version has methods of these names.
pub(crate) fn wanted(config: &Config, head: &Parts, name: &str) -> Option<Method> {
    let method = Method::parse(name).filter(|_| config.protocol_0_3)?;
    let version = asked_version(head, None).version();
    (version == Some(Version::V03)).then_some(method)
}

/// A request of 0.3, taken out of its envelope.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) id: JsonRpcId,
    pub(crate) params: Option<Value>,
    pub(crate) target: Target,
    pub(crate) access: Access,
}

impl Asked {
    /// Answers it.
    pub(crate) async fn answer(self, door: &Arc<Door>, head: Parts) -> Response {
        let began = door.clock.instant();
        let (operation, id) = (self.method.operation(), self.id.clone());
        let request = RequestId::of(&head);
        let outcome = self.serve(door, head).await;
        let code = outcome.as_ref().err().map_or(0, |error| code(error.row()));
        metric::answered("jsonrpc-0.3", operation.name(), code, began.elapsed());
        outcome.unwrap_or_else(|error| match operation.is_streaming() {
            true => refuse_stream(&error, id, request),
            false => refuse(&error, &id, &request),
        })
    }

    async fn serve(self, door: &Arc<Door>, head: Parts) -> Result<Response, ApiError> {
        let (method, id, params) = (self.method, self.id, self.params);
        let parameters = Parameters::read(&head, Version::V03, params.as_ref());
        let operation = method.operation();
        let call = Call::enter(door, head, self.access, self.target, operation, parameters)?;
        let (parameters, request) = (call.parameters.clone(), call.request_id());
        let answers = door.answers(&call.caller.tenant);
        let wanted = request::rewrite(method, params)?;
        let mut response = match serve(call, wanted.operation, wanted.params).await? {
            Answer::Plain(plain) => {
                answers.until_written(reply(&id, &answer::rewrite(method, &plain)?))
            }
            Answer::Pieced(plain, holes) => {
                let answer = reply(&id, &answer::rewrite(method, &plain)?);
                holes.fill(answer).await?
            }
            Answer::Stream(follow) => {
                let until = follow.until;
                let envelope = OldEnvelope { id, request, until };
                sse::respond(door, *follow, envelope)
            }
        };
        parameters.echo(response.headers_mut());
        Ok(response)
    }
}

/// Clients that asked for a stream read nothing else, so the error is its only event. The status is that of
/// every answer: what HTTP software must understand keeps its own.
fn refuse_stream(error: &ApiError, id: JsonRpcId, request: RequestId) -> Response {
    let until = Until::Ended;
    let envelope = OldEnvelope { id, request, until };
    let mut response = sse::refuse(error, envelope);
    *response.status_mut() = error.row().rpc_status();
    error.write_headers(response.headers_mut());
    response
}

/// Does what a rewritten request asks for, as 0.3 wants it done.
pub(super) async fn serve(
    call: Call,
    operation: Operation,
    params: Value,
) -> Result<Answer, ApiError> {
    let closes = call.door.config.close_stream_on_input_required;
    let served = operation::serve(call, operation, Some(params)).await;
    let mut answer = served.map_err(|error| of_operation(operation, error))?;
    if let (Answer::Stream(follow), true) = (&mut answer, closes) {
        end_with_questions(follow);
    }
    Ok(answer)
}

/// In 0.3 every stream ends with the turn: also one that was taken up again.
fn end_with_questions(follow: &mut Follow) {
    if follow.until == Until::Ended
        && let Some(after) = follow.start.known()
    {
        follow.until = Until::InputRequired { after };
    }
}

/// Puts each event into a response to the same request.
#[derive(Debug)]
struct OldEnvelope {
    id: JsonRpcId,
    request: RequestId,
    until: Until,
}

#[derive(Debug, Serialize)]
struct Success<'a> {
    jsonrpc: &'static str,
    id: &'a JsonRpcId,
    result: Shown<'a>,
}

impl Envelope for OldEnvelope {
    fn event<'a>(&'a self, seq: Seq, event: &'a StreamResponse) -> impl Serialize + 'a {
        Success {
            jsonrpc: "2.0",
            id: &self.id,
            result: Shown::event(event, self.until.is_reached_by(seq, event)),
        }
    }

    fn error<'a>(&'a self, error: &'a ApiError) -> impl Serialize + 'a {
        Failure::new(&self.id, error.describe(&self.request))
    }
}
