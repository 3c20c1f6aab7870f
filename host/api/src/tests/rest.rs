//! The HTTP+JSON binding: what is asked for by path, query and body, and in which type it is answered.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::host::{Host, follow_up, message};
use super::rest_client::{JSON, Rest};
use crate::{Config, Extension};

const V1: (&str, &str) = ("a2a-version", "1.0");

async fn host() -> Host {
    Host::new(Config::default()).await
}

async fn task(rest: &Rest<'_>, text: &str) -> Value {
    rest.post("/message:send", &message(text)).await["task"].take()
}

fn path(task: &Value, rest: &str) -> String {
    format!("/tasks/{}{rest}", task["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_task_is_sent_got_listed_and_continued() {
    let host = host().await;
    let rest = Rest::new(&host);
    let asked = task(&rest, "ask").await;
    assert_eq!(asked["status"]["state"], "TASK_STATE_INPUT_REQUIRED");
    assert_eq!(rest.get(&path(&asked, "")).await, asked);
    let over_rpc = host.result("GetTask", json!({"id": asked["id"]})).await;
    assert_eq!(over_rpc, asked);
    let answered = rest.post("/message:send", &follow_up(&asked, "that")).await;
    assert_eq!(answered["task"]["status"]["state"], "TASK_STATE_COMPLETED");
    let list = rest.get("/tasks?pageSize=1&include_artifacts=true").await;
    assert_eq!(
        (&list["pageSize"], &list["totalSize"]),
        (&json!(1), &json!(1))
    );
    assert!(list["tasks"][0]["artifacts"].is_array());
    let waiting = rest.get("/tasks?status=TASK_STATE_INPUT_REQUIRED").await;
    assert_eq!(waiting["totalSize"], 0);
    let short = rest.get(&path(&asked, "?historyLength=0")).await;
    assert!(short.get("history").is_none());
}

#[tokio::test]
async fn a_direct_message_is_the_answer_itself() {
    let host = host().await;
    let answer = Rest::new(&host)
        .post("/message:send", &message("reply"))
        .await;
    assert_eq!(answer["message"]["parts"][0]["text"], "directly");
}

#[tokio::test]
async fn every_form_of_content_is_described_by_the_document() {
    let host = host().await;
    let mut params = message("x");
    params["message"]["parts"] = json!([
        {"text": "x", "metadata": {"a": [1, null]}, "mediaType": "text/plain"},
        {"raw": "AA==", "filename": "f"},
        {"url": "https://h/x"},
        {"data": null},
        {"data": [1, {"a": "b"}]},
    ]);
    params["message"]["extensions"] = json!(["urn:x"]);
    params["metadata"] = json!({"any": {"thing": true}});
    let sent = Rest::new(&host).post("/message:send", &params).await;
    let parts = &sent["task"]["history"][0]["parts"];
    assert_eq!(parts.as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_task_is_canceled_without_a_body() {
    let host = host().await;
    let rest = Rest::new(&host);
    for headers in [
        &[V1][..],
        &[V1, JSON],
        &[V1, ("content-type", "text/plain")],
    ] {
        let mut params = message("stay");
        params["configuration"] = json!({"returnImmediately": true});
        let task = rest.post("/message:send", &params).await["task"].take();
        let uri = path(&task, ":cancel");
        let canceled = rest.with(headers).ask("POST", &uri, None).await;
        assert_eq!(canceled.status, StatusCode::OK);
        assert_eq!(canceled.json()["status"]["state"], "TASK_STATE_CANCELED");
        let (status, error) = rest.error("POST", &uri, Some(&json!({}))).await;
        assert_eq!(status, 400);
        assert_eq!(error["status"], "FAILED_PRECONDITION");
        assert_eq!(error["details"][0]["reason"], "TASK_NOT_CANCELABLE");
    }
}

#[tokio::test]
async fn a_configuration_lives_until_it_is_removed() {
    let host = host().await;
    let rest = Rest::new(&host);
    let task = task(&rest, "hello").await;
    let configs = path(&task, "/pushNotificationConfigs");
    assert_eq!(rest.get(&configs).await, json!({"configs": []}));
    let authentication = json!({"scheme": "Bearer", "credentials": "secret"});
    let config = json!({"id": "a b", "url": "https://h", "authentication": authentication});
    let created = rest.post(&configs, &config).await;
    assert_eq!(created["taskId"], task["id"]);
    let one = format!("{configs}/a%20b");
    assert_eq!(rest.get(&one).await, created);
    assert_eq!(rest.get(&configs).await, json!({"configs": [created]}));
    for _ in 0..2 {
        let removed = rest.ask("DELETE", &one, None).await;
        assert_eq!(
            (removed.status, removed.json()),
            (StatusCode::OK, json!({}))
        );
    }
    assert_eq!(rest.error("GET", &one, None).await.0, 404);
    let other = json!({"url": "https://h", "task_id": "another"});
    let (_, error) = rest.error("POST", &configs, Some(&other)).await;
    let violation = &error["details"][0]["fieldViolations"][0];
    assert_eq!(violation["field"], "taskId");
}

#[tokio::test]
async fn agents_and_tenants_are_named_by_the_path() {
    let host = host().await;
    let rest = Rest::new(&host);
    let count = async |uri: &str| rest.get(uri).await["totalSize"].as_u64().unwrap();
    rest.post("/acme/message:send", &message("a")).await;
    rest.post("/agents/echo/acme/message:send", &message("b"))
        .await;
    rest.post("/acme/agents/echo/message:send", &message("c"))
        .await;
    let mut with_field = message("d");
    with_field["tenant"] = json!("acme");
    rest.post("/agents/echo/message:send", &with_field).await;
    for uri in [
        "/acme/tasks",
        "/acme/agents/echo/tasks",
        "/acme/agents/echo/acme/tasks",
        "/agents/echo/acme/tasks",
        "/agents/echo/tasks?tenant=acme",
        "/acme%2Fagents%2Fecho/tasks",
    ] {
        assert_eq!(count(uri).await, 4, "{uri}");
    }
    assert_eq!(count("/tasks").await, 0);
    assert_eq!(count("/globex/tasks").await, 0);
    for contradiction in [
        "/acme/agents/echo/globex/tasks",
        "/acme/tasks?tenant=globex",
        "/agents/echo/agents%2Fother/tasks",
        "/a%20b/tasks",
    ] {
        let (status, error) = rest.error("GET", contradiction, None).await;
        assert_eq!(status, 400);
        let violation = &error["details"][0]["fieldViolations"][0];
        assert_eq!(violation["field"], "tenant", "{contradiction}");
    }
    let (status, error) = rest.error("GET", "/agents/nobody/tasks", None).await;
    assert_eq!(status, 404);
    assert_eq!(error["details"][0]["reason"], "AGENT_NOT_FOUND");
}

#[tokio::test]
async fn answers_have_the_type_that_the_client_uses() {
    let host = host().await;
    let rest = Rest::new(&host);
    let (a2a, json) = ("application/a2a+json", "application/json");
    for (headers, expected) in [
        (&[V1, ("content-type", a2a)][..], a2a),
        (&[V1, JSON], json),
        (&[V1, ("content-type", a2a), ("accept", json)], json),
        (
            &[V1, JSON, ("accept", "text/html, application/a2a+json")],
            a2a,
        ),
        (&[V1, ("content-type", "application/x+json")], json),
        (&[V1, ("content-type", a2a), ("accept", "*/*")], a2a),
    ] {
        let rest = rest.with(headers);
        let sent = rest.ask("POST", "/message:send", Some(&message("a"))).await;
        assert_eq!(sent.header("content-type"), expected);
        let unknown = rest.ask("GET", "/tasks/x", None).await;
        assert_eq!(unknown.header("content-type"), expected);
    }
}

#[tokio::test]
async fn extensions_are_echoed_and_versions_may_be_in_the_query() {
    let host = host().await;
    let uri = Extension::Priority.uri();
    let headers = [V1, ("a2a-extensions", uri)];
    let answer = Rest::new(&host)
        .with(&headers)
        .ask("GET", "/tasks", None)
        .await;
    assert_eq!(answer.header("a2a-extensions"), uri);
    let plain = Rest::new(&host).with(&[]);
    plain.get("/tasks?A2A-Version=1.0").await;
    let (status, error) = plain.error("GET", "/tasks", None).await;
    assert_eq!(status, 400);
    assert_eq!(error["details"][0]["reason"], "VERSION_NOT_SUPPORTED");
}

#[tokio::test]
async fn a_repeated_send_takes_effect_once() {
    let host = host().await;
    let headers = [V1, ("idempotency-key", "k")];
    let rest = Rest::new(&host).with(&headers);
    let (first, again) = (task(&rest, "a").await, task(&rest, "a").await);
    assert_eq!(first["id"], again["id"]);
    let (status, error) = rest
        .error("POST", "/message:send", Some(&message("b")))
        .await;
    assert_eq!((status, &error["status"]), (409, &json!("ABORTED")));
}
