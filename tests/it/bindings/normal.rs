//! What must be equal over all bindings: everything but the names that each run makes anew.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Members that hold a moment, which no two runs share.
const MOMENTS: [&str; 3] = ["timestamp", "statusTimestampAfter", "createdAt"];
/// Members that hold a name that the host made.
const NAMES: [&str; 4] = ["id", "taskId", "contextId", "messageId"];
/// Members that mean something to the host alone.
const TOKENS: [&str; 2] = ["nextPageToken", "pageToken"];

/// Gives the same names to the same things in the order in which they appear.
#[derive(Debug, Default)]
pub(super) struct Normal {
    names: HashMap<String, usize>,
}

impl Normal {
    /// `value` without what may differ. Defaults may be written or left out (ProtoJSON), so they are
    /// left out; free-form values are kept as they are.
    pub(super) fn of(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(members) => Value::Object(self.members(members)),
            Value::Array(items) => items.iter().map(|item| self.of(item)).collect(),
            other => other.clone(),
        }
    }

    fn members(&mut self, members: &Map<String, Value>) -> Map<String, Value> {
        let mut names: Vec<_> = members.keys().collect();
        names.sort();
        let members = names.into_iter().map(|name| {
            let value = &members[name];
            let value = match value {
                Value::String(_) if MOMENTS.contains(&name.as_str()) => "(moment)".into(),
                Value::String(text) if name == "text" => without_moments(text).into(),
                Value::String(text) if TOKENS.contains(&name.as_str()) && !text.is_empty() => {
                    "(token)".into()
                }
                Value::String(text) if NAMES.contains(&name.as_str()) => self.name(text).into(),
                // An error may name the context to go on with.
                Value::String(text) if name == "message" => self.words(text).into(),
                value if name == "metadata" || name == "data" => numbers(value),
                value => self.of(value),
            };
            (name.clone(), value)
        });
        members.filter(|(_, value)| !is_default(value)).collect()
    }

    /// A text with the host's own names in it.
    fn words(&mut self, text: &str) -> String {
        let words = text.split_inclusive(|c: char| !c.is_ascii_hexdigit() && c != '-');
        words
            .map(|word| match word.len() {
                ..32 => word.to_owned(),
                _ => self.name(word),
            })
            .collect()
    }

    /// Chosen names are kept: the host's own are UUIDs or longer.
    fn name(&mut self, text: &str) -> String {
        if text.len() < 32 {
            return text.to_owned();
        }
        // A message of the host is named after its task.
        let (task, rest) =
            text.split_at(text.find(['/', '#', ':', '.', '"']).unwrap_or(text.len()));
        let next = self.names.len() + 1;
        let number = *self.names.entry(task.to_owned()).or_insert(next);
        format!("(name {number}){rest}")
    }
}

/// A worker may write down when it was.
fn without_moments(text: &str) -> String {
    let is_moment = |word: &str| word.len() == 20 && word.ends_with('Z') && word.contains('T');
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let bare = word.trim_end();
        match is_moment(bare) {
            true => word.replace(bare, "(moment)"),
            false => word.to_owned(),
        }
    });
    words.collect()
}

/// gRPC has doubles only.
fn numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.iter().map(numbers).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), numbers(value)))
            .collect(),
        other => other.clone(),
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) | Value::Bool(true) => false,
    }
}
