//! The protocol's version 0.3, on the way out: what its clients and their webhooks are shown.
//!
//! Everything is a view of the official 1.0 types, so the two versions cannot say different things. 0.3
//! tells objects apart by a member `kind`, writes enums in lower case, and has three kinds of parts, of
//! which only files have a media type and a name.

mod part;

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

pub use part::{DATA_VALUE, WRAPPED_DATA_KEY};

use part::Part;

use super::v1::Millis;
use crate::state::TaskState;

/// Whatever a 0.3 client is shown: the result of a call, or one event of a stream.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Shown<'a> {
    /// The task as it is.
    Task(Task<'a>),
    /// A direct answer.
    Message(Message<'a>),
    /// The task's state changed, or the agent said something.
    StatusUpdate(StatusUpdate<'a>),
    /// A result, or a piece of one.
    ArtifactUpdate(ArtifactUpdate<'a>),
}

impl<'a> Shown<'a> {
    /// The event for a 0.3 client. `is_last` becomes `final`: nothing follows it in this stream.
    #[must_use]
    pub fn event(event: &'a a2a::StreamResponse, is_last: bool) -> Self {
        match event {
            a2a::StreamResponse::Task(task) => Self::Task(task.into()),
            a2a::StreamResponse::Message(message) => Self::Message(message.into()),
            a2a::StreamResponse::StatusUpdate(update) => Self::StatusUpdate(StatusUpdate {
                kind: "status-update",
                task_id: &update.task_id,
                context_id: &update.context_id,
                status: (&update.status).into(),
                is_final: is_last,
                metadata: update.metadata.as_ref(),
            }),
            a2a::StreamResponse::ArtifactUpdate(update) => Self::ArtifactUpdate(ArtifactUpdate {
                kind: "artifact-update",
                task_id: &update.task_id,
                context_id: &update.context_id,
                artifact: (&update.artifact).into(),
                append: update.append,
                last_chunk: update.last_chunk,
                metadata: update.metadata.as_ref(),
            }),
        }
    }
}

/// A task.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Task<'a> {
    kind: &'static str,
    id: &'a str,
    context_id: &'a str,
    status: Status<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts: Option<Vec<Artifact<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<Message<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a HashMap<String, Value>>,
}

impl<'a> From<&'a a2a::Task> for Task<'a> {
    fn from(task: &'a a2a::Task) -> Self {
        Self {
            kind: "task",
            id: &task.id,
            context_id: &task.context_id,
            status: (&task.status).into(),
            artifacts: task.artifacts.as_deref().map(all),
            history: task.history.as_deref().map(all),
            metadata: task.metadata.as_ref(),
        }
    }
}

/// A message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message<'a> {
    kind: &'static str,
    message_id: &'a str,
    role: &'static str,
    parts: Vec<Part<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a HashMap<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference_task_ids: Option<&'a [String]>,
}

impl<'a> From<&'a a2a::Message> for Message<'a> {
    fn from(message: &'a a2a::Message) -> Self {
        Self {
            kind: "message",
            message_id: &message.message_id,
            role: role(&message.role),
            parts: all(&message.parts),
            context_id: message.context_id.as_deref(),
            task_id: message.task_id.as_deref(),
            metadata: message.metadata.as_ref(),
            extensions: message.extensions.as_deref(),
            reference_task_ids: message.reference_task_ids.as_deref(),
        }
    }
}

/// A change of the task's status.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusUpdate<'a> {
    kind: &'static str,
    task_id: &'a str,
    context_id: &'a str,
    status: Status<'a>,
    #[serde(rename = "final")]
    is_final: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a HashMap<String, Value>>,
}

/// A change of a result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactUpdate<'a> {
    kind: &'static str,
    task_id: &'a str,
    context_id: &'a str,
    artifact: Artifact<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    append: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_chunk: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a HashMap<String, Value>>,
}

#[derive(Debug, Serialize)]
struct Status<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Millis>,
}

impl<'a> From<&'a a2a::TaskStatus> for Status<'a> {
    fn from(status: &'a a2a::TaskStatus) -> Self {
        Self {
            state: state(&status.state),
            message: status.message.as_ref().map(Message::from),
            timestamp: status.timestamp.map(Millis),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact<'a> {
    artifact_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parts: Vec<Part<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a HashMap<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<&'a [String]>,
}

impl<'a> From<&'a a2a::Artifact> for Artifact<'a> {
    fn from(artifact: &'a a2a::Artifact) -> Self {
        Self {
            artifact_id: &artifact.artifact_id,
            name: artifact.name.as_deref(),
            description: artifact.description.as_deref(),
            parts: all(&artifact.parts),
            metadata: artifact.metadata.as_ref(),
            extensions: artifact.extensions.as_deref(),
        }
    }
}

fn all<'a, T, U: From<&'a T>>(items: &'a [T]) -> Vec<U> {
    items.iter().map(U::from).collect()
}

/// The name of a role.
fn role(role: &a2a::Role) -> &'static str {
    match role {
        a2a::Role::User => "user",
        // 0.3 knows no other; what has no author is the host's.
        a2a::Role::Agent | a2a::Role::Unspecified => "agent",
    }
}

/// What 0.3 calls a state.
#[must_use]
pub fn state_name(state: TaskState) -> &'static str {
    self::state(&super::state_to_a2a(state))
}

/// The name of a state.
fn state(state: &a2a::TaskState) -> &'static str {
    match state {
        a2a::TaskState::Submitted => "submitted",
        a2a::TaskState::Working => "working",
        a2a::TaskState::InputRequired => "input-required",
        a2a::TaskState::AuthRequired => "auth-required",
        a2a::TaskState::Completed => "completed",
        a2a::TaskState::Failed => "failed",
        a2a::TaskState::Canceled => "canceled",
        a2a::TaskState::Rejected => "rejected",
        a2a::TaskState::Unspecified => "unknown",
    }
}

/// A notification configuration: the task, and the webhook in an object of its own.
#[must_use]
pub fn push_config(config: &a2a::TaskPushNotificationConfig) -> Value {
    serde_json::json!({
        "taskId": config.task_id,
        "pushNotificationConfig": webhook(config),
    })
}

/// The webhook alone. 0.3 has a list of schemes, of which the host keeps one.
#[must_use]
pub fn webhook(config: &a2a::TaskPushNotificationConfig) -> Value {
    let mut webhook = serde_json::Map::new();
    webhook.insert("url".to_owned(), config.url.clone().into());
    let texts = [("id", &config.id), ("token", &config.token)];
    for (name, text) in texts {
        if let Some(text) = text {
            webhook.insert(name.to_owned(), text.clone().into());
        }
    }
    if let Some(authentication) = &config.authentication {
        webhook.insert("authentication".to_owned(), schemes(authentication));
    }
    Value::Object(webhook)
}

fn schemes(authentication: &a2a::AuthenticationInfo) -> Value {
    let mut members = serde_json::Map::new();
    members.insert(
        "schemes".to_owned(),
        vec![authentication.scheme.clone()].into(),
    );
    if let Some(credentials) = &authentication.credentials {
        members.insert("credentials".to_owned(), credentials.clone().into());
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests;
