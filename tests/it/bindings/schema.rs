//! Whether what came back has the form that the protocol's definition gives it.
//!
//! The host's own OpenAPI document holds that definition; its schemas know no other members than those of the
//! protocol. With `A2A_SCHEMA` in the environment, the bundle in that file, such as the protocol's own
//! `a2a.schema.json`, must agree.

use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::support::http;

/// Checks answers.
pub(crate) struct Schemas {
    by_message: Vec<HashMap<String, Validator>>,
}

/// The messages that answers are.
const MESSAGES: [&str; 7] = [
    "SendMessageResponse",
    "StreamResponse",
    "Task",
    "ListTasksResponse",
    "TaskPushNotificationConfig",
    "ListTaskPushNotificationConfigsResponse",
    "AgentCard",
];

impl Schemas {
    /// The schemas of the host at `url`; all hosts have the same.
    pub(super) async fn of(url: &str) -> &'static Self {
        static SCHEMAS: OnceCell<Schemas> = OnceCell::const_new();
        SCHEMAS.get_or_init(|| Self::load(url)).await
    }

    async fn load(url: &str) -> Self {
        let document = http::client().get(format!("{url}/openapi.json"));
        let document: Value = document.send().await.unwrap().json().await.unwrap();
        let components = json!({"components": document["components"]});
        let mut by_message = vec![validators(&components, "#/components/schemas/")];
        if let Ok(file) = std::env::var("A2A_SCHEMA") {
            let bundle = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
            by_message.push(validators(&in_one_document(bundle), "#/definitions/"));
        }
        Self { by_message }
    }

    /// Fails if `answer` is no answer of `operation`.
    #[track_caller]
    pub(super) fn check(&self, operation: &str, answer: &Value) {
        let message = match operation {
            "SendMessage" => "SendMessageResponse",
            "SendStreamingMessage" | "SubscribeToTask" => "StreamResponse",
            "GetTask" | "CancelTask" => "Task",
            "ListTasks" => "ListTasksResponse",
            "CreateTaskPushNotificationConfig" | "GetTaskPushNotificationConfig" => {
                "TaskPushNotificationConfig"
            }
            "ListTaskPushNotificationConfigs" => "ListTaskPushNotificationConfigsResponse",
            "GetExtendedAgentCard" => "AgentCard",
            // The empty message.
            "DeleteTaskPushNotificationConfig" => return assert_eq!(*answer, json!({})),
            other => panic!("what does {other} answer?"),
        };
        for validators in &self.by_message {
            let problems = validators[message].iter_errors(answer);
            let problems: Vec<_> = problems.map(|problem| problem.to_string()).collect();
            assert!(
                problems.is_empty(),
                "{operation}: {problems:?} in {answer:#}"
            );
        }
    }
}

fn validators(document: &Value, place: &str) -> HashMap<String, Validator> {
    let validator = |message: &str| {
        let mut schema = document.clone();
        schema["$ref"] = format!("{place}{message}").into();
        let validator = jsonschema::validator_for(&schema).unwrap();
        (message.to_owned(), validator)
    };
    MESSAGES.into_iter().map(validator).collect()
}

/// A bundle's definitions are called by titles, and call each other by the names of files.
fn in_one_document(bundle: Value) -> Value {
    let definitions = bundle["definitions"].as_object().unwrap().iter();
    let definitions: Map<String, Value> = definitions
        .map(|(title, schema)| (title.replace(' ', ""), with_local_references(schema)))
        .collect();
    json!({"definitions": definitions})
}

fn with_local_references(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("$ref", Value::String(file)) => {
                    let message = file.trim_end_matches(".jsonschema.json");
                    let message = message.rsplit('.').next().unwrap();
                    (name.clone(), format!("#/definitions/{message}").into())
                }
                _ => (name.clone(), with_local_references(value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(with_local_references).collect(),
        other => other.clone(),
    }
}
