//! A stream that ends before its task does says so, in the words of its binding, and can be taken up again.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::host::Host;
use super::http::Stream;
use crate::Config;

/// The error event that ends the stream of a task that goes on, as `name:` of the event and its data.
async fn cut(request: Request<Body>) -> (Option<String>, Value) {
    let host = Host::new(Config::default()).await;
    let mut stream = Stream::open(&host.public, request).await;
    // The task works, and has said so.
    while !stream.next().await.unwrap().contains("under way") {}
    host.stopping.cancel();
    let last = stream.next().await.unwrap();
    assert_eq!(stream.next().await, None, "the error is the last event");
    let mut name = None;
    let mut data = Value::Null;
    for line in last.lines() {
        match line.split_once(": ").unwrap() {
            ("event", value) => name = Some(value.to_owned()),
            ("data", value) => data = serde_json::from_str(value).unwrap(),
            // A number would take the place of that of the last event that the client saw.
            (field, _) => panic!("the error event has {field}"),
        }
    }
    (name, data)
}

fn rpc(headers: &[(&str, &str)], method: &str, message: Value) -> Request<Body> {
    let params = json!({"message": message});
    let body = json!({"jsonrpc": "2.0", "id": "r", "method": method, "params": params});
    let request = super::http::post("/agents/echo", headers);
    request.body(Body::from(body.to_string())).unwrap()
}

fn rest(headers: &[(&str, &str)], uri: &str, message: Value) -> Request<Body> {
    let body = json!({"message": message});
    let request = super::http::post(uri, headers);
    request.body(Body::from(body.to_string())).unwrap()
}

fn message() -> Value {
    json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "stay"}]})
}

const V1: [(&str, &str); 1] = [("a2a-version", "1.0")];

#[track_caller]
fn assert_unavailable(details: &Value) {
    let of_type = |name: &str| {
        let ends = |detail: &&Value| detail["@type"].as_str().unwrap().ends_with(name);
        details.as_array().unwrap().iter().find(ends).unwrap()
    };
    assert_eq!(of_type("google.rpc.ErrorInfo")["reason"], "UNAVAILABLE");
    assert_eq!(of_type("google.rpc.RetryInfo")["retryDelay"], "5s");
}

#[tokio::test]
async fn over_json_rpc_it_is_an_answer_with_an_error() {
    let (name, data) = cut(rpc(&V1, "SendStreamingMessage", message())).await;
    assert_eq!((name, &data["id"]), (None, &json!("r")));
    assert_eq!(data["error"]["code"], -32000);
    assert_unavailable(&data["error"]["data"]);
}

#[tokio::test]
async fn over_json_rpc_of_0_3_it_is_too() {
    let message = json!({
        "kind": "message", "messageId": "m", "role": "user",
        "parts": [{"kind": "text", "text": "stay"}],
    });
    let (name, data) = cut(rpc(&[], "message/stream", message)).await;
    assert_eq!((name, &data["id"]), (None, &json!("r")));
    assert_eq!(data["error"]["code"], -32000);
    assert_unavailable(&data["error"]["data"]["details"]);
}

#[tokio::test]
async fn over_http_it_is_an_event_of_that_name() {
    let (name, data) = cut(rest(&V1, "/agents/echo/message:stream", message())).await;
    assert_eq!(name.as_deref(), Some("error"));
    assert_eq!(data["error"]["code"], 503);
    assert_eq!(data["error"]["status"], "UNAVAILABLE");
    assert_unavailable(&data["error"]["details"]);
}

#[tokio::test]
async fn over_http_of_0_3_it_is_too() {
    let message = json!({
        "messageId": "m", "role": "ROLE_USER", "content": [{"text": "stay"}],
    });
    let (name, data) = cut(rest(&[], "/agents/echo/v1/message:stream", message)).await;
    assert_eq!(name.as_deref(), Some("error"));
    assert_eq!(data["type"], "HostError");
    assert_unavailable(&data["details"]);
}

/// The next event that is no sign of life, as JSON.
async fn next(stream: &mut Stream) -> Value {
    let event = stream.next().await.unwrap();
    let data = event.lines().find_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(data.unwrap()).unwrap()
}

async fn subscribe(host: &Host, task: &Value, last_seen: &str) -> Stream {
    let headers = [("last-event-id", last_seen)];
    let params = json!({"id": task["id"]});
    host.stream_at("/", &headers, "SubscribeToTask", params)
        .await
}

#[tokio::test]
async fn what_an_operator_takes_back_ends_the_streams_that_showed_it() {
    let host = Host::new(Config::default()).await;
    let mut stream = host
        .stream_at(
            "/",
            &[],
            "SendStreamingMessage",
            super::host::message("park"),
        )
        .await;
    let task = next(&mut stream).await["result"]["task"].take();
    let shown = async |stream: &mut Stream, what: &str| {
        while !next(stream).await.to_string().contains(what) {}
    };
    shown(&mut stream, "half done").await;
    shown(&mut stream, "taskyard.parked").await;

    // Entry 4 is the report, and 5 says that the task is parked.
    let id = task["id"].as_str().unwrap().parse().unwrap();
    host.broker.rewind(id, taskyard_task::Seq(3)).await.unwrap();
    let error = next(&mut stream).await["error"].take();
    assert_unavailable(&error["data"]);
    assert_eq!(stream.next().await, None);

    // Who saw what was taken back begins with the task as it is, also when it is over.
    let ended = loop {
        let task = host.result("GetTask", json!({"id": task["id"]})).await;
        if task["status"]["state"] == "TASK_STATE_COMPLETED" {
            break task;
        }
        tokio::task::yield_now().await;
    };
    for seen in ["4", "5"] {
        let events = subscribe(&host, &task, seen).await.events().await;
        assert_eq!(events.len(), 1, "after {seen}: {events:?}");
        assert_eq!(events[0].1["task"], ended);
    }
    // Who did not is shown nothing of it.
    let events = subscribe(&host, &task, "3").await.events().await;
    let text = format!("{events:?}");
    assert!(!text.contains("half done"), "{text}");
    assert!(text.contains("artifactUpdate"), "{text}");
    assert!(events.iter().all(|(_, event)| event.get("task").is_none()));
}

#[tokio::test]
async fn what_is_added_up_is_the_task() {
    let host = Host::new(Config::default()).await;
    let stream = host
        .stream_at(
            "/",
            &[],
            "SendStreamingMessage",
            super::host::message("count"),
        )
        .await;
    let events = stream.events().await;
    let mut parts = Vec::new();
    for (_, event) in &events {
        let artifact = &event["artifactUpdate"]["artifact"];
        parts.extend(artifact["parts"].as_array().cloned().unwrap_or_default());
    }
    let task = host
        .result("GetTask", json!({"id": events[0].1["task"]["id"]}))
        .await;
    assert_eq!(task["artifacts"][0]["parts"], json!(parts));
    assert_eq!(parts.len(), 10);
    let last = &events[events.len() - 2].1["artifactUpdate"];
    assert_eq!(last["lastChunk"], true);
    assert_eq!(last["artifact"]["parts"], json!([{"text": "9 "}]));
}
