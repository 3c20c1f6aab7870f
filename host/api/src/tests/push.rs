//! Notification configurations: registered, found, listed, removed.

use serde_json::{Value, json};

use super::host::{Host, message};
use crate::Config;

const CREATE: &str = "CreateTaskPushNotificationConfig";
const GET: &str = "GetTaskPushNotificationConfig";
const LIST: &str = "ListTaskPushNotificationConfigs";
const DELETE: &str = "DeleteTaskPushNotificationConfig";

async fn host_with_task() -> (Host, Value) {
    let host = Host::new(Config::default()).await;
    let task = host.send("hello").await["id"].take();
    (host, task)
}

#[tokio::test]
async fn a_configuration_lives_until_it_is_removed() {
    let (host, task) = host_with_task().await;
    let config = json!({
        "id": "c", "task_id": task, "url": "https://h/x", "token": "t",
        "authentication": {"scheme": "Bearer", "credentials": "secret"},
    });
    let created = host.result(CREATE, config).await;
    assert_eq!(
        created,
        json!({
            "id": "c", "taskId": task, "url": "https://h/x", "token": "t",
            "authentication": {"scheme": "Bearer", "credentials": "secret"},
        })
    );
    let one = json!({"taskId": task, "id": "c"});
    assert_eq!(host.result(GET, one.clone()).await, created);
    let list = json!({"taskId": task, "pageSize": 1});
    assert_eq!(
        host.result(LIST, list.clone()).await,
        json!({"configs": [created]})
    );
    for _ in 0..2 {
        assert_eq!(host.result(DELETE, one.clone()).await, json!({}));
    }
    assert_eq!(host.error(GET, one).await, -32001);
    assert_eq!(host.result(LIST, list).await, json!({"configs": []}));
}

#[tokio::test]
async fn the_host_makes_an_id_where_there_is_none() {
    let (host, task) = host_with_task().await;
    let created = host
        .result(CREATE, json!({"taskId": task, "url": "https://h"}))
        .await;
    assert!(!created["id"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_configuration_can_come_with_the_message() {
    let host = Host::new(Config::default()).await;
    let mut params = message("hello");
    let config = json!({"id": "inline", "url": "https://h"});
    params["configuration"] = json!({"taskPushNotificationConfig": config});
    let task = host.result("SendMessage", params).await["task"]["id"].take();
    let list = host.result(LIST, json!({"taskId": task})).await;
    assert_eq!(list["configs"][0]["id"], "inline");
    assert_eq!(list["configs"][0]["taskId"], task);
}

#[tokio::test]
async fn secrets_are_not_read_back_if_the_operator_wants_that() {
    let host = Host::new(Config {
        redact_push_credentials: true,
        ..Config::default()
    })
    .await;
    let task = host.send("hello").await["id"].take();
    let config = json!({
        "id": "c", "taskId": task, "url": "https://h/x", "token": "t0ken",
        "authentication": {"scheme": "Bearer", "credentials": "s3cret"},
    });
    let created = host.result(CREATE, config.clone()).await;
    assert_eq!(created, config, "whoever registers has just said it");
    let told = json!({
        "id": "c", "taskId": task, "url": "https://h/x", "authentication": {"scheme": "Bearer"},
    });
    let one = json!({"taskId": task, "id": "c"});
    assert_eq!(host.result(GET, one).await, told);
    let all = host.result(LIST, json!({"taskId": task})).await;
    assert_eq!(all, json!({"configs": [told]}));
}

#[tokio::test]
async fn a_task_that_has_ended_keeps_its_configurations() {
    let (host, task) = host_with_task().await;
    let state = host.result("GetTask", json!({"id": task})).await;
    assert_eq!(state["status"]["state"], "TASK_STATE_COMPLETED");
    let config = json!({"id": "late", "taskId": task, "url": "https://h/x"});
    assert_eq!(host.result(CREATE, config.clone()).await, config);
    let one = json!({"taskId": task, "id": "late"});
    assert_eq!(host.result(GET, one.clone()).await, config);
    assert_eq!(host.result(DELETE, one.clone()).await, json!({}));
    assert_eq!(host.error(GET, one).await, -32001);
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused() {
    let (host, task) = host_with_task().await;
    let answer = host
        .call(CREATE, json!({"taskId": task, "url": "http://h"}))
        .await;
    assert_eq!(answer["error"]["code"], -32602);
    let violations = &answer["error"]["data"][0]["fieldViolations"];
    assert_eq!(violations[0]["field"], "url");
    let unknown = "0190163d-8694-739b-aea5-966c26f8ad91";
    for method in [CREATE, GET, LIST, DELETE] {
        let params = json!({"taskId": unknown, "id": "c", "url": "https://h"});
        assert_eq!(host.error(method, params).await, -32001, "{method}");
        assert_eq!(host.error(method, json!({})).await, -32602, "{method}");
    }
}
