//! The four operations on notification configurations. `webhooks` proves what is delivered.

use serde_json::{Value, json};

use crate::support::{Error, Host, message, task};

const CREATE: &str = "CreateTaskPushNotificationConfig";
const GET: &str = "GetTaskPushNotificationConfig";
const LIST: &str = "ListTaskPushNotificationConfigs";
const DELETE: &str = "DeleteTaskPushNotificationConfig";

/// An address outside; nothing is due on a task that has ended, so nobody calls it.
const OUTSIDE: &str = "https://8.8.8.8/hook";

#[tokio::test]
async fn configurations_are_made_read_replaced_and_removed() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let done = echo.send(message("x")).await;
    let id = task::id(&done);
    let authentication = json!({"scheme": "Bearer", "credentials": "c"});

    let made = json!({"taskId": id, "id": "one", "url": OUTSIDE, "token": "t",
        "authentication": authentication});
    assert_eq!(echo.call(CREATE, made.clone()).await, made);
    let one = json!({"taskId": id, "id": "one"});
    assert_eq!(echo.call(GET, one.clone()).await, made);

    let unnamed = echo
        .call(CREATE, json!({"taskId": id, "url": OUTSIDE}))
        .await;
    assert!(!unnamed["id"].as_str().unwrap().is_empty());

    let replaced = json!({"taskId": id, "id": "one", "url": format!("{OUTSIDE}/2")});
    assert_eq!(echo.call(CREATE, replaced.clone()).await, replaced);
    assert_eq!(echo.call(GET, one.clone()).await, replaced);
    let list = echo.call(LIST, json!({"taskId": id})).await;
    assert_eq!(list["configs"].as_array().unwrap().len(), 2);

    for _ in 0..2 {
        let gone = echo.call(DELETE, one.clone()).await;
        assert!(gone == json!({}) || gone == Value::Null, "{gone}");
    }
    assert_eq!(echo.refused(GET, one).await.reason, "TASK_NOT_FOUND");
    let list = echo.call(LIST, json!({"taskId": id})).await;
    assert_eq!(list["configs"], json!([unnamed]));
}

#[tokio::test]
async fn configurations_of_a_task_come_in_pages() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let done = echo.send(message("x")).await;
    let id = task::id(&done);
    for name in ["a", "b", "c"] {
        echo.call(CREATE, json!({"taskId": id, "id": name, "url": OUTSIDE}))
            .await;
    }
    let first = echo.call(LIST, json!({"taskId": id, "pageSize": 2})).await;
    assert_eq!(first["configs"].as_array().unwrap().len(), 2);
    let token = &first["nextPageToken"];
    let second = json!({"taskId": id, "pageSize": 2, "pageToken": token});
    let second = echo.call(LIST, second).await;
    assert_eq!(second["configs"][0]["id"], "c");
    assert_eq!(second.get("nextPageToken"), None);
}

#[tokio::test]
async fn an_unknown_task_has_no_configurations() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let nobody = "00000000-0000-7000-8000-000000000000";
    let config = json!({"taskId": nobody, "id": "x", "url": OUTSIDE});
    for method in [CREATE, GET, LIST, DELETE] {
        let refusal = echo.refused(method, config.clone()).await;
        assert_eq!(refusal.reason, "TASK_NOT_FOUND", "{method}");
    }
}

#[tokio::test]
async fn a_task_has_a_bounded_number_of_webhooks() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let done = echo.send(message("x")).await;
    let create = async || {
        let config = json!({"taskId": task::id(&done), "url": OUTSIDE});
        echo.try_call(CREATE, config).await
    };
    let mut made = 0;
    let refusal = loop {
        match create().await {
            Ok(_) => made += 1,
            Err(Error::Refused(refusal)) => break refusal,
            Err(lost) => panic!("{lost:?}"),
        }
        assert!(made < 1_000, "there is no bound");
    };
    assert_eq!(refusal.reason, "UNSUPPORTED_OPERATION");
    assert!(refusal.message.contains("delete one first"), "{refusal:?}");
}
