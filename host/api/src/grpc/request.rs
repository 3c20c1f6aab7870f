//! What a request says, as the ProtoJSON that all bindings check alike.
//!
//! The definition does the reading: what it says has presence keeps it (a `historyLength` of 0, a part
//! without content), and what a client leaves out is absent and not made up.

use axum::body::Bytes;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::Value;

use super::values;
use crate::Door;
use crate::definition;
use crate::error::{ApiError, Violation};
use crate::memory::Account;
use crate::operation::Operation;

/// Up to here, every whole number is a `double` of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The `params` of a request for `operation`, and what holds them.
///
/// # Errors
/// Those of [`params`], and if there is no room for what was read.
pub(super) async fn read(
    door: &Door,
    operation: Operation,
    message: Bytes,
    account: Option<Account>,
) -> Result<(Value, Option<Account>), ApiError> {
    let read = move |message| params(operation, message);
    let input = input_of(operation)?;
    let count = move |message: &Bytes| values::in_message(&input, message);
    door.reading.read(message, account, count, read).await
}

/// The `params` of a request for `operation`.
///
/// # Errors
/// If the bytes are not the operation's message, or it holds something that JSON cannot say.
pub(crate) fn params(operation: Operation, message: Bytes) -> Result<Value, ApiError> {
    let refuse = |error: String| Violation::new("request", format!("cannot be read: {error}"));
    let message = DynamicMessage::decode(input_of(operation)?, message)
        .map_err(|error| refuse(error.to_string()))?;
    let mut params = serde_json::to_value(&message).map_err(|error| refuse(error.to_string()))?;
    write_whole_numbers(&mut params);
    Ok(params)
}

fn input_of(operation: Operation) -> Result<MessageDescriptor, ApiError> {
    let service = definition::service();
    let method = service.and_then(|service| {
        let mut methods = service.methods();
        methods.find(|method| method.name() == operation.name())
    });
    let unknown = || ApiError::Internal(format!("{} is not defined", operation.name()));
    Ok(method.ok_or_else(unknown)?.input())
}

/// Free-form values have no integers on this wire, and would all become `5.0`. Clients of the other
/// bindings write `5`, and that is what workers expect.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let whole = number
                .as_f64()
                .filter(|n| n.fract() == 0.0 && n.abs() <= EXACT);
            if let Some(whole) = whole {
                *value = Value::from(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Object(members) => members.values_mut().for_each(write_whole_numbers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use a2a_pb::proto;
    use prost_types::value::Kind;
    use serde_json::json;

    use super::*;

    fn read(operation: Operation, message: &impl prost::Message) -> Result<Value, ApiError> {
        params(operation, message.encode_to_vec().into())
    }

    fn part(content: Option<proto::part::Content>) -> proto::Part {
        proto::Part {
            content,
            ..proto::Part::default()
        }
    }

    fn value(kind: Kind) -> prost_types::Value {
        prost_types::Value { kind: Some(kind) }
    }

    fn send(parts: Vec<proto::Part>) -> proto::SendMessageRequest {
        proto::SendMessageRequest {
            message: Some(proto::Message {
                message_id: "m".to_owned(),
                role: proto::Role::User.into(),
                parts,
                ..proto::Message::default()
            }),
            ..proto::SendMessageRequest::default()
        }
    }

    fn parts_of(parts: Vec<proto::Part>) -> Value {
        read(Operation::SendMessage, &send(parts)).unwrap()["message"]["parts"].take()
    }

    #[test]
    fn parts_keep_what_they_are() {
        use proto::part::Content;
        let data = Content::Data(value(Kind::NumberValue(5.0)));
        let parts = [
            None,
            Some(Content::Text(String::new())),
            Some(Content::Raw(vec![0xfb, 0xff])),
            Some(Content::Url("u".to_owned())),
            Some(data),
            Some(Content::Data(value(Kind::NullValue(0)))),
        ];
        let expected =
            json!([{}, {"text": ""}, {"raw": "+/8="}, {"url": "u"}, {"data": 5}, {"data": null}]);
        assert_eq!(parts_of(parts.map(part).into()), expected);
    }

    #[test]
    fn presence_survives() {
        let mut request = proto::GetTaskRequest {
            id: "t".to_owned(),
            ..proto::GetTaskRequest::default()
        };
        let absent = read(Operation::GetTask, &request).unwrap();
        assert_eq!(absent, json!({"id": "t"}));
        for length in [0, -1] {
            request.history_length = Some(length);
            let given = read(Operation::GetTask, &request).unwrap();
            assert_eq!(given["historyLength"], json!(length));
        }
    }

    #[test]
    fn enums_are_named_if_they_have_a_name() {
        let status = |status| {
            let request = proto::ListTasksRequest {
                status,
                ..proto::ListTasksRequest::default()
            };
            read(Operation::ListTasks, &request).unwrap()["status"].take()
        };
        assert_eq!(status(0), Value::Null);
        assert_eq!(status(2), json!("TASK_STATE_WORKING"));
        assert_eq!(status(77), json!(77));
    }

    #[test]
    fn whole_numbers_are_written_as_such() {
        let mut value = json!({"a": [5.0, 5.5, -0.0], "b": {"c": 1e300}, "d": "5.0"});
        write_whole_numbers(&mut value);
        assert_eq!(
            value.to_string(),
            r#"{"a":[5,5.5,0],"b":{"c":1e+300},"d":"5.0"}"#
        );
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        for strange in [
            Kind::NumberValue(f64::NAN),
            Kind::NumberValue(f64::INFINITY),
        ] {
            let data = proto::part::Content::Data(value(strange));
            let refused = read(Operation::SendMessage, &send(vec![part(Some(data))]));
            assert!(matches!(refused, Err(ApiError::InvalidParams(_))));
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        for operation in Operation::ALL {
            let refused = params(operation, Bytes::from_static(&[0xff, 0xff, 0xff]));
            assert!(matches!(refused, Err(ApiError::InvalidParams(_))));
            assert_eq!(params(operation, Bytes::new()), Ok(json!({})));
        }
    }
}
