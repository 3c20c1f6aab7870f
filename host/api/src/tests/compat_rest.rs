//! Clients of version 0.3 over HTTP+JSON.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::host::Host;
use super::http::{Answer, Stream, ask};
use crate::{Config, FileEncoding};

async fn host() -> Host {
    Host::new(Config::default()).await
}

async fn rest(host: &Host, verb: &str, path: &str, body: Value) -> Answer {
    rest_by(host, "", verb, path, body).await
}

/// A request of a client with this user agent.
async fn rest_by(host: &Host, agent: &str, verb: &str, path: &str, body: Value) -> Answer {
    let request = Request::builder().method(verb).uri(path);
    let request = request.header("content-type", "application/json");
    let request = request.header("user-agent", agent);
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
        let request = request.header("content-type", "application/json");
        let request = request.body(Body::empty()).unwrap();
        let mut stream = Stream::open(&host.public, request).await;
        let first = stream.next().await.unwrap();
        assert!(
            first.contains(r#""state":"TASK_STATE_INPUT_REQUIRED""#),
            "{first}"
        );
    }
}

const SDK: &str = "python-httpx/0.28.1";
/// 64 digits of hexadecimal, which are base64 as well.
const SHA_256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn message_with_file(encoded: &str) -> Value {
    let file = json!({"fileWithBytes": encoded, "mimeType": "text/plain"});
    let mut message = message("hello");
    message["message"]["content"] = json!([{"text": "hello"}, {"file": file}]);
    message
}

/// The bytes that the worker got, as 1.0 shows them to everybody.
async fn received(host: &Host, answer: &Answer) -> Vec<u8> {
    let id = answer.json()["task"]["id"].take();
    let task = host.result("GetTask", json!({"id": id})).await;
    let raw = task["history"][0]["parts"][1]["raw"].as_str().unwrap();
    STANDARD.decode(raw).unwrap()
}

fn shown(task: &Value) -> &str {
    let file = &task["history"][0]["content"][1]["file"];
    file["fileWithBytes"].as_str().unwrap()
}

#[tokio::test]
async fn files_arrive_as_they_were_and_come_back_as_they_were_sent() {
    let host = host().await;
    let once = STANDARD.encode(SHA_256);
    let twice = STANDARD.encode(&once);
    for (client, encoded) in [("curl/8.5.0", &once), ("node", &once), (SDK, &twice)] {
        let body = message_with_file(encoded);
        let sent = rest_by(&host, client, "POST", "/v1/message:send", body).await;
        assert_eq!(received(&host, &sent).await, SHA_256.as_bytes(), "{client}");
        let sent = sent.json();
        assert_eq!(shown(&sent["task"]), encoded, "{client}");
        let path = format!("/v1/tasks/{}", sent["task"]["id"].as_str().unwrap());
        let got = rest_by(&host, client, "GET", &path, json!({})).await.json();
        assert_eq!(shown(&got), encoded, "{client}");
    }
    // A send that the SDK would not write so, over the same HTTP client.
    let mut by_hand = message_with_file(&once);
    by_hand
        .as_object_mut()
        .unwrap()
        .swap_remove("configuration");
    let sent = rest_by(&host, SDK, "POST", "/v1/message:send", by_hand).await;
    assert_eq!(received(&host, &sent).await, SHA_256.as_bytes());
}

#[tokio::test]
async fn a_file_that_is_not_encoded_as_the_client_should_is_refused() {
    let once = message_with_file(&STANDARD.encode([0, 159, 146, 150]));
    let refused = rest_by(&host().await, SDK, "POST", "/v1/message:send", once).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let said = refused.json()["message"].take();
    let said = said.as_str().unwrap();
    assert!(
        said.starts_with("message.content[1].file.fileWithBytes"),
        "{said}"
    );
    assert!(said.contains("User-Agent"), "{said}");
}

#[tokio::test]
async fn the_operator_may_say_how_files_are_encoded() {
    let once = STANDARD.encode(SHA_256);
    let twice = STANDARD.encode(&once);
    for (says, client, encoded) in [
        (FileEncoding::Once, SDK, &once),
        (FileEncoding::Twice, "curl/8.5.0", &twice),
    ] {
        let host = Host::new(Config {
            file_encoding_0_3: says,
            ..Config::default()
        })
        .await;
        let body = message_with_file(encoded);
        let sent = rest_by(&host, client, "POST", "/v1/message:send", body).await;
        assert_eq!(received(&host, &sent).await, SHA_256.as_bytes(), "{says:?}");
    }
}

#[tokio::test]
async fn errors_of_streams_are_plain_answers_with_a_status() {
    // Official clients look at the status of a stream first, and have no words for an error in it.
    let refused = rest(&host().await, "POST", "/v1/message:stream", json!({})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.header("content-type"), "application/json");
    assert_eq!(refused.json()["code"], -32602);
}

#[tokio::test]
async fn a_version_that_is_not_spoken_below_v1_is_told_where_it_is() {
    let request = Request::get("/agents/echo/v1/tasks/x")
        .header("a2a-version", "2.0")
        .header("host", "10.0.0.1:8080");
    let refused = ask(&host().await.public, request.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let said = refused.json()["message"].take();
    let said = said.as_str().unwrap();
    assert!(said.contains("A2A-Version: 0.3"), "{said}");
    assert!(
        said.contains("http://10.0.0.1:8080/agents/echo without /v1"),
        "{said}"
    );
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
    let expected = json!({
        "name": format!("tasks/{id}/pushNotificationConfigs/c"),
        "pushNotificationConfig": webhook,
    });
    for body in [
        json!({"configId": "c", "config": {"pushNotificationConfig": webhook}}),
        expected.clone(),
        webhook,
    ] {
        assert_eq!(rest(&host, "POST", &configs, body).await.json(), expected);
    }
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
async fn a_request_of_1_0_below_v1_is_told_where_1_0_is_spoken() {
    let host = host().await;
    for (base, address) in [
        ("", "http://10.0.0.1:8080/agents/NAME"),
        ("/agents/echo", "http://10.0.0.1:8080/agents/echo"),
    ] {
        let request = Request::post(format!("{base}/v1/message:send"))
            .header("content-type", "application/json")
            .header("a2a-version", "1.0")
            .header("host", "10.0.0.1:8080");
        let request = request
            .body(Body::from(message("hello").to_string()))
            .unwrap();
        let refused = ask(&host.public, request).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{base}");
        let said = refused.text();
        assert!(
            said.contains(&format!("{address} with the header")),
            "{said}"
        );
    }
    // A tenant may have that name where the agent is named behind it.
    let list = host
        .call_at("/v1/agents/echo", &[], "ListTasks", json!({}))
        .await;
    assert_eq!(list.status, StatusCode::OK);
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
