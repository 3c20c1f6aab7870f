//! Calls whose agent is missing or misread: they run nowhere, and the answer says what to write instead.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::grpc_client::{self, client, reason, v1};
use super::host::{Host, message};
use super::http::{ask, post};
use crate::Config;

const AT: [(&str, &str); 2] = [("host", "10.0.0.1:8080"), ("a2a-version", "1.0")];

async fn host() -> Host {
    Host::of_two(Config::default(), Some("approval")).await
}

async fn no_tasks(host: &Host) {
    for agent in ["approval", "echo"] {
        for tenant in ["", "echo/", "v1/", "agents/"] {
            let uri = format!("/{tenant}agents/{agent}");
            let list = host.call_at(&uri, &[], "ListTasks", json!({})).await.json();
            assert_eq!(list["result"]["totalSize"], 0, "{uri}");
        }
    }
}

/// What a client was told, and with which status.
async fn posted(host: &Host, uri: &str, body: &Value) -> (StatusCode, String) {
    let request = post(uri, &AT).body(Body::from(body.to_string()));
    let answer = ask(&host.public, request.unwrap()).await;
    let message = answer.json()["error"]["message"].take();
    (
        answer.status,
        message.as_str().unwrap_or_default().to_owned(),
    )
}

fn call(tenant: Option<&str>) -> Value {
    let mut params = message("hello");
    if let Some(tenant) = tenant {
        params["tenant"] = tenant.into();
    }
    json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params})
}

#[tokio::test]
async fn a_tenant_that_is_the_name_of_something_else_is_refused() {
    let host = host().await;
    for (tenant, advice) in [
        ("echo", "http://10.0.0.1:8080/agents/echo"),
        ("approval", "http://10.0.0.1:8080/agents/approval"),
        ("Echo", "http://10.0.0.1:8080/agents/echo"),
        ("v1", "http://10.0.0.1:8080/agents/"),
        ("agents", "http://10.0.0.1:8080/agents/"),
    ] {
        let mut in_body = message("hello");
        in_body["tenant"] = tenant.into();
        for (uri, body) in [
            ("/".to_owned(), call(Some(tenant))),
            ("/agents/approval".to_owned(), call(Some(tenant))),
            ("/message:send".to_owned(), in_body.clone()),
            ("/agents/approval/message:send".to_owned(), in_body),
            (format!("/{tenant}/message:send"), message("hello")),
            (
                format!("/agents/approval/{tenant}/message:send"),
                message("hello"),
            ),
        ] {
            let (status, said) = posted(&host, &uri, &body).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{uri} {tenant}: {said}");
            assert!(said.contains(advice), "{uri} {tenant}: {said}");
        }
        let mut request = grpc_client::message("hello");
        request.tenant = tenant.to_owned();
        let refused = client(&host).send_message(v1(request)).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::NotFound);
        assert_eq!(reason(&refused), "AGENT_NOT_FOUND");
        assert!(refused.message().contains("agents/"), "{refused}");
    }
    no_tasks(&host).await;
}

#[tokio::test]
async fn a_call_without_an_agent_runs_only_where_one_is_meant() {
    let guessing = Host::of_two(Config::default(), None).await;
    for (uri, body) in [
        ("/", call(None)),
        ("/", call(Some("acme"))),
        ("/message:send", message("hello")),
        ("/acme/message:send", message("hello")),
    ] {
        let (status, said) = posted(&guessing, uri, &body).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{uri}: {said}");
        assert!(said.contains("agents/NAME\""), "{uri}: {said}");
        assert!(said.contains("http://10.0.0.1:8080/"), "{uri}: {said}");
    }
    let request = v1(grpc_client::message("hello"));
    let refused = client(&guessing).send_message(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
    assert!(refused.message().contains("\"agents/NAME\""), "{refused}");
    let old = json!({"message": {"messageId": "m", "role": "user", "parts": [{"text": "a"}]}});
    let rpc = json!({"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": old});
    for (uri, body, address) in [
        ("/", rpc, "http://10.0.0.1:8080/agents/NAME;"),
        (
            "/v1/message:send",
            old,
            "http://10.0.0.1:8080/agents/NAME/v1;",
        ),
    ] {
        let old = post(uri, &[("host", "10.0.0.1:8080")]).body(Body::from(body.to_string()));
        let old = ask(&guessing.public, old.unwrap()).await;
        assert_eq!(old.status, StatusCode::NOT_FOUND, "{uri}");
        let said = old.text();
        assert!(said.contains(address), "{uri}: {said}");
        assert!(!said.contains("tenant"), "0.3 has no such field: {said}");
    }
    no_tasks(&guessing).await;

    // Where one is the default, the root is its address, also for a tenant.
    let host = host().await;
    for (uri, body) in [("/", call(None)), ("/acme/message:send", message("hello"))] {
        let (status, said) = posted(&host, uri, &body).await;
        assert_eq!(status, StatusCode::OK, "{uri}: {said}");
    }
}

#[tokio::test]
async fn a_tenant_may_be_called_like_an_agent_if_the_agent_is_named() {
    let host = host().await;
    for (uri, tenant) in [
        ("/echo/agents/approval", None),
        ("/echo/agents/approval", Some("echo")),
        ("/", Some("echo/agents/approval")),
    ] {
        let (status, said) = posted(&host, uri, &call(tenant)).await;
        assert_eq!(status, StatusCode::OK, "{uri}: {said}");
    }
    let list = host.call_at("/echo/agents/approval", &[], "ListTasks", json!({}));
    assert_eq!(list.await.json()["result"]["totalSize"], 3);
}

#[tokio::test]
async fn a_path_that_misses_the_agent_says_where_it_is() {
    let host = host().await;
    for (verb, uri, advice) in [
        ("POST", "/echo", "http://10.0.0.1:8080/agents/echo"),
        ("POST", "/echo/", "http://10.0.0.1:8080/agents/echo"),
        (
            "GET",
            "/echo/.well-known/agent-card.json",
            "http://10.0.0.1:8080/agents/echo",
        ),
        ("POST", "/agents", "http://10.0.0.1:8080/agents/NAME"),
        ("POST", "/agents/", "http://10.0.0.1:8080/agents/NAME"),
        ("POST", "/v1", "http://10.0.0.1:8080/agents/NAME/v1"),
        (
            "POST",
            "/agents/echo/v1",
            "http://10.0.0.1:8080/agents/echo",
        ),
        ("POST", "/agents/nobody/v1", "there is no such agent"),
        ("POST", "/a2a", "nothing is served at this path"),
    ] {
        let request = Request::builder()
            .method(verb)
            .uri(uri)
            .header("host", "10.0.0.1:8080");
        let answer = ask(&host.public, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{verb} {uri}");
        let said = answer.json()["error"]["message"].take();
        assert!(said.as_str().unwrap().contains(advice), "{uri}: {said}");
    }
}

#[tokio::test]
async fn a_call_of_0_3_is_told_the_path_for_its_tenant() {
    let (named, unnamed) = (host().await, Host::of_two(Config::default(), None).await);
    for (host, uri, path) in [
        (&named, "/message:send", "/v1"),
        (&named, "/agents/echo/message:send", "/agents/echo/v1"),
        (&named, "/acme/message:send", "/acme/agents/approval/v1"),
        (
            &named,
            "/agents/echo/acme/message:send",
            "/acme/agents/echo/v1",
        ),
        (
            &named,
            "/acme/agents/echo/message:send",
            "/acme/agents/echo/v1",
        ),
        (&unnamed, "/acme/message:send", "/acme/agents/NAME/v1"),
    ] {
        let request = post(uri, &[("host", "10.0.0.1:8080"), ("a2a-version", "0.3")]);
        let refused = ask(&host.public, request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{uri}");
        let said = refused.text();
        let advice = format!("below http://10.0.0.1:8080{path}\"");
        assert!(said.contains(&advice), "{uri}: {said}");
    }
}
