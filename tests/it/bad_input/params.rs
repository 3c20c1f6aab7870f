//! Requests whose params make no sense, or not for the task that they name.

use serde_json::{Value, json};

use super::{assert_unharmed, host};
use crate::support::agent::{follow_up, message_of};
use crate::support::{Agent, Refusal, message, task};

const INVALID: i64 = -32602;
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

/// Sends each of `params`; all must be refused as invalid, in words that name the field.
async fn check_invalid(agent: &Agent, method: &str, rows: &[(Value, &str)]) {
    for (params, field) in rows {
        let refusal = agent.refused(method, params.clone()).await;
        assert_eq!(
            (refusal.status, refusal.code),
            (200, INVALID),
            "{params}: {refusal:?}"
        );
        assert!(refusal.message.contains(field), "{params}: {refusal:?}");
    }
}

/// A message with one member replaced.
fn with(member: &str, value: Value) -> Value {
    let mut message = message("x");
    message[member] = value;
    json!({"message": message})
}

fn with_part(part: Value) -> Value {
    json!({"message": message_of(json!([part]))})
}

fn with_configuration(configuration: Value) -> Value {
    json!({"message": message("x"), "configuration": configuration})
}

#[tokio::test]
async fn messages_that_are_none() {
    let host = host().await;
    let rows = [
        (json!({}), "message"),
        (json!({"message": null}), "message"),
        (json!({"message": "hello"}), "message"),
        (with("messageId", json!("")), "message.messageId"),
        (with("messageId", json!(7)), "message.messageId"),
        (with("role", json!(null)), "message.role"),
        (with("role", json!("ROLE_AGENT")), "message.role"),
        (with("role", json!("ROLE_KING")), "message.role"),
        (with("role", json!(99)), "message.role"),
        (with("parts", json!([])), "message.parts"),
        (with("parts", json!(null)), "message.parts"),
        (with("parts", json!("x")), "message.parts"),
        (with("parts", json!(["x"])), "message.parts[0]"),
        (with("metadata", json!("x")), "message.metadata"),
        (with("contextId", json!(7)), "message.contextId"),
        (
            with("contextId", json!("x".repeat(257))),
            "message.contextId",
        ),
        (
            with("referenceTaskIds", json!("x")),
            "message.referenceTaskIds",
        ),
        (with_part(json!({})), "message.parts[0]"),
        (
            with_part(json!({"text": "x", "url": "https://example.com"})),
            "message.parts[0]",
        ),
        (with_part(json!({"text": 7})), "message.parts[0].text"),
        (
            with_part(json!({"raw": "not base64!"})),
            "message.parts[0].raw",
        ),
        (
            with_part(json!({"text": "x", "metadata": []})),
            "message.parts[0].metadata",
        ),
    ];
    for method in ["SendMessage", "SendStreamingMessage"] {
        check_invalid(&host.agent("echo"), method, &rows).await;
    }
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn configurations_that_make_no_sense() {
    let host = host().await;
    let push = |push: Value| with_configuration(json!({"taskPushNotificationConfig": push}));
    let url = "configuration.taskPushNotificationConfig.url";
    let rows = [
        (with_configuration(json!([])), "configuration"),
        (
            with_configuration(json!({"historyLength": -1})),
            "configuration.historyLength",
        ),
        (
            with_configuration(json!({"historyLength": "many"})),
            "configuration.historyLength",
        ),
        (
            with_configuration(json!({"historyLength": 1e20})),
            "configuration.historyLength",
        ),
        (
            with_configuration(json!({"returnImmediately": "maybe"})),
            "configuration.returnImmediately",
        ),
        (
            with_configuration(json!({"acceptedOutputModes": 7})),
            "configuration.acceptedOutputModes",
        ),
        (push(json!({})), url),
        (push(json!({"url": "not a url"})), url),
        (push(json!({"url": "ftp://8.8.8.8/"})), url),
        (push(json!({"url": "http://127.0.0.1/"})), url),
    ];
    check_invalid(&host.agent("echo"), "SendMessage", &rows).await;
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn questions_about_tasks_that_make_no_sense() {
    let host = host().await;
    let echo = host.agent("echo");
    for method in ["GetTask", "CancelTask", "SubscribeToTask"] {
        let rows = [
            (json!({}), "id"),
            (json!({"id": ""}), "id"),
            (json!({"id": null}), "id"),
            (json!({"id": 7}), "id"),
            (json!({"id": ["x"]}), "id"),
        ];
        check_invalid(&echo, method, &rows).await;
    }
    let rows = [(json!({"id": NOBODY, "historyLength": -1}), "historyLength")];
    check_invalid(&echo, "GetTask", &rows).await;
    let rows = [
        (json!({"pageSize": 0}), "pageSize"),
        (json!({"pageSize": 101}), "pageSize"),
        (json!({"pageSize": -1}), "pageSize"),
        (json!({"pageSize": "ten"}), "pageSize"),
        (json!({"pageToken": "garbage"}), "pageToken"),
        (json!({"pageToken": "zz.zz"}), "pageToken"),
        (json!({"status": "TASK_STATE_CONFUSED"}), "status"),
        (json!({"status": 99}), "status"),
        (
            json!({"statusTimestampAfter": "yesterday"}),
            "statusTimestampAfter",
        ),
        (json!({"historyLength": -1}), "historyLength"),
        (json!({"includeArtifacts": "some"}), "includeArtifacts"),
    ];
    check_invalid(&echo, "ListTasks", &rows).await;
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn tenants_that_cannot_be() {
    let host = host().await;
    let echo = host.agent("echo");
    let rows = [(json!({"id": NOBODY, "tenant": "a/b"}), "tenant")];
    check_invalid(&echo, "GetTask", &rows).await;
    let rows = [(json!({"id": NOBODY, "tenant": "globex"}), "tenant")];
    check_invalid(&echo.of_tenant("acme"), "GetTask", &rows).await;
}

#[tokio::test]
async fn webhooks_that_cannot_be() {
    let host = host().await;
    let echo = host.agent("echo");
    let done = echo.send(message("x")).await;
    let config = |member: &str, value: Value| {
        let mut config = json!({"taskId": task::id(&done), "url": "https://8.8.8.8/"});
        config[member] = value;
        config
    };
    let rows = [
        (config("url", json!("")), "url"),
        (config("url", json!("https://user:secret@8.8.8.8/")), "url"),
        (
            config(
                "url",
                json!(format!("https://8.8.8.8/{}", "x".repeat(3_000))),
            ),
            "url",
        ),
        (config("token", json!("two\nlines")), "token"),
        (config("authentication", json!({})), "authentication.scheme"),
        (config("taskId", json!("")), "taskId"),
    ];
    check_invalid(&echo, "CreateTaskPushNotificationConfig", &rows).await;
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn tasks_that_do_not_exist() {
    let host = host().await;
    let echo = host.agent("echo");
    for id in [NOBODY, "no-uuid", "../../etc/passwd", &"x".repeat(10_000)] {
        for method in ["GetTask", "CancelTask", "SubscribeToTask"] {
            let refusal = echo.refused(method, json!({"id": id})).await;
            assert_not_found(&refusal, method);
        }
        for method in ["SendMessage", "SendStreamingMessage"] {
            let message = follow_up(id, "x");
            assert_not_found(
                &echo.refused(method, json!({"message": message})).await,
                method,
            );
        }
    }
    assert_unharmed(&host).await;
}

fn assert_not_found(refusal: &Refusal, method: &str) {
    assert_eq!(
        (refusal.status, refusal.code, refusal.reason.as_str()),
        (200, -32001, "TASK_NOT_FOUND"),
        "{method}: {refusal:?}"
    );
}

#[tokio::test]
async fn messages_that_come_too_late() {
    let host = host().await;
    let echo = host.agent("echo");
    let done = echo.send(message("x")).await;
    for method in ["SendMessage", "SendStreamingMessage"] {
        let late = follow_up(task::id(&done), "more");
        let refusal = echo.refused(method, json!({"message": late})).await;
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (-32004, "UNSUPPORTED_OPERATION"),
            "{method}: {refusal:?}"
        );
    }
    assert_eq!(echo.get(task::id(&done)).await, done);
}

#[tokio::test]
async fn idempotency_keys_that_are_none() {
    let host = host().await;
    for key in ["two words", "two,keys", &"k".repeat(256)] {
        let echo = host.agent("echo").with_header("idempotency-key", key);
        let refusal = echo
            .refused("SendMessage", json!({"message": message("x")}))
            .await;
        assert_eq!(refusal.code, INVALID, "{key}: {refusal:?}");
    }
    assert_unharmed(&host).await;
}
