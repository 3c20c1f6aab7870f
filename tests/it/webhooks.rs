//! Notifications: in order, at least once, to whom the client says, and to nobody inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::host::SharedHost;
use crate::support::webhook::Notification;
use crate::support::{Agent, Host, Settings, Webhook, eventually, message, task};

const CREATE: &str = "CreateTaskPushNotificationConfig";

async fn host() -> Host {
    static HOST: SharedHost = SharedHost::new();
    let settings = Settings::default().local_webhooks();
    HOST.get(async || Host::with(&["approval", "countdown", "echo"], settings).await)
        .await
}

/// Begins a task whose events go to `url` from the first one on.
async fn begin_with(agent: &Agent, text: &str, push: Value) -> String {
    let configuration = json!({"returnImmediately": true, "taskPushNotificationConfig": push});
    let params = json!({"message": message(text), "configuration": configuration});
    let begun = agent.call("SendMessage", params).await;
    task::id(&begun["task"]).to_owned()
}

/// The ids of all events of a task.
async fn log(agent: &Agent, id: &str) -> Vec<u64> {
    let events = agent.subscribe(id, Some(0)).await.rest().await;
    events.iter().map(|event| event.id.unwrap()).collect()
}

fn seqs(notifications: &[Notification]) -> Vec<u64> {
    notifications.iter().map(Notification::seq).collect()
}

#[tokio::test]
async fn a_webhook_hears_everything_in_order() {
    let (host, webhook) = (host().await, Webhook::willing().await);
    let countdown = host.agent("countdown");
    let push = json!({"url": webhook.url("all")});

    let id = begin_with(&countdown, "5", push).await;

    let taken = webhook.end("all").await;
    let events = countdown.subscribe(&id, Some(0)).await.rest().await;
    let sent: Vec<_> = events.iter().map(|event| event.result().clone()).collect();
    let got: Vec<_> = taken.iter().map(|one| one.body.clone()).collect();
    assert_eq!(got, sent, "a notification is the event of the stream");
    assert_eq!(seqs(&taken), log(&countdown, &id).await);
}

#[tokio::test]
async fn a_notification_proves_where_it_comes_from() {
    let (host, webhook) = (host().await, Webhook::willing().await);
    let push = json!({
        "url": webhook.url("proof"),
        "token": "a-token",
        "authentication": {"scheme": "Bearer", "credentials": "some-credentials"},
    });

    begin_with(&host.agent("echo"), "x", push).await;

    let taken = webhook.end("proof").await;
    for one in &taken {
        assert_eq!(one.header("authorization"), "Bearer some-credentials");
        assert_eq!(one.header("x-a2a-notification-token"), "a-token");
        assert_eq!(one.header("a2a-notification-token"), "a-token");
        assert_eq!(one.header("content-type"), "application/a2a+json");
        assert!(one.header("user-agent").starts_with("taskyard/"));
    }
}

#[tokio::test]
async fn a_webhook_that_fails_is_tried_again_without_gaps() {
    // Every second answer is a failure, of changing kinds.
    let failures = [
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::NOT_FOUND,
    ];
    let webhook = Webhook::answering(move |n| match n % 2 {
        0 => failures[n / 2 % failures.len()],
        _ => StatusCode::NO_CONTENT,
    })
    .await;
    let host = host().await;
    let countdown = host.agent("countdown");

    let id = begin_with(&countdown, "3", json!({"url": webhook.url("failing")})).await;

    let taken = webhook.end("failing").await;
    assert_eq!(seqs(&taken), log(&countdown, &id).await);
    // What failed was tried again before anything else.
    for pair in webhook.received().chunks(2) {
        assert_eq!(pair[0].body, pair[1].body);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let webhook = Webhook::answering(|_| StatusCode::TEMPORARY_REDIRECT).await;
    let host = host().await;

    let id = begin_with(
        &host.agent("echo"),
        "x",
        json!({"url": webhook.url("moved")}),
    )
    .await;

    let trouble = eventually("a delivery in trouble", async || {
        let deliveries = host.admin().get("/v1/deliveries").await.ok();
        let deliveries = deliveries["deliveries"].as_array().unwrap().clone();
        deliveries
            .into_iter()
            .find(|one| one["task"] == id.as_str())
    })
    .await;
    let error = trouble["last_error"].as_str().unwrap();
    assert!(error.contains("redirects are not followed"), "{trouble}");
    assert!(webhook.received().iter().all(|one| one.path == "/moved"));
}

#[tokio::test]
async fn a_webhook_that_is_down_holds_up_nobody_else() {
    let down = Webhook::answering(|_| StatusCode::BAD_GATEWAY).await;
    let up = Webhook::willing().await;
    let host = host().await;
    let countdown = host.agent("countdown");
    let id = begin_with(
        &countdown,
        "10",
        json!({"id": "down", "url": down.url("down")}),
    )
    .await;
    let config = json!({"taskId": id, "id": "up", "url": up.url("up")});
    countdown.call(CREATE, config).await;

    up.end("up").await;

    assert!(down.taken("down").is_empty());
    countdown.ended(&id).await;
}

#[tokio::test]
async fn a_removed_webhook_hears_nothing_more() {
    let (host, webhook) = (host().await, Webhook::willing().await);
    let approval = host.agent("approval");
    let id = begin_with(
        &approval,
        "Deploy",
        json!({"id": "gone", "url": webhook.url("gone")}),
    )
    .await;
    eventually("the question", async || {
        let taken = webhook.taken("gone");
        (taken.last()?.state() == Some("INPUT_REQUIRED")).then_some(())
    })
    .await;
    let before = webhook.taken("gone").len();

    let gone = json!({"taskId": id, "id": "gone"});
    approval
        .call("DeleteTaskPushNotificationConfig", gone)
        .await;
    let other = json!({"taskId": id, "id": "other", "url": webhook.url("other")});
    approval.call(CREATE, other).await;
    approval.answer(&id, "yes").await;

    webhook.end("other").await;
    assert_eq!(webhook.taken("gone").len(), before);
}

#[tokio::test]
async fn notifications_outlive_the_host() {
    // Nothing is taken before the first crash.
    let crashed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&crashed);
    let webhook = Webhook::answering(move |_| match seen.load(Ordering::Relaxed) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    })
    .await;
    let host = Host::with(&["countdown"], Settings::default().local_webhooks()).await;
    let countdown = host.agent("countdown");
    let id = begin_with(&countdown, "20", json!({"url": webhook.url("again")})).await;
    eventually("a first attempt", async || {
        (!webhook.received().is_empty()).then_some(())
    })
    .await;

    for _ in 0..3 {
        host.kill();
        crashed.store(true, Ordering::Relaxed);
        host.restart().await;
        let heard = webhook.received().len();
        eventually("more notifications", async || {
            let ended = task::is_terminal(task::state(&countdown.get(&id).await));
            (ended || webhook.received().len() > heard).then_some(())
        })
        .await;
    }

    let mut taken = seqs(&webhook.end("again").await);
    // One may come twice: the host can die between a webhook's answer and its note of it.
    taken.dedup();
    assert_eq!(taken, log(&countdown, &id).await);
}

#[tokio::test]
async fn the_inside_cannot_be_reached_by_default() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let done = echo.send(message("x")).await;
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://localhost/",
        "http://localhost.:80/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.0.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
    ] {
        let config = json!({"taskId": task::id(&done), "url": url});
        let refusal = echo.refused(CREATE, config).await;
        assert_eq!(refusal.code, -32602, "{url}: {refusal:?}");
        assert!(refusal.message.starts_with("url "), "{url}: {refusal:?}");
    }
}
