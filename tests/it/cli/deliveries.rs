//! `taskyard delivery`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::taskyard;
use crate::support::{Host, Settings, Webhook, eventually, message, task};

/// A webhook that is down until it is told otherwise.
async fn down() -> (Webhook, Arc<AtomicBool>) {
    let is_up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_up);
    let webhook = Webhook::answering(move |_| match seen.load(Ordering::SeqCst) {
        true => StatusCode::OK,
        false => StatusCode::BAD_GATEWAY,
    });
    (webhook.await, is_up)
}

/// Begins a task that notifies `url`, and waits until the host has given the webhook up.
async fn given_up(host: &Host, url: String) -> String {
    let push = json!({"id": "my hook", "url": url});
    let configuration = json!({"returnImmediately": true, "taskPushNotificationConfig": push});
    let params = json!({"message": message("3"), "configuration": configuration});
    let begun = host.agent("countdown").call("SendMessage", params).await;
    let id = task::id(&begun["task"]).to_owned();
    eventually("a webhook that was given up", async || {
        let trouble = listed(host);
        let mut trouble = trouble.as_array().unwrap().iter();
        let found = trouble.any(|one| one["task"] == id.as_str() && one["retry_at"].is_null());
        found.then_some(())
    })
    .await;
    id
}

fn listed(host: &Host) -> Value {
    taskyard(host, &["delivery", "list", "--json"])
        .exits(0)
        .json()
}

#[tokio::test]
async fn webhooks_that_were_given_up_are_tried_again() {
    let settings = Settings::default()
        .local_webhooks()
        .set("notify.max_attempts", 1);
    let host = Host::with(&["countdown"], settings).await;
    let (webhook, is_up) = down().await;
    let one = given_up(&host, webhook.url("one")).await;
    given_up(&host, webhook.url("two")).await;
    let list = taskyard(&host, &["delivery", "list"]).exits(0).stdout;
    assert!(
        list.contains("my hook") && list.contains("given up"),
        "{list}"
    );

    is_up.store(true, Ordering::SeqCst);
    let retry = ["delivery", "retry", &one, "my hook", "--json"];
    let retried = taskyard(&host, &retry).exits(0).json();
    assert_eq!(retried, json!([{"task": one, "config": "my hook"}]));
    let events = host
        .agent("countdown")
        .subscribe(&one, Some(0))
        .await
        .rest()
        .await;
    let told: Vec<_> = webhook
        .end("one")
        .await
        .iter()
        .map(|one| one.seq())
        .collect();
    let expected: Vec<_> = events.iter().map(|event| event.id.unwrap()).collect();
    assert_eq!(told, expected, "nothing is lost, and all in order");

    let all = taskyard(&host, &["delivery", "retry", "--all"])
        .exits(0)
        .stdout;
    assert_eq!(all.lines().count(), 1, "{all}");
    webhook.end("two").await;
    eventually("no trouble", async || {
        (listed(&host) == json!([])).then_some(())
    })
    .await;
    taskyard(&host, &["delivery", "retry", &one, "my hook"]).exits(5);
    taskyard(&host, &["delivery", "retry", &one]).exits(2);
}
