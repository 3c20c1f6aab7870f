//! Serving agent cards over plain HTTP (A2A 8.2, 8.6). Open to anybody, in any protocol version.

use std::sync::Arc;

use a2a::AgentCard;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use taskyard_task::{Digest, Tenant};

use super::{agent_url, base_url, build};
use crate::Door;
use crate::plain::problem;
use crate::target::Target;

/// Clients may keep a card but must ask whether it is still the one: deployments show at once.
const CACHING: &str = "no-cache";

/// The card of the agent that the path names, or of the default agent.
pub(crate) async fn show(
    State(door): State<Arc<Door>>,
    Path(target): Path<Target>,
    request: Parts,
) -> Response {
    let is_tenant = |text: &String| text.parse::<Tenant>().is_ok();
    match target.agent(&door) {
        Ok(agent) if target.tenant.as_ref().is_none_or(is_tenant) => {
            tagged(&build(&door, &agent, &target, &request), &request.headers)
        }
        _ => problem(
            StatusCode::NOT_FOUND,
            "agent-not-found",
            "there is no such agent",
        ),
    }
}

/// The names of all agents, for people.
pub(crate) async fn list(State(door): State<Arc<Door>>, request: Parts) -> Json<Value> {
    let base = base_url(&door.config, &request.headers, &request.uri);
    let agents = door.broker.agents();
    let agents = agents.values().map(|agent| {
        let url = agent_url(&base, None, agent);
        json!({
            "name": agent.name,
            "version": agent.manifest.version,
            "description": agent.manifest.description,
            "card": format!("{url}/.well-known/agent-card.json"),
        })
    });
    Json(json!({"agents": agents.collect::<Vec<_>>()}))
}

/// The card with its tag, or only the news that the client's copy is still right.
fn tagged(card: &AgentCard, headers: &HeaderMap) -> Response {
    let Ok(body) = serde_json::to_vec(card) else {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return problem(status, "internal", "the card cannot be written");
    };
    let tag = format!("\"{}\"", Digest::of(&body).short());
    let common = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, CACHING.to_owned()),
    ];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (common, content_type, body).into_response()
}

/// Whether the client has the version with this tag (RFC 9110 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH);
    let known = known.and_then(|value| value.to_str().ok()).unwrap_or("");
    known
        .split(',')
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known == tag)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_copy_is_known_by_its_tag() {
        let with = |value| {
            HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(value))])
        };
        for same in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert!(is_known(&with(same), "\"abc\""), "{same}");
        }
        for other in ["\"abd\"", "abc", ""] {
            assert!(!is_known(&with(other), "\"abc\""), "{other}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"abc\""));
    }
}
