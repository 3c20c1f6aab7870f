//! Looking into a task as it is on the wire.

use serde_json::Value;

/// Its id.
pub(crate) fn id(task: &Value) -> &str {
    let id = task["id"].as_str();
    id.unwrap_or_else(|| panic!("no task: {task}"))
}

/// Its conversation.
pub(crate) fn context(task: &Value) -> &str {
    let id = task["contextId"].as_str();
    id.unwrap_or_else(|| panic!("no task: {task}"))
}

/// Its state, without the prefix that all states have.
pub(crate) fn state(task: &Value) -> &str {
    short(task["status"]["state"].as_str().unwrap_or_default())
}

/// A state without the prefix that all states have.
pub(crate) fn short(state: &str) -> &str {
    state.strip_prefix("TASK_STATE_").unwrap_or(state)
}

/// Whether nothing follows after this state.
pub(crate) fn is_terminal(state: &str) -> bool {
    let ends = ["COMPLETED", "FAILED", "CANCELED", "REJECTED"];
    ends.contains(&short(state))
}

/// Whether the task waits for its client in this state.
pub(crate) fn waits_for_input(state: &str) -> bool {
    short(state) == "INPUT_REQUIRED"
}

/// What its status says.
pub(crate) fn says(task: &Value) -> &str {
    let text = task["status"]["message"]["parts"][0]["text"].as_str();
    text.unwrap_or_default()
}

/// The texts of an artifact, joined.
pub(crate) fn artifact(task: &Value, id: &str) -> String {
    let artifacts = task["artifacts"].as_array().into_iter().flatten();
    let mut found = artifacts.filter(|artifact| artifact["artifactId"] == id);
    let Some(artifact) = found.next() else {
        panic!("no artifact {id}: {task}");
    };
    assert_eq!(found.next(), None, "the artifact {id} is there twice");
    let parts = artifact["parts"].as_array().unwrap();
    parts
        .iter()
        .filter_map(|part| part["text"].as_str())
        .collect()
}
