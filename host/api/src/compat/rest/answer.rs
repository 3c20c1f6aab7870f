//! Answers of 0.3's JSON-RPC as answers of its HTTP+JSON.
//!
//! Official clients refuse members that they do not know, so nothing is left in that the definition does not
//! have.

use serde_json::{Map, Value, json};
use taskyard_task::TaskState;
use taskyard_task::wire::v03;

use super::super::method::Method;
use super::super::request::{Members, renamed, replace, with_object};
use super::files::Encoding;

/// What `method` is answered with, for a client that reads files in this encoding.
pub(super) fn rewrite(method: Method, old: Value, encoding: Encoding) -> Value {
    match method {
        Method::Send | Method::Stream | Method::Resubscribe => event(old, encoding),
        Method::Get | Method::Cancel => rewritten(old, |members| task(members, encoding)),
        Method::SetPushConfig | Method::GetPushConfig => push_config(&old),
        Method::ListPushConfigs => {
            let configs = old.as_array().map(Vec::as_slice).unwrap_or_default();
            json!({"configs": configs.iter().map(push_config).collect::<Vec<_>>()})
        }
        Method::DeletePushConfig => json!({}),
        // 0.3's servers gave the card as JSON-RPC has it.
        Method::GetExtendedCard => old,
    }
}

/// One event, under the name of what it is.
pub(super) fn event(old: Value, encoding: Encoding) -> Value {
    let kind = old.get("kind").and_then(Value::as_str);
    let (name, rewrite): (_, fn(Members, Encoding) -> Members) = match kind {
        Some("message") => ("message", message),
        Some("status-update") => ("statusUpdate", status_update),
        Some("artifact-update") => ("artifactUpdate", artifact_update),
        _ => ("task", task),
    };
    json!({name: rewritten(old, |members| rewrite(members, encoding))})
}

fn rewritten(mut value: Value, rewrite: impl FnOnce(Members) -> Members) -> Value {
    replace(&mut value, rewrite);
    value
}

fn task(mut task: Members, encoding: Encoding) -> Members {
    task.swap_remove("kind");
    with_object(&mut task, "status", |members| status(members, encoding));
    each(&mut task, "artifacts", |members| {
        artifact(members, encoding)
    });
    each(&mut task, "history", |members| message(members, encoding));
    task
}

fn status_update(mut update: Members, encoding: Encoding) -> Members {
    update.swap_remove("kind");
    with_object(&mut update, "status", |members| status(members, encoding));
    update
}

fn artifact_update(mut update: Members, encoding: Encoding) -> Members {
    update.swap_remove("kind");
    with_object(&mut update, "artifact", |members| {
        artifact(members, encoding)
    });
    update
}

fn status(mut status: Members, encoding: Encoding) -> Members {
    if let Some(Value::String(state)) = status.get_mut("state") {
        *state = state_name(state);
    }
    with_object(&mut status, "message", |members| message(members, encoding));
    status
}

/// The name of a state that a task ended in.
pub(super) fn state_of_definition(state: TaskState) -> String {
    state_name(v03::state_name(state))
}

/// The definition spells one state in another way than everybody else.
fn state_name(old: &str) -> String {
    match old {
        "canceled" => "TASK_STATE_CANCELLED".to_owned(),
        "unknown" => "TASK_STATE_UNSPECIFIED".to_owned(),
        other => format!("TASK_STATE_{}", other.to_uppercase().replace('-', "_")),
    }
}

fn artifact(mut artifact: Members, encoding: Encoding) -> Members {
    each(&mut artifact, "parts", |members| part(members, encoding));
    artifact
}

fn message(mut message: Members, encoding: Encoding) -> Members {
    message.swap_remove("kind");
    message.swap_remove("referenceTaskIds");
    if let Some(Value::String(role)) = message.get_mut("role") {
        *role = format!("ROLE_{}", role.to_uppercase());
    }
    each(&mut message, "parts", |members| part(members, encoding));
    renamed(message, &[("parts", "content")])
}

fn part(mut part: Members, encoding: Encoding) -> Members {
    part.swap_remove("kind");
    with_object(&mut part, "file", |members| file(members, encoding));
    if let Some(data) = part.swap_remove("data") {
        part.insert("data".to_owned(), json!({"data": data}));
    }
    part
}

fn file(mut file: Members, encoding: Encoding) -> Members {
    if let Some(Value::String(bytes)) = file.get_mut("bytes") {
        *bytes = encoding.apply(bytes);
    }
    renamed(file, &[("bytes", "fileWithBytes"), ("uri", "fileWithUri")])
}

fn push_config(old: &Value) -> Value {
    let webhook = old.get("pushNotificationConfig");
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let (task, id) = (
        text(old.get("taskId")),
        text(webhook.and_then(|webhook| webhook.get("id"))),
    );
    let name = format!("tasks/{task}/pushNotificationConfigs/{id}");
    json!({"name": name, "pushNotificationConfig": webhook})
}

/// Rewrites each object of the list that is the member `name`, if there is one.
fn each(members: &mut Map<String, Value>, name: &str, rewrite: impl Fn(Members) -> Members) {
    if let Some(Value::Array(items)) = members.get_mut(name) {
        items.iter_mut().for_each(|item| replace(item, &rewrite));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_that_of_the_definition() {
        let old = json!({
            "kind": "task", "id": "t", "contextId": "c",
            "status": {"state": "input-required", "message": {
                "kind": "message", "messageId": "m", "role": "agent",
                "parts": [{"kind": "text", "text": "which?"}], "referenceTaskIds": ["x"],
            }},
            "artifacts": [{"artifactId": "a", "parts": [
                {"kind": "file", "file": {"bytes": "AAH/", "mimeType": "image/png"}},
                {"kind": "file", "file": {"uri": "https://h"}},
                {"kind": "data", "data": {"a": 1}},
            ]}],
        });
        let expected = json!({
            "id": "t", "contextId": "c",
            "status": {"state": "TASK_STATE_INPUT_REQUIRED", "message": {
                "messageId": "m", "role": "ROLE_AGENT", "content": [{"text": "which?"}],
            }},
            "artifacts": [{"artifactId": "a", "parts": [
                {"file": {"fileWithBytes": "QUFILw==", "mimeType": "image/png"}},
                {"file": {"fileWithUri": "https://h"}},
                {"data": {"data": {"a": 1}}},
            ]}],
        });
        let read = |method, encoding| rewrite(method, old.clone(), encoding);
        assert_eq!(read(Method::Get, Encoding::Twice), expected);
        let in_a_send = json!({"task": expected});
        assert_eq!(read(Method::Send, Encoding::Twice), in_a_send);
        let mut once = expected;
        once["artifacts"][0]["parts"][0]["file"]["fileWithBytes"] = "AAH/".into();
        assert_eq!(read(Method::Get, Encoding::Once), once);
    }

    #[test]
    fn events_are_named_after_what_they_are() {
        let update = json!({
            "kind": "status-update", "taskId": "t", "contextId": "c",
            "status": {"state": "canceled"}, "final": true,
        });
        let expected = json!({"statusUpdate": {
            "taskId": "t", "contextId": "c",
            "status": {"state": "TASK_STATE_CANCELLED"}, "final": true,
        }});
        assert_eq!(event(update, Encoding::Once), expected);
        let message = json!({"kind": "message", "messageId": "m", "role": "agent", "parts": []});
        let expected = json!({"messageId": "m", "role": "ROLE_AGENT", "content": []});
        let found = event(message, Encoding::Once);
        assert_eq!(found, json!({"message": expected}));
    }

    #[test]
    fn a_webhook_has_a_name() {
        let old = json!({"taskId": "t", "pushNotificationConfig": {"id": "c", "url": "https://h"}});
        let expected = json!({
            "name": "tasks/t/pushNotificationConfigs/c",
            "pushNotificationConfig": {"id": "c", "url": "https://h"},
        });
        let read = |method, old| rewrite(method, old, Encoding::Once);
        assert_eq!(read(Method::SetPushConfig, old.clone()), expected);
        let list = read(Method::ListPushConfigs, json!([old]));
        assert_eq!(list, json!({"configs": [expected]}));
    }
}
