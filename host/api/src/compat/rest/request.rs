//! Requests of 0.3's HTTP+JSON as requests of its JSON-RPC.

use serde_json::{Value, json};

use super::super::request::{Members, checked, renamed, replace, with_object};
use super::files::Encoding;
use super::shape;
use crate::error::Violation;

/// A send by a client that encodes files in this way.
pub(super) fn send(body: Value, encoding: Encoding) -> Result<Value, Violation> {
    let mut request = checked(&shape::SEND, Some(body))?;
    encoding.undo(&mut request)?;
    with_object(&mut request, "message", message);
    // In this binding, unset is the same as the default of the type: a send does not wait unless told to.
    request
        .entry("configuration")
        .or_insert_with(|| Value::Object(Members::new()));
    with_object(&mut request, "configuration", configuration);
    Ok(Value::Object(request))
}

/// The registration of a webhook. The definition's request has it in its member `config`, and clients also
/// send that member's value alone, or the webhook alone.
pub(super) fn set_push_config(task: &str, body: Value) -> Result<Value, Violation> {
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    let webhook = if has("config") {
        let mut request = checked(&shape::SET_PUSH_CONFIG, Some(body))?;
        let config = request.swap_remove("config");
        config.and_then(|mut config| config.get_mut(WEBHOOK).map(Value::take))
    } else if has(WEBHOOK) || has(WEBHOOK_PROTO) {
        checked(&shape::CONFIG, Some(body))?.swap_remove(WEBHOOK)
    } else if has("url") {
        Some(Value::Object(checked(&shape::WEBHOOK, Some(body))?))
    } else {
        return Err(Violation::new(
            "config",
            "is required and must not be empty",
        ));
    };
    Ok(json!({"taskId": task, WEBHOOK: webhook}))
}

/// The member that has the webhook, by its JSON name and by its proto name.
const WEBHOOK: &str = "pushNotificationConfig";
const WEBHOOK_PROTO: &str = "push_notification_config";

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
    renamed(file, &[("fileWithBytes", "bytes"), ("fileWithUri", "uri")])
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
    use super::*;

    #[test]
    fn a_send_is_that_of_json_rpc() {
        let old = json!({
            "message": {
                "message_id": "m",
                "role": "ROLE_USER",
                "content": [
                    {"text": "hi"},
                    {"file": {"fileWithBytes": "AAH/", "mimeType": "image/png"}},
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
                    {"file": {"uri": "https://h"}},
                    {"data": {"a": 1}},
                ],
            },
            "configuration": {"pushNotificationConfig": {"url": "https://h"}, "blocking": true},
        });
        assert_eq!(send(old, Encoding::Once).unwrap(), expected);
    }

    #[test]
    fn a_send_does_not_wait_unless_told_to() {
        let old = json!({
            "message": {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "hi"}]},
        });
        assert_eq!(
            send(old, Encoding::Once).unwrap()["configuration"],
            json!({"blocking": false})
        );
    }

    #[test]
    fn a_webhook_is_taken_out_of_its_request() {
        let webhook = json!({"id": "c", "url": "https://h"});
        let resource = json!({
            "name": "tasks/t/pushNotificationConfigs/c", "pushNotificationConfig": webhook,
        });
        let request = json!({"parent": "tasks/t", "configId": "c", "config": resource});
        let expected = json!({"taskId": "t", "pushNotificationConfig": webhook});
        let snake_case = json!({"push_notification_config": webhook});
        for body in [request, resource, snake_case, webhook] {
            assert_eq!(
                set_push_config("t", body.clone()).unwrap(),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named_as_the_client_wrote_it() {
        let old = json!({"message": {"messageId": "m", "role": "ROLE_USER", "content": [{}]}});
        let refused = send(old, Encoding::Once).unwrap_err();
        assert_eq!(refused.field, "message.content[0]");
        for (body, field) in [
            (json!({}), "config"),
            (json!({"config": null}), "config"),
            (json!({"config": {}}), "config.pushNotificationConfig"),
            (
                json!({"pushNotificationConfig": {}}),
                "pushNotificationConfig.url",
            ),
            (json!({"url": 7}), "url"),
        ] {
            assert_eq!(set_push_config("t", body).unwrap_err().field, field);
        }
    }
}
