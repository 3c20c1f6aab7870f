//! What the HTTP+JSON binding refuses, and how it says so.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::host::{Host, message};
use super::http::ask;
use super::rest_client::Rest;
use crate::config::ClientCredential;
use crate::{Config, Token};

const UNKNOWN: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

#[tokio::test]
async fn an_error_is_a_status_with_details() {
    let host = Host::new(Config::default()).await;
    let rest = Rest::new(&host);
    let (_, error) = rest.error("GET", &format!("/tasks/{UNKNOWN}"), None).await;
    assert_eq!(
        error,
        json!({
            "code": 404,
            "status": "NOT_FOUND",
            "message": "there is no such task",
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "TASK_NOT_FOUND",
                "domain": "a2a-protocol.org",
            }],
        })
    );
}

#[tokio::test]
async fn every_path_about_a_task_can_miss_it() {
    let host = Host::new(Config::default()).await;
    let rest = Rest::new(&host);
    let config = json!({"url": "https://h"});
    for id in [UNKNOWN, "x", "%ff", "a%2Fb"] {
        for (method, behind, body) in [
            ("GET", "", None),
            ("POST", ":cancel", None),
            ("GET", ":subscribe", None),
            ("POST", ":subscribe", None),
            ("GET", "/pushNotificationConfigs", None),
            ("POST", "/pushNotificationConfigs", Some(&config)),
            ("GET", "/pushNotificationConfigs/c", None),
            ("DELETE", "/pushNotificationConfigs/c", None),
        ] {
            let (status, _) = rest
                .error(method, &format!("/tasks/{id}{behind}"), body)
                .await;
            assert_eq!(status, 404, "{method} {id}{behind}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let host = Host::new(Config::default()).await;
    let rest = Rest::new(&host);
    let field = async |method: &str, uri: &str, body: Option<&Value>| {
        let (status, error) = rest.error(method, uri, body).await;
        assert_eq!(
            (status, &error["status"]),
            (400, &json!("INVALID_ARGUMENT"))
        );
        let violation = &error["details"][0]["fieldViolations"][0];
        violation["field"].as_str().unwrap().to_owned()
    };
    assert_eq!(field("GET", "/tasks?pageSize=0", None).await, "pageSize");
    assert_eq!(field("GET", "/tasks?pageSize=101", None).await, "pageSize");
    assert_eq!(field("GET", "/tasks?pageSize=x", None).await, "pageSize");
    assert_eq!(
        field("GET", "/tasks?pageSize=1&pageSize=2", None).await,
        "pageSize"
    );
    assert_eq!(
        field("GET", "/tasks?historyLength=-1", None).await,
        "historyLength"
    );
    assert_eq!(
        field("GET", "/tasks?includeArtifacts=1", None).await,
        "includeArtifacts"
    );
    assert_eq!(field("GET", "/tasks?status=working", None).await, "status");
    assert_eq!(field("GET", "/tasks/a?id=b", None).await, "id");
    assert_eq!(
        field("POST", "/tasks/a:cancel", Some(&json!({"id": "b"}))).await,
        "id"
    );
    assert_eq!(field("POST", "/message:send", None).await, "message");
    assert_eq!(
        field("POST", "/message:send", Some(&json!([]))).await,
        "body"
    );
    let mut params = message("x");
    params["message"]["parts"] = json!([{}]);
    let parts = field("POST", "/message:send", Some(&params)).await;
    assert_eq!(parts, "message.parts[0]");
}

#[tokio::test]
async fn bodies_must_be_json_of_a_size() {
    let config = Config {
        max_body_bytes: 100,
        ..Config::default()
    };
    let host = Host::new(config).await;
    let rest = Rest::new(&host);
    let headers = [("a2a-version", "1.0"), ("content-type", "text/plain")];
    let text = rest.with(&headers);
    let (status, error) = text.error("POST", "/message:send", Some(&json!({}))).await;
    assert_eq!(status, 415);
    assert_eq!(error["details"][0]["reason"], "CONTENT_TYPE_NOT_SUPPORTED");
    let large = message(&"x".repeat(100));
    let (status, _) = rest.error("POST", "/message:send", Some(&large)).await;
    assert_eq!(status, 413);
    let broken = Request::post("/message:send")
        .header("a2a-version", "1.0")
        .header("content-type", "application/json");
    let broken = ask(&host.public, broken.body(Body::from("{")).unwrap()).await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    let message = broken.json()["error"]["message"].take();
    assert!(
        message
            .as_str()
            .unwrap()
            .starts_with("the body is not JSON")
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let host = Host::new(Config::default()).await;
    let rest = Rest::new(&host);
    let nothing = rest.ask("GET", "/tasks/1/2/3", None).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    assert_eq!(nothing.json()["error"]["code"], "no-route");
    for (method, uri, allow) in [
        ("POST", "/tasks", "GET, OPTIONS"),
        ("DELETE", "/tasks/7", "GET, OPTIONS"),
        ("GET", "/acme/tasks/7:cancel", "POST, OPTIONS"),
        ("HEAD", "/tasks/7:subscribe", "GET, POST, OPTIONS"),
        (
            "PUT",
            "/tasks/7/pushNotificationConfigs/c",
            "GET, DELETE, OPTIONS",
        ),
    ] {
        let answer = rest.ask(method, uri, None).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{uri}");
        assert_eq!(answer.header("allow"), allow);
        if method != "HEAD" {
            assert_eq!(answer.json()["error"]["status"], "UNIMPLEMENTED");
        }
    }
    let asked = rest.ask("OPTIONS", "/tasks", None).await;
    assert_eq!(asked.status, StatusCode::NO_CONTENT);
    assert_eq!(asked.header("allow"), "GET, OPTIONS");
    let head = rest.ask("HEAD", "/tasks", None).await;
    assert_eq!(head.status, StatusCode::OK);
}

#[tokio::test]
async fn strangers_are_challenged_before_anything_is_read() {
    let token: Token = "secret".to_owned().try_into().unwrap();
    let config = Config {
        clients: vec![ClientCredential {
            token,
            tenant: "acme".parse().unwrap(),
            name: "client".to_owned(),
            scope: taskyard_task::AccessScope::default(),
        }],
        ..Config::default()
    };
    let host = Host::new(config).await;
    let rest = Rest::new(&host);
    let answer = rest.ask("POST", "/message:send", Some(&json!([]))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
    let known = [("a2a-version", "1.0"), ("authorization", "Bearer secret")];
    let known = rest.with(&known);
    known.get("/acme/tasks").await;
    assert_eq!(known.error("GET", "/globex/tasks", None).await.0, 403);
    assert_eq!(known.error("GET", "/globex/tasks/7", None).await.0, 404);
    let card = known.get("/extendedAgentCard").await;
    assert_eq!(card["name"], "echo");
}
