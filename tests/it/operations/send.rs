//! `SendMessage` and `GetTask`: what comes back, and when.

use base64::Engine as _;
use serde_json::json;

use crate::support::agent::{message_of, read, request_body};
use crate::support::{Host, Settings, eventually, http, message, task};

#[tokio::test]
async fn a_send_waits_for_the_finished_task() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let sent = message("hello");

    let done = echo.send(sent.clone()).await;

    assert_eq!(task::state(&done), "COMPLETED");
    assert_eq!(task::artifact(&done, "echo"), "hello");
    assert_eq!(done["history"][0]["messageId"], sent["messageId"]);
    assert_eq!(done["history"][0]["role"], "ROLE_USER");
    assert!(done["status"]["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(echo.get(task::id(&done)).await, done);
}

#[tokio::test]
async fn return_immediately_does_not_wait() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");

    let begun = countdown.try_begin(message("5")).await.unwrap();
    assert!(
        ["SUBMITTED", "WORKING"].contains(&task::state(&begun)),
        "{begun}"
    );

    let done = countdown.ended(task::id(&begun)).await;
    assert_eq!(task::state(&done), "COMPLETED");
    assert_eq!(task::artifact(&done, "lift-off"), "Lift-off!");
}

#[tokio::test]
async fn every_kind_of_part_comes_back_unchanged() {
    let host = Host::shared().await;
    let parts = json!([
        {"text": "äöü 🚀", "metadata": {"n": 1}},
        {"raw": "AAEC/w==", "mediaType": "application/octet-stream", "filename": "four.bin"},
        {"url": "https://example.com/file", "mediaType": "text/plain"},
        {"data": {"list": [1, 2.5, null, true], "nested": {"a": "b"}}},
    ]);

    let done = host.agent("echo").send(message_of(parts.clone())).await;

    assert_eq!(done["artifacts"][0]["parts"], parts);
    assert_eq!(done["history"][0]["parts"], parts);
}

#[tokio::test]
async fn a_reply_is_a_message_without_a_task() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let mut ask = message("/reply hi");
    ask["contextId"] = "a-conversation-of-replies".into();

    let answer = echo.call("SendMessage", json!({"message": ask})).await;

    assert_eq!(answer["task"], json!(null));
    assert_eq!(answer["message"]["parts"], json!([{"text": "hi"}]));
    assert_eq!(answer["message"]["role"], "ROLE_AGENT");
    assert_eq!(answer["message"]["contextId"], "a-conversation-of-replies");
    assert_eq!(answer["message"]["taskId"], json!(null));
    let list = echo
        .call(
            "ListTasks",
            json!({"contextId": "a-conversation-of-replies"}),
        )
        .await;
    assert_eq!(
        list["totalSize"], 0,
        "a reply leaves no task behind: {list}"
    );
}

#[tokio::test]
async fn a_reply_after_the_task_was_shown_completes_it() {
    let host = Host::shared().await;
    let echo = host.agent("echo");

    let id = echo.begin(message("/reply hi")).await;

    let done = echo.ended(&id).await;
    assert_eq!(task::state(&done), "COMPLETED");
    assert_eq!(task::says(&done), "hi");
}

#[tokio::test]
async fn the_history_is_as_long_as_asked_for() {
    let host = Host::shared().await;
    let approval = host.agent("approval");
    let begun = approval.send(message("Paint it black")).await;
    let id = task::id(&begun);
    let whole = begun["history"].as_array().unwrap();
    assert_eq!(
        whole.len(),
        3,
        "the request, the announcement, the question: {begun}"
    );

    let none = approval
        .call("GetTask", json!({"id": id, "historyLength": 0}))
        .await;
    assert_eq!(none.get("history"), None);
    let last = approval
        .call("GetTask", json!({"id": id, "historyLength": 1}))
        .await;
    assert_eq!(last["history"].as_array().unwrap()[..], whole[2..]);
    let more = approval
        .call("GetTask", json!({"id": id, "historyLength": 99}))
        .await;
    assert_eq!(more["history"].as_array(), Some(whole));

    let configuration = json!({"historyLength": 0});
    let params = json!({"message": message("x"), "configuration": configuration});
    let sent = approval.call("SendMessage", params).await;
    assert_eq!(sent["task"].get("history"), None);
}

#[tokio::test]
async fn metadata_of_the_request_is_kept() {
    let host = Host::shared().await;
    let params = json!({"message": message("x"), "metadata": {"ticket": {"number": 7}}});
    let sent = host.agent("echo").call("SendMessage", params).await;
    assert_eq!(sent["task"]["metadata"]["ticket"]["number"], 7);
}

#[tokio::test]
async fn names_may_be_spelled_as_in_the_proto() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let message = json!({
        "message_id": "m", "role": 1, "context_id": "snake-case",
        "parts": [{"text": "x", "media_type": null}], "nobody_knows_this": {}
    });
    let params = json!({"message": message, "configuration": {"history_length": "0"}});

    let sent = echo.call("SendMessage", params).await;

    assert_eq!(sent["task"]["contextId"], "snake-case");
    assert_eq!(sent["task"].get("history"), None);
}

#[tokio::test]
async fn the_default_agent_answers_at_the_root() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let echo = host.agent("echo");
    let body = request_body("SendMessage", json!({"message": message("x")}));
    let request = http::client().post(host.url()).header("a2a-version", "1.0");
    let sent = read(request.json(&body).send().await.unwrap())
        .await
        .unwrap();
    let task = echo.get(task::id(&sent["task"])).await;
    assert_eq!(task, sent["task"]);
}

#[tokio::test]
async fn megabytes_come_back_unchanged() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let bytes: Vec<u8> = (0..8_u32 << 20)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let raw = base64::engine::general_purpose::STANDARD.encode(bytes);
    let done = echo.send(message_of(json!([{"raw": raw}]))).await;
    assert!(
        done["artifacts"][0]["parts"][0]["raw"] == raw.as_str(),
        "other bytes"
    );
}

#[tokio::test]
async fn a_client_that_stops_waiting_changes_nothing() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");
    let mut long = message("30");
    long["contextId"] = "nobody-waits".into();
    let waiting = tokio::spawn({
        let countdown = countdown.clone();
        async move { countdown.send(long).await }
    });
    let query = json!({"contextId": "nobody-waits"});
    let id = eventually("the task", async || {
        let list = countdown.call("ListTasks", query.clone()).await;
        Some(list["tasks"].get(0)?["id"].as_str()?.to_owned())
    })
    .await;

    waiting.abort();

    let done = countdown.ended(&id).await;
    assert_eq!(task::state(&done), "COMPLETED");
}
