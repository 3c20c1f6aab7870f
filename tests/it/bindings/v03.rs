//! A client of version 0.3 over JSON-RPC: what it sends and gets, as 1.0 says the same.

use serde_json::{Map, Value, json};

use super::client::Refused;

/// The method of 0.3 that does what `operation` does, if there is one.
pub(super) fn method(operation: &str) -> &'static str {
    match operation {
        "SendMessage" => "message/send",
        "SendStreamingMessage" => "message/stream",
        "GetTask" => "tasks/get",
        "CancelTask" => "tasks/cancel",
        "SubscribeToTask" => "tasks/resubscribe",
        other => panic!("0.3 has no {other}"),
    }
}

/// A request of 1.0 in the words of 0.3.
pub(super) fn request(params: &Value) -> Value {
    let mut params = params.clone();
    if let Some(message) = params.get_mut("message") {
        message["kind"] = "message".into();
        message["role"] = "user".into();
        let parts = message["parts"].as_array().into_iter().flatten();
        message["parts"] = parts.map(part).collect();
    }
    if let Some(configuration) = params.get_mut("configuration") {
        let at_once = configuration["returnImmediately"] == true;
        *configuration = json!({"blocking": !at_once});
    }
    params
}

fn part(part: &Value) -> Value {
    let mut old = part.clone();
    let members = old.as_object_mut().unwrap();
    // 0.3 knows the types of files alone; that of a text travels as it is, and is ignored.
    members.insert("kind".to_owned(), "text".into());
    assert!(part["text"].is_string(), "{part} has another form in 0.3");
    old
}

/// A result or an event of 0.3 in the words of 1.0.
pub(super) fn answer(operation: &str, result: &Value) -> Value {
    let member = match result["kind"].as_str().unwrap() {
        "task" if ["GetTask", "CancelTask"].contains(&operation) => return new(result),
        "task" => "task",
        "message" => "message",
        "status-update" => "statusUpdate",
        "artifact-update" => "artifactUpdate",
        other => panic!("{other} is no kind"),
    };
    json!({member: new(result)})
}

/// A refusal of 0.3 in the words of 1.0: the state that a task ended in is called otherwise.
pub(super) fn refused(mut refused: Refused) -> Refused {
    const ENDED: &str = "the task has ended (";
    let ended = refused.message.strip_prefix(ENDED);
    if let Some((state, rest)) = ended.and_then(|ended| ended.split_once(')')) {
        let state = spelled("TASK_STATE", state);
        refused.message = format!("{ENDED}{state}){rest}");
    }
    refused
}

fn new(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !["kind", "final"].contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), member(name, value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(new).collect(),
        other => other.clone(),
    }
}

fn spelled(prefix: &str, text: &str) -> String {
    let text = text.to_uppercase().replace('-', "_");
    format!("{prefix}_{text}")
}

fn member(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("state", Value::String(text)) => spelled("TASK_STATE", text).into(),
        ("role", Value::String(text)) => spelled("ROLE", text).into(),
        ("metadata" | "data", value) => value.clone(),
        (_, value) => new(value),
    }
}
