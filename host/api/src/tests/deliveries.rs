//! Deliveries in trouble: seen and tried again by operators.

use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use taskyard_broker::{Delivery, Lane};
use taskyard_task::TaskId;
use taskyard_task::commit::DeliveryState;

use super::admin::as_operator;
use super::host::{Host, message};
use super::http::Answer;
use crate::Config;

/// A task that waits for an answer, and the lane of its webhook.
async fn host_with_lane() -> (Host, Lane) {
    let host = Host::new(Config::default()).await;
    let mut params = message("ask");
    let config = json!({"id": "my hook/1", "url": "https://h"});
    params["configuration"] = json!({"taskPushNotificationConfig": config});
    let task = host.result("SendMessage", params).await["task"]["id"].take();
    let task: TaskId = task.as_str().unwrap().parse().unwrap();
    let config = "my hook/1".to_owned();
    (host, Lane { task, config })
}

async fn give_up(host: &Host, lane: &Lane) -> Delivery {
    let delivery = host
        .broker
        .next_delivery(lane)
        .await
        .unwrap()
        .due()
        .unwrap();
    let state = DeliveryState {
        attempts: 12,
        last_error: "the webhook answered 500".to_owned(),
        retry_at: None,
    };
    host.broker.delivery_failed(&delivery, state).await.unwrap();
    delivery
}

async fn listed(host: &Host) -> Value {
    let answer = as_operator(host, Request::get("/v1/deliveries"), "").await;
    answer.json()["deliveries"].take()
}

async fn retry(host: &Host, task: &str, config: &str) -> Answer {
    let request = Request::post(format!("/v1/deliveries/{task}/{config}/retry"));
    as_operator(host, request, "").await
}

#[tokio::test]
async fn a_webhook_that_was_given_up_is_tried_again_from_its_oldest_notification() {
    let (host, lane) = host_with_lane().await;
    let oldest = give_up(&host, &lane).await;
    let task = lane.task.to_string();
    let trouble = json!([{
        "task": task, "config": "my hook/1", "attempts": 12,
        "last_error": "the webhook answered 500", "retry_at": null,
    }]);
    assert_eq!(listed(&host).await, trouble);
    while host.broker.lanes_ready().await != [lane.clone()] {}

    let retried = retry(&host, &task, "my%20hook%2F1").await;
    assert_eq!(retried.status, StatusCode::OK);
    assert_eq!(retried.json(), json!({"task": task, "config": "my hook/1"}));

    assert_eq!(listed(&host).await, json!([]));
    assert_eq!(
        host.broker.lanes_ready().await,
        std::slice::from_ref(&lane),
        "whoever delivers is told"
    );
    let next = host
        .broker
        .next_delivery(&lane)
        .await
        .unwrap()
        .due()
        .unwrap();
    assert_eq!((next.seq, next.state), (oldest.seq, None));
}

#[tokio::test]
async fn what_is_in_no_trouble_cannot_be_tried_again() {
    let (host, lane) = host_with_lane().await;
    let task = lane.task.to_string();
    let unknown = "0190163d-8694-739b-aea5-966c26f8ad91";
    for (task, config) in [
        (task.as_str(), "my%20hook%2F1"),
        (unknown, "c"),
        ("no-id", "c"),
    ] {
        let refused = retry(&host, task, config).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{task}");
        assert_eq!(refused.json()["error"]["code"], "delivery-not-found");
    }
}
