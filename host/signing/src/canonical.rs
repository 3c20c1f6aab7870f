//! The one way to write JSON down (RFC 8785), and what of an agent card is signed (A2A 8.4.1).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Error;

/// Members of a card that are part of it whatever their value: those that the protocol requires, and those
/// that tell "not said" from "said, and false".
const KEPT: [&str; 22] = [
    "name",
    "description",
    "version",
    "supportedInterfaces",
    "capabilities",
    "defaultInputModes",
    "defaultOutputModes",
    "skills",
    "id",
    "tags",
    "url",
    "protocolBinding",
    "protocolVersion",
    "organization",
    "location",
    "scheme",
    "openIdConnectUrl",
    "streaming",
    "pushNotifications",
    "extendedAgentCard",
    "documentationUrl",
    "iconUrl",
];

/// Members whose keys are anybody's names. An empty one says nothing; an empty message does.
const MAPS: [&str; 2] = ["securitySchemes", "schemes"];

/// The member that holds any JSON: nothing in it is a default.
const FREE: &str = "params";

/// Where the signatures are, which cannot sign themselves.
const SIGNATURES: &str = "signatures";

/// `value` as canonical JSON: members in order, no spaces, one way to write each number and text.
///
/// # Errors
/// [`Error::Signing`] if it is not JSON at all.
pub fn canonical_json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let written = serde_json_canonicalizer::to_vec(value);
    written.map_err(|error| Error::Signing(error.to_string()))
}

/// The forms of a card that are signed, without repeating one.
///
/// The protocol says to leave out what has its default value and is not required. Its official SDKs go
/// further: they leave out everything that is empty before they verify. Where the two differ, both forms
/// are signed: clients take a card if one of its signatures is right.
pub(crate) fn payloads(card: &Value) -> Result<Vec<Vec<u8>>, Error> {
    let mut card = card.clone();
    if let Some(members) = card.as_object_mut() {
        members.remove(SIGNATURES);
    }
    let said = canonical_json(&without_defaults("", card.clone()))?;
    let full = without_empty(card).unwrap_or_else(|| Value::Object(Map::new()));
    let full = canonical_json(&full)?;
    let differs = said != full;
    Ok([said].into_iter().chain(differs.then_some(full)).collect())
}

/// Without what the protocol calls a default value. `key`: the member that this is the value of.
fn without_defaults(key: &str, value: Value) -> Value {
    match value {
        _ if key == FREE => value,
        Value::Object(members) => {
            let members = members.into_iter();
            let members = members.map(|(key, value)| {
                let value = without_defaults(&key, value);
                (key, value)
            });
            Value::Object(members.filter(|(key, value)| is_said(key, value)).collect())
        }
        Value::Array(items) => {
            let items = items.into_iter();
            Value::Array(items.map(|item| without_defaults("", item)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn is_said(key: &str, value: &Value) -> bool {
    if KEPT.contains(&key) && !value.is_null() {
        return true;
    }
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(value) => value.as_f64() != Some(0.0),
        Value::String(value) => !value.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !(members.is_empty() && MAPS.contains(&key)),
    }
}

/// Without texts, lists and objects that are empty, or that become so.
fn without_empty(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Bool(_) | Value::Number(_) => Some(value),
        Value::String(ref text) => (!text.is_empty()).then_some(value),
        Value::Array(items) => {
            let items: Vec<_> = items.into_iter().filter_map(without_empty).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let members = members.into_iter();
            let members = members.filter_map(|(key, value)| Some((key, without_empty(value)?)));
            let members: Map<_, _> = members.collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(card: Value, expected: &[Value]) {
        let found = payloads(&card).unwrap();
        let expected: Vec<_> = expected
            .iter()
            .map(|form| canonical_json(form).unwrap())
            .collect();
        assert_eq!(found, expected, "{card}");
    }

    #[test]
    fn what_says_nothing_is_not_signed() {
        let full = json!({"name": "a", "capabilities": {"streaming": false}});
        check(full.clone(), std::slice::from_ref(&full));
        let mut more = full.clone();
        more["signatures"] = json!([{"protected": "p", "signature": "s"}]);
        more["capabilities"]["extensions"] = json!([]);
        more["iconUrl"] = Value::Null;
        check(more, &[full]);
    }

    #[test]
    fn where_the_official_clients_leave_out_more_both_forms_are_signed() {
        check(
            json!({"name": "a", "skills": [], "securityRequirements": [{"schemes": {"k": {"list": []}}}]}),
            &[
                json!({"name": "a", "skills": [], "securityRequirements": [{"schemes": {"k": {}}}]}),
                json!({"name": "a"}),
            ],
        );
    }

    #[test]
    fn members_are_written_in_one_order() {
        let text =
            canonical_json(&json!({"b": 1.0, "a": "\u{e9}\u{1}", "A": [true, null]})).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"A\":[true,null],\"a\":\"\u{e9}\\u0001\",\"b\":1}"
        );
    }
}
