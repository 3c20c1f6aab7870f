//! Requests of 0.3's HTTP+JSON as requests of its JSON-RPC.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::request::{Members, checked, renamed, replace, with_object};
use super::shape;
use crate::error::Violation;

/// A send.
pub(super) fn send(body: Value) -> Result<Value, Violation> {
    let mut request = checked(&shape::SEND, Some(body))?;
    with_object(&mut request, "message", message);
    // In this binding, unset is the same as the default of the type: a send does not wait unless told to.
    request
        .entry("configuration")
        .or_insert_with(|| Value::Object(Members::new()));
    with_object(&mut request, "configuration", configuration);
    Ok(Value::Object(request))
}

/// The registration of a webhook.
pub(super) fn set_push_config(task: &str, body: Value) -> Result<Value, Violation> {
    let mut request = checked(&shape::SET_PUSH_CONFIG, Some(body))?;
    let mut config = request.swap_remove("config").unwrap_or_default();
    if let Value::Object(members) = &mut config {
        members.insert("taskId".to_owned(), task.into());
    }
    Ok(config)
}

fn message(message: Members) -> Members {
    let mut message = renamed(message, &[("content", "parts")]);
    message.insert("role".to_owned(), "user".into());
    if let Some(Value::Array(parts)) = message.get_mut("parts") {
        parts.iter_mut().for_each(|part_| replace(part_, part));
    }
    message
}

fn part(mut part: Members) -> Members {
    with_object(&mut part, "file", file);
    if let Some(Value::Object(mut data)) = part.swap_remove("data") {
        let data = data.swap_remove("data").unwrap_or_default();
        part.insert("data".to_owned(), data);
    }
    part
}

fn file(file: Members) -> Members {
    let mut file = renamed(file, &[("fileWithBytes", "bytes"), ("fileWithUri", "uri")]);
    if let Some(Value::String(bytes)) = file.get_mut("bytes")
        && let Some(inner) = encoded_twice(bytes)
    {
        *bytes = inner;
    }
    file
}

/// Official clients put the base64 text of a file where the definition has its bytes, and JSON encodes that
/// once more. Bytes that are no base64 text are the file itself.
fn encoded_twice(bytes: &str) -> Option<String> {
    let inner = String::from_utf8(STANDARD.decode(bytes).ok()?).ok()?;
    STANDARD.decode(&inner).is_ok().then_some(inner)
}

fn configuration(configuration: Members) -> Members {
    let names = [("pushNotification", "pushNotificationConfig")];
    let mut configuration = renamed(configuration, &names);
    configuration
        .entry("blocking")
        .or_insert(Value::Bool(false));
    configuration
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_send_is_that_of_json_rpc() {
        let old = json!({
            "message": {
                "message_id": "m",
                "role": "ROLE_USER",
                "content": [
                    {"text": "hi"},
                    {"file": {"fileWithBytes": "QUFILw==", "mimeType": "image/png"}},
                    {"file": {"file_with_bytes": "AAH/"}},
                    {"file": {"fileWithUri": "https://h"}},
                    {"data": {"data": {"a": 1}}},
                ],
            },
            "configuration": {"push_notification": {"url": "https://h"}, "blocking": true},
        });
        let expected = json!({
            "message": {
                "messageId": "m",
                "role": "user",
                "parts": [
                    {"text": "hi"},
                    {"file": {"bytes": "AAH/", "mimeType": "image/png"}},
                    {"file": {"bytes": "AAH/"}},
                    {"file": {"uri": "https://h"}},
                    {"data": {"a": 1}},
                ],
            },
            "configuration": {"pushNotificationConfig": {"url": "https://h"}, "blocking": true},
        });
        assert_eq!(send(old).unwrap(), expected);
    }

    #[test]
    fn a_send_does_not_wait_unless_told_to() {
        let old = json!({
            "message": {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "hi"}]},
        });
        assert_eq!(
            send(old).unwrap()["configuration"],
            json!({"blocking": false})
        );
    }

    #[test]
    fn a_webhook_is_taken_out_of_its_request() {
        let old = json!({
            "parent": "tasks/t", "configId": "c",
            "config": {
                "name": "tasks/t/pushNotificationConfigs/c",
                "pushNotificationConfig": {"id": "c", "url": "https://h"},
            },
        });
        let expected = json!({
            "taskId": "t", "pushNotificationConfig": {"id": "c", "url": "https://h"},
        });
        assert_eq!(set_push_config("t", old).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_named_as_the_client_wrote_it() {
        let old = json!({"message": {"messageId": "m", "role": "ROLE_USER", "content": [{}]}});
        assert_eq!(send(old).unwrap_err().field, "message.content[0]");
    }
}
