//! Streams of the HTTP+JSON binding.

use serde_json::json;

use super::host::{Host, message};
use super::rest_client::{Rest, events};
use crate::Config;

#[tokio::test]
async fn events_are_bare() {
    let host = Host::new(Config::default()).await;
    let rest = Rest::new(&host);
    let stream = rest
        .stream("POST", "/message:stream", Some(&message("count")))
        .await;
    let events = events(stream).await;
    assert!(events[0].1["task"].is_object());
    let (_, last) = events.last().unwrap();
    let state = &last["statusUpdate"]["status"]["state"];
    assert_eq!(state, "TASK_STATE_COMPLETED");
    let updates = events
        .iter()
        .filter(|(_, e)| e["artifactUpdate"].is_object());
    assert_eq!(updates.count(), 10);
}

#[tokio::test]
async fn both_methods_subscribe_and_go_on() {
    let host = Host::new(Config::default()).await;
    let rest = Rest::new(&host);
    let task = rest.post("/message:send", &message("ask")).await["task"].take();
    let uri = format!("/tasks/{}:subscribe", task["id"].as_str().unwrap());
    let mut by_get = rest.stream("GET", &uri, None).await;
    let mut by_post = rest.stream("POST", &uri, None).await;
    let first = by_get.next().await.unwrap();
    assert_eq!(by_post.next().await.unwrap(), first);
    let id = first.lines().next().unwrap().strip_prefix("id: ").unwrap();
    let mut answer = message("that");
    answer["message"]["taskId"] = task["id"].clone();
    rest.post("/message:send", &answer).await;
    let (seen, also_seen) = (events(by_get).await, events(by_post).await);
    assert_eq!(seen, also_seen);
    let headers = [("a2a-version", "1.0"), ("last-event-id", id)];
    let again = rest.with(&headers).stream("GET", &uri, None).await;
    assert_eq!(events(again).await, seen);
}

#[tokio::test]
async fn what_cannot_begin_is_a_plain_error() {
    let host = Host::new(Config::default()).await;
    let rest = Rest::new(&host);
    let task = rest.post("/message:send", &message("a")).await["task"].take();
    let uri = format!("/tasks/{}:subscribe", task["id"].as_str().unwrap());
    for method in ["GET", "POST"] {
        let (status, error) = rest.error(method, &uri, None).await;
        assert_eq!(status, 400);
        assert_eq!(error["details"][0]["reason"], "UNSUPPORTED_OPERATION");
    }
    let (status, _) = rest
        .error("POST", "/message:stream", Some(&json!({})))
        .await;
    assert_eq!(status, 400);
}
