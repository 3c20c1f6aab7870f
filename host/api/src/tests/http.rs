//! Requests against a router, and what comes back: whole, or event by event.

use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes, to_bytes};
use axum::http::request::Builder;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use futures::stream::StreamExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

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
    pub(super) async fn open(router: &Router, mut request: Request<Body>) -> Self {
        let localhost = HeaderValue::from_static("localhost");
        request
            .headers_mut()
            .entry(header::HOST)
            .or_insert(localhost);
        let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body: body.into_data_stream(),
            unread: String::new(),
        }
    }

    /// How many bytes each piece of the body has.
    pub(super) async fn pieces(self) -> Vec<usize> {
        self.body.map(|piece| piece.unwrap().len()).collect().await
    }

    pub(super) async fn whole(self) -> Answer {
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
