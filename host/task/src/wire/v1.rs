//! The protocol's version 1.0, on the way out: the official types, with timestamps that always look the same.
//!
//! The types themselves write as many digits of a second as it has, so that one in a thousand has none. Some
//! clients read timestamps by a pattern, and sort them as text.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// An event, as [`a2a::StreamResponse`] writes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Event<'a> {
    /// The task as it is.
    Task(Task<'a>),
    /// A direct answer.
    Message(&'a a2a::Message),
    /// The task's state changed, or the agent said something.
    StatusUpdate(StatusUpdate<'a>),
    /// A result, or a piece of one.
    ArtifactUpdate(&'a a2a::TaskArtifactUpdateEvent),
}

impl<'a> From<&'a a2a::StreamResponse> for Event<'a> {
    fn from(event: &'a a2a::StreamResponse) -> Self {
        match event {
            a2a::StreamResponse::Task(task) => Self::Task(task.into()),
            a2a::StreamResponse::Message(message) => Self::Message(message),
            a2a::StreamResponse::StatusUpdate(update) => Self::StatusUpdate(update.into()),
            a2a::StreamResponse::ArtifactUpdate(update) => Self::ArtifactUpdate(update),
        }
    }
}

impl<'a> From<&'a a2a::SendMessageResponse> for Event<'a> {
    fn from(sent: &'a a2a::SendMessageResponse) -> Self {
        match sent {
            a2a::SendMessageResponse::Task(task) => Self::Task(task.into()),
            a2a::SendMessageResponse::Message(message) => Self::Message(message),
        }
    }
}

/// A task, as [`a2a::Task`] writes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Task<'a> {
    id: &'a str,
    context_id: &'a str,
    status: Status<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts: Option<&'a [a2a::Artifact]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'a [a2a::Message]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a HashMap<String, Value>>,
}

impl<'a> From<&'a a2a::Task> for Task<'a> {
    fn from(task: &'a a2a::Task) -> Self {
        // A field that a later version of the types has does not compile until it is here.
        let a2a::Task {
            id,
            context_id,
            status,
            artifacts,
            history,
            metadata,
        } = task;
        Self {
            id,
            context_id,
            status: status.into(),
            artifacts: artifacts.as_deref(),
            history: history.as_deref(),
            metadata: metadata.as_ref(),
        }
    }
}

/// A change of a status, as [`a2a::TaskStatusUpdateEvent`] writes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusUpdate<'a> {
    task_id: &'a str,
    context_id: &'a str,
    status: Status<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a HashMap<String, Value>>,
}

impl<'a> From<&'a a2a::TaskStatusUpdateEvent> for StatusUpdate<'a> {
    fn from(update: &'a a2a::TaskStatusUpdateEvent) -> Self {
        let a2a::TaskStatusUpdateEvent {
            task_id,
            context_id,
            status,
            metadata,
        } = update;
        Self {
            task_id,
            context_id,
            status: status.into(),
            metadata: metadata.as_ref(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Status<'a> {
    state: &'a a2a::TaskState,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a a2a::Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Millis>,
}

impl<'a> From<&'a a2a::TaskStatus> for Status<'a> {
    fn from(status: &'a a2a::TaskStatus) -> Self {
        let a2a::TaskStatus {
            state,
            message,
            timestamp,
        } = status;
        Self {
            state,
            message: message.as_ref(),
            timestamp: timestamp.map(Millis),
        }
    }
}

/// A page of tasks, as [`a2a::ListTasksResponse`] writes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tasks<'a> {
    tasks: Vec<Task<'a>>,
    next_page_token: &'a str,
    page_size: i32,
    total_size: i32,
}

impl<'a> From<&'a a2a::ListTasksResponse> for Tasks<'a> {
    fn from(page: &'a a2a::ListTasksResponse) -> Self {
        let a2a::ListTasksResponse {
            tasks,
            next_page_token,
            page_size,
            total_size,
        } = page;
        Self {
            tasks: tasks.iter().map(Task::from).collect(),
            next_page_token,
            page_size: *page_size,
            total_size: *total_size,
        }
    }
}

/// A time with three digits of a fraction, as A2A 5.6.1 writes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Millis(pub(super) DateTime<Utc>);

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::v03;

    fn task(at: &str) -> a2a::Task {
        let task = json!({
            "id": "t", "contextId": "c",
            "status": {
                "state": "TASK_STATE_WORKING", "timestamp": at,
                "message": {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "hi"}]},
            },
            "artifacts": [{"artifactId": "a", "parts": [{"raw": "AAH/"}]}],
            "history": [{"messageId": "n", "role": "ROLE_USER", "parts": [{"text": "go"}]}],
            "metadata": {"k": 1},
        });
        serde_json::from_value(task).unwrap()
    }

    /// All that is shown of a task in any version.
    fn shown(at: &str) -> Vec<Value> {
        let task = task(at);
        let update = a2a::StreamResponse::StatusUpdate(a2a::TaskStatusUpdateEvent {
            task_id: "t".to_owned(),
            context_id: "c".to_owned(),
            status: task.status.clone(),
            metadata: None,
        });
        let page = a2a::ListTasksResponse {
            tasks: vec![task.clone()],
            next_page_token: String::new(),
            page_size: 1,
            total_size: 1,
        };
        let sent = a2a::SendMessageResponse::Task(task.clone());
        vec![
            json!(Event::from(&update)),
            json!(Event::from(&sent)),
            json!(Task::from(&task)),
            json!(Tasks::from(&page)),
            json!(v03::Shown::event(&update, false)),
            json!(v03::Task::from(&task)),
        ]
    }

    #[test]
    fn times_have_three_digits_of_a_fraction() {
        for (at, text) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.100Z"),
            ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"),
        ] {
            for shown in shown(at) {
                let written = format!("\"timestamp\":\"{text}\"");
                assert!(shown.to_string().contains(&written), "{shown}");
            }
        }
    }

    #[test]
    fn everything_else_is_as_the_official_types_write_it() {
        let task = task("2026-01-02T03:04:05.678Z");
        assert_eq!(json!(Task::from(&task)), json!(task));
        let message = task.history.clone().unwrap().remove(0);
        let artifact = a2a::TaskArtifactUpdateEvent {
            task_id: "t".to_owned(),
            context_id: "c".to_owned(),
            artifact: task.artifacts.clone().unwrap().remove(0),
            append: Some(true),
            last_chunk: None,
            metadata: None,
        };
        for event in [
            a2a::StreamResponse::Task(task),
            a2a::StreamResponse::Message(message),
            a2a::StreamResponse::ArtifactUpdate(artifact),
        ] {
            assert_eq!(json!(Event::from(&event)), json!(event));
        }
    }
}
