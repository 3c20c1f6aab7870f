//! Credentials at the doors: keys made by operators, what they are good for, and when they stop.

use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::admin::as_operator;
use super::host::{Host, message};
use super::http::Answer;
use crate::Config;
use crate::admin::{KeyList, KeyState, KeyView, MadeKey};
use crate::operation::{Operation, Permission};

async fn shut() -> Host {
    Host::new(Config {
        require_credentials: true,
        ..Config::default()
    })
    .await
}

async fn make(host: &Host, more: Value) -> MadeKey {
    let mut order = json!({"tenant": "acme", "name": "ci"});
    let fields = order.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    let made = as_operator(host, Request::post("/v1/keys"), &order.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.header("cache-control"), "no-store");
    serde_json::from_slice(&made.body).unwrap()
}

async fn revoke(host: &Host, key: &MadeKey) -> KeyView {
    let uri = format!("/v1/keys/{}", key.key.id);
    let revoked = as_operator(host, Request::delete(uri), "").await;
    assert_eq!(revoked.status, StatusCode::OK);
    serde_json::from_slice(&revoked.body).unwrap()
}

async fn call(host: &Host, key: &str, operation: Operation) -> Answer {
    let headers = [("x-api-key", key)];
    let params = json!({});
    host.call_at("/", &headers, operation.name(), params).await
}

fn reason(answer: &Answer) -> Value {
    answer.json()["error"]["data"][0]["reason"].take()
}

#[tokio::test]
async fn no_operation_is_served_without_credentials() {
    let host = shut().await;
    for operation in Operation::ALL {
        let headers = [
            None,
            Some(("authorization", "Bearer wrong")),
            Some(("authorization", "Basic eA==")),
            Some(("x-api-key", "wrong")),
        ];
        for header in headers {
            let headers: Vec<_> = header.into_iter().collect();
            let name = operation.name();
            let answer = host.call_at("/", &headers, name, message("x")).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
            assert_eq!(reason(&answer), "UNAUTHENTICATED");
            let text = answer.json()["error"]["message"].take();
            assert!(text.as_str().unwrap().contains("X-API-Key"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_key_is_made_used_listed_and_revoked() {
    let host = Host::new(Config::default()).await;
    let open = host.call_at("/", &[], "ListTasks", json!({})).await;
    assert_eq!(open.status, StatusCode::OK);
    let made = make(&host, json!({"expires_in_seconds": 3_600})).await;
    assert_eq!(made.key.state, KeyState::Active);
    assert!(made.key.expires_at.is_some());

    let shut = host.call_at("/", &[], "ListTasks", json!({})).await;
    assert_eq!(shut.status, StatusCode::UNAUTHORIZED);
    let served = call(&host, &made.secret, Operation::ListTasks).await;
    assert_eq!(served.status, StatusCode::OK);

    let revoked = revoke(&host, &made).await;
    assert_eq!(revoked.state, KeyState::Revoked);
    let refused = call(&host, &made.secret, Operation::ListTasks).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let list = as_operator(&host, Request::get("/v1/keys"), "").await;
    let secret = made.secret.rsplit('_').next().unwrap();
    assert!(!list.text().contains(secret));
    let list: KeyList = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list.keys, [revoked]);
}

#[tokio::test]
async fn a_key_for_reading_changes_nothing() {
    let host = shut().await;
    let reader = make(&host, json!({"read_only": true})).await;
    for operation in Operation::ALL {
        let answer = call(&host, &reader.secret, operation).await;
        let is_refused = answer.status == StatusCode::FORBIDDEN;
        let writes = operation.permission() == Permission::Write;
        assert_eq!(is_refused, writes, "{}", operation.name());
        if writes {
            assert_eq!(reason(&answer), "FORBIDDEN");
        }
    }
}

#[tokio::test]
async fn a_key_for_one_agent_is_worth_nothing_at_another() {
    let host = shut().await;
    let other = make(&host, json!({"agents": ["other"]})).await;
    let echo = make(&host, json!({"agents": ["other", "echo"]})).await;
    for operation in Operation::ALL {
        let answer = call(&host, &other.secret, operation).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", operation.name());
        let answer = call(&host, &echo.secret, operation).await;
        assert_ne!(answer.status, StatusCode::FORBIDDEN, "{}", operation.name());
    }
}

#[tokio::test]
async fn a_stream_that_was_opened_with_a_key_outlives_it() {
    let host = shut().await;
    let (first, second) = (make(&host, json!({})).await, make(&host, json!({})).await);
    let key = |made: &MadeKey| made.secret.clone();
    let (first_key, second_key) = (key(&first), key(&second));
    let (first_header, second_header) = (
        [("x-api-key", first_key.as_str())],
        [("x-api-key", second_key.as_str())],
    );
    let sent = host.call_at("/", &first_header, "SendMessage", message("ask"));
    let task = sent.await.json()["result"]["task"].take();
    let about = json!({"id": task["id"]});
    let mut stream = host
        .stream_at("/", &first_header, "SubscribeToTask", about.clone())
        .await;
    assert_eq!(stream.status, StatusCode::OK);
    stream.event().await.unwrap();

    revoke(&host, &first).await;
    let again = host.stream_at("/", &first_header, "SubscribeToTask", about.clone());
    assert_eq!(again.await.status, StatusCode::UNAUTHORIZED);
    let canceled = host.call_at("/", &second_header, "CancelTask", about).await;
    assert_eq!(canceled.status, StatusCode::OK);
    let rest = stream.events().await;
    assert!(
        rest.last()
            .unwrap()
            .1
            .to_string()
            .contains("TASK_STATE_CANCELED")
    );
}

#[tokio::test]
async fn orders_that_make_no_sense_make_no_keys() {
    let host = Host::new(Config::default()).await;
    for (order, status) in [
        (json!({"tenant": "acme"}), StatusCode::BAD_REQUEST),
        (
            json!({"tenant": "a/b", "name": "x"}),
            StatusCode::BAD_REQUEST,
        ),
        (json!({"tenant": "a", "name": ""}), StatusCode::BAD_REQUEST),
        (
            json!({"tenant": "a", "name": "x", "agents": []}),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({"tenant": "a", "name": "x", "agents": ["A!"]}),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({"tenant": "a", "name": "x", "expires_in_seconds": 0}),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({"tenant": "a", "name": "x", "read": true}),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let answer = as_operator(&host, Request::post("/v1/keys"), &order.to_string()).await;
        assert_eq!(answer.status, status, "{order}: {}", answer.text());
    }
    for id in ["x", "0123456789abcdef"] {
        let uri = format!("/v1/keys/{id}");
        let answer = as_operator(&host, Request::delete(uri), "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.json()["error"]["code"], "key-not-found");
    }
    // The host is as open as before.
    let open = host.call_at("/", &[], "ListTasks", json!({})).await;
    assert_eq!(open.status, StatusCode::OK);
}
