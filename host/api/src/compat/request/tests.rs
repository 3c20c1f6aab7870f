//! Each request of 0.3 beside what it is in 1.0.

use proptest::prelude::*;
use serde_json::json;
use taskyard_task::wire::v03;

use super::*;

#[track_caller]
fn check(method: Method, old: Value, operation: Operation, new: &Value) {
    let rewritten = rewrite(method, Some(old)).unwrap();
    assert_eq!((rewritten.operation, &rewritten.params), (operation, new));
}

fn old_message(parts: &Value) -> Value {
    json!({"message": {"kind": "message", "messageId": "m", "role": "user", "parts": parts}})
}

fn new_message(parts: &Value) -> Value {
    json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": parts}})
}

#[track_caller]
fn check_part(old: &Value, new: &Value) {
    check(
        Method::Send,
        old_message(&json!([old])),
        Operation::SendMessage,
        &new_message(&json!([new])),
    );
}

#[test]
fn parts_lose_their_kind() {
    check_part(
        &json!({"kind": "text", "text": "hi", "metadata": {"a": 1}}),
        &json!({"text": "hi", "metadata": {"a": 1}}),
    );
    check_part(&json!({"text": ""}), &json!({"text": ""}));
    let file = json!({"bytes": "AAH/", "mimeType": "image/png", "name": "a.png"});
    check_part(
        &json!({"kind": "file", "file": file}),
        &json!({"raw": "AAH/", "mediaType": "image/png", "filename": "a.png"}),
    );
    check_part(
        &json!({"kind": "file", "file": {"uri": "https://h", "mime_type": "a/b"}}),
        &json!({"url": "https://h", "mediaType": "a/b"}),
    );
    for file in [
        json!({"fileWithBytes": "AAH/", "mediaType": "image/png", "filename": "a.png"}),
        json!({"file_with_bytes": "AAH/", "media_type": "image/png", "filename": "a.png"}),
        json!({"bytes": "AAH/", "mimeType": "image/png", "mediaType": "a/b", "name": "a.png", "filename": "b"}),
    ] {
        check_part(
            &json!({"kind": "file", "file": file}),
            &json!({"raw": "AAH/", "mediaType": "image/png", "filename": "a.png"}),
        );
    }
    check_part(
        &json!({"kind": "file", "file": {"fileWithUri": "https://h"}}),
        &json!({"url": "https://h"}),
    );
    check_part(
        &json!({"kind": "data", "data": {"file": {"bytes": "x"}}}),
        &json!({"data": {"file": {"bytes": "x"}}}),
    );
}

#[test]
fn wrapped_data_is_unwrapped() {
    check_part(
        &json!({"kind": "data", "data": {"value": [1]}, "metadata": {"data_part_compat": true}}),
        &json!({"data": [1], "metadata": {}}),
    );
    check_part(
        &json!({"kind": "data", "data": {"value": [1]}, "metadata": {"b": 1}}),
        &json!({"data": {"value": [1]}, "metadata": {"b": 1}}),
    );
}

#[test]
fn the_configuration_is_turned_around() {
    for (old, new) in [
        (
            json!({"blocking": true}),
            json!({"returnImmediately": false}),
        ),
        (
            json!({"blocking": false}),
            json!({"returnImmediately": true}),
        ),
        (json!({"historyLength": 0}), json!({})),
        (json!({"historyLength": 2}), json!({"historyLength": 2})),
        (
            json!({"acceptedOutputModes": ["text/plain"]}),
            json!({"acceptedOutputModes": ["text/plain"]}),
        ),
        (
            json!({"pushNotificationConfig": {"url": "https://h"}}),
            json!({"taskPushNotificationConfig": {"url": "https://h", "id": "default"}}),
        ),
    ] {
        let with = |mut message: Value, configuration: Value| {
            message["configuration"] = configuration;
            message
        };
        let parts = json!([{"text": "hi"}]);
        check(
            Method::Stream,
            with(old_message(&parts), old),
            Operation::SendStreamingMessage,
            &with(new_message(&parts), new),
        );
    }
}

#[test]
fn requests_about_tasks() {
    for (method, operation) in [
        (Method::Cancel, Operation::CancelTask),
        (Method::Resubscribe, Operation::SubscribeToTask),
    ] {
        check(
            method,
            json!({"id": "t", "x": 1}),
            operation,
            &json!({"id": "t"}),
        );
    }
    let get = |old, new: Value| check(Method::Get, old, Operation::GetTask, &new);
    get(json!({"id": "t", "historyLength": 0}), json!({"id": "t"}));
    get(
        json!({"id": "t", "historyLength": 3}),
        json!({"id": "t", "historyLength": 3}),
    );
}

#[test]
fn requests_about_webhooks() {
    check(
        Method::SetPushConfig,
        json!({"taskId": "t", "pushNotificationConfig": {
            "id": "c", "url": "https://h", "token": "k",
            "authentication": {"schemes": ["Bearer", "Basic"], "credentials": "s"},
        }}),
        Operation::CreatePushConfig,
        &json!({
            "taskId": "t", "id": "c", "url": "https://h", "token": "k",
            "authentication": {"scheme": "Bearer", "credentials": "s"},
        }),
    );
    check(
        Method::SetPushConfig,
        json!({"taskId": "t", "pushNotificationConfig": {
            "url": "https://h", "authentication": {"schemes": []},
        }}),
        Operation::CreatePushConfig,
        &json!({"taskId": "t", "id": "default", "url": "https://h"}),
    );
    let one = json!({"id": "t", "pushNotificationConfigId": "c"});
    let new = json!({"taskId": "t", "id": "c"});
    check(
        Method::GetPushConfig,
        one.clone(),
        Operation::GetPushConfig,
        &new,
    );
    check(
        Method::DeletePushConfig,
        one,
        Operation::DeletePushConfig,
        &new,
    );
    check(
        Method::GetPushConfig,
        json!({"id": "t"}),
        Operation::ListPushConfigs,
        &json!({"taskId": "t", "pageSize": 1}),
    );
    check(
        Method::ListPushConfigs,
        json!({"id": "t"}),
        Operation::ListPushConfigs,
        &json!({"taskId": "t"}),
    );
}

#[test]
fn what_is_wrong_is_named_as_the_client_wrote_it() {
    let message = |role: &str, part: Value| json!({"message": {"messageId": "m", "role": role, "parts": [part]}});
    for (method, params, field) in [
        (Method::Send, json!({}), "message"),
        (
            Method::Send,
            message("agent", json!({"text": "x"})),
            "message.role",
        ),
        (
            Method::Send,
            message("user", json!({"kind": "text"})),
            "message.parts[0]",
        ),
        (
            Method::Send,
            message("user", json!({"file": {"bytes": "%"}})),
            "message.parts[0].file.bytes",
        ),
        (
            Method::Send,
            message(
                "user",
                json!({"file": {"bytes": "AAH/", "fileWithBytes": "AAH/"}}),
            ),
            "message.parts[0].file",
        ),
        (
            Method::SetPushConfig,
            json!({"taskId": "t"}),
            "pushNotificationConfig",
        ),
        (
            Method::DeletePushConfig,
            json!({"id": "t"}),
            "pushNotificationConfigId",
        ),
        (Method::Get, json!([]), "params"),
    ] {
        assert_eq!(rewrite(method, Some(params)).unwrap_err().field, field);
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,5}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn content() -> impl Strategy<Value = a2a::PartContent> {
    prop_oneof![
        ".{0,20}".prop_map(a2a::PartContent::Text),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(a2a::PartContent::Raw),
        "https://[a-z]{1,9}".prop_map(a2a::PartContent::Url),
        json_value().prop_map(a2a::PartContent::Data),
    ]
}

prop_compose! {
    /// A part of 1.0 that 0.3 has words for: only its files have a media type and a name.
    fn part_of_both()(
        content in content(),
        media_type in proptest::option::of("[a-z]{1,5}/[a-z]{1,5}"),
        filename in proptest::option::of("[a-z]{1,8}"),
        note in proptest::option::of(json_value()),
    ) -> a2a::Part {
        let is_file = matches!(content, a2a::PartContent::Raw(_) | a2a::PartContent::Url(_));
        a2a::Part {
            content,
            media_type: media_type.filter(|_| is_file),
            filename: filename.filter(|_| is_file),
            metadata: note.map(|note| [("note".to_owned(), note)].into()),
        }
    }
}

proptest! {
    #[test]
    fn a_message_survives_the_way_out_and_in(
        parts in proptest::collection::vec(part_of_both(), 1..4),
        context_id in proptest::option::of("[a-z]{1,8}"),
    ) {
        let mut message = a2a::Message::new(a2a::Role::User, parts);
        message.context_id = context_id;
        let old = json!({"message": v03::Message::from(&message)});
        let new = rewrite(Method::Send, Some(old)).unwrap().params;
        let mut again: a2a::Message = serde_json::from_value(new["message"].clone()).unwrap();
        for part in &mut again.parts {
            part.metadata = part.metadata.take().filter(|metadata| !metadata.is_empty());
        }
        prop_assert_eq!(again, message);
    }
}
