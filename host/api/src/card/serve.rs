//! Serving agent cards over plain HTTP (A2A 8.2, 8.6). Open to anybody, in any protocol version.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use taskyard_signing::canonical_json;
use taskyard_task::{Agent, Digest, Timestamp};
use tracing::error;

use super::conditional::Validators;
use super::{Card, Reader};
use crate::address::CARD_PATH;
use crate::error::ApiError;
use crate::parameters::{Version, asked_version};
use crate::plain::problem;
use crate::target::Target;
use crate::{Door, compat};

/// Anybody may keep a card but must ask whether it is still the one: deployments show at once.
const CARD_CACHING: HeaderValue = HeaderValue::from_static("public, max-age=0, must-revalidate");

/// Keys change when an operator rotates them, and the new one is published before it is used. Whoever
/// meets an unknown one asks again; this bounds how often all others do.
const JWKS_CACHING: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The card of the agent that the path names, or of the default agent.
pub(crate) async fn show(
    State(door): State<Arc<Door>>,
    Path(target): Path<Target>,
    request: Parts,
) -> Response {
    match found(&door, &target, &request) {
        Ok(agent) => {
            answer(&door, &agent, &target, &request).unwrap_or_else(|error| broken(&error))
        }
        Err(error) => problem(StatusCode::NOT_FOUND, "agent-not-found", &error.to_string()),
    }
}

fn found(door: &Door, target: &Target, request: &Parts) -> Result<Agent, ApiError> {
    target.tenant()?;
    target.agent(door, request, Version::V1)
}

/// The names of all agents, for people.
pub(crate) async fn list(State(door): State<Arc<Door>>, request: Parts) -> Json<Value> {
    let base = door.base(&request);
    let agents = door.broker.agents();
    let agents = agents.values().map(|agent| {
        let url = base.join(&Target::default().path_of(agent.name.as_str()));
        json!({
            "name": agent.name,
            "version": agent.manifest.version,
            "description": agent.manifest.description,
            "card": format!("{url}{CARD_PATH}"),
        })
    });
    Json(json!({"agents": agents.collect::<Vec<_>>()}))
}

/// The public halves of the host's keys (RFC 7517 5).
pub(crate) async fn jwks(State(door): State<Arc<Door>>, request: Parts) -> Response {
    let jwks = door.keys.jwks();
    let validators = Validators {
        tag: tag(jwks.to_string().as_bytes()),
        modified: None,
    };
    let mut answer = match validators.match_copy(&request.headers) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Json(jwks).into_response(),
    };
    identify(&mut answer, &validators, JWKS_CACHING);
    answer
}

/// The card, or only the news that the client's copy is still right.
fn answer(
    door: &Door,
    agent: &Agent,
    target: &Target,
    request: &Parts,
) -> Result<Response, ApiError> {
    let card = Card::new(door, agent, target, request, Reader::Anybody);
    let mut whole = whole(door, &card, request)?;
    let validators = Validators {
        tag: card_tag(door, &whole, card.is_signed())?,
        modified: Some(modified(door, agent)),
    };
    let mut answer = if validators.match_copy(&request.headers) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let signatures = card.signatures(&door.keys)?;
        if let (Some(members), Some(signatures)) = (whole.as_object_mut(), signatures) {
            members.insert("signatures".to_owned(), json!(signatures));
        }
        let content_type = [(header::CONTENT_TYPE, "application/json")];
        (content_type, written(&whole)?).into_response()
    };
    identify(&mut answer, &validators, CARD_CACHING);
    if door.config.protocol_0_3 {
        let varies = HeaderValue::from_static("a2a-version");
        answer.headers_mut().insert(header::VARY, varies);
    }
    Ok(answer)
}

/// The card as this client reads it: with the members of 0.3 unless it says that it wants 1.0.
fn whole(door: &Door, card: &Card, request: &Parts) -> Result<Value, ApiError> {
    let is_v1 = asked_version(request, None).version() == Some(Version::V1);
    let whole = match door.config.protocol_0_3 && !is_v1 {
        true => compat::card::for_both(&card.content, &card.url),
        false => serde_json::to_value(&card.content),
    };
    whole.map_err(|error| ApiError::Internal(error.to_string()))
}

/// Tells the content apart, and which keys sign it, if any do. The signatures themselves follow from both.
fn card_tag(door: &Door, content: &Value, is_signed: bool) -> Result<String, ApiError> {
    let mut told = written(content)?;
    for id in door.keys.ids().filter(|_| is_signed) {
        told.extend_from_slice(id.as_bytes());
    }
    Ok(tag(&told))
}

/// When what a card says changed last: with a deployment, with an API key that was made, or with the
/// configuration that the host was started with. That holds for the default agent as well: another one takes
/// its place only if it was deployed while the first was there, and so later than all that the first's card
/// was told with.
fn modified(door: &Door, agent: &Agent) -> Timestamp {
    let keys = door.broker.api_keys();
    let keys = keys.values().map(|key| key.created_at);
    keys.fold(agent.deployed_at.max(door.started_at), Timestamp::max)
}

/// In one order, so that the same card is the same bytes.
fn written(value: &Value) -> Result<Vec<u8>, ApiError> {
    canonical_json(value).map_err(|error| ApiError::Internal(error.to_string()))
}

fn tag(content: &[u8]) -> String {
    format!("\"{}\"", Digest::of(content).short())
}

fn identify(answer: &mut Response, validators: &Validators, caching: HeaderValue) {
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, caching);
    for (name, value) in validators.headers() {
        // Hexadecimal digits and dates are plain ASCII.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

fn broken(problem_found: &ApiError) -> Response {
    error!(error = %problem_found, "an agent card cannot be made");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    problem(status, "internal", "the card cannot be made")
}
