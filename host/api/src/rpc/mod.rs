//! The JSON-RPC binding (A2A 9): one POST, one method, one answer or one stream.

mod advice;
mod answer;
mod beginning;
mod envelope;
pub(crate) mod fuzzing;
pub(crate) mod measured;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::Value;

use crate::body::{self, BEGINNING_BYTES, Incoming};
use crate::call::{Call, check_scope};
use crate::compat::{self, Asked};
use crate::error::ApiError;
use crate::gate::Access;
use crate::memory::Account;
use crate::operation::{self, Answer, MAX_SMALL_BODY_BYTES, Operation};
use crate::parameters::{Parameters, Version, asked_version};
use crate::reading::values_of_json;
use crate::target::Target;
use crate::trace::RequestId;
use crate::{Door, metric, sse};

pub(crate) use answer::{refuse, reply};

use answer::RpcEnvelope;
use beginning::Beginning;
use envelope::{Envelope, Rejected};

/// Answers one JSON-RPC request.
pub(crate) async fn handle(
    State(door): State<Arc<Door>>,
    Path(target): Path<Target>,
    request: Request,
) -> Response {
    let began = door.clock.instant();
    let (head, body) = request.into_parts();
    let request_id = RequestId::of(&head);
    let (operation, outcome) = match receive(&door, &head, body).await {
        Ok((access, envelope, _account)) => {
            if let Some(method) = compat::wanted(&door.config, &head, &envelope.method) {
                let Envelope { id, params, .. } = envelope;
                let asked = Asked {
                    method,
                    id,
                    params,
                    target,
                    access,
                };
                return asked.answer(&door, head).await;
            }
            let operation = Operation::parse(&envelope.method);
            let id = envelope.id.clone();
            let outcome = serve(&door, head, target, access, operation, envelope).await;
            (operation, outcome.map_err(|error| Rejected { id, error }))
        }
        Err(rejected) => (None, Err(lost(&door, &head, &target, rejected))),
    };
    let code = outcome.as_ref().err().map_or(0, |r| r.error.code());
    let name = operation.map_or("none", Operation::name);
    metric::answered("jsonrpc", name, code, began.elapsed());
    outcome.unwrap_or_else(|rejected| refuse(&rejected.error, &rejected.id, &request_id))
}

/// What was read of a request; the account holds it.
type Received = (Access, Envelope, Option<Account>);

/// Lets the caller in and reads the envelope. Nobody's body is read before it is known who sends it; a refusal
/// looks for the id in how it begins.
async fn receive(door: &Door, head: &Parts, body: Body) -> Result<Received, Rejected> {
    let access = match door.gate.admit(head).await {
        Ok(access) => access,
        Err(error) => {
            let mut body = Incoming::new(&head.headers, body, door.config.pace(), None);
            return Err(rejected(&mut body, error).await);
        }
    };
    let mut body = door.incoming(&access, &head.headers, body);
    let bytes = match whole(door, head, &access, &mut body).await {
        Ok(bytes) => bytes,
        Err(error) => return Err(rejected(&mut body, error).await),
    };
    let (reading, account) = (&door.reading, body.take_account());
    let beginning = bytes.slice(..bytes.len().min(BEGINNING_BYTES));
    let read = reading.read(bytes, account, values_of_json, |bytes| {
        Ok(envelope::parse(&bytes))
    });
    match read.await {
        Ok((envelope, account)) => Ok((access, envelope?, account)),
        Err(error) => Err(Rejected {
            id: beginning::read(&beginning).id,
            error,
        }),
    }
}

async fn rejected(body: &mut Incoming, error: ApiError) -> Rejected {
    let id = beginning::read(body.beginning().await).id;
    Rejected { id, error }
}

/// The whole body, unless how it begins shows that it may not be so large.
async fn whole(
    door: &Door,
    head: &Parts,
    access: &Access,
    body: &mut Incoming,
) -> Result<Bytes, ApiError> {
    if !body::content_type_is(&head.headers, body::is_json) {
        return Err(ApiError::WrongContentType);
    }
    let most = door.config.max_body_bytes;
    let limit = match body.head_of_large(most).await? {
        Some(head) => limit_of_large(access, &beginning::read(head), most)?,
        None => most,
    };
    Ok(body.whole(limit).await?)
}

/// How large the body of a large request may be, by the method that its beginning names. Credentials that
/// cannot send have no use for a large one, whatever it is.
fn limit_of_large(access: &Access, beginning: &Beginning, most: usize) -> Result<usize, ApiError> {
    let method = beginning.method.as_deref();
    let operation = method.and_then(|name| Operation::parse(name).or(compat::operation_of(name)));
    match operation {
        Some(operation) => {
            check_scope(access, operation)?;
            Ok(operation.max_body_bytes(most))
        }
        None if access.may(Operation::SendMessage) => Ok(most),
        None => Ok(most.min(MAX_SMALL_BODY_BYTES)),
    }
}

async fn serve(
    door: &Arc<Door>,
    head: Parts,
    target: Target,
    access: Access,
    operation: Option<Operation>,
    envelope: Envelope,
) -> Result<Response, ApiError> {
    let Envelope { id, method, params } = envelope;
    let assumed = door.config.assume_version_when_absent.as_deref();
    let asked = asked_version(&head, assumed);
    let Some(operation) = operation else {
        return Err(advice::unknown_method(&door.config, asked, &method));
    };
    let version = asked.require_v1(|| advice::for_operation(&door.config, operation))?;
    let target = target.with_field(tenant_field(params.as_ref()))?;
    let parameters = Parameters::read(&head, version, params.as_ref());
    let call = Call::enter(door, head, access, target, operation, parameters)?;
    let (parameters, request) = (call.parameters.clone(), call.request_id());
    let answers = door.answers(&call.caller.tenant);
    let mut response = match operation::serve(call, operation, params).await? {
        Answer::Plain(plain) => answers.until_written(reply(&id, &plain)),
        Answer::Pieced(plain, holes) => holes.fill(reply(&id, &plain)).await?,
        Answer::Stream(follow) => sse::respond(door, *follow, RpcEnvelope { id, request }),
    };
    parameters.echo(response.headers_mut());
    Ok(response)
}

fn tenant_field(params: Option<&Value>) -> Option<&str> {
    params?.get("tenant")?.as_str()
}

/// A request of HTTP+JSON that misses its agent comes here, such as `/agents/message:send`: that there is no
/// such agent helps its client more than that this is no JSON-RPC.
fn lost(door: &Door, head: &Parts, target: &Target, rejected: Rejected) -> Rejected {
    let Rejected { id, error } = rejected;
    let error = match (&error, target.agent(door, head, Version::V1)) {
        (ApiError::InvalidRequest(_), Err(no_agent)) => no_agent,
        _ => error,
    };
    Rejected { id, error }
}
