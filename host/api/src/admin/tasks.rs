//! Looking at tasks, and doing something about those that stand still.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use taskyard_broker::{Error, FlightQuery};
use taskyard_task::{AgentName, Header, Part, PartBody, Plugin, Seq, TaskId};

use super::Admin;
use super::error::AdminError;
use super::task_view::{FlightList, LogView, ParkedList, ProbeView, TaskBrief, TaskStatusView};
use crate::body::{self, Pace};
use crate::detached::detached;

/// How many tasks or entries a page has if nothing is said.
const PAGE: usize = 100;
/// The largest page.
const MAX_PAGE: usize = 1_000;
/// The longest order to do something: a reason, and what is around it.
const MAX_ORDER_BYTES: usize = 64 << 10;
/// The longest reason for a failure; clients get to see it.
const MAX_REASON_BYTES: usize = 8 << 10;

type Answer<T> = Result<Json<T>, AdminError>;

/// Which parked tasks.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParkedQuery {
    agent: Option<AgentName>,
    page_size: Option<usize>,
    page_token: Option<String>,
}

/// Which tasks that have not ended.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TasksQuery {
    agent: Option<AgentName>,
    /// A digest, its first digits, or a version.
    plugin: Option<String>,
    page_size: Option<usize>,
    page_token: Option<String>,
}

/// Which part of a log.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    /// Behind which entry.
    #[serde(default)]
    after: u64,
    page_size: Option<usize>,
}

/// From where to try again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryOrder {
    /// The first entry that is taken back.
    from: u64,
}

/// Which component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentOrder {
    /// A digest, its first digits, or a version.
    to: String,
}

/// Why a task is to fail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailOrder {
    reason: String,
}

/// What to tell a task that asks.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum AnswerOrder {
    Text(String),
    Data(serde_json::Value),
}

/// `GET /v1/parked`
pub(super) async fn parked(
    State(admin): State<Admin>,
    query: Result<Query<ParkedQuery>, QueryRejection>,
) -> Answer<ParkedList> {
    let Query(query) = query.map_err(bad_query)?;
    let size = page_size(query.page_size)?;
    let page = admin
        .broker
        .parked(query.agent.as_ref(), size, query.page_token.as_deref())?;
    Ok(Json(page.into()))
}

/// `GET /v1/tasks`
pub(super) async fn in_flight(
    State(admin): State<Admin>,
    query: Result<Query<TasksQuery>, QueryRejection>,
) -> Answer<FlightList> {
    let Query(query) = query.map_err(bad_query)?;
    let page = admin.broker.in_flight(&FlightQuery {
        agent: query.agent,
        plugin: query.plugin,
        page_size: page_size(query.page_size)?,
        page_token: query.page_token,
    })?;
    Ok(Json(page.into()))
}

/// `GET /v1/tasks/{id}`
pub(super) async fn status(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Answer<TaskStatusView> {
    let status = admin.broker.task_status(existing(&id)?)?;
    Ok(Json(status.into()))
}

/// `GET /v1/tasks/{id}/log`
pub(super) async fn log(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Answer<LogView> {
    let Query(query) = query.map_err(bad_query)?;
    let most = page_size(query.page_size)?;
    let page = admin
        .broker
        .task_log(existing(&id)?, Seq(query.after), most)?;
    Ok(Json(page.into()))
}

/// `POST /v1/tasks/{id}/resume`
pub(super) async fn resume(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Answer<TaskBrief> {
    let task = existing(&id)?;
    let broker = admin.broker.clone();
    let header = detached(async move { broker.resume(task).await }).await?;
    brief(&admin, &header)
}

/// `POST /v1/tasks/{id}/retry`
pub(super) async fn retry(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<TaskBrief> {
    let task = existing(&id)?;
    let RetryOrder { from } = order(&headers, body).await?;
    let to = from.checked_sub(1).ok_or_else(|| {
        let problem = "must be at least 1".to_owned();
        AdminError::Parameter {
            parameter: "from",
            problem,
        }
    })?;
    let broker = admin.broker.clone();
    let header = detached(async move { broker.rewind(task, Seq(to)).await }).await?;
    brief(&admin, &header)
}

/// `POST /v1/tasks/{id}/probe`
pub(super) async fn probe(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<ProbeView> {
    let task = existing(&id)?;
    let plugin = component(&admin, task, &headers, body).await?;
    let probe = admin.broker.probe(task, plugin.digest).await?;
    Ok(Json(ProbeView::new(&plugin, probe)))
}

/// `POST /v1/tasks/{id}/move`
pub(super) async fn change_component(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<TaskBrief> {
    let task = existing(&id)?;
    let plugin = component(&admin, task, &headers, body).await?;
    let broker = admin.broker.clone();
    let header = detached(async move { broker.move_to(task, plugin.digest).await }).await?;
    brief(&admin, &header)
}

/// `POST /v1/tasks/{id}/fail`
pub(super) async fn fail(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<TaskBrief> {
    let task = existing(&id)?;
    let FailOrder { reason } = order(&headers, body).await?;
    if reason.trim().is_empty() || reason.len() > MAX_REASON_BYTES {
        return Err(AdminError::Parameter {
            parameter: "reason",
            problem: format!("must have 1 to {MAX_REASON_BYTES} bytes"),
        });
    }
    let broker = admin.broker.clone();
    let header = detached(async move { broker.fail(task, reason).await }).await?;
    brief(&admin, &header)
}

/// `POST /v1/tasks/{id}/answer`
pub(super) async fn answer(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<TaskBrief> {
    let task = existing(&id)?;
    let answer = body::read(&headers, body, MAX_ORDER_BYTES, Pace::OPERATORS).await?;
    // The parser's own words may quote what must not be shown.
    let answer: AnswerOrder =
        taskyard_json::from_slice(&answer).map_err(|_| AdminError::Parameter {
            parameter: "the body",
            problem: "must be {\"text\": TEXT} or {\"data\": JSON}".to_owned(),
        })?;
    let part = match answer {
        AnswerOrder::Text(text) => Part::text(text),
        AnswerOrder::Data(data) => Part {
            body: PartBody::Data(data.to_string()),
            ..Part::text("")
        },
    };
    let broker = admin.broker.clone();
    let header = detached(async move { broker.answer(task, vec![part]).await }).await?;
    brief(&admin, &header)
}

fn brief(admin: &Admin, header: &Header) -> Answer<TaskBrief> {
    let version = admin.broker.version_of(header.digest)?;
    Ok(Json(TaskBrief::of(header, version)))
}

/// The component that an order means, among those of the task's agent.
async fn component(
    admin: &Admin,
    task: TaskId,
    headers: &HeaderMap,
    body: Body,
) -> Result<Plugin, AdminError> {
    let ComponentOrder { to } = order(headers, body).await?;
    let agent = admin.broker.agent_of(task)?;
    Ok(admin.broker.find_plugin(&to, &agent)?)
}

/// What cannot be the id of a task is the id of none.
fn existing(id: &str) -> Result<TaskId, Error> {
    id.parse().map_err(|_| Error::TaskNotFound)
}

fn page_size(asked: Option<usize>) -> Result<usize, AdminError> {
    match asked.unwrap_or(PAGE) {
        size @ 1..=MAX_PAGE => Ok(size),
        _ => Err(AdminError::Parameter {
            parameter: "page_size",
            problem: format!("must be between 1 and {MAX_PAGE}"),
        }),
    }
}

async fn order<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, AdminError> {
    let order = body::read(headers, body, MAX_ORDER_BYTES, Pace::OPERATORS).await?;
    taskyard_json::from_slice(&order).map_err(|error| AdminError::Parameter {
        parameter: "the body",
        problem: format!("cannot be used: {error}"),
    })
}

fn bad_query(rejection: QueryRejection) -> AdminError {
    AdminError::Parameter {
        parameter: "the query",
        problem: format!("cannot be used: {}", rejection.body_text()),
    }
}
