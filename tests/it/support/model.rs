//! A language model on this machine, with tools, a publisher and whoever is to be notified: speaks the chat API of
//! OpenAI, counts every request, and is slow or out of order when a test wants it.

mod chat;
mod gate;
mod script;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::gzip::gzip;
use gate::Gates;
use script::Script;

pub(crate) use chat::{PLAN, REPORT};
pub(crate) use gate::Hold;

/// What the model wants to see as `Authorization: Bearer`. Nobody else may see it.
pub(crate) const KEY: &str = "sk-a-key-that-only-the-model-sees";

/// Where the model is.
pub(crate) const CHAT: &str = "/v1/chat/completions";

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) query: String,
    /// Its `Idempotency-Key`.
    pub(crate) key: Option<String>,
    /// Its `Authorization`.
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
    pub(crate) status: StatusCode,
    /// Whether the whole response was given.
    pub(crate) answered: bool,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Request>>,
    gates: Gates,
    script: Script,
    codes: AtomicBool,
}

/// The servers, for as long as they are not dropped. The model has a port of its own, and so a rule of its own.
pub(crate) struct Model {
    model: SocketAddr,
    others: SocketAddr,
    shared: Arc<Shared>,
    servers: [JoinHandle<()>; 2],
}

impl Model {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let (model, first) = serve(Router::new().fallback(ask_model), &shared).await;
        let (others, second) = serve(Router::new().fallback(ask_others), &shared).await;
        Self {
            model,
            others,
            shared,
            servers: [first, second],
        }
    }

    /// The scheme, host and port of the model.
    pub(crate) fn model_origin(&self) -> String {
        format!("http://{}", self.model)
    }

    /// The scheme, host and port of everything else.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.others)
    }

    /// Answers the next `times` requests for `path` with `status`.
    pub(crate) fn fail(&self, path: &str, times: usize, status: StatusCode) {
        self.shared.script.fail(path, times, status);
    }

    /// Codes all answers with gzip from now on, asked or not. Each has a piece more at its beginning and its end.
    pub(crate) fn code(&self) {
        self.shared.codes.store(true, Ordering::Relaxed);
    }

    /// Holds the `number`-th request for `path`, counted from 1, after `pieces` pieces of its answer; with none of
    /// them, before it is answered at all.
    pub(crate) fn hold(&self, path: &str, number: usize, pieces: usize) -> Hold {
        self.shared.gates.hold(path, number, pieces)
    }

    /// The requests for `path` that came in so far, in order.
    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let received = self.shared.received.lock().unwrap();
        let found = received.iter().filter(|request| request.path == path);
        found.cloned().collect()
    }

    /// How often each request came in, told apart by path and idempotency key.
    pub(crate) fn counts(&self) -> BTreeMap<(String, Option<String>), usize> {
        let mut counts = BTreeMap::new();
        for request in self.shared.received.lock().unwrap().iter() {
            let name = (request.path.clone(), request.key.clone());
            *counts.entry(name).or_default() += 1;
        }
        counts
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

async fn serve(router: Router<Arc<Shared>>, shared: &Arc<Shared>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router.with_state(Arc::clone(shared));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, server)
}

async fn ask_model(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let has_key = text(&headers, header::AUTHORIZATION.as_str());
    let has_key = has_key == Some(format!("Bearer {KEY}"));
    let body = json(&body);
    let reply = match (method, uri.path()) {
        (Method::POST, CHAT) if has_key => chat::reply(&body),
        (Method::POST, CHAT) => Reply::of(StatusCode::UNAUTHORIZED),
        _ => Reply::of(StatusCode::NOT_FOUND),
    };
    answer(shared, &uri, &headers, body, reply).await
}

async fn ask_others(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = uri.query().unwrap_or_default();
    let reply = match (method, uri.path()) {
        (Method::GET, "/search") => {
            Reply::text(format!("Found for {query}: cats purr when content."))
        }
        (Method::GET, "/facts") => Reply::text("A purr has 25 Hz.".to_owned()),
        (Method::POST, "/publish" | "/notify") => Reply::of(StatusCode::CREATED),
        _ => Reply::of(StatusCode::NOT_FOUND),
    };
    answer(shared, &uri, &headers, json(&body), reply).await
}

/// What is sent back, unless the script has it fail.
struct Reply {
    status: StatusCode,
    content_type: &'static str,
    pieces: Vec<String>,
}

impl Reply {
    fn of(status: StatusCode) -> Self {
        Self {
            status,
            content_type: "text/plain",
            pieces: Vec::new(),
        }
    }

    fn text(text: String) -> Self {
        Self {
            pieces: vec![text],
            ..Self::of(StatusCode::OK)
        }
    }
}

/// Counts the request, then answers piece by piece.
async fn answer(
    shared: Arc<Shared>,
    uri: &Uri,
    headers: &HeaderMap,
    body: Value,
    reply: Reply,
) -> Response {
    let path = uri.path().to_owned();
    let reply = match shared.script.failure(&path) {
        Some(status) => Reply::of(status),
        None => reply,
    };
    let request = Request {
        path: path.clone(),
        query: uri.query().unwrap_or_default().to_owned(),
        key: text(headers, "idempotency-key"),
        authorization: text(headers, header::AUTHORIZATION.as_str()),
        body,
        status: reply.status,
        answered: false,
    };
    let (index, number) = {
        let mut received = shared.received.lock().unwrap();
        received.push(request);
        let number = received
            .iter()
            .filter(|request| request.path == path)
            .count();
        (received.len() - 1, number)
    };
    shared.gates.pass(&path, number, 0).await;

    let Reply {
        status,
        content_type,
        pieces,
    } = reply;
    let mut headers = vec![(header::CONTENT_TYPE, content_type)];
    let pieces: Vec<_> = match shared.codes.load(Ordering::Relaxed) {
        false => pieces.into_iter().map(String::into_bytes).collect(),
        true => {
            headers.push((header::CONTENT_ENCODING, "gzip"));
            gzip(pieces.iter().map(String::as_bytes))
        }
    };
    let last = pieces.len();
    if last == 0 {
        shared.received.lock().unwrap()[index].answered = true;
    }
    let pieces = stream::iter(pieces)
        .enumerate()
        .then(move |(before, piece)| {
            let (shared, path) = (Arc::clone(&shared), path.clone());
            async move {
                if before > 0 {
                    shared.gates.pass(&path, number, before).await;
                }
                shared.received.lock().unwrap()[index].answered = before + 1 == last;
                Ok::<_, Infallible>(piece)
            }
        });
    let headers = axum::response::AppendHeaders(headers);
    (status, headers, Body::from_stream(pieces)).into_response()
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

fn json(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
