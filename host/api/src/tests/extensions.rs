//! The extensions from outside: what a client asks for, and what it is answered.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::host::{Host, follow_up, message};
use super::http::Stream;
use crate::{Config, Extension};

async fn host() -> Host {
    Host::new(Config::default()).await
}

/// The params of a send that gives `value` under the extension's URI.
fn asking(text: &str, extension: Extension, value: Value) -> Value {
    let mut params = message(text);
    params["metadata"] = json!({extension.uri(): value});
    params
}

fn active(extension: Extension) -> [(&'static str, &'static str); 1] {
    [("a2a-extensions", extension.uri())]
}

async fn send(host: &Host, extension: Extension, params: Value) -> Value {
    host.call_at("/", &active(extension), "SendMessage", params)
        .await
        .json()
}

async fn stream(host: &Host, extension: Extension, params: Value) -> Stream {
    host.stream_at("/", &active(extension), "SendStreamingMessage", params)
        .await
}

fn field(answer: &Value) -> &str {
    let violations = &answer["error"]["data"][0]["fieldViolations"];
    violations[0]["field"].as_str().unwrap_or_default()
}

/// A moment from now on.
fn in_hours(hours: i64) -> String {
    (Utc::now() + TimeDelta::hours(hours)).to_rfc3339()
}

#[tokio::test]
async fn an_extension_is_activated_by_the_header_or_by_the_message() {
    let host = host().await;
    let priority = Extension::Priority;
    let mut params = asking("hello", priority, json!({"priority": 1}));
    let refused = host.call("SendMessage", params.clone()).await;
    assert_eq!(refused["error"]["code"], -32602);
    assert_eq!(field(&refused), format!("metadata.{}", priority.uri()));
    let answer = send(&host, priority, params.clone()).await;
    assert!(answer.get("result").is_some(), "{answer}");
    params["message"]["extensions"] = json!([priority.uri()]);
    let answer = host.call_at("/", &[], "SendMessage", params).await;
    assert_eq!(answer.header("a2a-extensions"), priority.uri());
    assert!(answer.json().get("result").is_some());
}

#[tokio::test]
async fn a_wish_is_for_a_new_task() {
    let host = host().await;
    let asked = host.send("ask").await;
    for (extension, value) in [
        (Extension::Priority, json!({"priority": 1})),
        (Extension::Deadline, json!({"deadline": in_hours(1)})),
        (Extension::NotBefore, json!({"notBefore": in_hours(1)})),
    ] {
        let mut params = follow_up(&asked, "that");
        params["metadata"] = json!({extension.uri(): value});
        let refused = send(&host, extension, params).await;
        assert_eq!(field(&refused), format!("metadata.{}", extension.uri()));
    }
}

#[tokio::test]
async fn a_deadline_must_be_ahead() {
    let host = host().await;
    let deadline = Extension::Deadline;
    let past = json!({"deadline": in_hours(-1)});
    let refused = send(&host, deadline, asking("hello", deadline, past)).await;
    assert_eq!(
        field(&refused),
        "metadata.urn:taskyard:extension:deadline:v1.deadline"
    );
    let ahead = json!({"deadline": in_hours(1)});
    let answer = send(&host, deadline, asking("hello", deadline, ahead)).await;
    let status = &answer["result"]["task"]["status"];
    assert_eq!(status["state"], "TASK_STATE_COMPLETED");
}

#[tokio::test]
async fn a_task_for_later_is_shown_at_once_and_can_be_canceled() {
    let host = host().await;
    let not_before = Extension::NotBefore;
    let mut params = asking("hello", not_before, json!({"notBefore": in_hours(1)}));
    let mut stream = stream(&host, not_before, params.clone()).await;
    let (_, first) = stream.event().await.unwrap();
    assert_eq!(first["task"]["status"]["state"], "TASK_STATE_SUBMITTED");
    let canceled = host
        .result("CancelTask", json!({"id": first["task"]["id"]}))
        .await;
    assert_eq!(canceled["status"]["state"], "TASK_STATE_CANCELED");
    let (_, last) = stream.events().await.pop().unwrap();
    let status = &last["statusUpdate"]["status"];
    assert_eq!(status["state"], "TASK_STATE_CANCELED");

    params["configuration"] = json!({"returnImmediately": true});
    let answer = send(&host, not_before, params).await;
    let status = &answer["result"]["task"]["status"];
    assert_eq!(status["state"], "TASK_STATE_SUBMITTED");
}

#[tokio::test]
async fn who_waits_for_a_task_for_later_waits_for_its_end() {
    let host = host().await;
    let not_before = Extension::NotBefore;
    let soon = (Utc::now() + TimeDelta::milliseconds(20)).to_rfc3339();
    let params = asking("hello", not_before, json!({"notBefore": soon}));
    let answer = send(&host, not_before, params).await;
    let status = &answer["result"]["task"]["status"];
    assert_eq!(status["state"], "TASK_STATE_COMPLETED");
}

#[tokio::test]
async fn a_task_must_begin_before_the_host_gives_it_up() {
    let host = host().await;
    let not_before = Extension::NotBefore;
    let next_year = json!({"notBefore": in_hours(24 * 365)});
    let refused = send(&host, not_before, asking("hello", not_before, next_year)).await;
    assert_eq!(
        field(&refused),
        "metadata.urn:taskyard:extension:not-before:v1.notBefore"
    );
}

#[tokio::test]
async fn wishes_are_part_of_what_an_idempotency_key_stands_for() {
    let host = host().await;
    let priority = Extension::Priority;
    let headers = [("a2a-extensions", priority.uri()), ("idempotency-key", "k")];
    let send = async |number: i8| {
        let params = asking("hello", priority, json!({"priority": number}));
        host.call_at("/", &headers, "SendMessage", params)
            .await
            .json()
    };
    let first = send(1).await;
    assert_eq!(send(1).await, first);
    assert_eq!(send(2).await["error"]["code"], -32011);
}

#[tokio::test]
async fn events_carry_their_numbers_if_asked_to() {
    let host = host().await;
    let resume = Extension::StreamResume;
    let stream = stream(&host, resume, message("count")).await;
    assert_eq!(stream.headers["a2a-extensions"], resume.uri());
    for (id, event) in stream.events().await {
        let (_, body) = event.as_object().unwrap().iter().next().unwrap();
        assert_eq!(body["metadata"][resume.uri()], json!({"sequence": id}));
    }
    let silent = host.stream_at("/", &[], "SendStreamingMessage", message("count"));
    for (_, event) in silent.await.events().await {
        assert!(!event.to_string().contains(resume.uri()));
    }
}

#[tokio::test]
async fn a_filter_needs_a_webhook_that_it_is_for() {
    let host = host().await;
    let filter = Extension::NotificationFilter;
    let mut params = asking("hello", filter, json!({"on": ["TASK_STATE_COMPLETED"]}));
    let refused = send(&host, filter, params.clone()).await;
    assert_eq!(field(&refused), format!("metadata.{}", filter.uri()));
    params["configuration"] = json!({
        "taskPushNotificationConfig": {"id": "w", "url": "https://example.com/hook"},
    });
    let answer = send(&host, filter, params).await;
    let task = answer["result"]["task"]["id"].as_str().unwrap();
    let header = host
        .broker
        .task_status(task.parse().unwrap())
        .unwrap()
        .header;
    let on = vec![taskyard_task::TaskState::Completed];
    assert_eq!(header.filters, [("w".to_owned(), on)]);
}
