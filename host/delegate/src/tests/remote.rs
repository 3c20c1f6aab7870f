//! A small A2A agent on loopback.

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const CARD: &str = "/.well-known/agent-card.json";

/// What the agent does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Makes a task.
    Task,
    /// Answers directly.
    Message,
    /// Makes a task, and goes down before it answers.
    TakenAndCut,
    /// Goes down before it makes a task.
    Cut,
    /// Refuses with an error of the protocol.
    Error(i32, &'static str),
    /// Refuses with a status.
    Status(u16),
}

/// How the agent behaves.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) send: Answer,
    pub(super) streams: bool,
    pub(super) lists: bool,
    pub(super) cancels: bool,
    /// Connections are closed as soon as they are made.
    pub(super) down: bool,
    /// The list has tasks of other conversations.
    pub(super) mixes_up: bool,
    /// Empty fields are left out.
    pub(super) terse: bool,
    /// It speaks HTTP+JSON and nothing else.
    pub(super) rest: bool,
    /// The path of its requests is another one by now.
    pub(super) moved: bool,
    /// Addresses in its card are relative, and names are written in other ways.
    pub(super) sloppy: bool,
    /// How it answers where a card could be and is not: status, reason and headers.
    pub(super) no_card: Option<&'static str>,
    /// Errors over HTTP+JSON have a status and a message, and no reason; those over JSON-RPC no `id`.
    pub(super) plain: bool,
}

#[derive(Debug, Clone)]
pub(super) struct FakeTask {
    pub(super) id: String,
    pub(super) context_id: String,
    pub(super) message_id: String,
    state: String,
    result: Option<String>,
}

struct State {
    script: Script,
    tasks: Vec<FakeTask>,
    calls: Vec<String>,
    keys: Vec<String>,
    attempts: usize,
}

/// A small A2A agent on loopback.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
    changes: Arc<watch::Sender<u64>>,
}

impl Remote {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::new(Mutex::new(State {
                script: Script {
                    send: Answer::Task,
                    streams: true,
                    lists: true,
                    cancels: true,
                    down: false,
                    mixes_up: false,
                    terse: false,
                    rest: false,
                    moved: false,
                    sloppy: false,
                    no_card: None,
                    plain: false,
                },
                tasks: Vec::new(),
                calls: Vec::new(),
                keys: Vec::new(),
                attempts: 0,
            })),
            changes: Arc::default(),
        };
        let serving = remote.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        remote
    }

    pub(super) fn script(&self, change: impl FnOnce(&mut Script)) {
        let mut state = self.lock();
        change(&mut state.script);
        state.attempts = 0;
    }

    /// The task that a message became, once there is one.
    pub(super) async fn task(&self) -> FakeTask {
        self.until(|state| !state.tasks.is_empty()).await;
        self.lock().tasks[0].clone()
    }

    pub(super) fn tasks(&self) -> usize {
        self.lock().tasks.len()
    }

    pub(super) fn forget_tasks(&self) {
        self.lock().tasks.clear();
        self.changed();
    }

    pub(super) fn state_of(&self, task: &str) -> String {
        let state = self.lock();
        let found = state.tasks.iter().find(|known| known.id == task);
        found.unwrap().state.clone()
    }

    pub(super) fn change(&self, task: &str, to: &str) {
        self.update(task, |task| task.state = to.to_owned());
    }

    pub(super) fn end(&self, task: &str, state: &str, result: &str) {
        self.update(task, |task| {
            task.state = state.to_owned();
            task.result = Some(result.to_owned());
        });
    }

    pub(super) fn calls(&self) -> usize {
        self.lock().attempts
    }

    pub(super) fn calls_of(&self, method: &str) -> usize {
        let state = self.lock();
        state.calls.iter().filter(|call| *call == method).count()
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.lock().keys.clone()
    }

    pub(super) async fn until_called(&self, method: &str) {
        self.until(|state| state.calls.iter().any(|call| call == method))
            .await;
    }

    /// Waits for so many connections since the script changed last.
    pub(super) async fn until_attempts(&self, count: usize) {
        self.until(|state| state.attempts >= count).await;
    }

    async fn until(&self, reached: impl Fn(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        while !reached(&self.lock()) {
            changes.changed().await.unwrap();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn update(&self, task: &str, change: impl FnOnce(&mut FakeTask)) {
        let mut state = self.lock();
        let found = state.tasks.iter_mut().find(|known| known.id == task);
        change(found.unwrap());
        drop(state);
        self.changed();
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let down = {
            let mut state = self.lock();
            state.attempts += 1;
            state.script.down
        };
        self.changed();
        if down {
            return None;
        }
        let (head, body) = read(&mut stream).await?;
        let (verb, path) = line_of(&head);
        let script = self.lock().script.clone();
        if verb == "GET" && path == CARD {
            // A mark in front, as some servers write it.
            return write(&mut stream, 200, &format!("\u{feff}{}", self.card())).await;
        }
        if let Some(no_card) = script.no_card.filter(|_| path.ends_with(CARD)) {
            let head =
                format!("HTTP/1.1 {no_card}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return stream.write_all(head.as_bytes()).await.ok();
        }
        if path.starts_with("/old/") || (script.moved && !path.starts_with("/moved")) {
            let to = path.replacen("/old", "", 1);
            let to = if to == CARD {
                to
            } else {
                format!("/moved{to}")
            };
            let head = format!(
                "HTTP/1.1 308 Moved\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            return stream.write_all(head.as_bytes()).await.ok();
        }
        let path = path.strip_prefix("/moved").unwrap_or(path);
        let call = match path.strip_prefix("/rest/t") {
            Some(path) => rest_call(verb, path, &body),
            None if path == "/rpc" && verb == "POST" => {
                Some(serde_json::from_slice(&body).unwrap())
            }
            None => None,
        };
        let Some(call) = call else {
            return answer(&mut stream, 404, &json!({})).await;
        };
        let method = call["method"].as_str().unwrap().to_owned();
        let version = head.lines().any(|line| line == "a2a-version: 1.0");
        assert!(version, "the version goes with each request: {head}");
        self.lock().calls.push(method.clone());
        let params = &call["params"];
        let result = match method.as_str() {
            "SendMessage" => self.send(&head, params),
            "ListTasks" => self.list(params),
            "GetTask" => self.get(params),
            "CancelTask" => self.cancel(params),
            "SubscribeToTask" => return self.subscribe(&mut stream, params).await,
            _ => Err(Fault::Error(-32601, "no such method")),
        };
        self.changed();
        match result {
            Ok(result) => answer(&mut stream, 200, &self.envelope(result)).await,
            Err(Fault::Cut) => None,
            Err(Fault::Status(status)) => answer(&mut stream, status, &json!("no")).await,
            Err(Fault::Error(_, message)) if script.rest && script.plain => {
                let error = json!({"code": 404, "status": "NOT_FOUND", "message": message});
                answer(&mut stream, 404, &json!({"error": error})).await
            }
            Err(Fault::Error(code, message)) if script.rest => {
                let reason = a2a::error_reason(code);
                let details = json!([{"reason": reason, "domain": "a2a-protocol.org"}]);
                let error = json!({"code": 400, "message": message, "details": details});
                answer(&mut stream, 400, &json!({"error": error})).await
            }
            Err(Fault::Error(code, message)) => {
                let error = json!({"code": code, "message": message});
                let body = match script.plain {
                    true => json!({"error": error}),
                    false => json!({"jsonrpc": "2.0", "id": 1, "error": error}),
                };
                answer(&mut stream, 200, &body).await
            }
        }
    }

    fn card(&self) -> Value {
        let script = self.lock().script.clone();
        let (path, binding) = match script.rest {
            true => ("/rest", "HTTP+JSON"),
            false => ("/rpc", "JSONRPC"),
        };
        let mut interface = json!({
            "url": format!("{}{path}", self.url), "protocolBinding": binding, "protocolVersion": "1.0",
        });
        if script.rest {
            interface["tenant"] = json!("t");
        }
        if script.sloppy {
            interface["url"] = json!(path);
            interface["protocolBinding"] = json!(binding.to_ascii_lowercase());
            interface["protocolVersion"] = json!("v1");
        }
        json!({
            "name": "fake", "description": "", "version": "1.0.0", "skills": [],
            "supportedInterfaces": [
                {"url": "http://elsewhere.invalid", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
                interface,
            ],
            "capabilities": {"streaming": script.streams},
            "defaultInputModes": [], "defaultOutputModes": [],
        })
    }

    fn send(&self, head: &str, params: &Value) -> Result<Value, Fault> {
        let mut state = self.lock();
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("idempotency-key: "));
        state.keys.push(key.unwrap_or_default().to_owned());
        let answer = state.script.send;
        match answer {
            Answer::Message => {
                let parts = json!([{"text": "pong"}]);
                return Ok(
                    json!({"message": {"messageId": "m", "role": "ROLE_AGENT", "parts": parts}}),
                );
            }
            Answer::Cut => return Err(Fault::Cut),
            Answer::Error(code, message) => return Err(Fault::Error(code, message)),
            Answer::Status(status) => return Err(Fault::Status(status)),
            Answer::Task | Answer::TakenAndCut => {}
        }
        assert_eq!(params["configuration"]["returnImmediately"], true);
        assert_eq!(params["message"]["parts"][0]["text"], "ping");
        let text = |field: &str| params["message"][field].as_str().unwrap().to_owned();
        let task = FakeTask {
            id: format!("task-{}", state.tasks.len()),
            context_id: text("contextId"),
            message_id: text("messageId"),
            state: "TASK_STATE_SUBMITTED".to_owned(),
            result: None,
        };
        let shown = show(&task, false);
        state.tasks.push(task);
        match answer {
            Answer::TakenAndCut => Err(Fault::Cut),
            _ => Ok(json!({"task": shown})),
        }
    }

    fn list(&self, params: &Value) -> Result<Value, Fault> {
        let state = self.lock();
        if !state.script.lists {
            return Err(Fault::Error(-32601, "no such method"));
        }
        let wanted = params["contextId"].as_str().unwrap();
        let fits = |task: &&FakeTask| task.context_id == wanted;
        let mut tasks: Vec<_> = state
            .tasks
            .iter()
            .filter(fits)
            .map(|task| show(task, false))
            .collect();
        if state.script.mixes_up {
            tasks.insert(
                0,
                json!({"id": "x", "contextId": "y", "status": {"state": "TASK_STATE_WORKING"}}),
            );
        }
        if state.script.terse && tasks.is_empty() {
            return Ok(json!({}));
        }
        let total = tasks.len();
        Ok(json!({"tasks": tasks, "nextPageToken": "", "pageSize": 10, "totalSize": total}))
    }

    fn get(&self, params: &Value) -> Result<Value, Fault> {
        let state = self.lock();
        let found = state.tasks.iter().find(|task| task.id == params["id"]);
        found.map(|task| show(task, true)).ok_or(Fault::UNKNOWN)
    }

    fn cancel(&self, params: &Value) -> Result<Value, Fault> {
        let mut state = self.lock();
        if !state.script.cancels {
            return Err(Fault::Error(-32002, "not cancelable"));
        }
        let mut tasks = state.tasks.iter_mut();
        let task = tasks.find(|task| task.id == params["id"]);
        let task = task.ok_or(Fault::UNKNOWN)?;
        task.state = "TASK_STATE_CANCELED".to_owned();
        Ok(show(task, true))
    }

    /// A result as the binding has it.
    fn envelope(&self, result: Value) -> Value {
        match self.lock().script.rest {
            true => result,
            false => rpc(result),
        }
    }

    /// Shows the task as it is, and then each change, until it ends, is forgotten, or the host goes down.
    async fn subscribe(&self, stream: &mut TcpStream, params: &Value) -> Option<()> {
        let mut changes = self.changes.subscribe();
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).await.ok()?;
        // A mark in front, as some servers write it.
        stream.write_all("\u{feff}".as_bytes()).await.ok()?;
        self.changed();
        loop {
            changes.mark_unchanged();
            let task = self.get(params).ok().filter(|_| !self.lock().script.down)?;
            let event = self.envelope(json!({"task": task}));
            let event = format!("data: {event}\n\n: ping\n\n");
            stream.write_all(event.as_bytes()).await.ok()?;
            let state = task["status"]["state"].as_str()?;
            if ["COMPLETED", "CANCELED", "FAILED"]
                .iter()
                .any(|end| state.ends_with(end))
            {
                return None;
            }
            changes.changed().await.ok()?;
        }
    }
}

enum Fault {
    Cut,
    Status(u16),
    Error(i32, &'static str),
}

impl Fault {
    const UNKNOWN: Self = Self::Error(-32001, "task not found");
}

fn show(task: &FakeTask, whole: bool) -> Value {
    let mut shown = json!({
        "id": task.id, "contextId": task.context_id, "status": {"state": task.state},
    });
    if let Some(result) = &task.result {
        let words: String = result.chars().take(100).collect();
        let parts = json!([{"text": format!("said {words}")}]);
        shown["status"]["message"] =
            json!({"messageId": "m", "role": "ROLE_AGENT", "parts": parts});
        if whole {
            shown["artifacts"] = json!([{"artifactId": "a", "parts": [{"text": result}]}]);
        }
    }
    shown
}

fn rpc(result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "result": result})
}

fn line_of(head: &str) -> (&str, &str) {
    let mut words = head.split(' ');
    let verb = words.next().unwrap();
    (verb, words.next().unwrap())
}

/// The call that a request over HTTP+JSON is.
fn rest_call(verb: &str, path: &str, body: &[u8]) -> Option<Value> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let params = serde_json::from_slice(body).unwrap_or_else(|_| {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Value::Object(
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    });
    let (method, id) = match (verb, path) {
        ("POST", "/message:send") => ("SendMessage", None),
        ("GET", "/tasks") => ("ListTasks", None),
        (verb, path) => {
            let task = path.strip_prefix("/tasks/")?;
            match (verb, task.split_once(':')) {
                ("GET", None) => ("GetTask", Some(task)),
                ("POST", Some((id, "cancel"))) => ("CancelTask", Some(id)),
                ("POST", Some((id, "subscribe"))) => ("SubscribeToTask", Some(id)),
                _ => return None,
            }
        }
    };
    let mut params: Value = params;
    if let Some(id) = id {
        params["id"] = json!(id);
    }
    Some(json!({"method": method, "params": params}))
}

/// One request; nothing if the client went away.
async fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes[end + 4..].to_vec()));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, body: &Value) -> Option<()> {
    // Half an emoji, as a text that was cut at a length has it.
    write(stream, status, &body.to_string().replace("HALF", "\\ud83d")).await
}

async fn write(stream: &mut TcpStream, status: u16, body: &str) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()
}
