//! What an operation can be answered with.

use prost_reflect::MethodDescriptor;
use serde_json::{Map, Value, json};

use super::schema::{Schemas, Side};
use crate::operation::{Operation, Permission};
use crate::rest::{Media, code_name};

/// The errors of the binding: their status, the name that their answer has in the document, and when
/// they happen.
const ERRORS: [(u16, &str, &str); 9] = [
    (
        400,
        "BadRequest",
        "The request is not as it must be, or the task or the agent does not allow it; the reason says which.",
    ),
    (
        401,
        "Unauthenticated",
        "The request shows no credentials that this host knows.",
    ),
    (403, "Forbidden", "The credentials are not good for this."),
    (
        404,
        "NotFound",
        "There is no such task, configuration or agent, or it is somebody else's.",
    ),
    (
        409,
        "Conflict",
        "The Idempotency-Key was used for another request.",
    ),
    (413, "TooLarge", "The body is larger than this host takes."),
    (415, "WrongContentType", "The body is not JSON."),
    (500, "Internal", "Something is wrong with this host."),
    (
        503,
        "Unavailable",
        "This host cannot do it now; Retry-After says when to try again.",
    ),
];

/// The responses of an operation.
pub(super) fn of(
    operation: Operation,
    method: &MethodDescriptor,
    has_body: bool,
    schemas: &mut Schemas,
) -> Value {
    let mut responses = Map::new();
    let success = match operation.is_streaming() {
        true => stream(schemas.of_message(&method.output(), Side::Answer)),
        false => json!({
            "description": "What came of it.",
            "content": content(&schemas.of_message(&method.output(), Side::Answer)),
        }),
    };
    responses.insert("200".to_owned(), success);
    for (status, name, _) in ERRORS {
        if can_happen(status, operation, has_body) {
            let reference = json!({"$ref": format!("#/components/responses/{name}")});
            responses.insert(status.to_string(), reference);
        }
    }
    Value::Object(responses)
}

fn can_happen(status: u16, operation: Operation, has_body: bool) -> bool {
    match status {
        409 => operation.permission() == Permission::Write && has_body,
        413 | 415 => has_body,
        _ => true,
    }
}

/// Of each event by itself, as OpenAPI 3.2 describes streams; 3.1 has no words for them.
fn stream(event: Value) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "The number of the event."},
            "event": {"type": "string"},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": event},
        },
        "required": ["data"],
    });
    json!({
        "description": "Server-sent events. The data of each is a StreamResponse. One that is named \
            `error` has an Error as its data, and is the last.",
        "content": {"text/event-stream": {"schema": schema}},
    })
}

/// The same in both types of JSON.
pub(super) fn content(schema: &Value) -> Value {
    let types = Media::ALL.map(|media| (media.name().to_owned(), json!({"schema": schema})));
    Value::Object(types.into_iter().collect())
}

/// The answers with errors, by name.
pub(super) fn errors() -> Value {
    let error = json!({"$ref": "#/components/schemas/Error"});
    let named = ERRORS.iter().map(|(status, name, description)| {
        let mut response = json!({"description": description, "content": content(&error)});
        if let (Some(header), Some(members)) = (header(*status), response.as_object_mut()) {
            members.insert("headers".to_owned(), header);
        }
        ((*name).to_owned(), response)
    });
    Value::Object(named.collect())
}

fn header(status: u16) -> Option<Value> {
    match status {
        401 => Some(json!({"WWW-Authenticate": {"schema": {"type": "string"}}})),
        503 => Some(json!({"Retry-After": {
            "description": "In seconds.",
            "schema": {"type": "integer", "minimum": 1},
        }})),
        _ => None,
    }
}

/// The form of an error (AIP-193).
pub(super) fn error_schema() -> Value {
    let codes: Vec<_> = (1..=16)
        .map(|n| code_name(tonic::Code::from_i32(n)))
        .collect();
    json!({
        "type": "object",
        "description": "An error in the form of AIP-193 (A2A 11.6). Programs look at the reason of the \
            google.rpc.ErrorInfo among the details.",
        "properties": {"error": {
            "type": "object",
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status."},
                "status": {"type": "string", "description": "The name of a google.rpc.Code.", "enum": codes},
                "message": {"type": "string", "description": "For the client's developer."},
                "details": {"type": "array", "items": {
                    "type": "object",
                    "properties": {"@type": {"type": "string"}},
                    "required": ["@type"],
                }},
            },
            "required": ["code", "status", "message"],
            "additionalProperties": false,
        }},
        "required": ["error"],
        "additionalProperties": false,
    })
}
