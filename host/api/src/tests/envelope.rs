//! What comes before any operation: HTTP, JSON-RPC, the protocol's version, the agent.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::host::{Host, message};
use super::http::{Answer, ask, post};
use crate::Config;

const GET_NOTHING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"x"}}"#;

async fn raw(host: &Host, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = post("/", headers).body(Body::from(body.to_owned()));
    ask(&host.public, request.unwrap()).await
}

#[tokio::test]
async fn content_types_other_than_json_are_refused() {
    let host = Host::new(Config::default()).await;
    let version = ("a2a-version", "1.0");
    for wrong in ["text/plain", "application/xml", "\u{e9}"] {
        let answer = raw(&host, &[("content-type", wrong), version], GET_NOTHING).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{wrong}");
        assert_eq!(answer.json()["error"]["code"], -32005);
    }
    for right in ["application/json; charset=utf-8", "application/a2a+json"] {
        let answer = raw(&host, &[("content-type", right), version], GET_NOTHING).await;
        assert_eq!(answer.status, StatusCode::OK, "{right}");
        assert_eq!(answer.json()["error"]["code"], -32001);
    }
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused() {
    let host = Host::new(Config {
        max_body_bytes: 100,
        ..Config::default()
    });
    let answer = raw(&host.await, &[], &" ".repeat(101)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        answer.json()["error"]["data"][0]["reason"],
        "BODY_TOO_LARGE"
    );
}

#[tokio::test]
async fn errors_of_the_envelope_are_answered_with_200() {
    let host = Host::new(Config::default()).await;
    for (body, code) in [
        ("{", -32700),
        ("[]", -32600),
        (r#"{"jsonrpc":"2.0","method":"GetTask"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get"}"#, -32601),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","params":[]}"#,
            -32602,
        ),
    ] {
        let answer = raw(&host, &[("a2a-version", "1.0")], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{body}");
        assert_eq!(answer.json()["error"]["code"], code, "{body}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(!answer.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn the_version_must_be_named_and_spoken() {
    let host = Host::new(Config::default()).await;
    for headers in [
        &[][..],
        &[("a2a-version", "0.3")],
        &[("a2a-version", "1.1")],
    ] {
        let answer = raw(&host, headers, GET_NOTHING).await.json();
        assert_eq!(answer["error"]["code"], -32009);
        assert_eq!(answer["id"], 1);
    }
    let assuming = Host::new(Config {
        assume_version_when_absent: Some("1.0".to_owned()),
        ..Config::default()
    });
    let answer = raw(&assuming.await, &[], GET_NOTHING).await.json();
    assert_eq!(answer["error"]["code"], -32001);
}

#[tokio::test]
async fn agents_are_found_by_path() {
    let host = Host::new(Config::default()).await;
    for uri in [
        "/",
        "/agents/echo",
        "/agents/echo/",
        "/acme/agents/echo",
        "/acme/agents/echo/",
        "/agents/agents/echo",
    ] {
        let answer = host.call_at(uri, &[], "ListTasks", json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}");
        assert!(answer.json().get("result").is_some(), "{uri}");
    }
    for uri in ["/agents/other", "/agents/No%20Name", "/acme/agents/other"] {
        let answer = host.call_at(uri, &[], "ListTasks", json!({})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{uri}");
        let error = &answer.json()["error"];
        assert_eq!(error["data"][0]["reason"], "AGENT_NOT_FOUND", "{uri}");
    }
}

#[tokio::test]
async fn a_host_without_agents_says_so() {
    let host = Host::without_agents(Config::default());
    let answer = host.call_at("/", &[], "SendMessage", message("hi")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn paths_and_verbs_that_are_not_served() {
    let host = Host::without_agents(Config::default());
    let get = |uri: &str| Request::get(uri).body(Body::empty()).unwrap();
    assert_eq!(
        ask(&host.public, get("/nowhere/at/all")).await.status,
        StatusCode::NOT_FOUND
    );
    let put = Request::put("/").body(Body::empty()).unwrap();
    assert_eq!(
        ask(&host.public, put).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let healthy = ask(&host.public, get("/healthz")).await;
    assert_eq!(
        (healthy.status, healthy.text().as_str()),
        (StatusCode::OK, "ok\n")
    );
}

#[tokio::test]
async fn readiness_follows_the_broker() {
    let host = Host::without_agents(Config::default());
    let get = || Request::get("/readyz").body(Body::empty()).unwrap();
    assert_eq!(ask(&host.public, get()).await.status, StatusCode::OK);
    host.broker.begin_shutdown();
    for router in [&host.public, &host.admin] {
        let answer = ask(router, get()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let answer: Value = answer.json();
        assert_eq!(answer["error"]["message"], "the host is shutting down");
    }
}
