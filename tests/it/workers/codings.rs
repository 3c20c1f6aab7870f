//! Responses that a server codes for the way: workers get the content, whatever they ask with.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::gzip::gzip;
use crate::support::{Host, Settings, message, places, task};

/// A server that codes whatever it says.
struct Server {
    address: SocketAddr,
    running: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer);
        let running = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, running }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn answer(request: Request) -> Response {
    let (kind, coded) = match request.uri().path() {
        "/events" => ("text/event-stream", gzip(EVENTS.map(str::as_bytes))),
        "/refused" => ("text/plain", vec![b"this is no gzip".to_vec()]),
        path => ("text/plain", gzip([format!("you said {path}").as_bytes()])),
    };
    let headers = [(CONTENT_TYPE, kind), (CONTENT_ENCODING, "gzip")];
    let pieces = coded.into_iter().map(Ok::<_, std::convert::Infallible>);
    (headers, Body::from_stream(stream::iter(pieces))).into_response()
}

const EVENTS: [&str; 2] = ["data: one\n\n", "data: two\n\n"];

/// Plays a scene of the worker that uses stock libraries, which know nothing of codings.
async fn play(scene: &str) -> Value {
    let server = Server::start().await;
    let host = Host::start(Settings::default().set("egress.allow", r#"["127.0.0.1"]"#)).await;
    let rules = json!([{"host": server.url()}]).to_string();
    let worker = places::guest("stock-rust");
    host.admin().load(&worker, &[("egress", rules)]).await;
    let agent = host.agent("stock-rust");
    let sent = agent
        .send(message(&format!("{scene} {}", server.url())))
        .await;
    let done = agent.ended(task::id(&sent)).await;
    assert_eq!(task::state(&done), "COMPLETED", "{done}");
    done
}

#[tokio::test]
async fn a_stock_client_gets_the_content() {
    let seen = task::artifact(&play("sequence").await, "sequence");
    assert_eq!(seen, "you said /one\nyou said /two\nyou said /three");
}

#[tokio::test]
async fn a_stock_client_gets_the_content_of_a_stream() {
    let seen = task::artifact(&play("stream").await, "stream");
    // How it is cut is for the network to say.
    let pieces = seen
        .lines()
        .map(|piece| serde_json::from_str::<String>(piece).unwrap());
    assert_eq!(pieces.collect::<String>(), EVENTS.concat());
}

#[tokio::test]
async fn garbage_is_an_error_of_a_stock_client_and_no_content() {
    let seen = task::artifact(&play("refused").await, "refused");
    assert!(!seen.contains("this is no gzip"), "{seen}");
    assert!(!seen.is_empty());
}
