//! The operators' door to tasks: what stands still, why, and what to do about it.

use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::admin::as_operator;
use super::host::{Host, follow_up, message};
use super::http::Answer;
use crate::Config;
use crate::admin::{FlightList, LogView, ParkedList, TaskStatusView};

async fn get(host: &Host, uri: &str) -> Answer {
    as_operator(host, Request::get(uri), "").await
}

async fn order(host: &Host, uri: &str, order: &Value) -> Answer {
    as_operator(host, Request::post(uri), &order.to_string()).await
}

/// A task that was sent and is parked now.
async fn parked(host: &Host) -> String {
    let mut params = message("park");
    params["configuration"] = json!({"returnImmediately": true});
    let sent = host.result("SendMessage", params).await;
    let id = sent["task"]["id"].as_str().unwrap().to_owned();
    until_phase(host, &id, "parked").await;
    id
}

/// Waits until an operator sees the task in this phase.
async fn until_phase(host: &Host, id: &str, phase: &str) -> TaskStatusView {
    for _ in 0..1_000 {
        let status = get(host, &format!("/v1/tasks/{id}")).await;
        let status: TaskStatusView = serde_json::from_slice(&status.body).unwrap();
        if status.task.phase == phase {
            return status;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("task {id} is not {phase}");
}

#[tokio::test]
async fn a_parked_task_is_listed_and_explained() {
    let host = Host::new(Config::default()).await;
    let id = parked(&host).await;

    let list = get(&host, "/v1/parked?agent=echo").await;
    let list: ParkedList = serde_json::from_slice(&list.body).unwrap();
    let [task] = list.tasks.as_slice() else {
        panic!("{list:?}");
    };
    assert_eq!(task.task.id, id);
    assert_eq!((task.why.code.as_str(), task.why.position), ("trap", 4));
    let none = get(&host, "/v1/parked?agent=other").await;
    assert_eq!(none.json(), json!({"tasks": [], "next_page_token": ""}));

    let status = until_phase(&host, &id, "parked").await;
    assert_eq!(status.task.state, "submitted");
    assert_eq!(status.task.version.as_deref(), Some("1.0.0"));
    let why = status.parked.unwrap().why;
    assert_eq!(why.backtrace.as_deref(), Some("0: park"));
    assert_eq!(status.last_entry.what, "trap behind entry 4: told to park");
    let stats = get(&host, "/v1/stats").await.json();
    assert_eq!(stats["parked"], 1);

    let shown = host.result("GetTask", json!({"id": id})).await;
    assert_eq!(shown["status"]["state"], "TASK_STATE_SUBMITTED");
    let said = shown["status"]["message"]["parts"][0]["text"].as_str();
    assert_eq!(said, Some("waiting for the operator of the host (trap)"));
}

#[tokio::test]
async fn the_log_says_what_was_and_not_what_it_held() {
    let host = Host::new(Config::default()).await;
    let id = parked(&host).await;
    let mut more = follow_up(&json!({"id": id}), "a secret of the client");
    more["configuration"] = json!({"returnImmediately": true});
    host.result("SendMessage", more).await;

    let answer = get(&host, &format!("/v1/tasks/{id}/log")).await;
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    assert!(!answer.text().contains("seed"), "{}", answer.text());
    let log: LogView = serde_json::from_slice(&answer.body).unwrap();
    let kinds: Vec<_> = log.entries.iter().map(|it| it.kind.as_str()).collect();
    let expected = ["submitted", "started", "working", "progress", "parked"];
    assert_eq!(kinds[..5], expected);
    assert_eq!(log.entries[3].what, "50 % half done");
    assert_eq!(kinds.last(), Some(&"received"));
    assert_eq!(log.last, 6);

    let page = get(&host, &format!("/v1/tasks/{id}/log?after=3&page_size=1")).await;
    let page: LogView = serde_json::from_slice(&page.body).unwrap();
    assert_eq!((page.entries.len(), page.entries[0].seq), (1, 4));
}

#[tokio::test]
async fn operators_let_tasks_go_on_or_end_them() {
    let host = Host::new(Config::default()).await;
    let (resumed, retried, failed) = (
        parked(&host).await,
        parked(&host).await,
        parked(&host).await,
    );

    let answer = order(&host, &format!("/v1/tasks/{resumed}/resume"), &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.json()["phase"], "queued");
    until_phase(&host, &resumed, "ended").await;

    let uri = format!("/v1/tasks/{retried}/retry");
    for (from, code) in [(0, "invalid"), (1, "invalid"), (99, "invalid")] {
        let answer = order(&host, &uri, &json!({"from": from})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["error"]["code"], code, "from {from}");
    }
    let answer = order(&host, &uri, &json!({"from": 4})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let status = until_phase(&host, &retried, "ended").await;
    assert_eq!(status.taken_back, [(3, 5)]);

    let uri = format!("/v1/tasks/{failed}/fail");
    let answer = order(&host, &uri, &json!({"reason": " "})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = order(&host, &uri, &json!({"reason": "no use"})).await;
    assert_eq!(answer.json()["state"], "failed");
    let shown = host.result("GetTask", json!({"id": failed})).await;
    assert_eq!(shown["status"]["message"]["parts"][0]["text"], "no use");
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let host = Host::new(Config::default()).await;
    let id = parked(&host).await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    let to = |to: &str| json!({"to": to});
    for (uri, body, status, code) in [
        (
            format!("/v1/tasks/{nobody}/resume"),
            json!({}),
            404,
            "task-not-found",
        ),
        (
            "/v1/tasks/x/resume".to_owned(),
            json!({}),
            404,
            "task-not-found",
        ),
        (
            format!("/v1/tasks/{id}/move"),
            to("9.9.9"),
            404,
            "plugin-not-found",
        ),
        // The tests' host has nobody who could try.
        (
            format!("/v1/tasks/{id}/probe"),
            to("1.0.0"),
            503,
            "unavailable",
        ),
        (format!("/v1/tasks/{id}/probe"), json!({}), 400, "invalid"),
        (
            format!("/v1/tasks/{id}/retry"),
            json!({"form": 3}),
            400,
            "invalid",
        ),
    ] {
        let answer = order(&host, &uri, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{uri}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code, "{uri}");
    }
    for uri in [
        "/v1/parked?page_size=0",
        "/v1/parked?page_token=x",
        "/v1/parked?agnt=x",
        "/v1/tasks?page_size=1001",
        "/v1/tasks?page_token=x",
    ] {
        let answer = get(&host, uri).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{uri}");
    }
    let resume = format!("/v1/tasks/{id}/resume");
    order(&host, &resume, &json!({})).await;
    until_phase(&host, &id, "ended").await;
    let again = order(&host, &resume, &json!({})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(again.json()["error"]["code"], "ended");
}

#[tokio::test]
async fn unfinished_tasks_are_listed_by_what_runs_them() {
    let host = Host::new(Config::default()).await;
    let id = parked(&host).await;
    for uri in ["/v1/tasks", "/v1/tasks?agent=echo&plugin=1.0.0"] {
        let list = get(&host, uri).await;
        let list: FlightList = serde_json::from_slice(&list.body).unwrap();
        let ids: Vec<_> = list.tasks.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(ids, [id.as_str()], "{uri}");
    }
    let unknown = get(&host, "/v1/tasks?plugin=7.0.0").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}
