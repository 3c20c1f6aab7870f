//! What clients send, and what becomes of it.

use serde_json::{Value, json};

use super::requests::{
    CREATE_PUSH_CONFIG, GET_EXTENDED_CARD, GET_TASK, LIST_PUSH_CONFIGS, LIST_TASKS, SEND_MESSAGE,
};
use super::{Shape, canonical, typed};

#[track_caller]
fn check(shape: &Shape, given: Value, expected: Value) {
    assert_eq!(canonical(shape, Some(given)), Ok(expected));
}

#[track_caller]
fn check_refused(shape: &Shape, given: Value, expected: &str) {
    let violation = canonical(shape, Some(given)).unwrap_err();
    assert_eq!(violation.to_string(), expected);
}

fn send_with(part: Value) -> Value {
    json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": [part]}})
}

fn message_with(name: &str, value: Value) -> Value {
    let mut send = send_with(json!({"text": "hi"}));
    send["message"][name] = value;
    send
}

#[test]
fn canonical_requests_stay_as_they_are() {
    let send = json!({
        "message": {
            "messageId": "m", "contextId": "c", "taskId": "t", "role": "ROLE_USER",
            "parts": [
                {"text": ""},
                {"raw": "AAEC/w==", "filename": "f", "mediaType": "image/png"},
                {"url": "https://example.com", "metadata": {"a": null}},
                {"data": {"snake_case": [1, null]}},
            ],
            "metadata": {"k_k": {"message_id": 1}},
            "extensions": ["e"],
            "referenceTaskIds": ["r"],
        },
        "configuration": {
            "acceptedOutputModes": ["text/plain"], "historyLength": 0, "returnImmediately": true,
            "taskPushNotificationConfig": {"url": "https://h", "authentication": {"scheme": "Bearer"}},
        },
        "metadata": {"task_id": "left alone"},
    });
    check(&SEND_MESSAGE, send.clone(), send.clone());
    typed::<a2a::SendMessageRequest>(send).unwrap();
}

#[test]
fn proto_names_are_json_names() {
    check(
        &LIST_TASKS,
        json!({"context_id": "c", "page_size": 3, "status_timestamp_after": "2026-01-31T12:00:00Z"}),
        json!({"contextId": "c", "pageSize": 3, "statusTimestampAfter": "2026-01-31T12:00:00Z"}),
    );
    check(
        &SEND_MESSAGE,
        json!({"message": {"message_id": "m", "role": 1, "parts": [{"text": "", "media_type": "a/b"}],
            "reference_task_ids": ["x"]}}),
        json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "", "mediaType": "a/b"}],
            "referenceTaskIds": ["x"]}}),
    );
}

#[test]
fn a_field_under_two_names_has_one_value() {
    check_refused(
        &LIST_TASKS,
        json!({"contextId": "a", "context_id": "b"}),
        "contextId is given more than once, with different values",
    );
    for same in [
        json!({"pageSize": 5, "page_size": "5"}),
        json!({"pageSize": 5, "page_size": null}),
    ] {
        check(&LIST_TASKS, same, json!({"pageSize": 5}));
    }
}

#[test]
fn a_draft_had_another_name_for_a_field() {
    let at = "2026-01-31T12:00:00Z";
    for name in ["lastUpdatedAfter", "last_updated_after"] {
        check(
            &LIST_TASKS,
            json!({name: at}),
            json!({"statusTimestampAfter": at}),
        );
    }
    check_refused(
        &LIST_TASKS,
        json!({"lastUpdatedAfter": at, "statusTimestampAfter": "2026-01-31T13:00:00Z"}),
        "statusTimestampAfter is given more than once, with different values",
    );
}

#[test]
fn null_and_empty_are_unset() {
    check(
        &LIST_TASKS,
        json!({"contextId": null, "pageToken": "", "status": "TASK_STATE_UNSPECIFIED", "pageSize": null}),
        json!({}),
    );
    check(&LIST_TASKS, json!({"status": 0}), json!({}));
    check(
        &SEND_MESSAGE,
        message_with("extensions", json!([])),
        send_with(json!({"text": "hi"})),
    );
}

#[test]
fn zero_and_false_say_something() {
    let said = json!({"historyLength": 0, "includeArtifacts": false, "pageSize": 0});
    check(&LIST_TASKS, said.clone(), said);
    // The definition gives the webhooks' page size no presence, so there 0 is the same as none.
    let nothing = json!({"taskId": "t", "pageSize": 0, "pageToken": ""});
    check(&LIST_PUSH_CONFIGS, nothing, json!({"taskId": "t"}));
}

#[test]
fn unknown_members_are_dropped() {
    check(
        &GET_TASK,
        json!({"id": "t", "kind": "task", "x": {"id": 1}}),
        json!({"id": "t"}),
    );
}

#[test]
fn missing_params_are_empty() {
    assert_eq!(canonical(&GET_EXTENDED_CARD, None), Ok(json!({})));
    assert_eq!(
        canonical(&GET_TASK, None).unwrap_err().to_string(),
        "id is required and must not be empty"
    );
}

#[test]
fn integers_come_in_several_forms() {
    for five in [json!(5), json!("5"), json!(5.0), json!("5.0")] {
        check(
            &LIST_TASKS,
            json!({"pageSize": five}),
            json!({"pageSize": 5}),
        );
    }
    for wrong in [
        json!(5.5),
        json!("five"),
        json!(true),
        json!(1e10),
        json!("NaN"),
    ] {
        check_refused(
            &LIST_TASKS,
            json!({"pageSize": wrong}),
            "pageSize must be a 32-bit integer",
        );
    }
}

#[test]
fn enums_come_by_name_and_by_number() {
    for (number, name) in [(5, "TASK_STATE_CANCELED"), (8, "TASK_STATE_AUTH_REQUIRED")] {
        check(
            &LIST_TASKS,
            json!({"status": number}),
            json!({"status": name}),
        );
        check(
            &LIST_TASKS,
            json!({"status": name}),
            json!({"status": name}),
        );
    }
    for wrong in [json!("user"), json!(3), json!(-1), json!(1.5), json!({})] {
        check_refused(
            &SEND_MESSAGE,
            message_with("role", wrong),
            "message.role must be one of ROLE_USER, ROLE_AGENT",
        );
    }
}

#[test]
fn base64_comes_in_several_forms() {
    let canonical = json!({"raw": "+/+/AA=="});
    for given in ["+/+/AA==", "+/+/AA", "-_-_AA==", "-_-_AA", "-_-_AB"] {
        check(
            &SEND_MESSAGE,
            send_with(json!({"raw": given})),
            send_with(canonical.clone()),
        );
    }
    for wrong in [json!("a"), json!("+/+/AA= ="), json!("ä"), json!([1])] {
        check_refused(
            &SEND_MESSAGE,
            send_with(json!({"raw": wrong})),
            "message.parts[0].raw must be a base64 string",
        );
    }
}

#[test]
fn timestamps_have_any_precision() {
    for at in [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.123456789Z",
        "2026-01-31T14:00:00+02:00",
    ] {
        let request = json!({"statusTimestampAfter": at});
        check(&LIST_TASKS, request.clone(), request.clone());
        typed::<a2a::ListTasksRequest>(request).unwrap();
    }
    for wrong in [json!("yesterday"), json!("2026-01-31"), json!(1)] {
        check_refused(
            &LIST_TASKS,
            json!({"statusTimestampAfter": wrong}),
            "statusTimestampAfter must be an RFC 3339 timestamp such as 2026-01-31T12:00:00Z",
        );
    }
}

#[test]
fn a_part_holds_exactly_one_thing() {
    let problem = "message.parts[0] must have exactly one of text, raw, url, data";
    for wrong in [
        json!({}),
        json!({"text": "a", "url": "b"}),
        json!({"text": null}),
        json!({"text": "", "raw": ""}),
    ] {
        check_refused(&SEND_MESSAGE, send_with(wrong), problem);
    }
    check(
        &SEND_MESSAGE,
        send_with(json!({"text": "a", "raw": null, "url": null, "data": null})),
        send_with(json!({"text": "a"})),
    );
    check(
        &SEND_MESSAGE,
        send_with(json!({"text": "", "raw": "", "url": "a", "data": null})),
        send_with(json!({"url": "a"})),
    );
    check(
        &SEND_MESSAGE,
        send_with(json!({"text": "", "data": null})),
        send_with(json!({"text": ""})),
    );
    let null = send_with(json!({"data": null}));
    check(&SEND_MESSAGE, null.clone(), null.clone());
    typed::<a2a::SendMessageRequest>(null).unwrap();
}

#[test]
fn violations_say_where() {
    let refused = |given, expected| check_refused(&SEND_MESSAGE, given, expected);
    refused(json!([]), "params must be an object");
    refused(json!({}), "message is required and must not be empty");
    refused(json!({"message": "hi"}), "message must be an object");
    refused(
        message_with("messageId", json!("")),
        "message.messageId is required and must not be empty",
    );
    refused(
        message_with("parts", json!([])),
        "message.parts is required and must not be empty",
    );
    refused(
        message_with("parts", json!({})),
        "message.parts must be an array",
    );
    refused(
        message_with("parts", json!([{"text": "a"}, null])),
        "message.parts[1] must be an object",
    );
    refused(
        message_with("extensions", json!(["a", 1])),
        "message.extensions[1] must be a string",
    );
    refused(
        message_with("metadata", json!("x")),
        "message.metadata must be an object",
    );
    refused(
        send_with(json!({"text": 1})),
        "message.parts[0].text must be a string",
    );
    check_refused(
        &CREATE_PUSH_CONFIG,
        json!({"taskId": "t", "url": "u", "authentication": {}}),
        "authentication.scheme is required and must not be empty",
    );
}
