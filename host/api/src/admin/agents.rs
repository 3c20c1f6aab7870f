//! Deploying, showing and removing agents.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use taskyard_broker::{AgentChanges, DeployRequest, Drain, Error};
use taskyard_task::{AgentName, EgressPolicy, LimitChanges};

use super::Admin;
use super::error::AdminError;
use super::view::{AgentList, AgentView, StatusView};
use crate::body::{self, Pace};
use crate::detached::detached;

/// The largest component: those of languages with a runtime of their own have tens of megabytes.
const MAX_COMPONENT_BYTES: usize = 128 << 20;
/// The longest list of rules as text: as many as there may be, of usual length.
const MAX_EGRESS_BYTES: usize = 1 << 20;

/// How a component is to be deployed; the body is the component itself.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeployQuery {
    /// Under which name; the one in its manifest if absent.
    name: Option<String>,
    /// How many of its tasks may run at once.
    max_runs: Option<u32>,
    /// Its configuration: a JSON object, as text.
    config: Option<String>,
    /// Its limits: a JSON object, as text; what it leaves out stays as it was, or as the host has it.
    limits: Option<String>,
    /// The requests that its workers may make: a JSON list of rules, as text.
    egress: Option<String>,
    /// Whether a message that names its context alone answers the task that waits for input there.
    answer_by_context: Option<bool>,
    /// Whether it may take the place of a plugin that calls itself something else.
    #[serde(default)]
    replace: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UndeployQuery {
    /// Whether to wait for its tasks to end instead of refusing.
    #[serde(default)]
    drain: bool,
}

type Answer<T> = Result<Json<T>, AdminError>;

/// `POST /v1/agents`
pub(super) async fn deploy(
    State(admin): State<Admin>,
    query: Result<Query<DeployQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Answer<AgentView> {
    let Query(query) = query.map_err(bad_query)?;
    let mut request = request(query)?;
    if !body::content_type_is(&headers, is_wasm) {
        return Err(AdminError::WrongContentType);
    }
    request.component = body::read(&headers, body, MAX_COMPONENT_BYTES, Pace::OPERATORS)
        .await?
        .into();
    let agent = detached(async move { admin.broker.deploy(request).await }).await?;
    Ok(Json(AgentView::from(&agent)))
}

/// `GET /v1/agents`
pub(super) async fn list(State(admin): State<Admin>) -> Json<AgentList> {
    let agents = admin.broker.agents();
    Json(AgentList {
        agents: agents.values().map(AgentView::from).collect(),
    })
}

/// `GET /v1/agents/{name}`
pub(super) async fn status(
    State(admin): State<Admin>,
    Path(name): Path<String>,
) -> Answer<StatusView> {
    let status = admin.broker.agent_status(&existing(&name)?).await?;
    Ok(Json(status.into()))
}

/// `PUT /v1/agents/{name}/egress`
pub(super) async fn set_egress(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<AgentView> {
    let name = existing(&name)?;
    let rules = body::read(&headers, body, MAX_EGRESS_BYTES, Pace::OPERATORS).await?;
    let rules = taskyard_json::from_slice(&rules).map_err(|error| invalid("the body", error))?;
    let changes = AgentChanges {
        egress: Some(rules),
        ..AgentChanges::default()
    };
    let agent = detached(async move { admin.broker.configure(&name, changes).await }).await?;
    Ok(Json(AgentView::from(&agent)))
}

/// `DELETE /v1/agents/{name}`
pub(super) async fn undeploy(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    query: Result<Query<UndeployQuery>, QueryRejection>,
) -> Result<StatusCode, AdminError> {
    let Query(query) = query.map_err(bad_query)?;
    let drain = match query.drain {
        true => Drain::Wait,
        false => Drain::Refuse,
    };
    admin.broker.undeploy(&existing(&name)?, drain).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn is_wasm(content_type: &str) -> bool {
    matches!(
        content_type,
        "application/wasm" | "application/octet-stream"
    )
}

/// A name that no agent can have is the name of no agent.
fn existing(name: &str) -> Result<AgentName, Error> {
    name.parse().map_err(|_| Error::AgentNotFound)
}

/// All but the component, which is read once the rest is known to make sense.
fn request(query: DeployQuery) -> Result<DeployRequest, AdminError> {
    let name = query.name.map(|name| name.parse::<AgentName>());
    let limits = query.limits.as_deref().map(read::<LimitChanges>);
    let egress = query.egress.as_deref().map(read::<EgressPolicy>);
    Ok(DeployRequest {
        agent: name.transpose().map_err(|error| invalid("name", error))?,
        component: Vec::new(),
        config: query.config.map(checked_config).transpose()?,
        limits: limits
            .transpose()
            .map_err(|error| invalid("limits", error))?
            .unwrap_or_default(),
        max_runs: query.max_runs,
        egress: egress
            .transpose()
            .map_err(|error| invalid("egress", error))?,
        answer_by_context: query.answer_by_context,
        replace: query.replace,
    })
}

fn read<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    taskyard_json::from_slice(text.as_bytes())
}

/// The configuration as workers can read it.
fn checked_config(text: String) -> Result<String, AdminError> {
    match read::<Map<String, Value>>(&text) {
        Ok(_) => Ok(taskyard_json::mended(text.as_bytes()).into_owned()),
        Err(error) => Err(invalid("config", error)),
    }
}

fn bad_query(rejection: QueryRejection) -> AdminError {
    invalid("the query", rejection.body_text())
}

fn invalid(parameter: &'static str, error: impl std::fmt::Display) -> AdminError {
    AdminError::Parameter {
        parameter,
        problem: format!("cannot be used: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, config: &str, limits: &str) -> DeployQuery {
        DeployQuery {
            name: Some(name.to_owned()),
            max_runs: Some(3),
            config: Some(config.to_owned()),
            limits: Some(limits.to_owned()),
            egress: None,
            answer_by_context: None,
            replace: false,
        }
    }

    #[test]
    fn what_is_left_out_is_left_to_the_broker() {
        let request_of_nothing = request(DeployQuery::default()).unwrap();
        assert!(request_of_nothing.agent.is_none() && request_of_nothing.egress.is_none());
        assert_eq!(request_of_nothing.limits, LimitChanges::default());
        let given = request(query("a", r#"{"k": 1}"#, r#"{"cpu_ms": 5}"#)).unwrap();
        let marked = request(query("a", "\u{feff}{\"k\": \"\\ud83d\"}", "\u{feff}{}")).unwrap();
        assert_eq!(marked.config.as_deref(), Some(r#"{"k": "\ufffd"}"#));
        let expected = LimitChanges {
            cpu_ms: Some(5),
            ..LimitChanges::default()
        };
        assert_eq!(given.limits, expected);
        assert_eq!(given.config.as_deref(), Some(r#"{"k": 1}"#));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_name() {
        for (wrong, parameter) in [
            (query("A!", "{}", "{}"), "name"),
            (query("a", "[]", "{}"), "config"),
            (query("a", "{}", r#"{"cpu": 5}"#), "limits"),
        ] {
            let error = request(wrong).unwrap_err().to_string();
            assert!(error.starts_with(parameter), "{error}");
        }
        let wrong = DeployQuery {
            egress: Some(r#"[{"host": "a b"}]"#.to_owned()),
            ..DeployQuery::default()
        };
        let error = request(wrong).unwrap_err().to_string();
        assert!(
            error.starts_with("egress cannot be used: the host \"a b\""),
            "{error}"
        );
    }
}
