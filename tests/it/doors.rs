//! The two doors as machines see them: health, metrics, protocols.

use serde_json::json;

use crate::support::agent::{read, request_body};
use crate::support::{Host, Settings, http, in_time, message, task};

#[tokio::test]
async fn both_doors_say_whether_the_host_lives_and_is_ready() {
    let host = Host::shared().await;
    for door in [host.url(), host.admin_url()] {
        assert_eq!(http::look(&format!("{door}/healthz")).await.0, 200);
        assert_eq!(http::look(&format!("{door}/readyz")).await.0, 200);
    }
}

#[tokio::test]
async fn metrics_are_for_operators() {
    let host = Host::shared().await;
    host.agent("echo").send(message("x")).await;
    let (status, metrics) = host.look_as_operator("/metrics").await;
    assert_eq!(status, 200);
    for figure in [
        "taskyard_tasks_submitted_total{agent=\"echo\"}",
        "taskyard_requests_total{binding=\"jsonrpc\",method=\"SendMessage\",code=\"0\"}",
        "taskyard_commit_seconds",
        "taskyard_instances",
    ] {
        assert!(metrics.contains(figure), "{figure} is not in {metrics}");
    }
    assert_eq!(host.look("/metrics").await.0, 404);
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let host = Host::shared().await;
    let request = host.agent("echo").post();
    let body = request_body("SendMessage", json!({"message": message("x")}));
    let answer = in_time("an answer", request.json(&body).send())
        .await
        .unwrap();
    assert!(!answer.headers()["x-request-id"].is_empty());
}

#[tokio::test]
async fn http_2_is_spoken_without_asking() {
    let host = Host::shared().await;
    let client = http::builder().http2_prior_knowledge().build().unwrap();
    let request = client
        .post(host.agent("echo").url())
        .header("a2a-version", "1.0");
    let body = request_body("SendMessage", json!({"message": message("x")}));
    let answer = in_time("an answer", request.json(&body).send())
        .await
        .unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    read(answer).await.unwrap();
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive() {
    let settings = Settings::default().set("api.keep_alive_seconds", 1);
    let host = Host::with(&["approval"], settings).await;
    let approval = host.agent("approval");
    let asked = approval.send(message("Deploy")).await;
    let mut events = approval.subscribe(task::id(&asked), None).await;
    events.next().await.unwrap();
    // Nothing happens until somebody answers, so all that can come is a sign of life.
    assert_eq!(events.comment().await, "keep-alive");
    assert_eq!(events.comment().await, "keep-alive");
}
