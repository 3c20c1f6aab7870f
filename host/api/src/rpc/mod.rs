//! The JSON-RPC binding (A2A 9): one POST, one method, one answer or one stream.

mod advice;
mod answer;
mod envelope;
pub(crate) mod fuzzing;
mod id;
pub(crate) mod measured;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::Value;

use crate::body::{self, Incoming};
use crate::call::Call;
use crate::compat::{self, Asked};
use crate::error::ApiError;
use crate::gate::Access;
use crate::operation::{self, Answer, Operation};
use crate::parameters::{Parameters, Version, asked_version};
use crate::target::Target;
use crate::trace::RequestId;
use crate::{Door, metric, sse};

pub(crate) use answer::{refuse, reply};

use answer::RpcEnvelope;
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
        Ok((access, envelope)) => {
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

/// Lets the caller in and reads the envelope.
async fn receive(door: &Door, head: &Parts, body: Body) -> Result<(Access, Envelope), Rejected> {
    let mut body = Incoming::new(&head.headers, body);
    match admit(door, head, &mut body).await {
        Ok((access, bytes)) => Ok((access, envelope::parse(&bytes)?)),
        Err(error) => {
            let id = id::in_beginning(body.beginning().await);
            Err(Rejected { id, error })
        }
    }
}

/// Nobody's body is read before it is known who sends it; a refusal looks for the id in how it begins.
async fn admit(
    door: &Door,
    head: &Parts,
    body: &mut Incoming,
) -> Result<(Access, Bytes), ApiError> {
    let access = door.gate.admit(head).await?;
    if !body::content_type_is(&head.headers, body::is_json) {
        return Err(ApiError::WrongContentType);
    }
    let bytes = body.whole(door.config.max_body_bytes).await?;
    Ok((access, bytes))
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
    let mut response = match operation::serve(call, operation, params).await? {
        Answer::Plain(plain) => reply(&id, &plain),
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
