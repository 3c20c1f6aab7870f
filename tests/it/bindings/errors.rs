//! Every refusal that a client can bring about, with its code in each binding (A2A 5.4).

use serde_json::{Value, json};

use super::client::{Binding, Client, Refused};
use crate::support::{Host, Settings};

/// What a refusal looks like.
struct Expected {
    reason: &'static str,
    json_rpc: i64,
    http: i64,
    grpc: i64,
}

const INVALID_ARGUMENT: i64 = 3;
const NOT_FOUND: i64 = 5;
const PERMISSION_DENIED: i64 = 7;
const RESOURCE_EXHAUSTED: i64 = 8;
const FAILED_PRECONDITION: i64 = 9;
const ABORTED: i64 = 10;
const UNAVAILABLE: i64 = 14;
const UNAUTHENTICATED: i64 = 16;

fn expected(reason: &'static str, json_rpc: i64, http: i64, grpc: i64) -> Expected {
    Expected {
        reason,
        json_rpc,
        http,
        grpc,
    }
}

/// Calls an operation over every binding; each must refuse it in its own words for the same reason.
async fn check(
    client: impl Fn(Binding) -> Client,
    operation: &str,
    params: Value,
    wanted: Expected,
) {
    for binding in Binding::ALL {
        let refused = refused(&client(binding), operation, params.clone()).await;
        let code = match binding {
            Binding::JsonRpc | Binding::V03 => wanted.json_rpc,
            Binding::Rest => wanted.http,
            Binding::Grpc => wanted.grpc,
        };
        let found = (refused.reason.as_str(), refused.code);
        assert_eq!(
            found,
            (wanted.reason, code),
            "{operation} over {binding:?}: {refused:?}"
        );
    }
}

async fn refused(client: &Client, operation: &str, params: Value) -> Refused {
    let streams = ["SendStreamingMessage", "SubscribeToTask"];
    let refused = match streams.contains(&operation) {
        true => client.open(operation, params).await.err(),
        false => client.call(operation, params).await.err(),
    };
    refused.unwrap_or_else(|| panic!("{operation} over {:?} was not refused", client.binding))
}

fn message(text: &str) -> Value {
    json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]}})
}

const NO_TASK: &str = "01900000-0000-7000-8000-000000000000";

#[tokio::test]
async fn what_any_client_can_do_wrong() {
    let host = super::host().await;
    let of = |agent: &'static str| {
        let host = host.clone();
        move |binding| Client::new(binding, &host, agent).of_tenant("errors")
    };
    let asked = of("approval")(Binding::JsonRpc)
        .call("SendMessage", message("Deploy"))
        .await;
    let open = json!({"id": asked.unwrap()["task"]["id"]});
    let done = of("echo")(Binding::JsonRpc)
        .call("SendMessage", message("x"))
        .await;
    let done = json!({"id": done.unwrap()["task"]["id"]});
    assert!(open["id"].is_string() && done["id"].is_string());

    check(
        of("echo"),
        "SendMessage",
        json!({}),
        expected("", -32602, 400, INVALID_ARGUMENT),
    )
    .await;
    let missing = json!({"id": NO_TASK});
    check(
        of("echo"),
        "GetTask",
        missing,
        expected("TASK_NOT_FOUND", -32001, 404, NOT_FOUND),
    )
    .await;
    // Another agent's task is missing too.
    check(
        of("echo"),
        "GetTask",
        open,
        expected("TASK_NOT_FOUND", -32001, 404, NOT_FOUND),
    )
    .await;
    let ended = expected("TASK_NOT_CANCELABLE", -32002, 400, FAILED_PRECONDITION);
    check(of("echo"), "CancelTask", done.clone(), ended).await;
    let unsupported = || expected("UNSUPPORTED_OPERATION", -32004, 400, FAILED_PRECONDITION);
    check(of("echo"), "SubscribeToTask", done, unsupported()).await;
    check(of("echo"), "GetExtendedAgentCard", json!({}), unsupported()).await;
    let mut picture = message("x");
    picture["message"]["parts"][0]["mediaType"] = "image/png".into();
    let content = expected("CONTENT_TYPE_NOT_SUPPORTED", -32005, 400, INVALID_ARGUMENT);
    check(of("reminder"), "SendMessage", picture, content).await;
    let version = || expected("VERSION_NOT_SUPPORTED", -32009, 400, FAILED_PRECONDITION);
    let old = |binding| of("echo")(binding).with_header("a2a-version", "7.1");
    check(old, "ListTasks", json!({}), version()).await;
    let nobody = expected("AGENT_NOT_FOUND", -32000, 404, NOT_FOUND);
    check(of("nobody"), "ListTasks", json!({}), nobody).await;
}

#[tokio::test]
async fn what_the_operator_switched_off_or_wants() {
    let settings = Settings::default()
        .set("api.streaming", false)
        .set("api.push_notifications", false)
        .set("api.max_body_bytes", 2_000)
        .set("api.required_extensions", r#"{countdown = ["priority"]}"#);
    let host = Host::with(&["echo", "countdown"], settings).await;
    let echo = |binding| Client::new(binding, &host, "echo");
    for operation in ["SendStreamingMessage", "SubscribeToTask"] {
        let params = match operation {
            "SubscribeToTask" => json!({"id": NO_TASK}),
            _ => message("x"),
        };
        let unsupported = expected("UNSUPPORTED_OPERATION", -32004, 400, FAILED_PRECONDITION);
        check(echo, operation, params, unsupported).await;
    }
    for operation in [
        "CreateTaskPushNotificationConfig",
        "GetTaskPushNotificationConfig",
        "ListTaskPushNotificationConfigs",
        "DeleteTaskPushNotificationConfig",
    ] {
        let mut params = json!({"taskId": NO_TASK, "id": "x"});
        if operation.starts_with("Create") {
            params["url"] = "https://example.com/".into();
        }
        let push = expected(
            "PUSH_NOTIFICATION_NOT_SUPPORTED",
            -32003,
            400,
            FAILED_PRECONDITION,
        );
        check(echo, operation, params, push).await;
    }
    let long = message(&"x".repeat(3_000));
    let too_large = expected("BODY_TOO_LARGE", -32000, 413, RESOURCE_EXHAUSTED);
    check(echo, "SendMessage", long, too_large).await;
    let countdown = |binding| Client::new(binding, &host, "countdown");
    let missing = expected(
        "EXTENSION_SUPPORT_REQUIRED",
        -32008,
        400,
        FAILED_PRECONDITION,
    );
    check(countdown, "SendMessage", message("1"), missing).await;
}

#[tokio::test]
async fn who_may_not_call() {
    let clients = r#"[{token = "token-of-acme", tenant = "acme", name = "a"}]"#;
    let settings = Settings::default()
        .set("api.clients", clients)
        .set("api.private_skills", "{echo = []}");
    let host = Host::with(&["echo"], settings).await;
    let stranger = |binding| Client::new(binding, &host, "echo");
    let unknown = || expected("UNAUTHENTICATED", -32000, 401, UNAUTHENTICATED);
    check(stranger, "ListTasks", json!({}), unknown()).await;
    let wrong = |binding| stranger(binding).with_header("authorization", "Bearer wrong");
    check(wrong, "ListTasks", json!({}), unknown()).await;
    let acme = |binding| stranger(binding).with_header("authorization", "Bearer token-of-acme");
    let none = expected(
        "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
        -32007,
        400,
        FAILED_PRECONDITION,
    );
    check(acme, "GetExtendedAgentCard", json!({}), none).await;
    let elsewhere = |binding| acme(binding).of_tenant("globex");
    let forbidden = expected("FORBIDDEN", -32000, 403, PERMISSION_DENIED);
    check(elsewhere, "ListTasks", json!({}), forbidden).await;
    let not_found = expected("TASK_NOT_FOUND", -32001, 404, NOT_FOUND);
    check(elsewhere, "GetTask", json!({"id": NO_TASK}), not_found).await;
}

#[tokio::test]
async fn what_is_in_the_way() {
    let settings = Settings::default()
        .set("limits.max_runs", 1)
        .set("limits.max_queued", 1);
    let host = Host::with(&["countdown"], settings).await;
    let countdown = |binding| Client::new(binding, &host, "countdown");
    let mut begin = message("1000");
    begin["configuration"] = json!({"returnImmediately": true});
    // One runs and one is in line, sooner or later.
    while countdown(Binding::JsonRpc)
        .call("SendMessage", begin.clone())
        .await
        .is_ok()
    {}
    let full = expected("QUEUE_FULL", -32000, 503, UNAVAILABLE);
    check(countdown, "SendMessage", begin, full).await;
}

#[tokio::test]
async fn a_key_stands_for_one_request() {
    let host = super::host().await;
    let keyed = |binding| {
        let client = Client::new(binding, &host, "echo").of_tenant("errors");
        client.with_header("idempotency-key", "a-key-of-the-table")
    };
    keyed(Binding::JsonRpc)
        .call("SendMessage", message("one"))
        .await
        .unwrap();
    let conflict = expected("IDEMPOTENCY_CONFLICT", -32011, 409, ABORTED);
    check(keyed, "SendMessage", message("another"), conflict).await;
}
