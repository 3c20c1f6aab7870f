//! Requests that miss their agent: what was probably meant, and where that is.
//!
//! A call must not run at an agent that it does not mean, so nothing is guessed here; the text says what
//! to write instead.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use taskyard_task::AgentName;

use crate::Door;
use crate::base::Base;
use crate::plain::problem;

/// The segment of paths and of the field `tenant` that an agent's name follows.
pub(crate) const AGENTS: &str = "agents";
/// Where 0.3 is spoken over HTTP+JSON, behind an agent's address.
pub(crate) const V1: &str = "v1";

/// What to do about a text that stands where a tenant could, and is the name of something else; none if
/// it may be a tenant.
pub(crate) fn not_a_tenant(door: &Door, base: &Base, text: &str) -> Option<String> {
    let agents = base.join(AGENTS);
    if text == AGENTS {
        return Some(format!(
            "\"agents\" is no tenant: an agent is at {agents}/NAME, or under the tenant \"agents/NAME\""
        ));
    }
    if text == V1 {
        let old = match door.config.protocol_0_3 {
            true => format!("; below {agents}/NAME/v1, version 0.3 is spoken without that header"),
            false => String::new(),
        };
        return Some(format!(
            "\"v1\" is no tenant: version 1.0 is spoken at {agents}/NAME with the header A2A-Version: 1.0{old}"
        ));
    }
    is_agent(door, text).then(|| {
        format!(
            "{text:?} is an agent and no tenant: it is at {agents}/{text}, or under the tenant \"agents/{text}\""
        )
    })
}

/// What to do about a request that names no agent, where none is the default one.
pub(crate) fn no_agent(base: &Base, tenant: Option<&str>) -> String {
    let path = match tenant {
        Some(tenant) => format!("{tenant}/{AGENTS}/NAME"),
        None => format!("{AGENTS}/NAME"),
    };
    format!(
        "the request names no agent, and this host has no default one: call {}, or set the field `tenant` to {path:?}; {} lists the agents",
        base.join(&path),
        base.join(AGENTS),
    )
}

/// What to do about the name of an agent that is not there.
pub(crate) fn unknown_agent(base: &Base) -> String {
    format!(
        "there is no such agent; {} lists those that there are",
        base.join(AGENTS)
    )
}

/// The answer where nothing is served.
pub(crate) async fn handle(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    answer(&door, &head)
}

/// The same, for a handler that found it out by itself.
pub(crate) fn answer(door: &Door, head: &Parts) -> Response {
    let mut segments = head.uri.path().split('/').skip(1);
    let first = segments.next().unwrap_or_default();
    let hint = not_a_tenant(door, &Base::of(&door.config, head), first);
    let message = hint.unwrap_or_else(|| "nothing is served at this path".to_owned());
    problem(StatusCode::NOT_FOUND, "no-route", &message)
}

/// The answer where an agent's name got lost in front of the path of its card.
pub(crate) async fn cut_short(State(door): State<Arc<Door>>, head: Parts) -> Response {
    let agents = Base::of(&door.config, &head).join(AGENTS);
    let message = format!(
        "this path has no agent in it: relative URLs replace what follows the last slash, so the address of an agent needs a slash at its end, such as {agents}/NAME/"
    );
    problem(StatusCode::NOT_FOUND, "no-route", &message)
}

fn is_agent(door: &Door, text: &str) -> bool {
    let name = text.parse::<AgentName>();
    name.is_ok_and(|name| door.broker.agents().contains_key(&name))
}
