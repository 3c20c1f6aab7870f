//! Children on other hosts: what they are sent, and what comes back.

use super::{metadata_from_text, metadata_text, part_from_a2a, part_to_a2a, state_from_a2a};
use crate::child::{ChildEnd, RemoteChild};
use crate::content::ArtifactSpec;
use crate::fold::{ArtifactView, TaskView};
use crate::id::Seq;
use crate::state::TaskState;

/// The message that begins a child on another host.
#[must_use]
pub fn remote_child_to_a2a(child: &RemoteChild) -> a2a::Message {
    a2a::Message {
        message_id: child.message_id.clone(),
        context_id: Some(child.context_id.clone()),
        task_id: None,
        role: a2a::Role::User,
        parts: child.call.message.iter().map(part_to_a2a).collect(),
        metadata: metadata_from_text(child.call.metadata.as_deref()),
        extensions: None,
        // Tasks of this host mean nothing to another one.
        reference_task_ids: None,
    }
}

/// How a task on another host ended; nothing if it has not. Results of more than `most_bytes` are left
/// out.
#[must_use]
pub fn child_end_from_a2a(task: a2a::Task, most_bytes: usize) -> Option<ChildEnd> {
    let state = state_from_a2a(&task.status.state)?;
    if !state.is_terminal() {
        return None;
    }
    let artifacts = task.artifacts.unwrap_or_default().into_iter();
    let artifacts: Vec<_> = artifacts.map(artifact_from_a2a).collect();
    let view = TaskView {
        state,
        // A task does not say which of its results came in chunks; any may have.
        chunked: artifacts.iter().map(|it| it.spec.id.clone()).collect(),
        artifacts,
        ..words(task.status.message)
    };
    Some(ChildEnd::of(view, most_bytes))
}

/// The end of a child that was answered directly, without a task.
#[must_use]
pub fn child_reply_from_a2a(message: a2a::Message, most_bytes: usize) -> ChildEnd {
    let view = TaskView {
        state: TaskState::Completed,
        ..words(Some(message))
    };
    ChildEnd::of(view, most_bytes)
}

/// A view that says this and nothing else.
fn words(message: Option<a2a::Message>) -> TaskView {
    let parts = |message: a2a::Message| message.parts.into_iter().map(part_from_a2a).collect();
    TaskView {
        status_message: message.map(|message| (Seq::ZERO, parts(message))),
        ..TaskView::default()
    }
}

fn artifact_from_a2a(artifact: a2a::Artifact) -> ArtifactView {
    ArtifactView {
        spec: ArtifactSpec {
            id: artifact.artifact_id,
            name: artifact.name,
            description: artifact.description,
            metadata: metadata_text(artifact.metadata),
        },
        parts: artifact.parts.into_iter().map(part_from_a2a).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::content::{Part, PartBody};

    fn end(parts: serde_json::Value) -> ChildEnd {
        let task = json!({
            "id": "1",
            "contextId": "c",
            "status": {"state": "TASK_STATE_COMPLETED"},
            "artifacts": [{"artifactId": "a", "parts": parts}],
        });
        let task = serde_json::from_value(task).unwrap();
        child_end_from_a2a(task, 1_000).unwrap()
    }

    #[test]
    fn chunks_of_a_remote_child_are_one_part() {
        let end = end(json!([
            {"text": "one "}, {"text": "two "}, {"text": "three"},
            {"raw": "AAE="}, {"raw": "Ag=="},
            {"text": "named", "filename": "a.txt"},
            {"text": "apart"},
        ]));
        let named = Part {
            filename: Some("a.txt".to_owned()),
            ..Part::text("named")
        };
        let bytes = Part {
            body: PartBody::Bytes(vec![0, 1, 2]),
            ..Part::text("")
        };
        let expected = [
            Part::text("one two three"),
            bytes,
            named,
            Part::text("apart"),
        ];
        assert_eq!(end.artifacts[0].parts, expected);
    }
}
