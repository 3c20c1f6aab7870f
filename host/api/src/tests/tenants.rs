//! The gate: who may call, and what the tenants can see of each other.

use axum::http::StatusCode;
use serde_json::{Value, json};
use taskyard_task::AccessScope;

use super::host::{Host, message};
use super::http::Answer;
use crate::{ClientCredential, Config, Token};

const ACME: (&str, &str) = ("authorization", "Bearer acme-token");
const GLOBEX: (&str, &str) = ("authorization", "Bearer globex-token");

/// Every method, with params that name a task.
const METHODS: [&str; 11] = [
    "SendMessage",
    "SendStreamingMessage",
    "GetTask",
    "ListTasks",
    "CancelTask",
    "SubscribeToTask",
    "CreateTaskPushNotificationConfig",
    "GetTaskPushNotificationConfig",
    "ListTaskPushNotificationConfigs",
    "DeleteTaskPushNotificationConfig",
    "GetExtendedAgentCard",
];

async fn guarded() -> Host {
    let client = |tenant: &str| ClientCredential {
        token: Token::try_from(format!("{tenant}-token")).unwrap(),
        tenant: tenant.parse().unwrap(),
        name: tenant.to_owned(),
        scope: AccessScope::default(),
    };
    Host::new(Config {
        clients: vec![client("acme"), client("globex")],
        ..Config::default()
    })
    .await
}

/// Params that fit every method about the task `id`.
fn about(id: &Value) -> Value {
    let mut params = message("x");
    params["id"] = id.clone();
    params["taskId"] = id.clone();
    params["message"]["taskId"] = id.clone();
    params["url"] = json!("https://h");
    params
}

async fn send(host: &Host, client: (&str, &str), text: &str) -> Value {
    let answer = host
        .call_at("/", &[client], "SendMessage", message(text))
        .await;
    answer.json()["result"]["task"].take()
}

#[tokio::test]
async fn every_method_needs_a_token() {
    let host = guarded().await;
    let wrong = ("authorization", "Bearer nobodys-token");
    for method in METHODS {
        for headers in [&[][..], &[wrong]] {
            let answer = host.call_at("/", headers, method, json!({})).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
            let reason = &answer.json()["error"]["data"][0]["reason"];
            assert_eq!(reason, "UNAUTHENTICATED", "{method}");
        }
    }
}

#[tokio::test]
async fn a_tenant_sees_nothing_of_another_ones_tasks() {
    let host = guarded().await;
    let task = send(&host, ACME, "ask").await;
    for method in METHODS {
        // Its own view of the others' task, and the others' view of it by name.
        let own = host
            .call_at("/", &[GLOBEX], method, about(&task["id"]))
            .await;
        let mut named = about(&task["id"]);
        named["tenant"] = json!("acme");
        let foreign = host.call_at("/", &[GLOBEX], method, named).await;
        match method {
            "ListTasks" => {
                assert_eq!(own.json()["result"]["totalSize"], 0);
                assert_forbidden(&foreign);
            }
            "GetExtendedAgentCard" => assert_forbidden(&foreign),
            "SendMessage" | "SendStreamingMessage" => {
                assert_eq!(own.json()["error"]["code"], -32001, "{method}");
                assert_forbidden(&foreign);
            }
            _ => {
                assert_eq!(own.json()["error"]["code"], -32001, "{method}");
                assert_eq!(foreign.json()["error"], own.json()["error"], "{method}");
            }
        }
    }
    let seen = host.call_at("/acme/agents/echo", &[ACME], "GetTask", about(&task["id"]));
    assert_eq!(seen.await.json()["result"]["id"], task["id"]);
}

fn assert_forbidden(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["error"]["data"][0]["reason"], "FORBIDDEN");
}

#[tokio::test]
async fn the_same_key_of_two_tenants_is_two_keys() {
    let host = guarded().await;
    let key = ("idempotency-key", "k");
    let send = async |client| {
        let headers = [client, key];
        let answer = host.call_at("/", &headers, "SendMessage", message("hello"));
        answer.await.json()["result"]["task"]["id"].take()
    };
    let (acme, globex) = (send(ACME).await, send(GLOBEX).await);
    assert!(acme.is_string() && globex.is_string());
    assert_ne!(acme, globex);
    assert_eq!(send(ACME).await, acme);
}

#[tokio::test]
async fn an_open_host_takes_the_tenant_from_the_request() {
    let host = Host::new(Config::default()).await;
    let mut params = message("hello");
    params["tenant"] = json!("acme");
    host.result("SendMessage", params).await;
    assert_eq!(host.result("ListTasks", json!({})).await["totalSize"], 0);
    let by_field = host.result("ListTasks", json!({"tenant": "acme"})).await;
    let by_path = host.call_at("/acme/agents/echo", &[], "ListTasks", json!({}));
    assert_eq!(by_field["totalSize"], 1);
    assert_eq!(by_path.await.json()["result"], by_field);
}

#[tokio::test]
async fn tenants_must_be_well_formed_and_agree() {
    let host = Host::new(Config::default()).await;
    assert_eq!(
        host.error("ListTasks", json!({"tenant": "a/b"})).await,
        -32602
    );
    assert_eq!(host.error("ListTasks", json!({"tenant": 1})).await, -32602);
    let params = json!({"tenant": "acme"});
    let answer = host
        .call_at("/globex/agents/echo", &[], "ListTasks", params)
        .await;
    assert_eq!(answer.json()["error"]["code"], -32602);
}

#[tokio::test]
async fn only_a_guarded_host_has_an_extended_card() {
    let open = Host::new(Config::default()).await;
    assert_eq!(open.error("GetExtendedAgentCard", json!({})).await, -32004);
    let host = guarded().await;
    let answer = host.call_at("/", &[ACME], "GetExtendedAgentCard", json!({}));
    let card = answer.await.json()["result"].take();
    assert_eq!(card["name"], "echo");
    assert_eq!(card["capabilities"]["extendedAgentCard"], true);
}
