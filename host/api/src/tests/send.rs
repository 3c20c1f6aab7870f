//! `SendMessage`: waiting, direct answers, follow-ups, refusals, repetition.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::host::{Host, follow_up, message};
use crate::Config;

async fn host() -> Host {
    Host::new(Config::default()).await
}

#[tokio::test]
async fn a_send_waits_for_the_end_and_shows_the_whole_task() {
    let task = host().await.send("hello").await;
    assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(
        task["status"]["message"]["parts"],
        json!([{"text": "done"}])
    );
    assert_eq!(task["artifacts"][0]["artifactId"], "result");
    assert_eq!(task["artifacts"][0]["parts"], json!([{"text": "hello"}]));
    assert_eq!(task["history"][0]["role"], "ROLE_USER");
    assert_eq!(task["history"][0]["contextId"], task["contextId"]);
    assert_no_null(&task);
}

fn assert_no_null(value: &Value) {
    match value {
        Value::Null => panic!("a null was sent"),
        Value::Array(items) => items.iter().for_each(assert_no_null),
        Value::Object(members) => members.values().for_each(assert_no_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn a_direct_answer_is_a_message_and_leaves_no_task() {
    let host = host().await;
    let result = host.result("SendMessage", message("reply")).await;
    assert!(result.get("task").is_none());
    let message = &result["message"];
    assert_eq!(message["role"], "ROLE_AGENT");
    assert_eq!(message["parts"], json!([{"text": "directly"}]));
    assert!(message["contextId"].is_string());
    assert!(message.get("taskId").is_none());
    let list = host.result("ListTasks", json!({})).await;
    assert_eq!(list["totalSize"], 0);
}

#[tokio::test]
async fn return_immediately_does_not_wait() {
    let host = host().await;
    let mut params = message("stay");
    params["configuration"] = json!({"return_immediately": true, "historyLength": 0});
    let result = host.result("SendMessage", params).await;
    let task = &result["task"];
    let state = task["status"]["state"].as_str().unwrap();
    assert!(["TASK_STATE_SUBMITTED", "TASK_STATE_WORKING"].contains(&state));
    assert!(task.get("history").is_none());
    host.result("CancelTask", json!({"id": task["id"]})).await;
}

#[tokio::test]
async fn a_question_ends_the_turn_and_the_answer_begins_the_next() {
    let host = host().await;
    let task = host.send("ask").await;
    assert_eq!(task["status"]["state"], "TASK_STATE_INPUT_REQUIRED");
    let prompt = json!([{"text": "which one?"}]);
    assert_eq!(task["status"]["message"]["parts"], prompt);
    let result = host.result("SendMessage", follow_up(&task, "that")).await;
    assert_eq!(result["task"]["id"], task["id"]);
    assert_eq!(result["task"]["status"]["state"], "TASK_STATE_COMPLETED");
}

#[tokio::test]
async fn follow_ups_that_cannot_be() {
    let host = host().await;
    let ended = host.send("hello").await;
    assert_eq!(
        host.error("SendMessage", follow_up(&ended, "more")).await,
        -32004
    );
    for unknown in ["0190163d-8694-739b-aea5-966c26f8ad91", "no id"] {
        let task = json!({"id": unknown});
        assert_eq!(
            host.error("SendMessage", follow_up(&task, "x")).await,
            -32001
        );
    }
    let waiting = host.send("ask").await;
    let mut elsewhere = follow_up(&waiting, "x");
    elsewhere["message"]["contextId"] = json!("another");
    let answer = host.call("SendMessage", elsewhere).await;
    assert_eq!(answer["error"]["code"], -32602);
    let violations = &answer["error"]["data"][0]["fieldViolations"];
    assert_eq!(violations[0]["field"], "message.contextId");
}

#[tokio::test]
async fn a_client_may_name_the_context() {
    let host = host().await;
    let mut params = message("hello");
    params["message"]["context_id"] = json!("c".repeat(256));
    let result = host.result("SendMessage", params.clone()).await;
    assert_eq!(result["task"]["contextId"], json!("c".repeat(256)));
    params["message"]["context_id"] = json!("c".repeat(257));
    assert_eq!(host.error("SendMessage", params).await, -32602);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_field() {
    let host = host().await;
    let with = |pointer: &str, value: Value| {
        let mut params = message("hello");
        params["configuration"] = json!({});
        *params.pointer_mut(pointer).unwrap() = value;
        params
    };
    for (params, field) in [
        (json!({}), "message"),
        (with("/message/parts", json!([])), "message.parts"),
        (with("/message/role", json!("ROLE_AGENT")), "message.role"),
        (with("/message/messageId", json!("")), "message.messageId"),
        (
            with("/configuration", json!({"historyLength": -1})),
            "configuration.historyLength",
        ),
        (
            with(
                "/configuration",
                json!({"taskPushNotificationConfig": {"url": "http://h"}}),
            ),
            "configuration.taskPushNotificationConfig.url",
        ),
    ] {
        let answer = host.call("SendMessage", params).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        let details = &answer["error"]["data"][0];
        assert_eq!(
            details["@type"],
            "type.googleapis.com/google.rpc.BadRequest"
        );
        assert_eq!(details["fieldViolations"][0]["field"], field);
    }
}

#[tokio::test]
async fn media_types_that_the_agent_does_not_take_are_refused() {
    let host = host().await;
    let mut params = message("hello");
    params["message"]["parts"][0]["media_type"] = json!("image/png");
    assert_eq!(host.error("SendMessage", params.clone()).await, -32005);
    params["message"]["parts"][0]["media_type"] = json!("text/markdown");
    host.result("SendMessage", params).await;
}

#[tokio::test]
async fn a_repeated_request_takes_effect_once() {
    let host = host().await;
    let key = [("idempotency-key", "k-1")];
    let send = async |text: &str, id: &str| {
        let mut params = message(text);
        params["message"]["messageId"] = json!(id);
        host.call_at("/", &key, "SendMessage", params).await
    };
    let first = send("hello", "1").await.json();
    let again = send("hello", "2").await.json();
    assert_eq!(first, again);
    let other = send("something else", "1").await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    let error = &other.json()["error"];
    assert_eq!(error["code"], -32011);
    assert_eq!(error["data"][0]["reason"], "IDEMPOTENCY_CONFLICT");
    let list = host.result("ListTasks", json!({})).await;
    assert_eq!(list["totalSize"], 1);
}

#[tokio::test]
async fn a_request_that_lost_its_client_is_not_repeated() {
    let host = host().await;
    let key = [("idempotency-key", "k")];
    let send = || host.call_at("/", &key, "SendMessage", message("hello"));
    {
        let mut lost = std::pin::pin!(send());
        assert!(futures::poll!(&mut lost).is_pending());
    }
    let again = send().await.json();
    assert_eq!(
        again["result"]["task"]["status"]["state"],
        "TASK_STATE_COMPLETED"
    );
    let list = host.result("ListTasks", json!({})).await;
    assert_eq!(list["totalSize"], 1);
}

#[tokio::test]
async fn who_waits_is_told_that_the_host_shuts_down() {
    let host = host().await;
    let waiting = host.call_at("/", &[], "SendMessage", message("stay"));
    host.stopping.cancel();
    let answer = waiting.await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(answer.json()["error"]["data"][0]["reason"], "UNAVAILABLE");
}
