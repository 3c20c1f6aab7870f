//! Messages, parts and artifact descriptions: from the worker, checked, and to it.

use serde_json::Value;
use taskyard_task::{ArtifactSpec, Message, Part, PartBody};

use crate::bindings::taskyard::worker::artifacts::Spec;
use crate::bindings::taskyard::worker::types;
use crate::replay::Refusal;

/// How long the id of an artifact may be.
const MAX_ID_BYTES: usize = 128;

/// The parts of something that must have at least one.
///
/// # Errors
/// If there are none, or one of them is wrong.
pub(crate) fn parts_from_worker(parts: Vec<types::Part>) -> Result<Vec<Part>, Refusal> {
    if parts.is_empty() {
        return invalid("there must be at least one part");
    }
    parts.into_iter().map(part_from_worker).collect()
}

/// One part.
///
/// # Errors
/// If its data is not JSON or its metadata is not a JSON object.
pub(super) fn part_from_worker(part: types::Part) -> Result<Part, Refusal> {
    check_object("metadata of a part", part.metadata.as_deref())?;
    let body = match part.body {
        types::PartBody::Text(text) => PartBody::Text(text),
        types::PartBody::Bytes(bytes) => PartBody::Bytes(bytes),
        types::PartBody::Url(url) => PartBody::Url(url),
        types::PartBody::Data(json) => {
            parse("data of a part", &json)?;
            PartBody::Data(json)
        }
    };
    Ok(Part {
        body,
        media_type: part.media_type,
        filename: part.filename,
        metadata: part.metadata,
    })
}

/// The description of an artifact.
///
/// # Errors
/// If its id is too short or too long, or its metadata is not a JSON object.
pub(super) fn spec_from_worker(spec: Spec) -> Result<ArtifactSpec, Refusal> {
    if !(1..=MAX_ID_BYTES).contains(&spec.id.len()) {
        return invalid("the id of an artifact has between 1 and 128 bytes");
    }
    check_object("metadata of an artifact", spec.metadata.as_deref())?;
    Ok(ArtifactSpec {
        id: spec.id,
        name: spec.name,
        description: spec.description,
        metadata: spec.metadata,
    })
}

/// A client's message as the worker sees it.
pub(crate) fn to_worker(message: Message) -> types::Message {
    types::Message {
        id: message.id,
        parts: message.parts.into_iter().map(part_to_worker).collect(),
        metadata: message.metadata,
        reference_task_ids: message.reference_task_ids,
    }
}

pub(super) fn part_to_worker(part: Part) -> types::Part {
    let body = match part.body {
        PartBody::Text(text) => types::PartBody::Text(text),
        PartBody::Bytes(bytes) => types::PartBody::Bytes(bytes),
        PartBody::Url(url) => types::PartBody::Url(url),
        PartBody::Data(json) => types::PartBody::Data(json),
    };
    types::Part {
        body,
        media_type: part.media_type,
        filename: part.filename,
        metadata: part.metadata,
    }
}

pub(super) fn check_object(what: &str, json: Option<&str>) -> Result<(), Refusal> {
    match json.map(|json| parse(what, json)).transpose()? {
        None | Some(Value::Object(_)) => Ok(()),
        Some(_) => invalid(&format!("the {what} must be a JSON object")),
    }
}

/// As a value, because that is how clients will get it: nesting too deep for that is refused, too.
fn parse(what: &str, json: &str) -> Result<Value, Refusal> {
    serde_json::from_str(json)
        .map_err(|error| Refusal::Invalid(format!("the {what} is not JSON: {error}")))
}

fn invalid<T>(problem: &str) -> Result<T, Refusal> {
    Err(Refusal::Invalid(problem.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(body: types::PartBody, metadata: Option<&str>) -> types::Part {
        types::Part {
            body,
            media_type: None,
            filename: None,
            metadata: metadata.map(str::to_owned),
        }
    }

    fn problem(parts: Vec<types::Part>) -> String {
        parts_from_worker(parts).unwrap_err().to_string()
    }

    /// Some languages write half a character of two as an escape. To take that now would change what a call
    /// returns that a log knows nothing of, since refusals leave no entry: a worker that went on after the
    /// refusal could not be replayed. See `docs/plugin-authors.md`.
    #[test]
    fn half_a_character_is_refused() {
        let half = |json: &str| part(types::PartBody::Data(json.to_owned()), None);
        assert!(problem(vec![half(r#""\ud83d""#)]).contains("is not JSON"));
        let text = types::PartBody::Text("fine".to_owned());
        let metadata = part(text, Some(r#"{"a": "\ud83d"}"#));
        assert!(problem(vec![metadata]).contains("is not JSON"));
        assert!(parts_from_worker(vec![half(r#""\ud83d\ude00""#)]).is_ok());
    }

    #[test]
    fn json_is_checked() {
        let text = || types::PartBody::Text("fine".to_owned());
        let data = |json: &str| types::PartBody::Data(json.to_owned());
        assert!(parts_from_worker(vec![part(text(), Some("{}"))]).is_ok());
        assert!(parts_from_worker(vec![part(data("[1, null]"), None)]).is_ok());

        assert!(problem(Vec::new()).contains("at least one part"));
        assert!(problem(vec![part(text(), Some("{not json"))]).contains("is not JSON"));
        assert!(problem(vec![part(text(), Some("[]"))]).contains("must be a JSON object"));
        assert!(problem(vec![part(data("1 2"), None)]).contains("data of a part is not JSON"));
        let deep = "[".repeat(1_000) + &"]".repeat(1_000);
        assert!(problem(vec![part(data(&deep), None)]).contains("recursion"));
    }
}
