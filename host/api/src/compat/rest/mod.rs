//! 0.3 over HTTP+JSON, below `/v1` at each agent's address.
//!
//! This binding was the JSON form of 0.3's gRPC definition rather than that of its JSON-RPC. A request is
//! rewritten as one of 0.3's JSON-RPC, and an answer is rewritten from there.

mod answer;
mod error;
mod files;
mod place;
mod request;
mod shape;

use std::sync::Arc;

use a2a::StreamResponse;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use taskyard_task::Seq;
use taskyard_task::wire::v03::Shown;

use super::method::Method;
use super::rpc::serve;
use crate::base::Base;
use crate::call::Call;
use crate::error::{ApiError, Violation};
use crate::follow::Until;
use crate::gate::Access;
use crate::memory::Account;
use crate::operation::{Answer, Plain};
use crate::parameters::{Parameters, Version, asked_version};
use crate::reading::values_of_json;
use crate::sse::Envelope;
use crate::trace::RequestId;
use crate::{Door, body, metric, single, sse};

pub(crate) use place::routes;

use files::Encoding;
use place::Place;

/// Answers one request.
async fn handle(
    State(door): State<Arc<Door>>,
    Path(place): Path<Place>,
    request: Request,
) -> Response {
    let began = door.clock.instant();
    let (head, body) = request.into_parts();
    // The door of 1.0 says where 1.0 is spoken.
    if asked_version(&head, None).version() == Some(Version::V1) {
        let request = Request::from_parts(head, body);
        return crate::rest::handle(State(door), request).await;
    }
    let request = RequestId::of(&head);
    let method = place.method(&head);
    let outcome = answered(&door, &place, method, head, body).await;
    let code = outcome.as_ref().err().map_or(0, ApiError::code);
    let name = method.map_or("none", |method| method.operation().name());
    metric::answered("http-0.3", name, code, began.elapsed());
    outcome.unwrap_or_else(|error| {
        let error = error.with_state_names(answer::state_of_definition);
        error::refuse(&error, &request)
    })
}

async fn answered(
    door: &Arc<Door>,
    place: &Place,
    method: Option<Method>,
    head: Parts,
    body: Body,
) -> Result<Response, ApiError> {
    let access = door.gate.admit(&head).await?;
    let method = method.ok_or_else(|| ApiError::no_method(head.uri.path(), ""))?;
    let asked = asked_version(&head, None);
    if asked.version() != Some(Version::V03) {
        return Err(asked.refused(version_advice(door, place, &head)));
    }
    let (operation, version) = (method.operation(), Version::V03);
    Call::admit(door, &head, &access, &place.target(), operation, version)?;
    // Whatever was read counts until the operation is done.
    let (body, _account) = read(door, method, &head, &access, body).await?;
    let encoding = Encoding::of(door, &head, &body)?;
    let parameters = Parameters::read(&head, version, Some(&body));
    let query = history_length(&head)?;
    let call = Call::enter(door, head, access, place.target(), operation, parameters)?;
    let params = params(method, place, query, body, encoding)?;
    let wanted = super::request::rewrite(method, Some(params))?;
    let (parameters, request) = (call.parameters.clone(), call.request_id());
    let mut answers = door.answers(&call.caller.tenant);
    let answer = serve(call, wanted.operation, wanted.params).await?;
    let mut response = match answer {
        Answer::Plain(plain) => answers.until_written(written(method, &plain, encoding)?),
        // Official clients want bytes in base64 twice, which is not done piece by piece.
        Answer::Pieced(plain, holes) => {
            let response = written(method, &holes.whole(plain, &mut answers)?, encoding)?;
            answers.until_written(response)
        }
        Answer::Stream(follow) => {
            let events = Events {
                request,
                until: follow.until,
                encoding,
            };
            sse::respond(door, *follow, events)
        }
    };
    parameters.echo(response.headers_mut());
    Ok(response)
}

fn written(method: Method, plain: &Plain, encoding: Encoding) -> Result<Response, ApiError> {
    let old = super::answer::rewrite(method, plain)?;
    Ok(Json(answer::rewrite(method, old, encoding)).into_response())
}

/// What fits a request that names a version which is not spoken at its path.
fn version_advice(door: &Door, place: &Place, head: &Parts) -> String {
    let base = Base::of(&door.config, head);
    let (url, path) = (base.url(), place.target().path());
    format!(
        "this path speaks 0.3, so send the header A2A-Version: 0.3, or none; 1.0 is spoken at {url}{path} without /v1, with the header A2A-Version: 1.0"
    )
}

/// The body of requests that have one. Those of 0.3's definition call the message `request`.
async fn read(
    door: &Door,
    method: Method,
    head: &Parts,
    access: &Access,
    body: Body,
) -> Result<(Value, Option<Account>), ApiError> {
    if !matches!(
        method,
        Method::Send | Method::Stream | Method::SetPushConfig
    ) {
        let is_order = head.method == axum::http::Method::POST;
        return match is_order && door.pages_may_send(&head.headers) {
            true => Err(ApiError::WrongContentType),
            false => Ok((json!({}), None)),
        };
    }
    if !body::content_type_is(&head.headers, body::is_json) {
        return Err(ApiError::WrongContentType);
    }
    let mut body = door.incoming(access, &head.headers, body);
    let most = door.config.max_body_bytes;
    let bytes = body.whole(method.operation().max_body_bytes(most)).await?;
    let reading = &door.reading;
    reading
        .read(bytes, body.take_account(), values_of_json, message)
        .await
}

fn message(bytes: Bytes) -> Result<Value, ApiError> {
    let mut value: Value =
        taskyard_json::from_slice(&bytes).map_err(|error| ApiError::Parse(error.to_string()))?;
    if let Value::Object(members) = &mut value
        && let Some(message) = members.swap_remove("request")
    {
        members.entry("message").or_insert(message);
    }
    Ok(value)
}

fn history_length(head: &Parts) -> Result<Option<i32>, Violation> {
    let names = ["historyLength", "history_length"];
    let text = single::parameter(head.uri.query().unwrap_or_default(), &names)?;
    let number = text.map(|text| text.parse::<i32>()).transpose();
    number.map_err(|_| Violation::new("historyLength", "must be a 32-bit integer"))
}

/// The request as 0.3's JSON-RPC has it.
fn params(
    method: Method,
    place: &Place,
    history_length: Option<i32>,
    body: Value,
    encoding: Encoding,
) -> Result<Value, Violation> {
    let id = place.task();
    Ok(match method {
        Method::Send | Method::Stream => request::send(body, encoding)?,
        Method::SetPushConfig => request::set_push_config(id, body)?,
        Method::Get => json!({"id": id, "historyLength": history_length}),
        Method::GetPushConfig | Method::DeletePushConfig => {
            json!({"id": id, "pushNotificationConfigId": place.config})
        }
        Method::Cancel | Method::Resubscribe | Method::ListPushConfigs => json!({"id": id}),
        Method::GetExtendedCard => json!({}),
    })
}

/// Writes each event alone.
#[derive(Debug)]
struct Events {
    request: RequestId,
    until: Until,
    encoding: Encoding,
}

impl Envelope for Events {
    // Bytes are encoded twice here.
    const IN_PIECES: bool = false;

    fn event<'a>(&'a self, seq: Seq, event: &'a StreamResponse) -> impl Serialize + 'a {
        let shown = Shown::event(event, self.until.is_reached_by(seq, event));
        // Texts, numbers and objects can always be written; an event that is `null` says that one could not.
        answer::event(
            serde_json::to_value(shown).unwrap_or_default(),
            self.encoding,
        )
    }

    fn error<'a>(&'a self, error: &'a ApiError) -> impl Serialize + 'a {
        error::Failure::new(error, error.describe(&self.request))
    }

    fn error_name(&self) -> Option<&'static str> {
        Some("error")
    }
}
