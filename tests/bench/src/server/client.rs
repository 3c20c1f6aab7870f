//! A client of one agent, on one connection.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use memchr::memmem;
use serde_json::{Value, json};

use crate::load::{Connection, Events};

pub(crate) const COMPLETED: &str = "TASK_STATE_COMPLETED";
pub(crate) const CHUNK: &str = "\"artifactUpdate\"";

/// Where an agent is, what it speaks, and as whom it is called.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) dialect: Dialect,
    pub(crate) token: Option<String>,
}

/// How a server is asked to do a task and to say when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A2A 1.0 over JSON-RPC.
    A2a,
    /// The same without blocking sends: who waits for the end reads the task's stream.
    A2aStreaming,
    /// Calls of Restate's handlers, whose names are the first words of texts.
    Handlers,
}

#[derive(Debug)]
pub(crate) struct Client {
    place: Place,
    connection: Connection,
    messages: u64,
}

impl Client {
    pub(crate) async fn connect(place: &Place) -> Result<Self> {
        Ok(Self {
            place: place.clone(),
            connection: Connection::open(place.address).await?,
            messages: 0,
        })
    }

    /// Many clients, each with a connection of its own.
    pub(crate) async fn connect_all(place: &Place, count: usize) -> Result<Vec<Self>> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(Self::connect(place).await?);
        }
        Ok(clients)
    }

    /// Sends a message and waits for the end of its task, which must be a good one.
    pub(crate) async fn run(&mut self, text: &str) -> Result<()> {
        match self.place.dialect {
            Dialect::A2a => {
                let answer = self.send(self.message(text, None), false).await?;
                ended(&answer)
            }
            Dialect::A2aStreaming => self.stream(text).await.map(drop),
            Dialect::Handlers => self.handle(text).await,
        }
    }

    async fn handle(&mut self, text: &str) -> Result<()> {
        let (handler, count) = text.split_once(' ').context("HANDLER COUNT")?;
        let body = json!({ handler: count.parse::<u32>()? }).to_string();
        let request = Request::post(format!("/durable/{handler}"))
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::from(body))?;
        self.connection.exchange(request).await.map(drop)
    }

    /// Sends a message and takes the task as it is then.
    pub(crate) async fn submit(&mut self, text: &str) -> Result<String> {
        let answer = self.send(self.message(text, None), true).await?;
        task_id(&answer)
    }

    /// Sends a message and waits until the task asks.
    pub(crate) async fn ask(&mut self, text: &str) -> Result<String> {
        let answer = self.send(self.message(text, None), false).await?;
        if !has(&answer, "TASK_STATE_INPUT_REQUIRED") {
            bail!("nothing was asked: {}", String::from_utf8_lossy(&answer));
        }
        task_id(&answer)
    }

    /// Answers a task's question and waits for its end.
    pub(crate) async fn answer(&mut self, task: &str, text: &str) -> Result<()> {
        let answer = self.send(self.message(text, Some(task)), false).await?;
        ended(&answer)
    }

    /// Asks until a task has completed.
    pub(crate) async fn poll(&mut self, task: &str) -> Result<()> {
        while !has(&self.get(task).await?, COMPLETED) {}
        Ok(())
    }

    pub(crate) async fn get(&mut self, task: &str) -> Result<Bytes> {
        self.ask_for("GetTask", &json!({ "id": task })).await
    }

    /// Has the task notify `url` of everything.
    pub(crate) async fn submit_with_webhook(&mut self, text: &str, url: &str) -> Result<String> {
        let webhook = json!({ "url": url });
        let configuration =
            json!({"returnImmediately": true, "taskPushNotificationConfig": webhook});
        let message = self.message(text, None);
        let params = json!({"message": message, "configuration": configuration});
        let answer = self.ask_for("SendMessage", &params).await?;
        task_id(&answer)
    }

    /// Sends a message and reads the whole stream of its task; counts the chunks in it.
    pub(crate) async fn stream(&mut self, text: &str) -> Result<Streamed> {
        let mut events = self.open_stream(text).await?;
        let chunks = events.all(CHUNK, COMPLETED).await?;
        let bytes = events.bytes;
        Ok(Streamed { chunks, bytes })
    }

    /// Sends a message and reads the whole stream of its task, whatever it is.
    pub(crate) async fn drain(&mut self, text: &str) -> Result<()> {
        self.open_stream(text).await?.drain().await
    }

    /// Sends a message and reads the whole stream of its task; gives the task's id.
    pub(crate) async fn stream_of(&mut self, text: &str) -> Result<String> {
        let mut events = self.open_stream(text).await?;
        let first = events.line().await?;
        events.all(CHUNK, COMPLETED).await?;
        task_id(&first)
    }

    async fn open_stream(&mut self, text: &str) -> Result<Events> {
        let params = sending(self.message(text, None), false);
        let request = self.call("SendStreamingMessage", &params)?;
        self.connection.stream(request).await
    }

    pub(crate) async fn subscribe(&mut self, task: &str) -> Result<Events> {
        let request = self.call("SubscribeToTask", &json!({ "id": task }))?;
        self.connection.stream(request).await
    }

    async fn send(&mut self, message: Value, immediately: bool) -> Result<Bytes> {
        self.messages += 1;
        self.ask_for("SendMessage", &sending(message, immediately))
            .await
    }

    async fn ask_for(&mut self, method: &str, params: &Value) -> Result<Bytes> {
        let request = self.call(method, params)?;
        let answer = self.connection.exchange(request).await?;
        if has(&answer, "\"error\"") {
            bail!("{method} failed: {}", String::from_utf8_lossy(&answer));
        }
        Ok(answer)
    }

    fn message(&self, text: &str, task: Option<&str>) -> Value {
        let id = format!("message-{}", self.messages);
        let mut message = json!({"messageId": id, "role": "ROLE_USER", "parts": [{"text": text}]});
        if let (Some(task), Some(fields)) = (task, message.as_object_mut()) {
            fields.insert("taskId".to_owned(), json!(task));
        }
        message
    }

    fn call(&self, method: &str, params: &Value) -> Result<Request<Full<Bytes>>> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = Request::post(&self.place.path)
            .header("host", "localhost")
            .header("a2a-version", "1.0")
            .header("content-type", "application/json");
        if let Some(token) = &self.place.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Ok(request.body(Full::from(body.to_string()))?)
    }
}

/// What the stream of one task carried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streamed {
    pub(crate) chunks: usize,
    /// Of all events, with what the protocol puts around the chunks.
    pub(crate) bytes: usize,
}

fn sending(message: Value, immediately: bool) -> Value {
    json!({"message": message, "configuration": {"returnImmediately": immediately}})
}

fn ended(answer: &[u8]) -> Result<()> {
    if !has(answer, COMPLETED) {
        bail!("not completed: {}", String::from_utf8_lossy(answer));
    }
    Ok(())
}

fn task_id(answer: &[u8]) -> Result<String> {
    let answer: Value = serde_json::from_slice(answer)?;
    let id = answer.pointer("/result/task/id").and_then(Value::as_str);
    Ok(id.context("no task in the answer")?.to_owned())
}

fn has(answer: &[u8], what: &str) -> bool {
    memmem::find(answer, what.as_bytes()).is_some()
}
