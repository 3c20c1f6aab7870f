//! The JSON-RPC binding (A2A 9): one POST, one method, one answer or one stream.

mod call;
mod envelope;
mod method;
mod version;

use std::sync::Arc;

use a2a::JsonRpcId;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use taskyard_broker::Caller;
use taskyard_task::Agent;

use crate::body;
use crate::error::ApiError;
use crate::gate::{Access, ForeignTenant, named_tenant};
use crate::trace::RequestId;
use crate::{Door, metric, operation};

pub(crate) use call::Call;

use envelope::{Envelope, Rejected};
use method::Method;

/// What the path says: which agent, and on whose behalf. Nothing at the root.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Target {
    pub(crate) tenant: Option<String>,
    pub(crate) name: Option<String>,
}

impl Target {
    /// The agent that the path means: the named one, or the host's default.
    pub(crate) fn agent(&self, door: &Door) -> Option<Agent> {
        match &self.name {
            Some(name) => door.broker.agents().get(&name.parse().ok()?).cloned(),
            None => door.broker.default_agent(),
        }
    }
}

/// Answers one JSON-RPC request.
pub(crate) async fn handle(
    State(door): State<Arc<Door>>,
    Path(target): Path<Target>,
    request: Request,
) -> Response {
    let began = door.clock.instant();
    let (head, body) = request.into_parts();
    let request_id = RequestId::of(&head);
    let (method, outcome) = match receive(&door, &head, body).await {
        Ok((access, envelope)) => {
            let method = Method::parse(&envelope.method);
            let id = envelope.id.clone();
            let outcome = serve(&door, head, target, access, method, envelope).await;
            (method, outcome.map_err(|error| Rejected { id, error }))
        }
        Err(rejected) => (None, Err(rejected)),
    };
    let code = outcome.as_ref().err().map_or(0, |r| r.error.code());
    metric::answered(method.map_or("none", Method::name), code, began.elapsed());
    outcome.unwrap_or_else(|rejected| rejected.error.respond(&rejected.id, &request_id))
}

/// Lets the caller in and reads the envelope. Nobody's body is read before it is known who sends it.
async fn receive(door: &Door, head: &Parts, body: Body) -> Result<(Access, Envelope), Rejected> {
    let access = door.gate.admit(&head.headers)?;
    if !body::content_type_is(&head.headers, is_json) {
        return Err(ApiError::WrongContentType.into());
    }
    let bytes = body::read(&head.headers, body, door.config.max_body_bytes).await;
    let envelope = envelope::parse(&bytes.map_err(ApiError::from)?)?;
    Ok((access, envelope))
}

fn is_json(content_type: &str) -> bool {
    content_type == "application/json" || content_type.ends_with("+json")
}

async fn serve(
    door: &Arc<Door>,
    head: Parts,
    target: Target,
    access: Access,
    method: Option<Method>,
    envelope: Envelope,
) -> Result<Response, ApiError> {
    version::check(&head, door.config.assume_version_when_absent.as_deref())?;
    let Some(method) = method else {
        return Err(unknown_method(&envelope.method));
    };
    let caller = caller_of(access, &target, method, envelope.params.as_ref())?;
    let call = Call {
        agent: target.agent(door).ok_or(ApiError::AgentNotFound)?,
        door: Arc::clone(door),
        caller,
        target,
        id: envelope.id,
        head,
    };
    dispatch(call, method, envelope.params).await
}

/// Whose call it is. To a client of another tenant, a tenant's tasks do not exist.
fn caller_of(
    access: Access,
    target: &Target,
    method: Method,
    params: Option<&Value>,
) -> Result<Caller, ApiError> {
    let field = params.and_then(|params| params.get("tenant")?.as_str());
    let named = named_tenant(target.tenant.as_deref(), field)?;
    let foreign = |ForeignTenant| match method.is_about_a_task() {
        true => ApiError::TaskNotFound,
        false => ApiError::Forbidden,
    };
    access.caller(named).map_err(foreign)
}

/// One line per operation.
async fn dispatch(call: Call, method: Method, params: Option<Value>) -> Result<Response, ApiError> {
    match method {
        Method::SendMessage => operation::send::send(call, params).await,
        Method::SendStreamingMessage => operation::send::stream(call, params).await,
        Method::GetTask => operation::task::get(call, params).await,
        Method::ListTasks => operation::list::list(call, params).await,
        Method::CancelTask => operation::task::cancel(call, params).await,
        Method::SubscribeToTask => operation::subscribe::subscribe(call, params).await,
        Method::CreatePushConfig => operation::push::create(call, params).await,
        Method::GetPushConfig => operation::push::get(call, params).await,
        Method::ListPushConfigs => operation::push::list(call, params).await,
        Method::DeletePushConfig => operation::push::delete(call, params).await,
        Method::GetExtendedAgentCard => operation::card::extended(call, params).await,
    }
}

/// The name is repeated in the answer, but not at any length.
fn unknown_method(name: &str) -> ApiError {
    const SHOWN_CHARS: usize = 64;
    ApiError::MethodNotFound(name.chars().take(SHOWN_CHARS).collect())
}

/// The answer to a request whose id nobody knows.
impl From<ApiError> for Rejected {
    fn from(error: ApiError) -> Self {
        Self {
            id: JsonRpcId::Null,
            error,
        }
    }
}
