//! The header `Idempotency-Key`: a send that is repeated under the same key takes effect once.

use axum::http::HeaderMap;
use serde_json::Value;
use taskyard_broker::IdempotencyKey;
use taskyard_task::Digest;

use crate::error::Violation;
use crate::single;

const HEADER: &str = "Idempotency-Key";
/// Long enough for anything that a client may build a key from; it is only ever hashed.
const MAX_KEY_BYTES: usize = 255;

/// The key of a request with these canonical `params`, if it has one.
pub(super) fn key(
    headers: &HeaderMap,
    params: &Value,
) -> Result<Option<IdempotencyKey>, Violation> {
    let Some(key) = single::header(headers, HEADER)? else {
        return Ok(None);
    };
    if !is_key(key) {
        let problem = format!("must be 1 to {MAX_KEY_BYTES} visible ASCII characters");
        return Err(Violation::new(HEADER, problem));
    }
    Ok(Some(IdempotencyKey {
        key: key.to_owned(),
        body: body_digest(params.clone()),
    }))
}

fn is_key(text: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What must be the same when a request is repeated: everything that the task depends on. How the
/// client wants to be answered may differ, and so may the message's id: a client that crashed has
/// forgotten it and makes a new one.
fn body_digest(mut params: Value) -> Digest {
    remove(&mut params, "message", "messageId");
    remove(&mut params, "configuration", "historyLength");
    remove(&mut params, "configuration", "returnImmediately");
    if let Some(members) = params.as_object_mut() {
        members.swap_remove("tenant");
        let said_nothing = |value: &Value| value.as_object().is_some_and(|c| c.is_empty());
        members.retain(|name, value| name != "configuration" || !said_nothing(value));
    }
    params.sort_all_objects();
    Digest::of(params.to_string().as_bytes())
}

fn remove(params: &mut Value, member: &str, name: &str) {
    if let Some(Value::Object(members)) = params.get_mut(member) {
        members.swap_remove(name);
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use serde_json::json;

    use super::*;

    fn with(value: &str) -> HeaderMap {
        let name = HeaderName::from_static("idempotency-key");
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn keys_are_visible_and_short() {
        let params = json!({});
        for absent in [HeaderMap::new(), with("")] {
            assert!(key(&absent, &params).unwrap().is_none());
        }
        let longest = "k".repeat(255);
        for good in ["a", "~!x", r#""a,b""#, &longest] {
            assert_eq!(key(&with(good), &params).unwrap().unwrap().key, good);
        }
        assert_eq!(key(&with("a, a"), &params).unwrap().unwrap().key, "a");
        let too_long = "k".repeat(256);
        for bad in ["a b", "a,b", "a, b", &too_long] {
            assert!(key(&with(bad), &params).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_same_request_may_be_put_differently() {
        let first = body_digest(json!({
            "message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "hi"}]},
            "metadata": {"a": 1, "b": {"c": 2, "d": 3}},
        }));
        let again = body_digest(json!({
            "tenant": "acme",
            "metadata": {"b": {"d": 3, "c": 2}, "a": 1},
            "configuration": {"returnImmediately": true, "historyLength": 0},
            "message": {"parts": [{"text": "hi"}], "role": "ROLE_USER", "messageId": "2"},
        }));
        assert_eq!(first, again);
    }

    #[test]
    fn another_request_is_told_apart() {
        let of = |params| body_digest(params);
        let first = of(json!({"message": {"parts": [{"text": "hi"}]}}));
        assert_ne!(first, of(json!({"message": {"parts": [{"text": "ho"}]}})));
        assert_ne!(
            first,
            of(json!({"message": {"parts": [{"text": "hi"}], "taskId": "t"}}))
        );
        assert_ne!(
            first,
            of(json!({"message": {"parts": [{"text": "hi"}]},
                "configuration": {"acceptedOutputModes": ["text/plain"]}}))
        );
    }
}
