//! Between the log and the official A2A types: the only translator, in both directions.
//!
//! Strict on the way out (A2A 5.7: required fields always, nothing unknown, no `null`); the way in
//! expects canonical ProtoJSON, which the doors produce from whatever a client sent.

mod children;
#[cfg(test)]
mod fold_property;
mod notification;
pub mod v03;
pub mod v1;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::content::{ArtifactSpec, Message, Part, PartBody};
use crate::entry::{Entry, Event};
use crate::fold::{ArtifactView, HistoryItem, TaskView, parked_text};
use crate::header::Header;
use crate::id::{Seq, TaskId, Timestamp};
use crate::push::PushConfig;
use crate::state::TaskState;

pub use children::{child_end_from_a2a, child_reply_from_a2a, remote_child_to_a2a};
pub use notification::{Notification, is_news_to_v03};

/// The metadata key under which progress reports are found in status updates and tasks: an object
/// with `percent` (0 to 100) and `text`, either of which may be missing.
pub const PROGRESS_KEY: &str = "taskyard.progress";

/// The metadata key under which a task names its children on this host: a list of task ids.
pub const CHILDREN_KEY: &str = "taskyard.children";

/// The metadata key under which a child names the task that started it.
pub const PARENT_KEY: &str = "taskyard.parent";

/// The metadata key under which status updates and tasks say that the task is parked: an object with `code`,
/// such as `trap`. The state alone does not tell it from a task that was just submitted.
pub const PARKED_KEY: &str = "taskyard.parked";

/// A message that cannot be taken, and which field of it is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct InvalidMessage {
    /// The field, as on the wire.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Reads a client's message.
///
/// # Errors
/// If it has no id, no parts, or is not from a user (A2A 4.1.4, 5.7).
pub fn message_from_a2a(message: a2a::Message) -> Result<Message, InvalidMessage> {
    let refuse = |field, problem| Err(InvalidMessage { field, problem });
    if message.message_id.is_empty() {
        return refuse("message.messageId", "must not be empty");
    }
    if message.parts.is_empty() {
        return refuse("message.parts", "must not be empty");
    }
    if message.role != a2a::Role::User {
        return refuse("message.role", "must be ROLE_USER");
    }
    Ok(Message {
        id: message.message_id,
        parts: message.parts.into_iter().map(part_from_a2a).collect(),
        metadata: metadata_text(message.metadata),
        extensions: message.extensions.unwrap_or_default(),
        reference_task_ids: message.reference_task_ids.unwrap_or_default(),
    })
}

/// The text of a metadata object; nothing for an empty one.
#[must_use]
pub fn metadata_text(metadata: Option<HashMap<String, Value>>) -> Option<String> {
    let metadata = metadata.filter(|m| !m.is_empty())?;
    Some(Value::Object(metadata.into_iter().collect()).to_string())
}

fn part_from_a2a(part: a2a::Part) -> Part {
    let body = match part.content {
        a2a::PartContent::Text(text) => PartBody::Text(text),
        a2a::PartContent::Raw(bytes) => PartBody::Bytes(bytes),
        a2a::PartContent::Url(url) => PartBody::Url(url),
        a2a::PartContent::Data(value) => PartBody::Data(value.to_string()),
    };
    Part {
        body,
        media_type: part.media_type,
        filename: part.filename,
        metadata: metadata_text(part.metadata),
    }
}

/// Which task and conversation something belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The task.
    pub task: TaskId,
    /// The conversation.
    pub context_id: &'a str,
}

impl Header {
    /// Where this task is.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        Place {
            task: self.id,
            context_id: &self.context_id,
        }
    }
}

/// The event that clients see for an entry; `None` for entries that they do not see (A2A 4.2).
#[must_use]
pub fn event_to_a2a(place: Place<'_>, seq: Seq, entry: &Entry) -> Option<a2a::StreamResponse> {
    let status = |message: Option<&[Part]>| {
        let state = entry.event.state().unwrap_or(TaskState::Working);
        let message = message.map(|parts| agent_message(place, seq, parts));
        status_update(place, state, entry.at, message, None)
    };
    let event = match &entry.event {
        Event::Working | Event::Canceled | Event::StillAsking { .. } => status(None),
        Event::Parked { code, .. } => {
            let message = agent_message(place, seq, &[Part::text(parked_text(code))]);
            let metadata = parked_metadata(code);
            status_update(
                place,
                TaskState::Submitted,
                entry.at,
                Some(message),
                Some(metadata),
            )
        }
        Event::Progress { percent, text } => {
            let message = text.clone().map(|text| vec![Part::text(text)]);
            let message = message.map(|parts| agent_message(place, seq, &parts));
            let metadata = progress_metadata(*percent, text.as_deref());
            status_update(place, TaskState::Working, entry.at, message, Some(metadata))
        }
        Event::Said { parts } | Event::Asked { prompt: parts, .. } => status(Some(parts)),
        Event::Completed { message } if message.is_empty() => status(None),
        Event::Completed { message } => status(Some(message)),
        Event::Failed { reason, .. } | Event::Rejected { reason } => {
            status(Some(&[Part::text(reason.clone())]))
        }
        Event::ArtifactPut { spec, parts } => {
            artifact_update(place, artifact_to_a2a(spec, parts), false, true)
        }
        Event::ArtifactAppended {
            spec: Some(spec),
            chunk,
            last,
            ..
        } => {
            let artifact = artifact_to_a2a(spec, std::slice::from_ref(chunk));
            artifact_update(place, artifact, false, *last)
        }
        Event::ArtifactAppended {
            id,
            spec: None,
            chunk,
            last,
        } => artifact_update(place, more_of(id, chunk), true, *last),
        // A2A 4.1.7 wants at least one part in each update, and a close has nothing to add: an empty part
        // would be one more in the artifact of every client that adds parts as it is told to.
        Event::ArtifactClosed { .. }
        | Event::Submitted(_)
        | Event::Started { .. }
        | Event::Received { .. }
        | Event::Slept { .. }
        | Event::Observed { .. }
        | Event::Requested { .. }
        | Event::Responded { .. }
        | Event::Streamed { .. }
        | Event::ChildStarted { .. }
        | Event::GaveUp { .. }
        | Event::State { .. }
        | Event::Kept { .. }
        | Event::Noticed { .. }
        | Event::ChildEnded { .. }
        | Event::ContinuedAsNew(_)
        | Event::Resumed
        | Event::Rewound { .. }
        | Event::Moved { .. }
        | Event::CancelRequested
        | Event::Retried { .. }
        | Event::ContextRead { .. }
        | Event::Provided(_)
        | Event::Replied { .. } => return None,
    };
    Some(event)
}

/// What a client wants to see of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Projection {
    /// At most this many of the most recent messages; `None` for all (A2A 3.2.4).
    pub history_length: Option<usize>,
    /// Whether artifacts are shown.
    pub artifacts: bool,
}

impl Projection {
    /// Everything.
    pub const WHOLE: Self = Self {
        history_length: None,
        artifacts: true,
    };
}

/// The task as clients see it.
#[must_use]
pub fn task_to_a2a(place: Place<'_>, view: &TaskView, projection: Projection) -> a2a::Task {
    let message = view
        .status_message
        .as_ref()
        .map(|(seq, parts)| agent_message(place, *seq, parts));
    let artifacts = projection.artifacts.then(|| {
        let artifacts = view.artifacts.iter();
        artifacts
            .map(|ArtifactView { spec, parts }| artifact_to_a2a(spec, parts))
            .collect()
    });
    a2a::Task {
        id: place.task.to_string(),
        context_id: place.context_id.to_owned(),
        status: a2a::TaskStatus {
            state: state_to_a2a(view.state),
            message,
            timestamp: timestamp_to_a2a(view.status_at),
        },
        artifacts,
        history: history_to_a2a(place, &view.history, projection.history_length),
        metadata: task_metadata(view),
    }
}

/// A message of the agent, with an id that follows from the entry that said it.
#[must_use]
pub fn agent_message(place: Place<'_>, seq: Seq, parts: &[Part]) -> a2a::Message {
    a2a::Message {
        message_id: format!("{}-{seq}", place.task),
        context_id: Some(place.context_id.to_owned()),
        task_id: Some(place.task.to_string()),
        role: a2a::Role::Agent,
        parts: parts.iter().map(part_to_a2a).collect(),
        metadata: None,
        extensions: None,
        reference_task_ids: None,
    }
}

/// A direct answer: a message without a task (A2A 3.1.1).
#[must_use]
pub fn reply_to_a2a(place: Place<'_>, seq: Seq, parts: &[Part]) -> a2a::Message {
    let mut message = agent_message(place, seq, parts);
    message.task_id = None;
    message
}

/// A notification configuration as clients see it.
#[must_use]
pub fn push_config_to_a2a(task: TaskId, config: &PushConfig) -> a2a::TaskPushNotificationConfig {
    let authentication = config.scheme.clone().map(|scheme| a2a::AuthenticationInfo {
        scheme,
        credentials: config.credentials.clone(),
    });
    a2a::TaskPushNotificationConfig {
        tenant: None,
        id: Some(config.id.clone()),
        task_id: task.to_string(),
        url: config.url.clone(),
        token: config.token.clone(),
        authentication,
    }
}

/// The state on the wire.
#[must_use]
pub fn state_to_a2a(state: TaskState) -> a2a::TaskState {
    match state {
        TaskState::Submitted => a2a::TaskState::Submitted,
        TaskState::Working => a2a::TaskState::Working,
        TaskState::InputRequired => a2a::TaskState::InputRequired,
        TaskState::AuthRequired => a2a::TaskState::AuthRequired,
        TaskState::Completed => a2a::TaskState::Completed,
        TaskState::Failed => a2a::TaskState::Failed,
        TaskState::Canceled => a2a::TaskState::Canceled,
        TaskState::Rejected => a2a::TaskState::Rejected,
    }
}

/// The state that a client names; `None` for the wire's "unspecified".
#[must_use]
pub fn state_from_a2a(state: &a2a::TaskState) -> Option<TaskState> {
    TaskState::ALL
        .into_iter()
        .find(|known| state_to_a2a(*known) == *state)
}

fn timestamp_to_a2a(at: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(i64::try_from(at.0).ok()?)
}

fn status_update(
    place: Place<'_>,
    state: TaskState,
    at: Timestamp,
    message: Option<a2a::Message>,
    metadata: Option<HashMap<String, Value>>,
) -> a2a::StreamResponse {
    a2a::StreamResponse::StatusUpdate(a2a::TaskStatusUpdateEvent {
        task_id: place.task.to_string(),
        context_id: place.context_id.to_owned(),
        status: a2a::TaskStatus {
            state: state_to_a2a(state),
            message,
            timestamp: timestamp_to_a2a(at),
        },
        metadata,
    })
}

fn artifact_update(
    place: Place<'_>,
    artifact: a2a::Artifact,
    append: bool,
    last_chunk: bool,
) -> a2a::StreamResponse {
    a2a::StreamResponse::ArtifactUpdate(a2a::TaskArtifactUpdateEvent {
        task_id: place.task.to_string(),
        context_id: place.context_id.to_owned(),
        artifact,
        append: append.then_some(true),
        last_chunk: last_chunk.then_some(true),
        metadata: None,
    })
}

fn artifact_to_a2a(spec: &ArtifactSpec, parts: &[Part]) -> a2a::Artifact {
    a2a::Artifact {
        artifact_id: spec.id.clone(),
        name: spec.name.clone(),
        description: spec.description.clone(),
        parts: parts.iter().map(part_to_a2a).collect(),
        metadata: metadata_from_text(spec.metadata.as_deref()),
        extensions: None,
    }
}

fn more_of(id: &str, chunk: &Part) -> a2a::Artifact {
    let spec = ArtifactSpec {
        id: id.to_owned(),
        name: None,
        description: None,
        metadata: None,
    };
    artifact_to_a2a(&spec, std::slice::from_ref(chunk))
}

fn part_to_a2a(part: &Part) -> a2a::Part {
    let content = match &part.body {
        PartBody::Text(text) => a2a::PartContent::Text(text.clone()),
        PartBody::Bytes(bytes) => a2a::PartContent::Raw(bytes.clone()),
        PartBody::Url(url) => a2a::PartContent::Url(url.clone()),
        // Whoever made the part has parsed the text; `null` stands for what cannot happen.
        PartBody::Data(json) => {
            a2a::PartContent::Data(serde_json::from_str(json).unwrap_or(Value::Null))
        }
    };
    a2a::Part {
        content,
        filename: part.filename.clone(),
        media_type: part.media_type.clone(),
        metadata: metadata_from_text(part.metadata.as_deref()),
    }
}

fn metadata_from_text(text: Option<&str>) -> Option<HashMap<String, Value>> {
    serde_json::from_str(text?).ok()
}

fn history_to_a2a(
    place: Place<'_>,
    history: &[HistoryItem],
    length: Option<usize>,
) -> Option<Vec<a2a::Message>> {
    let skipped = history.len().saturating_sub(length.unwrap_or(usize::MAX));
    let messages: Vec<_> = history
        .iter()
        .skip(skipped)
        .map(|item| match item {
            HistoryItem::User(message) => user_message(place, message),
            HistoryItem::Agent(seq, parts) => agent_message(place, *seq, parts),
        })
        .collect();
    (!messages.is_empty()).then_some(messages)
}

fn user_message(place: Place<'_>, message: &Message) -> a2a::Message {
    let some_list = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    a2a::Message {
        message_id: message.id.clone(),
        context_id: Some(place.context_id.to_owned()),
        task_id: Some(place.task.to_string()),
        role: a2a::Role::User,
        parts: message.parts.iter().map(part_to_a2a).collect(),
        metadata: metadata_from_text(message.metadata.as_deref()),
        extensions: some_list(&message.extensions),
        reference_task_ids: some_list(&message.reference_task_ids),
    }
}

fn task_metadata(view: &TaskView) -> Option<HashMap<String, Value>> {
    let mut metadata = metadata_from_text(view.metadata.as_deref()).unwrap_or_default();
    if let Some((percent, text)) = &view.progress {
        metadata.extend(progress_metadata(*percent, text.as_deref()));
    }
    if let Some(code) = &view.parked {
        metadata.extend(parked_metadata(code));
    }
    if !view.children.is_empty() {
        let children = view.children.iter().map(|child| child.to_string().into());
        metadata.insert(CHILDREN_KEY.to_owned(), Value::Array(children.collect()));
    }
    if let Some(parent) = view.parent {
        metadata.insert(PARENT_KEY.to_owned(), parent.to_string().into());
    }
    (!metadata.is_empty()).then_some(metadata)
}

fn parked_metadata(code: &str) -> HashMap<String, Value> {
    let parked = serde_json::Map::from_iter([("code".to_owned(), code.into())]);
    HashMap::from([(PARKED_KEY.to_owned(), Value::Object(parked))])
}

fn progress_metadata(percent: Option<u8>, text: Option<&str>) -> HashMap<String, Value> {
    let mut progress = serde_json::Map::new();
    if let Some(percent) = percent {
        progress.insert("percent".to_owned(), percent.into());
    }
    if let Some(text) = text {
        progress.insert("text".to_owned(), text.into());
    }
    HashMap::from([(PROGRESS_KEY.to_owned(), Value::Object(progress))])
}
