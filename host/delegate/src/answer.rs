//! What an agent answered, out of the envelope of its binding. Agents are strangers: their JSON is read
//! tolerantly.

use a2a::{A2AError, reason_to_error_code};
use a2a_pb::protojson_conv::{self, ProtoJsonPayload};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::card::Binding;
use crate::problem::{cut, of_agent, of_status};

/// What there should have been.
const ANSWER: &str = "an answer of the protocol";

/// What can be read from an answer: as the types say, or as lenient ProtoJSON, which knows no difference
/// between 1 and 1.0, and is therefore the second choice.
pub(crate) trait Payload: DeserializeOwned + ProtoJsonPayload {}

impl<T: DeserializeOwned + ProtoJsonPayload> Payload for T {}

/// Reads what an answer holds.
pub(crate) fn read<T: Payload>(value: Value) -> Result<T, A2AError> {
    if let Ok(read) = T::deserialize(&value) {
        return Ok(read);
    }
    protojson_conv::from_value(value).map_err(|_| A2AError::invalid_agent_response())
}

/// The result in an answer. Errors of the protocol count more than the status that came with them.
pub(crate) fn result(binding: Binding, status: u16, body: &[u8]) -> Result<Value, A2AError> {
    match binding {
        Binding::JsonRpc => of_rpc(status, body),
        Binding::HttpJson => of_http(status, body),
    }
}

/// What matters of an answer over JSON-RPC. Many servers leave `id` out of errors, and some `jsonrpc` as well; HTTP
/// tells which request is answered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RpcAnswer {
    result: Option<Value>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RpcError {
    code: Option<i32>,
    message: String,
}

fn of_rpc(status: u16, body: &[u8]) -> Result<Value, A2AError> {
    let Ok(answer) = taskyard_json::from_slice::<RpcAnswer>(body) else {
        return Err(of_status(status, ANSWER));
    };
    match (answer.error, answer.result) {
        (Some(error), _) => {
            let error = RpcError::deserialize(error).unwrap_or_default();
            Err(said(status, error.code, &error.message))
        }
        (None, Some(result)) => Ok(result),
        (None, None) => Err(of_status(status, ANSWER)),
    }
}

/// An error with the protocol's number, if it has one. Otherwise what the status means counts.
fn said(status: u16, code: Option<i32>, message: &str) -> A2AError {
    match code {
        Some(code) => of_agent(code, message),
        None if message.is_empty() => of_status(status, ANSWER),
        // The number is this host's own, for what the status means, and goes through as it is.
        None => A2AError::new(of_status(status, ANSWER).code, cut(message)),
    }
}

/// An error over HTTP+JSON (A2A 11.6), as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HttpError {
    message: String,
    details: Vec<Value>,
}

fn of_http(status: u16, body: &[u8]) -> Result<Value, A2AError> {
    let Ok(mut answer) = taskyard_json::from_slice::<Value>(body) else {
        return Err(of_status(status, ANSWER));
    };
    let error = answer.get_mut("error").map(Value::take);
    let error = error.and_then(|error| HttpError::deserialize(error).ok());
    match (status, error) {
        (200..300, None) => Ok(answer),
        (_, None) => Err(of_status(status, ANSWER)),
        (_, Some(error)) => Err(said(status, code_of(&error), &error.message)),
    }
}

/// The protocol's number for the reason that an error gives.
fn code_of(error: &HttpError) -> Option<i32> {
    let reasons = error
        .details
        .iter()
        .filter_map(|detail| detail.get("reason"));
    let mut codes = reasons.filter_map(|reason| reason_to_error_code(reason.as_str()?));
    codes.next()
}

/// Whether a stream over HTTP+JSON was refused because the other verb is wanted: definitions of the protocol
/// differ (A2A 11.3.2 and its proto).
pub(crate) fn wants_other_verb(status: u16) -> bool {
    matches!(status, 404 | 405 | 501)
}

#[cfg(test)]
mod tests {
    use a2a::error_code;

    use super::*;
    use crate::problem::Problem;

    fn problem(binding: Binding, status: u16, body: &str) -> Problem {
        result(binding, status, body.as_bytes()).unwrap_err().into()
    }

    fn is_unclear(problem: &Problem) -> bool {
        matches!(problem, Problem::Unclear(_))
    }

    #[test]
    fn answers_without_an_id_are_answers() {
        for body in [
            r#"{"result": {"id": "1"}}"#,
            r#"{"jsonrpc": "2.0", "result": {"id": "1"}}"#,
            r#"{"jsonrpc": "2.0", "id": null, "error": null, "result": {"id": "1"}}"#,
            r#"{"id": true, "result": {"id": "1"}}"#,
        ] {
            let found = result(Binding::JsonRpc, 200, body.as_bytes());
            assert_eq!(found.unwrap()["id"], "1", "{body}");
        }
        for body in [
            r#"{"error": {"code": -32001, "message": "gone"}}"#,
            r#"{"jsonrpc": "2.0", "error": {"code": -32001, "message": "gone", "data": 1}}"#,
            r#"{"id": 7, "error": {"code": -32001, "message": "gone"}}"#,
        ] {
            let refused = problem(Binding::JsonRpc, 200, body);
            assert!(refused.is_unknown_task(), "{body}");
            assert_eq!(refused.text(), "gone");
        }
    }

    #[test]
    fn what_is_no_answer_of_json_rpc_means_what_its_status_means() {
        for body in [
            "",
            "busy",
            "[]",
            "{}",
            r#"{"error": "busy"}"#,
            r#"{"error": {}}"#,
        ] {
            let broken = problem(Binding::JsonRpc, 503, body);
            assert!(is_unclear(&broken), "{body}");
            assert!(broken.text().contains("HTTP 503"), "{broken:?}");
            let refused = problem(Binding::JsonRpc, 200, body);
            assert!(
                refused.is_refusal(error_code::INVALID_AGENT_RESPONSE),
                "{body}"
            );
        }
    }

    #[test]
    fn an_error_without_a_known_reason_means_what_its_status_means() {
        let body = |details: &str| {
            format!(r#"{{"error": {{"code": 404, "message": "no such task"{details}}}}}"#)
        };
        let unknown = body(r#", "details": [{"reason": "AGENT_NOT_FOUND"}]"#);
        let bare = body("");
        for body in [&unknown, &bare] {
            for (status, unclear) in [
                (400, false),
                (403, false),
                (404, false),
                (410, false),
                (429, true),
                (503, true),
            ] {
                let found = problem(Binding::HttpJson, status, body);
                assert_eq!(is_unclear(&found), unclear, "{status} {found:?}");
                assert_eq!(found.text(), "no such task");
            }
        }
        // The same status without words means the same.
        let silent = problem(Binding::HttpJson, 404, "");
        let Problem::Refused { code, .. } = silent else {
            panic!("{silent:?}");
        };
        assert!(problem(Binding::HttpJson, 404, &bare).is_refusal(code));
        // Over JSON-RPC, too.
        let rpc = r#"{"error": {"message": "no such task"}}"#;
        assert!(problem(Binding::JsonRpc, 404, rpc).is_refusal(code));
    }

    #[test]
    fn a_number_that_no_agent_can_send_counts_as_none_of_this_hosts() {
        let body = format!(r#"{{"error": {{"code": {}, "message": "x"}}}}"#, i32::MIN);
        let found = problem(Binding::JsonRpc, 200, &body);
        assert!(is_unclear(&found), "{found:?}");
    }
}
