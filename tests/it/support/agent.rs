//! A small A2A client over JSON-RPC: says exactly what a test wants said, and hides nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use super::events::Events;
use super::host::Process;
use super::task;
use super::wait::in_time;

/// A client of one agent, wherever its host is at the moment.
#[derive(Clone)]
pub(crate) struct Agent {
    process: Arc<Process>,
    http: reqwest::Client,
    path: String,
    headers: Vec<(&'static str, String)>,
}

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Error {
    /// The host said no.
    Refused(Refusal),
    /// The connection broke, or there was none.
    Lost(String),
}

/// What the host said instead of a result.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The JSON-RPC error code.
    pub(crate) code: i64,
    /// The reason of its `ErrorInfo`, or nothing.
    pub(crate) reason: String,
    /// For people.
    pub(crate) message: String,
}

impl Agent {
    pub(crate) fn new(process: Arc<Process>, http: reqwest::Client, name: &str) -> Self {
        Self {
            process,
            http,
            path: format!("/agents/{name}"),
            headers: Vec::new(),
        }
    }

    /// The same agent on behalf of a tenant.
    pub(crate) fn of_tenant(&self, tenant: &str) -> Self {
        let path = format!("/{tenant}{}", self.path);
        Self {
            path,
            ..self.clone()
        }
    }

    /// The same agent, called with one more header.
    pub(crate) fn with_header(&self, name: &'static str, value: &str) -> Self {
        let mut agent = self.clone();
        agent.headers.push((name, value.to_owned()));
        agent
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.process.url(), self.path)
    }

    /// A POST with the headers of the protocol, to be changed.
    pub(crate) fn post(&self) -> RequestBuilder {
        let request = self.http.post(self.url()).header("a2a-version", "1.0");
        let headers = self.headers.iter();
        headers.fold(request, |request, (name, value)| {
            request.header(*name, value)
        })
    }

    /// A GET below the agent's address.
    pub(crate) fn get_path(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url()))
    }

    /// Calls a method and returns its result.
    pub(crate) async fn try_call(&self, method: &str, params: Value) -> Result<Value, Error> {
        let request = self.post().json(&request_body(method, params));
        in_time(method, async { read(request.send().await?).await }).await
    }

    /// Calls a method that must succeed.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        let result = self.try_call(method, params).await;
        result.unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    /// Calls a method that must be refused.
    pub(crate) async fn refused(&self, method: &str, params: Value) -> Refusal {
        match self.try_call(method, params).await {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("{method} was not refused: {other:?}"),
        }
    }

    /// Sends a message and waits for the end of the turn. The answer is a task.
    pub(crate) async fn send(&self, message: Value) -> Value {
        let params = json!({"message": message});
        let mut result = self.call("SendMessage", params).await;
        assert!(result["task"].is_object(), "not a task: {result}");
        result["task"].take()
    }

    /// Sends a message and does not wait. Returns the task.
    pub(crate) async fn try_begin(&self, message: Value) -> Result<Value, Error> {
        let configuration = json!({"returnImmediately": true});
        let params = json!({"message": message, "configuration": configuration});
        let mut result = self.try_call("SendMessage", params).await?;
        Ok(result["task"].take())
    }

    /// Sends a message and does not wait. Returns the task's id.
    pub(crate) async fn begin(&self, message: Value) -> String {
        task::id(&self.try_begin(message).await.unwrap()).to_owned()
    }

    /// Answers a task and waits for the end of the turn.
    pub(crate) async fn answer(&self, task: &str, text: &str) -> Value {
        self.send(follow_up(task, text)).await
    }

    /// The task as it is.
    pub(crate) async fn get(&self, task: &str) -> Value {
        self.call("GetTask", json!({"id": task})).await
    }

    /// Waits until the task has ended, by following it.
    pub(crate) async fn ended(&self, task: &str) -> Value {
        self.reached(task, task::is_terminal).await
    }

    /// Follows the task until its state is as wanted.
    pub(crate) async fn reached(&self, task: &str, wanted: impl Fn(&str) -> bool) -> Value {
        if wanted(task::state(&self.get(task).await)) {
            return self.get(task).await;
        }
        // The task may end between the look and the subscription, which is then refused.
        if let Ok(mut events) = self.try_subscribe(task, None).await {
            while let Some(event) = events.next().await {
                if event.state().is_some_and(&wanted) {
                    break;
                }
            }
        }
        let task = self.get(task).await;
        assert!(wanted(task::state(&task)), "{task}");
        task
    }

    /// Sends a message and follows what happens.
    pub(crate) async fn stream(&self, message: Value) -> Events {
        let params = json!({"message": message});
        let events = self.try_stream("SendStreamingMessage", params, None).await;
        events.unwrap_or_else(|error| panic!("no stream: {error:?}"))
    }

    /// Follows a task; behind event `after` if given.
    pub(crate) async fn subscribe(&self, task: &str, after: Option<u64>) -> Events {
        let events = self.try_subscribe(task, after).await;
        events.unwrap_or_else(|error| panic!("no subscription: {error:?}"))
    }

    /// Follows a task, if the host allows it.
    pub(crate) async fn try_subscribe(
        &self,
        task: &str,
        after: Option<u64>,
    ) -> Result<Events, Error> {
        let params = json!({"id": task});
        self.try_stream("SubscribeToTask", params, after).await
    }

    async fn try_stream(
        &self,
        method: &str,
        params: Value,
        after: Option<u64>,
    ) -> Result<Events, Error> {
        let mut request = self.post().json(&request_body(method, params));
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        in_time(method, async {
            let response = request.send().await?;
            if is_stream(&response) {
                return Ok(Events::of(response));
            }
            match read(response).await {
                Ok(result) => panic!("{method} answered without a stream: {result}"),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        Self::Lost(format!("{error:?}"))
    }
}

/// Reads an answer that is not a stream.
pub(crate) async fn read(response: Response) -> Result<Value, Error> {
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else {
        let text = String::from_utf8_lossy(&body);
        panic!("status {status} with a body that is not JSON: {text}");
    };
    if let Some(error) = answer.get("error") {
        return Err(Error::Refused(refusal(status, error)));
    }
    assert_eq!(status, 200, "{answer}");
    Ok(answer["result"].take())
}

fn refusal(status: u16, error: &Value) -> Refusal {
    let details = error["data"].as_array().into_iter().flatten();
    let reason = details
        .filter_map(|detail| detail["reason"].as_str())
        .next();
    Refusal {
        status,
        code: error["code"].as_i64().unwrap_or_default(),
        reason: reason.unwrap_or_default().to_owned(),
        message: error["message"].as_str().unwrap_or_default().to_owned(),
    }
}

fn is_stream(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

/// A whole JSON-RPC request.
pub(crate) fn request_body(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// A message with one text.
pub(crate) fn message(text: &str) -> Value {
    message_of(json!([{"text": text}]))
}

/// A message with these parts.
pub(crate) fn message_of(parts: Value) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    json!({"messageId": format!("message-{number}"), "role": "ROLE_USER", "parts": parts})
}

/// A message to a task that there is already.
pub(crate) fn follow_up(task: &str, text: &str) -> Value {
    let mut message = message(text);
    message["taskId"] = task.into();
    message
}
