//! What the other tests talk to: a host whose worker does what the first message says.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes, to_bytes};
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode};
use futures::future::{BoxFuture, FutureExt as _, ready};
use futures::stream::StreamExt as _;
use serde_json::{Value, json};
use taskyard_broker::{Broker, DeployRequest, Inspector, Run, Sources, WebhookPolicy};
use taskyard_clock::{Clock, IdSource};
use taskyard_task::decide::Outcome;
use taskyard_task::{ArtifactSpec, Event, InputKind, Manifest, Part, PartBody, Seq};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{Admin, Api, Config, Token, admin_router, public_router};

/// The entries of a test's log that are read at once: more than any test makes before it asks.
const WHOLE_LOG: usize = 64;

/// A host with one agent, `echo`.
pub(super) struct Host {
    pub(super) public: Router,
    pub(super) admin: Router,
    pub(super) broker: Broker,
    pub(super) stopping: CancellationToken,
    _folder: TempDir,
}

struct TextWorker;

impl Inspector for TextWorker {
    fn inspect<'a>(&'a self, component: &'a [u8]) -> BoxFuture<'a, Result<Manifest, String>> {
        let manifest = Manifest {
            name: "echo".parse().unwrap(),
            version: String::from_utf8_lossy(component).into_owned(),
            description: "Does as it is told.".to_owned(),
            skills: Vec::new(),
            input_modes: vec!["text/*".to_owned()],
            output_modes: Vec::new(),
        };
        let is_plugin = component != b"not a plugin";
        let inspected = is_plugin.then_some(manifest);
        ready(inspected.ok_or_else(|| "it exports nothing".to_owned())).boxed()
    }
}

struct OnlyHttps;

impl WebhookPolicy for OnlyHttps {
    fn check<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(), String>> {
        let allowed = url.starts_with("https://");
        let refusal = || "must use https".to_owned();
        ready(allowed.then_some(()).ok_or_else(refusal)).boxed()
    }
}

impl Host {
    pub(super) async fn new(config: Config) -> Self {
        let host = Self::without_agents(config);
        let request = DeployRequest {
            agent: None,
            component: b"1.0.0".to_vec(),
            config: None,
            limits: None,
            max_runs: None,
        };
        host.broker.deploy(request).await.unwrap();
        tokio::spawn(work(host.broker.clone()));
        host
    }

    pub(super) fn without_agents(config: Config) -> Self {
        let folder = TempDir::new().unwrap();
        let storage = taskyard_storage::Config {
            folder: folder.path().to_owned(),
            sync: false,
        };
        let settings = taskyard_broker::Config::default();
        let broker = Broker::open(&storage, settings, Sources::default()).unwrap();
        broker.set_inspector(Arc::new(TextWorker));
        broker.set_webhook_policy(Arc::new(OnlyHttps));
        let (clock, ids) = (Clock::system(), IdSource::system());
        let stopping = CancellationToken::new();
        let admin = Admin::new(
            broker.clone(),
            Token::try_from("operator".to_owned()).unwrap(),
            Arc::new(|| "taskyard_up 1\n".to_owned()),
            clock.clone(),
            ids.clone(),
        );
        let api = Api::new(config, broker.clone(), clock, ids, stopping.clone());
        Self {
            public: public_router(api),
            admin: admin_router(admin),
            broker,
            stopping,
            _folder: folder,
        }
    }

    /// The answer to a call of `method` on the default agent.
    pub(super) async fn call(&self, method: &str, params: Value) -> Value {
        self.call_at("/", &[], method, params).await.json()
    }

    /// The result of a call that must succeed.
    pub(super) async fn result(&self, method: &str, params: Value) -> Value {
        let mut answer = self.call(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// The code of a call that must fail.
    pub(super) async fn error(&self, method: &str, params: Value) -> i64 {
        let answer = self.call(method, params).await;
        answer["error"]["code"].as_i64().unwrap_or_default()
    }

    pub(super) async fn call_at(
        &self,
        uri: &str,
        headers: &[(&str, &str)],
        method: &str,
        params: Value,
    ) -> Answer {
        self.stream_at(uri, headers, method, params)
            .await
            .whole()
            .await
    }

    /// A call whose answer is read piece by piece.
    pub(super) async fn stream_at(
        &self,
        uri: &str,
        headers: &[(&str, &str)],
        method: &str,
        params: Value,
    ) -> Stream {
        let body = json!({"jsonrpc": "2.0", "id": "r", "method": method, "params": params});
        let request = post(uri, headers).header("a2a-version", "1.0");
        let request = request.body(Body::from(body.to_string())).unwrap();
        Stream::open(&self.public, request).await
    }

    /// Sends `text`, waits for the end of the turn, and gives the task.
    pub(super) async fn send(&self, text: &str) -> Value {
        self.result("SendMessage", message(text)).await["task"].take()
    }
}

/// A `POST` of JSON with these headers; they come first, so that a test's content type counts.
pub(super) fn post(uri: &str, headers: &[(&str, &str)]) -> Builder {
    let request = Request::post(uri);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    match headers.iter().any(|(name, _)| *name == "content-type") {
        true => request,
        false => request.header("content-type", "application/json"),
    }
}

/// The params of a send of one text.
pub(super) fn message(text: &str) -> Value {
    json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]}})
}

/// The params of a send of one text to an existing task.
pub(super) fn follow_up(task: &Value, text: &str) -> Value {
    let mut params = message(text);
    params["message"]["taskId"] = task["id"].clone();
    params
}

/// An answer that was read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    /// The value of a header, or nothing.
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// The whole answer of `router`.
pub(super) async fn ask(router: &Router, request: Request<Body>) -> Answer {
    Stream::open(router, request).await.whole().await
}

/// An answer that may still go on.
pub(super) struct Stream {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: BodyDataStream,
    unread: String,
}

impl Stream {
    async fn open(router: &Router, request: Request<Body>) -> Self {
        let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body: body.into_data_stream(),
            unread: String::new(),
        }
    }

    async fn whole(self) -> Answer {
        let body = Body::from_stream(self.body);
        Answer {
            status: self.status,
            headers: self.headers,
            body: to_bytes(body, usize::MAX).await.unwrap(),
        }
    }

    /// The next event or comment; nothing at the end.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.unread = rest;
                return Some(event);
            }
            let more = self.body.next().await?.unwrap();
            self.unread.push_str(std::str::from_utf8(&more).unwrap());
        }
    }

    /// The id and the result of the next event.
    pub(super) async fn event(&mut self) -> Option<(u64, Value)> {
        let event = self.next().await?;
        let (id, data) = event.split_once('\n').unwrap();
        let id = id.strip_prefix("id: ").unwrap().parse().unwrap();
        let mut data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(data["id"], "r");
        Some((id, data["result"].take()))
    }

    /// All events up to the end.
    pub(super) async fn events(mut self) -> Vec<(u64, Value)> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }
}

async fn work(broker: Broker) {
    while let Some(run) = broker.lease().await {
        tokio::spawn(turn(run));
    }
}

/// One turn of the worker. What it does is the text of the first message:
/// `reply` answers directly, `ask` asks once, `stay` works until it is canceled, `count` writes ten
/// chunks, and anything else is put into an artifact.
async fn turn(run: Run) {
    let log = run.journal(Seq::ZERO, WHOLE_LOG).await.unwrap();
    let asked = log
        .iter()
        .any(|(_, entry)| matches!(entry.event, Event::Asked { .. }));
    let outcome = match first_text(&log[0].1.event).as_str() {
        "reply" => Outcome::Replied {
            parts: vec![Part::text("directly")],
        },
        "ask" if !asked => {
            let prompt = vec![Part::text("which one?")];
            let kind = InputKind::Input;
            run.record(Event::Asked { kind, prompt }).await.unwrap();
            return;
        }
        "stay" => {
            let text = Some("under way".to_owned());
            let percent = Some(1);
            run.record(Event::Progress { percent, text }).await.unwrap();
            run.canceled().await;
            Outcome::Canceled
        }
        "count" => {
            for number in 0..10 {
                run.record(chunk(number)).await.unwrap();
            }
            completed()
        }
        text => {
            let parts = vec![Part::text(text)];
            run.record(Event::ArtifactPut {
                spec: spec(),
                parts,
            })
            .await
            .unwrap();
            completed()
        }
    };
    run.settle(outcome).await.unwrap();
}

fn completed() -> Outcome {
    Outcome::Completed {
        message: vec![Part::text("done")],
    }
}

fn spec() -> ArtifactSpec {
    ArtifactSpec {
        id: "result".to_owned(),
        name: None,
        description: None,
        metadata: None,
    }
}

fn chunk(number: u32) -> Event {
    Event::ArtifactAppended {
        id: "result".to_owned(),
        spec: (number == 0).then(spec),
        chunk: Part::text(format!("{number} ")),
    }
}

fn first_text(event: &Event) -> String {
    let Event::Submitted(submission) = event else {
        panic!("a log begins with a submission");
    };
    match &submission.message.parts[0].body {
        PartBody::Text(text) => text.clone(),
        PartBody::Bytes(_) | PartBody::Url(_) | PartBody::Data(_) => String::new(),
    }
}
