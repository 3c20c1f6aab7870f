//! What an agent answered, out of the envelope of its binding. Agents are strangers: their JSON is read
//! tolerantly.

use a2a::{A2AError, JsonRpcResponse, reason_to_error_code};
use a2a_pb::protojson_conv::{self, ProtoJsonPayload};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::card::Binding;
use crate::problem::{of_agent, of_status};

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

fn of_rpc(status: u16, body: &[u8]) -> Result<Value, A2AError> {
    let Ok(answer) = taskyard_json::from_slice::<JsonRpcResponse>(body) else {
        return Err(of_status(status, ANSWER));
    };
    match (answer.error, answer.result) {
        (Some(error), _) => Err(of_agent(error.code, &error.message)),
        (None, Some(result)) => Ok(result),
        (None, None) => Err(of_status(status, ANSWER)),
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
        (_, Some(error)) => Err(match code_of(&error) {
            Some(code) => of_agent(code, &error.message),
            // It has no number of the protocol: what the status means counts.
            None if error.message.is_empty() => of_status(status, ANSWER),
            None => of_agent(of_status(status, ANSWER).code, &error.message),
        }),
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
