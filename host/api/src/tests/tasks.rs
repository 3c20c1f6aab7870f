//! `GetTask`, `ListTasks` and `CancelTask`.

use serde_json::{Value, json};

use super::host::{Host, message};
use crate::Config;

async fn host() -> Host {
    Host::new(Config::default()).await
}

#[tokio::test]
async fn a_task_is_got_with_as_much_history_as_wanted() {
    let host = host().await;
    let task = host.send("hello").await;
    let got = host.result("GetTask", json!({"id": task["id"]})).await;
    assert_eq!(got, task);
    let got = host.result("GetTask", json!({"id": task["id"], "history_length": "0"}));
    assert!(got.await.get("history").is_none());
    let negative = json!({"id": task["id"], "historyLength": -1});
    assert_eq!(host.error("GetTask", negative).await, -32602);
}

#[tokio::test]
async fn tasks_that_do_not_exist_are_not_found() {
    let host = host().await;
    for method in ["GetTask", "CancelTask", "SubscribeToTask"] {
        for id in ["0190163d-8694-739b-aea5-966c26f8ad91", "no id"] {
            assert_eq!(
                host.error(method, json!({"id": id})).await,
                -32001,
                "{method}"
            );
        }
        assert_eq!(host.error(method, json!({})).await, -32602, "{method}");
    }
}

#[tokio::test]
async fn an_empty_list_has_all_its_fields() {
    let list = host().await.result("ListTasks", json!({})).await;
    assert_eq!(
        list,
        json!({"tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 0})
    );
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let host = host().await;
    for text in ["a", "b", "ask"] {
        host.send(text).await;
    }
    let list = async |params: Value| host.result("ListTasks", params).await;
    let first = list(json!({"page_size": 2})).await;
    assert_eq!(first["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&first["pageSize"], &first["totalSize"]),
        (&json!(2), &json!(3))
    );
    assert!(first["tasks"][0].get("artifacts").is_none());
    let second = json!({"pageSize": 2, "pageToken": first["nextPageToken"]});
    let second = list(second).await;
    assert_eq!(second["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(second["nextPageToken"], "");

    let whole = list(json!({"includeArtifacts": true})).await;
    assert_eq!(
        whole
            .to_string()
            .matches("\"artifactId\":\"result\"")
            .count(),
        2
    );

    let waiting = list(json!({"status": "TASK_STATE_INPUT_REQUIRED"})).await;
    assert_eq!(waiting["totalSize"], 1);
    let context = waiting["tasks"][0]["contextId"].clone();
    assert_eq!(list(json!({"context_id": context})).await["totalSize"], 1);
    assert_eq!(list(json!({"contextId": "unknown"})).await["totalSize"], 0);
    // Inclusive; tasks of the same millisecond may be there too.
    let at = waiting["tasks"][0]["status"]["timestamp"].clone();
    let since = list(json!({"statusTimestampAfter": at})).await;
    assert!(
        since["tasks"]
            .as_array()
            .unwrap()
            .contains(&waiting["tasks"][0])
    );
    let future = list(json!({"statusTimestampAfter": "2999-01-01T00:00:00Z"})).await;
    assert_eq!(future["totalSize"], 0);
}

#[tokio::test]
async fn lists_refuse_what_makes_no_sense() {
    let host = host().await;
    for params in [
        json!({"pageSize": 0}),
        json!({"pageSize": 101}),
        json!({"pageToken": "x"}),
        json!({"status": "working"}),
        json!({"statusTimestampAfter": "yesterday"}),
        json!({"historyLength": -1}),
    ] {
        assert_eq!(
            host.error("ListTasks", params.clone()).await,
            -32602,
            "{params}"
        );
    }
}

#[tokio::test]
async fn a_task_is_canceled_once() {
    let host = host().await;
    let mut params = message("stay");
    params["configuration"] = json!({"returnImmediately": true});
    let task = host.result("SendMessage", params).await["task"].take();
    let canceled = host.result("CancelTask", json!({"id": task["id"]})).await;
    assert_eq!(canceled["status"]["state"], "TASK_STATE_CANCELED");
    assert_eq!(
        host.error("CancelTask", json!({"id": task["id"]})).await,
        -32002
    );
}
