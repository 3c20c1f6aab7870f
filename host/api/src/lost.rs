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
/// it may be a tenant. `agent` is the one that the request names, if it does.
pub(crate) fn not_a_tenant(
    door: &Door,
    base: &Base,
    text: &str,
    agent: Option<&str>,
) -> Option<String> {
    let agents = base.join(AGENTS);
    let agent = agent.filter(|name| is_agent(door, name));
    let agent = agent.unwrap_or("NAME");
    if text.eq_ignore_ascii_case(AGENTS) {
        return Some(format!(
            "\"agents\" is no tenant: an agent is at {agents}/{agent}, or under the tenant \"agents/{agent}\""
        ));
    }
    if text.eq_ignore_ascii_case(V1) {
        let old = match door.config.protocol_0_3 {
            true => {
                format!("; below {agents}/{agent}/v1, version 0.3 is spoken without that header")
            }
            false => String::new(),
        };
        return Some(format!(
            "\"v1\" is no tenant: version 1.0 is spoken at {agents}/{agent} with the header A2A-Version: 1.0{old}"
        ));
    }
    // Names of agents are in lower case, and no two things should differ by that alone.
    let text = text.to_ascii_lowercase();
    is_agent(door, &text).then(|| {
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

/// The same for a request of 0.3, which has no field `tenant`. Over HTTP+JSON an agent is a segment further
/// down.
pub(crate) fn no_agent_of_v03(base: &Base, request: &Parts) -> String {
    let mut segments = request.uri.path().split('/');
    let below = match segments.any(|segment| segment == V1) {
        true => "/v1",
        false => "",
    };
    let agents = base.join(AGENTS);
    format!(
        "the request names no agent, and this host has no default one: call {agents}/NAME{below}; {agents} lists the agents"
    )
}

/// What to do about the name of an agent that is not there.
pub(crate) fn unknown_agent(base: &Base) -> String {
    let agents = base.join(AGENTS);
    format!("there is no such agent: an agent is at {agents}/NAME, and {agents} lists them all")
}

/// The answer where nothing is served.
pub(crate) async fn handle(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    answer(&door, &head)
}

/// The same, for a handler that found it out by itself.
pub(crate) fn answer(door: &Door, head: &Parts) -> Response {
    let base = Base::of(&door.config, head);
    let nothing = "nothing is served at this path";
    let mut segments = head.uri.path().split('/').skip(1);
    let message = match (segments.next(), segments.next().unwrap_or_default()) {
        (Some(AGENTS), name) if !name.is_empty() => match is_agent(door, name) {
            true => format!("{nothing}; the agent is at {}/{name}", base.join(AGENTS)),
            false => unknown_agent(&base),
        },
        (first, _) => {
            let hint = first.and_then(|first| not_a_tenant(door, &base, first, None));
            hint.unwrap_or_else(|| nothing.to_owned())
        }
    };
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
