//! The operators' door.

use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::host::Host;
use super::http::{Answer, ask};
use crate::Config;
use crate::admin::{AgentList, AgentView, StatusView};

pub(super) async fn as_operator(host: &Host, request: Builder, body: &str) -> Answer {
    let request = request.header("authorization", "Bearer operator");
    ask(
        &host.admin,
        request.body(Body::from(body.to_owned())).unwrap(),
    )
    .await
}

#[tokio::test]
async fn everything_but_health_and_metrics_needs_the_token() {
    let host = Host::new(Config::default()).await;
    let requests = || {
        [
            Request::get("/v1/agents"),
            Request::post("/v1/agents"),
            Request::get("/v1/agents/echo"),
            Request::delete("/v1/agents/echo"),
            Request::put("/v1/agents/echo/egress"),
            Request::get("/v1/parked"),
            Request::get("/v1/tasks"),
            Request::get("/v1/tasks/x"),
            Request::get("/v1/tasks/x/log"),
            Request::post("/v1/tasks/x/resume"),
            Request::post("/v1/tasks/x/retry"),
            Request::post("/v1/tasks/x/probe"),
            Request::post("/v1/tasks/x/move"),
            Request::post("/v1/tasks/x/fail"),
            Request::get("/v1/deliveries"),
            Request::post("/v1/deliveries/x/y/retry"),
            Request::get("/v1/stats"),
            Request::get("/v1/keys"),
            Request::post("/v1/keys"),
            Request::delete("/v1/keys/x"),
        ]
    };
    for request in requests() {
        let answer = ask(&host.admin, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.json()["error"]["code"], "unauthenticated");
    }
    for request in requests() {
        let request = request.header("authorization", "Bearer wrong");
        let answer = ask(&host.admin, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    for (uri, text) in [
        ("/healthz", "ok\n"),
        ("/readyz", "ready\n"),
        ("/metrics", "taskyard_up 1\n"),
    ] {
        let answer = ask(&host.admin, Request::get(uri).body(Body::empty()).unwrap()).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (StatusCode::OK, text)
        );
    }
}

#[tokio::test]
async fn an_agent_is_deployed_shown_and_removed() {
    let host = Host::without_agents(Config::default());
    let deploy = Request::post("/v1/agents?name=second&max_runs=2&config=%7B%22k%22%3A1%7D")
        .header("content-type", "application/wasm");
    let answer = as_operator(&host, deploy, "2.0.0").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let agent: AgentView = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (agent.name.as_str(), agent.version.as_str()),
        ("second", "2.0.0")
    );
    assert_eq!((agent.max_runs, agent.revision), (Some(2), 1));
    assert_eq!(agent.config, json!({"k": 1}));
    assert_eq!(agent.digest.len(), 64);

    let list = as_operator(&host, Request::get("/v1/agents"), "").await;
    let list: AgentList = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list.agents, std::slice::from_ref(&agent));
    let status = as_operator(&host, Request::get("/v1/agents/second"), "").await;
    let status: StatusView = serde_json::from_slice(&status.body).unwrap();
    assert_eq!((status.agent, status.running), (agent, 0));

    let remove = || Request::delete("/v1/agents/second?drain=false");
    let removed = as_operator(&host, remove(), "").await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let again = as_operator(&host, remove(), "").await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_an_agent_may_ask_for_is_set_and_shown() {
    let host = Host::new(Config::default()).await;
    let uri = "/v1/agents/echo/egress";
    let rules = json!([{"host": "api.example.com", "inject": {"authorization": "Bearer {key}"}}]);
    let answer = as_operator(&host, Request::put(uri), &rules.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let shown = as_operator(&host, Request::get("/v1/agents/echo"), "").await;
    assert_eq!(shown.json()["agent"]["egress"], rules);
    assert_eq!(shown.json()["agent"]["revision"], 2);

    for (uri, body, status) in [
        (uri, r#"[{"host": "a b"}]"#, StatusCode::BAD_REQUEST),
        (uri, "", StatusCode::BAD_REQUEST),
        ("/v1/agents/nobody/egress", "[]", StatusCode::NOT_FOUND),
    ] {
        let answer = as_operator(&host, Request::put(uri), body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let cleared = as_operator(&host, Request::put(uri), "[]").await;
    assert_eq!(cleared.json()["egress"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_deployed_is_refused() {
    let host = Host::without_agents(Config::default());
    let post =
        |uri: &str, content_type: &str| Request::post(uri).header("content-type", content_type);
    let wasm = "application/wasm";
    for (request, body, status) in [
        (
            post("/v1/agents", wasm),
            "not a plugin",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            post("/v1/agents?name=A!", wasm),
            "1.0.0",
            StatusCode::BAD_REQUEST,
        ),
        (
            post("/v1/agents?nam=a", wasm),
            "1.0.0",
            StatusCode::BAD_REQUEST,
        ),
        (
            post("/v1/agents?config=7", wasm),
            "1.0.0",
            StatusCode::BAD_REQUEST,
        ),
        (
            post("/v1/agents", "text/plain"),
            "1.0.0",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ] {
        let answer = as_operator(&host, request, body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.json()["error"]["message"].is_string());
    }
    assert!(host.broker.agents().is_empty());
}

#[tokio::test]
async fn an_agent_with_unfinished_tasks_is_removed_only_if_it_may_drain() {
    let host = Host::new(Config::default()).await;
    let task = host.send("ask").await;
    let uri = "/v1/agents/echo";
    let refused = as_operator(&host, Request::delete(uri), "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.json()["error"]["code"], "in-use");
    host.result("CancelTask", json!({"id": task["id"]})).await;
    let drained = Request::delete(format!("{uri}?drain=true"));
    let drained = as_operator(&host, drained, "").await;
    assert_eq!(drained.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn operators_see_queues_and_deliveries() {
    let host = Host::new(Config::default()).await;
    let stats = as_operator(&host, Request::get("/v1/stats"), "")
        .await
        .json();
    assert_eq!(
        (&stats["queued"], &stats["running"]),
        (&json!(0), &json!(0))
    );
    let deliveries = as_operator(&host, Request::get("/v1/deliveries"), "").await;
    assert_eq!(deliveries.json(), json!({"deliveries": []}));
}
