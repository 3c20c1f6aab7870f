//! A webhook on this machine: keeps what it gets, and answers as a test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::task;
use super::wait::eventually;

/// A notification as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Notification {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// An A2A `StreamResponse`.
    pub(crate) body: Value,
    /// What the webhook answered.
    pub(crate) status: StatusCode,
}

impl Notification {
    /// A header, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The number of the log entry that it tells about: the end of the delivery's name.
    pub(crate) fn seq(&self) -> u64 {
        let delivery = self.header("x-taskyard-delivery");
        let seq = delivery.rsplit('/').next().unwrap();
        seq.parse()
            .unwrap_or_else(|_| panic!("no number in {delivery:?}"))
    }

    /// The state that it tells, if it tells one.
    pub(crate) fn state(&self) -> Option<&str> {
        let status = &self.body["statusUpdate"]["status"];
        status["state"].as_str().map(task::short)
    }
}

/// Decides the answer to the `n`-th notification, counted from 0.
type Answers = dyn Fn(usize) -> StatusCode + Send + Sync;

struct Shared {
    received: Mutex<Vec<Notification>>,
    answers: Box<Answers>,
}

/// A webhook, for as long as it is not dropped.
pub(crate) struct Webhook {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Webhook {
    /// One that takes everything.
    pub(crate) async fn willing() -> Self {
        Self::answering(|_| StatusCode::OK).await
    }

    /// One that answers its `n`-th notification with `answers(n)`.
    pub(crate) async fn answering(
        answers: impl Fn(usize) -> StatusCode + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            answers: Box::new(answers),
        });
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            server,
        }
    }

    /// Its address, with a path that tells registrations apart.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Everything that came in so far, in order.
    pub(crate) fn received(&self) -> Vec<Notification> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Everything that came in and was taken, for one path.
    pub(crate) fn taken(&self, path: &str) -> Vec<Notification> {
        let path = format!("/{path}");
        let received = self.shared.received.lock().unwrap();
        let taken = received
            .iter()
            .filter(|one| one.path == path && one.status.is_success());
        taken.cloned().collect()
    }

    /// Waits until the end of a task was taken; returns everything that was.
    pub(crate) async fn end(&self, path: &str) -> Vec<Notification> {
        eventually("the notification of the end", async || {
            let taken = self.taken(path);
            let ended = taken.last()?.state().is_some_and(task::is_terminal);
            ended.then_some(taken)
        })
        .await
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut received = shared.received.lock().unwrap();
    let status = (shared.answers)(received.len());
    received.push(Notification {
        path: uri.path().to_owned(),
        headers,
        body: serde_json::from_slice(&body).unwrap(),
        status,
    });
    match status.is_redirection() {
        true => (status, [(header::LOCATION, "/elsewhere")]).into_response(),
        false => status.into_response(),
    }
}
