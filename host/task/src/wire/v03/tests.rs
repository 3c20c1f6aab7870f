//! Each thing that a 0.3 client can be shown, and how it is written.

use serde_json::{Value, json};

use super::*;

#[track_caller]
fn check_part(part: &Value, expected: &Value) {
    let part: a2a::Part = serde_json::from_value(part.clone()).unwrap();
    let shown = serde_json::to_value(Part::from(&part)).unwrap();
    assert_eq!(shown, *expected);
}

#[test]
fn parts_have_a_kind() {
    check_part(
        &json!({"text": "hi", "metadata": {"a": 1}}),
        &json!({"kind": "text", "text": "hi", "metadata": {"a": 1}}),
    );
    check_part(
        &json!({"raw": "AAH/", "mediaType": "image/png", "filename": "a.png"}),
        &json!({"kind": "file", "file": {"bytes": "AAH/", "mimeType": "image/png", "name": "a.png"}}),
    );
    check_part(
        &json!({"url": "https://h/x"}),
        &json!({"kind": "file", "file": {"uri": "https://h/x"}}),
    );
    check_part(
        &json!({"data": {"a": [1]}}),
        &json!({"kind": "data", "data": {"a": [1]}}),
    );
}

#[test]
fn data_that_is_no_object_is_wrapped_into_one() {
    for value in [json!([1]), json!("x"), json!(1), json!(null)] {
        check_part(
            &json!({"data": value, "metadata": {"a": 1}}),
            &json!({
                "kind": "data",
                "data": {"value": value},
                "metadata": {"a": 1, "data_part_compat": true},
            }),
        );
    }
}

#[test]
fn states_have_their_old_names() {
    let names = [
        ("TASK_STATE_SUBMITTED", "submitted"),
        ("TASK_STATE_WORKING", "working"),
        ("TASK_STATE_INPUT_REQUIRED", "input-required"),
        ("TASK_STATE_AUTH_REQUIRED", "auth-required"),
        ("TASK_STATE_COMPLETED", "completed"),
        ("TASK_STATE_FAILED", "failed"),
        ("TASK_STATE_CANCELED", "canceled"),
        ("TASK_STATE_REJECTED", "rejected"),
        ("TASK_STATE_UNSPECIFIED", "unknown"),
    ];
    for (name, old) in names {
        let named: a2a::TaskState = serde_json::from_value(json!(name)).unwrap();
        assert_eq!(state(&named), old);
    }
}

#[track_caller]
fn check_event(event: &Value, is_last: bool, expected: &Value) {
    let event: a2a::StreamResponse = serde_json::from_value(event.clone()).unwrap();
    let shown = serde_json::to_value(Shown::event(&event, is_last)).unwrap();
    assert_eq!(shown, *expected);
}

#[test]
fn a_task_shows_its_messages_and_results() {
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]});
    let old = json!({
        "kind": "message", "messageId": "m", "role": "user",
        "parts": [{"kind": "text", "text": "hi"}],
    });
    check_event(
        &json!({"task": {
            "id": "t",
            "contextId": "c",
            "status": {"state": "TASK_STATE_WORKING", "timestamp": "2026-01-31T12:00:00Z"},
            "artifacts": [{"artifactId": "a", "name": "n", "parts": [{"text": "x"}]}],
            "history": [message],
            "metadata": {"k": "v"},
        }}),
        false,
        &json!({
            "kind": "task",
            "id": "t",
            "contextId": "c",
            "status": {"state": "working", "timestamp": "2026-01-31T12:00:00.000Z"},
            "artifacts": [
                {"artifactId": "a", "name": "n", "parts": [{"kind": "text", "text": "x"}]},
            ],
            "history": [old],
            "metadata": {"k": "v"},
        }),
    );
}

#[test]
fn a_direct_answer_is_a_message_of_the_agent() {
    check_event(
        &json!({"message": {
            "messageId": "m", "contextId": "c", "role": "ROLE_AGENT", "parts": [{"text": "hi"}],
            "extensions": ["urn:x"], "referenceTaskIds": ["t"],
        }}),
        true,
        &json!({
            "kind": "message", "messageId": "m", "contextId": "c", "role": "agent",
            "parts": [{"kind": "text", "text": "hi"}],
            "extensions": ["urn:x"], "referenceTaskIds": ["t"],
        }),
    );
}

#[test]
fn updates_say_whether_they_are_the_last() {
    for is_last in [true, false] {
        check_event(
            &json!({"statusUpdate": {
                "taskId": "t", "contextId": "c", "status": {"state": "TASK_STATE_CANCELED"},
            }}),
            is_last,
            &json!({
                "kind": "status-update", "taskId": "t", "contextId": "c",
                "status": {"state": "canceled"}, "final": is_last,
            }),
        );
    }
    check_event(
        &json!({"artifactUpdate": {
            "taskId": "t", "contextId": "c", "append": true, "lastChunk": true,
            "artifact": {"artifactId": "a", "parts": [{"text": "x"}]},
        }}),
        false,
        &json!({
            "kind": "artifact-update", "taskId": "t", "contextId": "c",
            "append": true, "lastChunk": true,
            "artifact": {"artifactId": "a", "parts": [{"kind": "text", "text": "x"}]},
        }),
    );
}

#[test]
fn a_webhook_is_an_object_of_its_own() {
    let config = json!({
        "id": "c", "taskId": "t", "url": "https://h", "token": "k",
        "authentication": {"scheme": "Bearer", "credentials": "s"},
    });
    let config: a2a::TaskPushNotificationConfig = serde_json::from_value(config).unwrap();
    let expected = json!({
        "taskId": "t",
        "pushNotificationConfig": {
            "url": "https://h", "id": "c", "token": "k",
            "authentication": {"schemes": ["Bearer"], "credentials": "s"},
        },
    });
    assert_eq!(push_config(&config), expected);
}

#[test]
fn states_have_the_names_of_their_version() {
    for state in TaskState::ALL {
        let named = super::super::state_to_a2a(state);
        assert_eq!(serde_json::to_value(&named).unwrap(), state.name());
        let old = state.name().strip_prefix("TASK_STATE_").unwrap();
        assert_eq!(state_name(state), old.to_lowercase().replace('_', "-"));
    }
}
