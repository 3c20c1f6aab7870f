//! A client of the HTTP+JSON binding that holds every answer against the OpenAPI document.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::host::Host;
use super::http::{Answer, Stream, ask};
use crate::rest::Route;
use crate::{Config, openapi};

pub(super) const JSON: (&str, &str) = ("content-type", "application/json");

/// A request to come.
#[derive(Clone, Copy)]
pub(super) struct Rest<'a> {
    host: &'a Host,
    headers: &'a [(&'a str, &'a str)],
}

impl<'a> Rest<'a> {
    pub(super) fn new(host: &'a Host) -> Self {
        Self {
            host,
            headers: &[("a2a-version", "1.0")],
        }
    }

    /// With these headers and no others.
    pub(super) fn with(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }

    fn request(&self, method: &str, uri: &str, body: Option<&Value>) -> Request<Body> {
        let request = Request::builder().method(method).uri(uri);
        let mut request = self.headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let Some(body) = body else {
            return request.body(Body::empty()).unwrap();
        };
        if !self.headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(JSON.0, JSON.1);
        }
        request.body(Body::from(body.to_string())).unwrap()
    }

    /// The whole answer. One that the document does not describe fails the test.
    pub(super) async fn ask(&self, method: &str, uri: &str, body: Option<&Value>) -> Answer {
        let answer = ask(&self.host.public, self.request(method, uri, body)).await;
        check(method, uri, &answer);
        answer
    }

    /// The result of a request that must succeed.
    pub(super) async fn get(&self, uri: &str) -> Value {
        let answer = self.ask("GET", uri, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.text());
        answer.json()
    }

    /// The result of a request that must succeed.
    pub(super) async fn post(&self, uri: &str, body: &Value) -> Value {
        let answer = self.ask("POST", uri, Some(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.text());
        answer.json()
    }

    /// A stream that must begin.
    pub(super) async fn stream(&self, method: &str, uri: &str, body: Option<&Value>) -> Stream {
        let request = self.request(method, uri, body);
        let stream = Stream::open(&self.host.public, request).await;
        assert_eq!(stream.status, StatusCode::OK);
        assert_eq!(stream.headers["content-type"], "text/event-stream");
        stream
    }

    /// The status and the error of a request that must fail.
    pub(super) async fn error(
        &self,
        method: &str,
        uri: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let answer = self.ask(method, uri, body).await;
        let status = answer.status.as_u16();
        assert!(status >= 400, "{uri}: {}", answer.text());
        let error = answer.json()["error"].take();
        assert_eq!(error["code"], status);
        (status, error)
    }
}

/// All events of a stream, each held against its schema.
pub(super) async fn events(mut stream: Stream) -> Vec<(u64, Value)> {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        let (id, data) = event.split_once('\n').unwrap();
        let id = id.strip_prefix("id: ").unwrap().parse().unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        check_schema(
            json!({"$ref": "#/components/schemas/StreamResponse"}),
            &data,
        );
        events.push((id, data));
    }
    events
}

/// Holds an answer against what the document says about its operation.
fn check(method: &str, uri: &str, answer: &Answer) {
    let path = uri.split('?').next().unwrap();
    let resource = Route::parse(path).map(|route| route.resource);
    let method: Method = method.parse().unwrap();
    let Some(operation) = resource.and_then(|resource| resource.operation(&method)) else {
        return;
    };
    let document = document();
    let methods = document["paths"].as_object().unwrap().values();
    let mut described = methods.flat_map(|methods| methods.as_object().unwrap().values());
    let described = described.find(|one| one["operationId"] == operation.name());
    let response = &described.unwrap()["responses"][answer.status.as_str()];
    let response = match response["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => response,
    };
    let schema = &response["content"][answer.header("content-type")]["schema"];
    assert!(schema.is_object(), "{uri}: {answer:?} is not described");
    if answer.header("content-type") != "text/event-stream" && method != Method::HEAD {
        check_schema(schema.clone(), &answer.json());
    }
}

fn check_schema(mut schema: Value, value: &Value) {
    schema["components"] = document()["components"].clone();
    let validator: Validator = jsonschema::draft202012::new(&schema).unwrap();
    let problems: Vec<_> = validator
        .iter_errors(value)
        .map(|e| e.to_string())
        .collect();
    assert!(problems.is_empty(), "{value:#} has {problems:#?}");
}

fn document() -> Value {
    openapi::document(&Config::default(), &[])
}
