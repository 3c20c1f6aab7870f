//! A scenario: what a client does and must see, told once for all bindings.
//!
//! Each file in `scenarios` is one: the agent, and steps. A step calls an operation (`do`), opens a stream
//! that later steps read (`open`), reads one (`read`, up to an event or the end), or waits for a state
//! (`until`). `keep` remembers parts of an answer under names, which later steps write as `$name`;
//! `expect` says what parts of it must be; `refused` says by which reason, or by which field, it must be
//! refused. Everything that comes back is compared between bindings, too; with version 0.3 as well if the
//! scenario is `old`.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, Refused, Stream};
use super::normal::Normal;

/// One behaviour.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// What it shows.
    #[serde(rename = "about")]
    pub(super) _about: String,
    /// The agent that it is about.
    pub(super) agent: String,
    /// Whether version 0.3 can do and say all of it, and so must do the same.
    #[serde(default)]
    pub(super) old: bool,
    /// Headers, or metadata, of every call.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// The operation to call.
    #[serde(rename = "do")]
    call: Option<String>,
    /// The operation whose stream to open, and its name.
    open: Option<(String, String)>,
    /// The stream to read.
    read: Option<String>,
    /// The task to look at until it is in this state.
    until: Option<(String, String)>,
    /// The request.
    #[serde(default)]
    with: Value,
    /// Headers, or metadata, of this call alone.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// How many events to read; up to the end without.
    events: Option<usize>,
    /// Whether what comes back depends on how fast the host is, and so is not compared: how far a task is, or
    /// the order of tasks that ended within one millisecond.
    #[serde(default)]
    racy: bool,
    /// Parts of the answer to remember, by JSON pointer.
    #[serde(default)]
    keep: BTreeMap<String, String>,
    /// What parts of the answer must be, by JSON pointer.
    #[serde(default)]
    expect: BTreeMap<String, Value>,
    /// The reason that it must be refused for, or the field that is to blame.
    refused: Option<String>,
}

/// What a client saw.
pub(super) type Transcript = Vec<Value>;

/// Plays `scenario` and tells what came back, normalised.
pub(super) async fn play(scenario: &Scenario, client: Client) -> Transcript {
    let headers = scenario.headers.iter();
    let client = headers.fold(client, |client, (name, value)| {
        client.with_header(name, value)
    });
    let mut player = Player {
        client,
        names: HashMap::new(),
        streams: HashMap::new(),
        normal: Normal::default(),
    };
    let mut transcript = Vec::new();
    for step in &scenario.steps {
        let seen = player.step(step).await;
        if !step.racy {
            transcript.push(player.normal.of(&seen));
        }
    }
    transcript
}

struct Player {
    client: Client,
    /// What was kept.
    names: HashMap<String, Value>,
    streams: HashMap<String, Stream>,
    normal: Normal,
}

impl Player {
    async fn step(&mut self, step: &Step) -> Value {
        let headers = step.headers.iter();
        let client = headers.fold(self.client.clone(), |client, (name, value)| {
            let value = self.fill(&Value::String(value.clone()));
            client.with_header(name, value.as_str().unwrap())
        });
        let with = match &step.with {
            Value::Null => json!({}),
            with => self.fill(with),
        };
        let result = match (&step.call, &step.open, &step.read, &step.until) {
            (Some(operation), None, None, None) => client.call(operation, with).await,
            (None, Some((operation, name)), None, None) => {
                let opened = client.open(operation, with).await;
                opened.map(|stream| {
                    self.streams.insert(name.clone(), stream);
                    json!("opened")
                })
            }
            (None, None, Some(name), None) => Ok(self.read(name, step.events).await),
            (None, None, None, Some((task, state))) => {
                let task = self.fill(&Value::String(task.clone()));
                Ok(until(&client, &task, state).await)
            }
            _ => panic!("a step is one of do, open, read, until: {step:?}"),
        };
        self.judge(step, result)
    }

    async fn read(&mut self, name: &str, events: Option<usize>) -> Value {
        let mut stream = self.streams.remove(name).expect("no stream of this name");
        let Some(events) = events else {
            return stream.all().await.into_iter().map(shown).collect();
        };
        let mut read = Vec::new();
        while read.len() < events {
            let event = stream.next().await.expect("the stream ended too early");
            read.push(shown(event));
        }
        self.streams.insert(name.to_owned(), stream);
        read.into()
    }

    fn judge(&mut self, step: &Step, result: Result<Value, Refused>) -> Value {
        match (result, &step.refused) {
            (Ok(answer), None) => {
                for (pointer, expected) in &step.expect {
                    let found = answer.pointer(pointer).unwrap_or(&Value::Null);
                    let expected = self.fill(expected);
                    assert_eq!(*found, expected, "at {pointer} of {answer:#}");
                }
                for (name, pointer) in &step.keep {
                    let found = answer.pointer(pointer);
                    let found = found.unwrap_or_else(|| panic!("no {pointer} in {answer:#}"));
                    self.names.insert(name.clone(), found.clone());
                }
                answer
            }
            (Err(refused), Some(expected)) => {
                let blamed = refused.fields.contains(expected);
                assert!(refused.reason == *expected || blamed, "{refused:?}");
                let mut message = refused.message;
                if refused.reason == "VERSION_NOT_SUPPORTED" {
                    // What follows is advice for this very binding.
                    message.truncate(message.find(": ").unwrap_or(message.len()));
                }
                json!({"refused": refused.reason, "message": message, "fields": refused.fields})
            }
            (result, expected) => panic!("{step:?}: expected {expected:?}, got {result:#?}"),
        }
    }

    /// `value` with the names that were kept filled in.
    fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) => self
                    .names
                    .get(name)
                    .cloned()
                    .unwrap_or_else(|| panic!("no ${name}")),
                None => value.clone(),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.fill(value)))
                .collect(),
            other => other.clone(),
        }
    }
}

fn shown(event: Result<Value, Refused>) -> Value {
    event.unwrap_or_else(|refused| json!({"refused": refused.reason}))
}

/// Follows a task until it is in `state`, and gives it as it is then.
async fn until(client: &Client, task: &Value, state: &str) -> Value {
    let is_there = |task: &Value| task["status"]["state"] == state;
    let get = async || client.call("GetTask", json!({"id": task})).await.unwrap();
    let now = get().await;
    if is_there(&now) {
        return now;
    }
    // The task may end between the look and the subscription, which is then refused.
    if let Ok(mut stream) = client.open("SubscribeToTask", json!({"id": task})).await {
        while let Some(event) = stream.next().await {
            let event = event.unwrap();
            let status = event
                .pointer("/statusUpdate/status")
                .or(event.pointer("/task/status"));
            if status.is_some_and(|status| status["state"] == state) {
                break;
            }
        }
    }
    let now = get().await;
    assert!(is_there(&now), "{now:#}");
    now
}
