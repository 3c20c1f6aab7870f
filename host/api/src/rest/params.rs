//! What a request says, put together as the protocol's message: path, query and body.

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::route::Resource;
use crate::body::{self, Incoming, Unread};
use crate::definition;
use crate::error::{ApiError, Violation};
use crate::gate::Access;
use crate::lenient;
use crate::memory::Account;
use crate::operation::Operation;
use crate::reading::values_of_json;
use crate::{Door, single};

/// The request for `operation`. `POST` has it in the body, the other methods in the query, and the
/// identifiers in the path win.
pub(super) async fn read(
    door: &Door,
    head: &Parts,
    access: &Access,
    body: Body,
    resource: &Resource,
    operation: Operation,
) -> Result<(Value, Option<Account>), ApiError> {
    let shape = definition::input(operation)
        .ok_or_else(|| ApiError::Internal(format!("{operation:?} is not defined")))?;
    let (mut params, account) = match head.method.as_str() {
        "POST" => {
            let body = door.incoming(access, &head.headers, body);
            of_body(door, head, body, operation).await?
        }
        _ => {
            let query = head.uri.query().unwrap_or_default();
            (of_query(&shape, query)?, None)
        }
    };
    for (name, text) in resource.fields() {
        bind(&mut params, &shape, name, text)?;
    }
    Ok((Value::Object(params), account))
}

/// An empty body is an empty message, whatever its type: a cancel needs no more.
async fn of_body(
    door: &Door,
    head: &Parts,
    mut body: Incoming,
    operation: Operation,
) -> Result<(Map<String, Value>, Option<Account>), ApiError> {
    let limit = operation.max_body_bytes(door.config.max_body_bytes);
    let bytes = match body::content_type_is(&head.headers, body::is_json) {
        true => body.whole(limit).await?,
        false if door.pages_may_send(&head.headers) => {
            return Err(ApiError::WrongContentType);
        }
        false => match body.whole(0).await {
            Err(Unread::TooLarge(_)) => return Err(ApiError::WrongContentType),
            nothing => nothing?,
        },
    };
    let reading = &door.reading;
    reading
        .read(bytes, body.take_account(), values_of_json, members)
        .await
}

fn members(bytes: Bytes) -> Result<Map<String, Value>, ApiError> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match taskyard_json::from_slice(&bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(Violation::new("body", "must be a JSON object").into()),
        Err(error) => Err(ApiError::Parse(error.to_string())),
    }
}

/// Parameters by the JSON name or the proto name of their field; others say nothing to us (A2A 5.7), nor do
/// empty ones.
pub(crate) fn of_query(
    shape: &MessageDescriptor,
    query: &str,
) -> Result<Map<String, Value>, Violation> {
    let mut params = Map::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        if let Some(field) = field(shape, &name).filter(|_| !text.is_empty()) {
            add(&mut params, &field, &text)?;
        }
    }
    Ok(params)
}

fn field(shape: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    let name = lenient::current_name(name);
    shape
        .get_field_by_json_name(name)
        .or_else(|| shape.get_field_by_name(name))
}

/// A list is given by repetition or with commas (A2A 11.5); everything else has one value.
fn add(
    params: &mut Map<String, Value>,
    field: &FieldDescriptor,
    text: &str,
) -> Result<(), Violation> {
    let (name, kind) = (field.json_name(), field.kind());
    let before = params.swap_remove(name);
    let given = match field.is_list() {
        false => single::same(before, value(&kind, text))
            .map_err(|differs| Violation::new(name, differs))?,
        true => {
            let before = before.and_then(|list| list.as_array().cloned());
            let items = text.split(',').map(|item| value(&kind, item));
            before
                .unwrap_or_default()
                .into_iter()
                .chain(items)
                .collect()
        }
    };
    params.insert(name.to_owned(), given);
    Ok(())
}

/// What a text of the query stands for in JSON. What is nothing of its kind stays a text, and is refused
/// where it is read.
fn value(kind: &Kind, text: &str) -> Value {
    let text = match kind {
        // A text may have commas of its own.
        Kind::String => text,
        _ => single::unjoined(text).unwrap_or(text),
    };
    match (kind, text) {
        (Kind::Message(message), text) if message.full_name() == TIMESTAMP => {
            Value::from(with_plus(text))
        }
        (Kind::Bool, "true") => Value::Bool(true),
        (Kind::Bool, "false") => Value::Bool(false),
        (Kind::Enum(_), number) if number.parse::<u32>().is_ok() => {
            number.parse::<u32>().map_or(Value::Null, Value::from)
        }
        _ => Value::from(text),
    }
}

const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// A timestamp whose `+` was not escaped, which means a space in a query: `12:00:00 02:00`.
fn with_plus(text: &str) -> String {
    match text.rsplit_once(' ') {
        Some((moment, offset)) if moment.contains(':') => format!("{moment}+{offset}"),
        _ => text.to_owned(),
    }
}

/// Sets a field to what the path says.
pub(super) fn bind(
    params: &mut Map<String, Value>,
    shape: &MessageDescriptor,
    name: &str,
    text: &str,
) -> Result<(), Violation> {
    let proto_name = field(shape, name).map(|field| field.name().to_owned());
    for spelled in [Some(name), proto_name.as_deref()].into_iter().flatten() {
        let given = params.swap_remove(spelled);
        let is_unset = |given: &Value| given.is_null() || given == "";
        if given.is_some_and(|given| !is_unset(&given) && given != text) {
            return Err(Violation::new(name, "differs from what the path names"));
        }
    }
    params.insert(name.to_owned(), Value::from(text));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn query(operation: Operation, query: &str) -> Result<Value, Violation> {
        of_query(&definition::input(operation).unwrap(), query).map(Value::Object)
    }

    #[test]
    fn parameters_are_fields() {
        let list = |text| query(Operation::ListTasks, text);
        for (text, params) in [
            ("", json!({})),
            ("pageSize=5", json!({"pageSize": "5"})),
            ("page_size=5&x=1&A2A-Version=1.0", json!({"pageSize": "5"})),
            ("includeArtifacts=true", json!({"includeArtifacts": true})),
            ("includeArtifacts=1", json!({"includeArtifacts": "1"})),
            (
                "status=TASK_STATE_WORKING",
                json!({"status": "TASK_STATE_WORKING"}),
            ),
            ("status=2", json!({"status": 2})),
            ("contextId=a%20b+c%26", json!({"contextId": "a b c&"})),
            ("contextId=1", json!({"contextId": "1"})),
        ] {
            assert_eq!(list(text), Ok(params), "{text}");
        }
    }

    #[test]
    fn equal_copies_are_one_and_empty_ones_are_none() {
        let list = |text| query(Operation::ListTasks, text);
        for (text, params) in [
            ("pageSize=1&pageSize=1", json!({"pageSize": "1"})),
            ("pageSize=1&page_size=1&pageSize=", json!({"pageSize": "1"})),
            ("pageSize=1,1", json!({"pageSize": "1"})),
            ("status=2&status=2", json!({"status": 2})),
            ("contextId=a,a", json!({"contextId": "a,a"})),
            (
                "pageSize=&status=&contextId=&includeArtifacts=&statusTimestampAfter=",
                json!({}),
            ),
        ] {
            assert_eq!(list(text), Ok(params), "{text}");
        }
        for twice in ["pageSize=1&pageSize=2", "pageSize=1&page_size=2"] {
            let refused = list(twice).unwrap_err();
            assert_eq!(
                refused.to_string(),
                "pageSize is given more than once, with different values"
            );
        }
        // That it is no number is said where it is read.
        assert_eq!(list("pageSize=1,2"), Ok(json!({"pageSize": "1,2"})));
    }

    #[test]
    fn a_plus_that_came_as_a_space_is_one() {
        for (given, meant) in [
            ("2026-01-31T12:00:00+02:00", "2026-01-31T12:00:00+02:00"),
            ("2026-01-31T12:00:00%2B02:00", "2026-01-31T12:00:00+02:00"),
            ("2026-01-31+12:00:00+02:00", "2026-01-31 12:00:00+02:00"),
            ("2026-01-31+12:00:00Z", "2026-01-31 12:00:00Z"),
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00-02:00", "2026-01-31T12:00:00-02:00"),
            ("2026-01-31", "2026-01-31"),
        ] {
            for name in [
                "statusTimestampAfter",
                "status_timestamp_after",
                "lastUpdatedAfter",
                "last_updated_after",
            ] {
                let read = query(Operation::ListTasks, &format!("{name}={given}"));
                assert_eq!(
                    read,
                    Ok(json!({"statusTimestampAfter": meant})),
                    "{name}={given}"
                );
            }
        }
    }

    #[test]
    fn lists_are_given_by_repetition_or_with_commas() {
        // No request of the protocol has a list in its query today; this message has one.
        let message = "lf.a2a.v1.AgentSkill";
        let shape = definition::pool().get_message_by_name(message).unwrap();
        let params = of_query(&shape, "tags=a,b&inputModes=x&tags=c&input_modes=y").unwrap();
        let expected = json!({"tags": ["a", "b", "c"], "inputModes": ["x", "y"]});
        assert_eq!(Value::Object(params), expected);
    }

    #[test]
    fn the_path_wins_and_must_not_be_contradicted() {
        let shape = definition::input(Operation::CreatePushConfig).unwrap();
        let bound = |params: Value| {
            let mut params = params.as_object().unwrap().clone();
            bind(&mut params, &shape, "taskId", "7").map(|()| Value::Object(params))
        };
        for same in [
            json!({}),
            json!({"taskId": "7"}),
            json!({"task_id": "7"}),
            json!({"taskId": null, "task_id": ""}),
        ] {
            assert_eq!(bound(same), Ok(json!({"taskId": "7"})));
        }
        for other in [json!({"taskId": "8"}), json!({"task_id": 7})] {
            assert_eq!(bound(other).unwrap_err().field, "taskId");
        }
    }
}
