//! `SendStreamingMessage` and `SubscribeToTask`: what comes, in which order, and when it ends.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::host::{Host, follow_up, message};
use super::http::Stream;
use crate::Config;

async fn host() -> Host {
    Host::new(Config::default()).await
}

async fn send(host: &Host, params: Value) -> Stream {
    host.stream_at("/", &[], "SendStreamingMessage", params)
        .await
}

async fn subscribe(host: &Host, task: &Value, last_seen: &str) -> Stream {
    let headers = [("last-event-id", last_seen)];
    let params = json!({"id": task["id"]});
    host.stream_at("/", &headers, "SubscribeToTask", params)
        .await
}

/// The events in short: the ids, and what each is.
fn kinds(events: &[(u64, Value)]) -> Vec<String> {
    let kind = |event: &Value| event.as_object().unwrap().keys().next().unwrap().clone();
    events.iter().map(|(_, event)| kind(event)).collect()
}

fn assert_ascending(events: &[(u64, Value)]) {
    assert!(events.is_sorted_by(|(a, _), (b, _)| a < b), "{events:?}");
}

/// Reads up to the question, and gives the id of the task.
async fn until_asked(stream: &mut Stream) -> Value {
    until_state(stream, "TASK_STATE_INPUT_REQUIRED").await
}

/// Reads up to the first event that shows the task in `state`, and gives the id of the task.
async fn until_state(stream: &mut Stream, state: &str) -> Value {
    let mut task = json!({});
    while let Some((_, event)) = stream.event().await {
        if event.get("task").is_some() {
            task["id"] = event["task"]["id"].clone();
        }
        if event.to_string().contains(state) {
            return task;
        }
    }
    panic!("the stream ended before {state}");
}

#[tokio::test]
async fn a_stream_begins_with_the_task_and_ends_with_its_end() {
    let stream = send(&host().await, message("count")).await;
    assert_eq!(stream.status, StatusCode::OK);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-store, no-transform");
    assert_eq!(stream.headers["x-accel-buffering"], "no");
    let events = stream.events().await;
    assert_ascending(&events);
    let task = &events[0].1["task"];
    assert_eq!(task["status"]["state"], "TASK_STATE_SUBMITTED");
    let mut expected = vec!["task", "statusUpdate"];
    expected.extend(["artifactUpdate"; 10]);
    expected.push("statusUpdate");
    assert_eq!(kinds(&events), expected);
    assert_eq!(text_of(&events), "0 1 2 3 4 5 6 7 8 9 ");
    let (_, last) = events.last().unwrap();
    assert_eq!(
        last["statusUpdate"]["status"]["state"],
        "TASK_STATE_COMPLETED"
    );
}

/// The text of the artifact, put together as a client does.
fn text_of(events: &[(u64, Value)]) -> String {
    let updates = events.iter().map(|(_, event)| &event["artifactUpdate"]);
    updates
        .filter_map(|update| update["artifact"]["parts"][0]["text"].as_str())
        .collect()
}

#[tokio::test]
async fn a_direct_answer_is_the_only_event() {
    let events = send(&host().await, message("reply")).await.events().await;
    assert_eq!(kinds(&events), ["message"]);
    assert_eq!(
        events[0].1["message"]["parts"],
        json!([{"text": "directly"}])
    );
}

#[tokio::test]
async fn errors_before_the_stream_are_plain_answers() {
    let host = host().await;
    let answer = host
        .call_at("/", &[], "SendStreamingMessage", json!({}))
        .await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["error"]["code"], -32602);
    let ended = host.send("hello").await;
    let answer = host
        .call("SubscribeToTask", json!({"id": ended["id"]}))
        .await;
    assert_eq!(answer["error"]["code"], -32004);
}

#[tokio::test]
async fn the_stream_of_a_message_ends_with_the_question_and_a_subscription_does_not() {
    let host = host().await;
    let events = send(&host, message("ask")).await.events().await;
    assert_eq!(kinds(&events), ["task", "statusUpdate", "statusUpdate"]);
    let (_, last) = events.last().unwrap();
    assert_eq!(
        last["statusUpdate"]["status"]["state"],
        "TASK_STATE_INPUT_REQUIRED"
    );

    let task = host.result("ListTasks", json!({})).await["tasks"][0].take();
    let mut subscription = subscribe(&host, &task, "").await;
    let (_, first) = subscription.event().await.unwrap();
    assert_eq!(
        first["task"]["status"]["state"],
        "TASK_STATE_INPUT_REQUIRED"
    );
    let second = send(&host, follow_up(&task, "that")).await.events().await;
    assert_eq!(second[0].1["task"]["status"]["state"], "TASK_STATE_WORKING");
    let rest = subscription.events().await;
    assert_ascending(&rest);
    assert_eq!(rest.last(), second.last());
    let (_, last) = rest.last().unwrap();
    assert_eq!(
        last["statusUpdate"]["status"]["state"],
        "TASK_STATE_COMPLETED"
    );
}

#[tokio::test]
async fn an_operator_can_keep_streams_open_at_questions() {
    let config = Config {
        close_stream_on_input_required: false,
        ..Config::default()
    };
    let host = Host::new(config).await;
    let mut stream = send(&host, message("ask")).await;
    let task = until_asked(&mut stream).await;
    host.result("SendMessage", follow_up(&task, "that")).await;
    let events = stream.events().await;
    let (_, last) = events.last().unwrap();
    assert_eq!(
        last["statusUpdate"]["status"]["state"],
        "TASK_STATE_COMPLETED"
    );
}

#[tokio::test]
async fn who_reconnects_gets_what_it_missed() {
    let host = host().await;
    let all = send(&host, message("count")).await.events().await;
    let task = host.result("ListTasks", json!({})).await["tasks"][0].take();
    for (index, (seen, _)) in all.iter().enumerate() {
        let rest = subscribe(&host, &task, &seen.to_string()).await;
        assert_eq!(rest.status, StatusCode::OK);
        assert_eq!(rest.events().await, all[index + 1..], "after {seen}");
    }
}

#[tokio::test]
async fn events_that_the_task_never_had_cannot_be_seen() {
    let host = host().await;
    let task = host.send("hello").await;
    for foreign in ["1000", "x", "-1"] {
        let answer = host
            .call_at(
                "/",
                &[("last-event-id", foreign)],
                "SubscribeToTask",
                json!({"id": task["id"]}),
            )
            .await
            .json();
        assert_eq!(answer["error"]["code"], -32602, "{foreign}");
        let violations = &answer["error"]["data"][0]["fieldViolations"];
        assert_eq!(violations[0]["field"], "Last-Event-ID");
    }
}

#[tokio::test]
async fn a_repeated_streaming_send_follows_the_same_task() {
    let host = host().await;
    let send = async |headers: &[(&str, &str)]| {
        let stream = host.stream_at("/", headers, "SendStreamingMessage", message("count"));
        stream.await.events().await
    };
    let key = ("idempotency-key", "k");
    let first = send(&[key]).await;
    let again = send(&[key]).await;
    assert_eq!(again, first);
    let (seen, rest) = (first[2].0.to_string(), &first[3..]);
    assert_eq!(send(&[key, ("last-event-id", &seen)]).await, rest);
    let (last, _) = first.last().unwrap();
    assert_eq!(send(&[key, ("last-event-id", &last.to_string())]).await, []);
}

#[tokio::test]
async fn a_question_that_was_seen_is_the_end_of_a_resumed_stream() {
    let host = host().await;
    let send = async |headers: &[(&str, &str)]| {
        let stream = host.stream_at("/", headers, "SendStreamingMessage", message("ask"));
        stream.await.events().await
    };
    let key = ("idempotency-key", "k");
    let first = send(&[key]).await;
    let (last, _) = first.last().unwrap();
    assert_eq!(send(&[key, ("last-event-id", &last.to_string())]).await, []);
}

#[tokio::test]
async fn silent_streams_are_kept_alive() {
    let config = Config {
        keep_alive_seconds: 1,
        ..Config::default()
    };
    let host = Host::new(config).await;
    let mut stream = send(&host, message("stay")).await;
    let comment = loop {
        let event = stream.next().await.unwrap();
        if event.starts_with(':') {
            break event;
        }
    };
    assert_eq!(comment, ": keep-alive");
}

#[tokio::test]
async fn a_silent_stream_has_no_comments_if_the_operator_wants_none() {
    let default = Config::default().keep_alive_seconds;
    let config = Config {
        keep_alive_seconds: 0,
        ..Config::default()
    };
    let host = Host::new(config).await;
    let mut stream = send(&host, message("stay")).await;
    // For longer than other streams are silent, which is what 0 must not mean.
    let silence = Duration::from_secs(default) + Duration::from_millis(500);
    while let Ok(event) = tokio::time::timeout(silence, stream.next()).await {
        let event = event.expect("the stream stays open");
        assert!(!event.starts_with(':'), "{event}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_changes_nothing() {
    let host = host().await;
    let mut stream = send(&host, message("ask")).await;
    let (_, first) = stream.event().await.unwrap();
    drop(stream);
    let task = json!({"id": first["task"]["id"]});
    until_asked(&mut subscribe(&host, &task, "").await).await;
}
