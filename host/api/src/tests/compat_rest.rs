//! Clients of version 0.3 over HTTP+JSON.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::host::Host;
use super::http::{Answer, Stream, ask};
use crate::Config;

async fn host() -> Host {
    Host::new(Config::default()).await
}

async fn rest(host: &Host, verb: &str, path: &str, body: Value) -> Answer {
    let request = Request::builder().method(verb).uri(path);
    let request = request.header("content-type", "application/json");
    ask(
        &host.public,
        request.body(Body::from(body.to_string())).unwrap(),
    )
    .await
}

fn message(text: &str) -> Value {
    json!({
        "message": {"messageId": "m", "role": "ROLE_USER", "content": [{"text": text}]},
        "configuration": {"blocking": true},
    })
}

#[tokio::test]
async fn tasks_are_served() {
    let host = host().await;
    for base in ["", "/agents/echo", "/acme/agents/echo"] {
        let at = |path: &str| format!("{base}/v1/{path}");
        let sent = rest(&host, "POST", &at("message:send"), message("hello"))
            .await
            .json();
        let task = &sent["task"];
        assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED", "{sent}");
        assert_eq!(
            task["status"]["message"]["content"],
            json!([{"text": "done"}])
        );
        let id = task["id"].as_str().unwrap();
        let got = rest(
            &host,
            "GET",
            &at(&format!("tasks/{id}?historyLength=5")),
            json!({}),
        )
        .await;
        assert_eq!(got.json(), *task);
        let path = at(&format!("tasks/{id}:cancel"));
        let canceled = rest(&host, "POST", &path, json!({})).await;
        assert_eq!(canceled.status, StatusCode::CONFLICT);
        assert_eq!(canceled.json()["type"], "TaskNotCancelableError");
    }
}

#[tokio::test]
async fn events_are_streamed() {
    let host = host().await;
    let answer = rest(&host, "POST", "/v1/message:stream", message("ask")).await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let text = answer.text();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = events
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let id = events[0]["task"]["id"].as_str().unwrap();
    let last = &events.last().unwrap()["statusUpdate"];
    assert_eq!(last["status"]["state"], "TASK_STATE_INPUT_REQUIRED");
    assert_eq!(last["final"], true);
    for verb in ["GET", "POST"] {
        let path = format!("/v1/tasks/{id}:subscribe");
        let request = Request::builder().method(verb).uri(path);
        let request = request.body(Body::empty()).unwrap();
        let mut stream = Stream::open(&host.public, request).await;
        let first = stream.next().await.unwrap();
        assert!(
            first.contains(r#""state":"TASK_STATE_INPUT_REQUIRED""#),
            "{first}"
        );
    }
}

#[tokio::test]
async fn webhooks_are_served() {
    let host = host().await;
    let sent = rest(&host, "POST", "/v1/message:send", message("hello"))
        .await
        .json();
    let id = sent["task"]["id"].as_str().unwrap();
    let configs = format!("/v1/tasks/{id}/pushNotificationConfigs");
    let webhook = json!({"id": "c", "url": "https://h"});
    let body = json!({"configId": "c", "config": {"pushNotificationConfig": webhook}});
    let expected = json!({
        "name": format!("tasks/{id}/pushNotificationConfigs/c"),
        "pushNotificationConfig": webhook,
    });
    assert_eq!(rest(&host, "POST", &configs, body).await.json(), expected);
    let one = format!("{configs}/c");
    assert_eq!(rest(&host, "GET", &one, json!({})).await.json(), expected);
    let list = rest(&host, "GET", &configs, json!({})).await.json();
    assert_eq!(list, json!({"configs": [expected]}));
    assert_eq!(
        rest(&host, "DELETE", &one, json!({})).await.json(),
        json!({})
    );
    assert_eq!(
        rest(&host, "GET", &one, json!({})).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_tenant_of_1_0_may_be_called_v1() {
    let host = host().await;
    let ask_1_0 = async |verb: &str, path: &str, body: Value| {
        let request = Request::builder().method(verb).uri(path);
        let request = request
            .header("content-type", "application/json")
            .header("a2a-version", "1.0");
        let request = request.body(Body::from(body.to_string())).unwrap();
        ask(&host.public, request).await
    };
    let parts = json!([{"text": "hello"}]);
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": parts});
    for base in ["", "/agents/echo"] {
        let path = format!("{base}/v1/message:send");
        let sent = ask_1_0("POST", &path, json!({"message": message})).await;
        let sent = sent.json();
        let id = sent["task"]["id"].as_str().unwrap();
        let here = ask_1_0("GET", &format!("{base}/v1/tasks/{id}"), json!({})).await;
        assert_eq!(here.status, StatusCode::OK);
        let elsewhere = ask_1_0("GET", &format!("{base}/tasks/{id}"), json!({})).await;
        assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn refusals_have_the_statuses_of_0_3() {
    let host = host().await;
    let refused = rest(&host, "POST", "/v1/message:send", json!({})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        refused.json()["message"],
        "message is required and must not be empty"
    );
    for (verb, path, status) in [
        ("GET", "/v1/tasks/x", StatusCode::NOT_FOUND),
        (
            "GET",
            "/v1/tasks/x?historyLength=y",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("POST", "/v1/tasks/x", StatusCode::NOT_FOUND),
        ("POST", "/v1/tasks/x:dance", StatusCode::NOT_FOUND),
        ("DELETE", "/v1/tasks/x", StatusCode::METHOD_NOT_ALLOWED),
        ("GET", "/v1/card", StatusCode::NOT_FOUND),
        ("GET", "/agents/nobody/v1/tasks/x", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(
            rest(&host, verb, path, json!({})).await.status,
            status,
            "{verb} {path}"
        );
    }
}
