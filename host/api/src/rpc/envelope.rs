//! The JSON-RPC 2.0 envelope of a request (A2A 9.1).

use a2a::JsonRpcId;
use serde_json::{Map, Value};

use super::beginning;
use crate::error::ApiError;

/// A request, taken out of its envelope.
#[derive(Debug, PartialEq)]
pub(super) struct Envelope {
    /// Repeated in the answer.
    pub(super) id: JsonRpcId,
    /// Which operation.
    pub(super) method: String,
    /// What for.
    pub(super) params: Option<Value>,
}

/// A request that is refused, and the id to refuse it under.
#[derive(Debug, PartialEq)]
pub(super) struct Rejected {
    pub(super) id: JsonRpcId,
    pub(super) error: ApiError,
}

/// Reads an envelope. A2A has no use for notifications and batches, so neither is taken.
pub(super) fn parse(body: &[u8]) -> Result<Envelope, Rejected> {
    read(body).map_err(|error| Rejected {
        id: beginning::read(body).id,
        error,
    })
}

fn read(body: &[u8]) -> Result<Envelope, ApiError> {
    let value: Value =
        taskyard_json::from_slice(body).map_err(|error| ApiError::Parse(error.to_string()))?;
    let mut members = match value {
        Value::Object(members) => members,
        Value::Array(_) => {
            return invalid("batches are not served; send one request at a time");
        }
        _ => return invalid("it must be an object"),
    };
    let id = match members.swap_remove("id") {
        None => return invalid("id is missing, and notifications are not served"),
        Some(id) => serde_json::from_value(id)
            .or_else(|_| invalid("id must be a string, an integer or null"))?,
    };
    let (method, params) = rest(members)?;
    Ok(Envelope { id, method, params })
}

fn rest(mut members: Map<String, Value>) -> Result<(String, Option<Value>), ApiError> {
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(ApiError::InvalidRequest("jsonrpc must be \"2.0\""));
    }
    let Some(Value::String(method)) = members.swap_remove("method") else {
        return Err(ApiError::InvalidRequest("method must be a string"));
    };
    let params = members
        .swap_remove("params")
        .filter(|params| !params.is_null());
    Ok((method, params))
}

fn invalid<T>(problem: &'static str) -> Result<T, ApiError> {
    Err(ApiError::InvalidRequest(problem))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(body: &Value) -> Result<Envelope, (JsonRpcId, String)> {
        parse(body.to_string().as_bytes())
            .map_err(|rejected| (rejected.id, rejected.error.to_string()))
    }

    #[track_caller]
    fn check_invalid(body: &Value, id: JsonRpcId, problem: &str) {
        let expected = format!("the body is not a JSON-RPC 2.0 request: {problem}");
        assert_eq!(parsed(body), Err((id, expected)));
    }

    #[test]
    fn a_request_is_taken_apart() {
        let ids = [
            (json!(1), JsonRpcId::Number(1)),
            (json!("a"), "a".into()),
            (json!(null), JsonRpcId::Null),
        ];
        for (given, id) in ids {
            let body =
                json!({"jsonrpc": "2.0", "id": given, "method": "m", "params": {"a": 1}, "x": 1});
            let expected = Envelope {
                id,
                method: "m".to_owned(),
                params: Some(json!({"a": 1})),
            };
            assert_eq!(parsed(&body), Ok(expected));
        }
        for absent in [
            json!({"jsonrpc": "2.0", "id": 1, "method": "m"}),
            json!({"jsonrpc": "2.0", "id": 1, "method": "m", "params": null}),
        ] {
            assert_eq!(parsed(&absent).unwrap().params, None);
        }
    }

    #[test]
    fn what_is_not_json_is_a_parse_error_with_the_id_that_was_read() {
        let one = JsonRpcId::Number(1);
        for (body, id) in [
            (&b"{"[..], JsonRpcId::Null),
            (b"", JsonRpcId::Null),
            (b"\xff", JsonRpcId::Null),
            (br#"{"id": 1} x"#, one.clone()),
            (br#"{"id": 1, "params": {"a": "#, one),
        ] {
            let rejected = parse(body).unwrap_err();
            assert_eq!(rejected.id, id);
            assert!(matches!(rejected.error, ApiError::Parse(_)));
        }
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn a_character_that_was_cut_costs_a_character() {
        let body = b"\xef\xbb\xbf{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"m\\ud83d\xff\"}";
        assert_eq!(parse(body).unwrap().method, "m\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_is_not_a_request_is_refused() {
        let null = JsonRpcId::Null;
        check_invalid(
            &json!([{"jsonrpc": "2.0", "id": 1, "method": "m"}]),
            JsonRpcId::Number(1),
            "batches are not served; send one request at a time",
        );
        check_invalid(&json!("m"), null.clone(), "it must be an object");
        check_invalid(
            &json!({"jsonrpc": "2.0", "method": "m"}),
            null.clone(),
            "id is missing, and notifications are not served",
        );
        for id in [json!({}), json!([1]), json!(true), json!(1.5)] {
            check_invalid(
                &json!({"jsonrpc": "2.0", "id": id, "method": "m"}),
                null.clone(),
                "id must be a string, an integer or null",
            );
        }
        for version in [json!("1.0"), json!(2.0), json!(null)] {
            check_invalid(
                &json!({"jsonrpc": version, "id": 7, "method": "m"}),
                JsonRpcId::Number(7),
                "jsonrpc must be \"2.0\"",
            );
        }
        for method in [json!(null), json!(1)] {
            check_invalid(
                &json!({"jsonrpc": "2.0", "id": "x", "method": method}),
                "x".into(),
                "method must be a string",
            );
        }
    }
}
