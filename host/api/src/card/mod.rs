//! Agent cards (A2A 8): what clients need to know to call an agent, made from what is deployed now.

mod serve;

use std::collections::HashMap;

use a2a::{
    AgentCapabilities, AgentCard, AgentInterface, AgentSkill, HttpAuthSecurityScheme,
    SecurityScheme, TRANSPORT_PROTOCOL_JSONRPC,
};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use taskyard_task::{Agent, Skill};

use crate::target::Target;
use crate::{Config, Door};

pub(crate) use serve::{list, show};

/// The name of the bearer scheme within a card.
const BEARER: &str = "bearer";

/// The card of `agent`, for whoever asked for it at `target`.
pub(crate) fn build(door: &Door, agent: &Agent, target: &Target, request: &Parts) -> AgentCard {
    let base = base_url(&door.config, &request.headers, &request.uri);
    card(agent, &base, target.tenant.as_deref(), !door.gate.is_open())
}

/// `guarded`: whether callers must show a token.
fn card(agent: &Agent, base: &str, tenant: Option<&str>, guarded: bool) -> AgentCard {
    let manifest = &agent.manifest;
    let mut interface =
        AgentInterface::new(agent_url(base, tenant, agent), TRANSPORT_PROTOCOL_JSONRPC);
    interface.tenant = tenant.map(str::to_owned);
    AgentCard {
        name: agent.name.to_string(),
        description: manifest.description.clone(),
        version: manifest.version.clone(),
        supported_interfaces: vec![interface],
        capabilities: AgentCapabilities {
            streaming: Some(true),
            push_notifications: Some(true),
            extensions: None,
            extended_agent_card: Some(guarded),
        },
        default_input_modes: or_else(&manifest.input_modes, "*/*"),
        default_output_modes: or_else(&manifest.output_modes, "text/plain"),
        skills: manifest.skills.iter().map(skill).collect(),
        provider: None,
        documentation_url: None,
        icon_url: None,
        security_schemes: guarded.then(bearer_scheme),
        security_requirements: guarded
            .then(|| vec![HashMap::from([(BEARER.to_owned(), Vec::new())])]),
        signatures: None,
    }
}

/// Where the agent is called.
fn agent_url(base: &str, tenant: Option<&str>, agent: &Agent) -> String {
    match tenant {
        Some(tenant) => format!("{base}/{tenant}/agents/{}", agent.name),
        None => format!("{base}/agents/{}", agent.name),
    }
}

/// How clients reach this host: what the operator says, or else the host that the request names.
fn base_url(config: &Config, headers: &HeaderMap, uri: &Uri) -> String {
    if let Some(url) = &config.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let named = || headers.get(header::HOST)?.to_str().ok();
    let authority = named().and_then(|host| host.parse::<Authority>().ok());
    // HTTP/2 has the host in the request's URI.
    let authority = authority.or_else(|| uri.authority().cloned());
    let host = authority.as_ref().map_or("localhost", Authority::as_str);
    format!("http://{host}")
}

fn skill(skill: &Skill) -> AgentSkill {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    AgentSkill {
        id: skill.id.clone(),
        name: skill.name.clone(),
        description: skill.description.clone(),
        tags: skill.tags.clone(),
        examples: some(&skill.examples),
        input_modes: some(&skill.input_modes),
        output_modes: some(&skill.output_modes),
        security_requirements: None,
    }
}

fn bearer_scheme() -> HashMap<String, SecurityScheme> {
    let scheme = HttpAuthSecurityScheme {
        scheme: "Bearer".to_owned(),
        description: None,
        bearer_format: None,
    };
    HashMap::from([(BEARER.to_owned(), SecurityScheme::HttpAuth(scheme))])
}

fn or_else(modes: &[String], default: &str) -> Vec<String> {
    match modes {
        [] => vec![default.to_owned()],
        modes => modes.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;
    use taskyard_task::{Digest, Manifest, RunLimits, Timestamp};

    use super::*;

    fn agent() -> Agent {
        Agent {
            name: "report".parse().unwrap(),
            digest: Digest::of(b"component"),
            manifest: Manifest {
                name: "csv-report".parse().unwrap(),
                version: "1.2.3".to_owned(),
                description: "Turns tables into prose.".to_owned(),
                skills: vec![Skill {
                    id: "summarise".to_owned(),
                    name: "Summarise".to_owned(),
                    description: "Says what a table says.".to_owned(),
                    tags: vec!["csv".to_owned()],
                    examples: Vec::new(),
                    input_modes: vec!["text/csv".to_owned()],
                    output_modes: Vec::new(),
                }],
                input_modes: Vec::new(),
                output_modes: Vec::new(),
            },
            config: "{}".to_owned(),
            limits: RunLimits::default(),
            max_runs: None,
            revision: 1,
            deployed_at: Timestamp(0),
            egress: taskyard_task::EgressPolicy::default(),
        }
    }

    #[test]
    fn the_card_of_an_open_host() {
        let card = card(&agent(), "https://host", None, false);
        assert_eq!(
            serde_json::to_value(card).unwrap(),
            json!({
                "name": "report",
                "description": "Turns tables into prose.",
                "version": "1.2.3",
                "supportedInterfaces": [{
                    "url": "https://host/agents/report",
                    "protocolBinding": "JSONRPC",
                    "protocolVersion": "1.0",
                }],
                "capabilities": {
                    "streaming": true,
                    "pushNotifications": true,
                    "extendedAgentCard": false,
                },
                "defaultInputModes": ["*/*"],
                "defaultOutputModes": ["text/plain"],
                "skills": [{
                    "id": "summarise",
                    "name": "Summarise",
                    "description": "Says what a table says.",
                    "tags": ["csv"],
                    "inputModes": ["text/csv"],
                }],
            })
        );
    }

    #[test]
    fn the_card_of_a_guarded_host_for_a_tenant() {
        let card = card(&agent(), "https://host", Some("acme"), true);
        let card = serde_json::to_value(card).unwrap();
        assert_eq!(
            card["supportedInterfaces"],
            json!([{
                "url": "https://host/acme/agents/report",
                "protocolBinding": "JSONRPC",
                "protocolVersion": "1.0",
                "tenant": "acme",
            }])
        );
        assert_eq!(card["capabilities"]["extendedAgentCard"], json!(true));
        assert_eq!(
            card["securitySchemes"],
            json!({"bearer": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}})
        );
        assert_eq!(
            card["securityRequirements"],
            json!([{"schemes": {"bearer": {"list": []}}}])
        );
    }

    #[test]
    fn the_address_is_the_operators_or_the_requests() {
        let with_url = Config {
            public_url: Some("https://agents.example.com/".to_owned()),
            ..Config::default()
        };
        let host = |value| HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(value))]);
        let of =
            |config, headers: HeaderMap, uri| base_url(config, &headers, &Uri::from_static(uri));
        let plain = Config::default();
        assert_eq!(
            of(&with_url, host("a:1"), "/"),
            "https://agents.example.com"
        );
        assert_eq!(of(&plain, host("a:1"), "/"), "http://a:1");
        assert_eq!(of(&plain, HeaderMap::new(), "http://b:2/x"), "http://b:2");
        assert_eq!(of(&plain, host("no host/"), "/"), "http://localhost");
    }
}
