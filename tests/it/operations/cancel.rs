//! `CancelTask`: who wins, and that it is over then.

use serde_json::json;

use crate::support::{Host, Settings, message, task};

#[tokio::test]
async fn a_working_task_is_canceled_with_a_last_word() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");
    let id = countdown.begin(message("1000")).await;
    let mut events = countdown.subscribe(&id, Some(0)).await;
    events
        .find("the first tick", |event| event.text() == Some("1000"))
        .await;

    let canceled = countdown.call("CancelTask", json!({"id": id})).await;

    assert_eq!(task::state(&canceled), "CANCELED");
    let rest = events.rest().await;
    let word = rest.iter().filter_map(|event| event.text()).next_back();
    assert!(word.unwrap().starts_with("stopped at "), "{rest:?}");
    assert_eq!(
        rest.last().unwrap().state().map(task::short),
        Some("CANCELED")
    );
}

#[tokio::test]
async fn a_waiting_task_is_canceled_at_once() {
    let host = Host::shared().await;
    let approval = host.agent("approval");
    let asked = approval.send(message("Deploy")).await;
    let canceled = approval
        .call("CancelTask", json!({"id": task::id(&asked)}))
        .await;
    assert_eq!(task::state(&canceled), "CANCELED");
}

#[tokio::test]
async fn a_task_in_line_is_canceled_without_a_run() {
    let settings = Settings::default().set("limits.max_runs", 1);
    let host = Host::with(&["countdown"], settings).await;
    let countdown = host.agent("countdown");
    let busy = countdown.begin(message("1000")).await;
    let in_line = countdown.begin(message("1000")).await;

    let canceled = countdown.call("CancelTask", json!({"id": in_line})).await;

    assert_eq!(task::state(&canceled), "CANCELED");
    let log = countdown.subscribe(&in_line, Some(0)).await.rest().await;
    assert_eq!(log.len(), 1, "something happened before: {log:?}");
    countdown.call("CancelTask", json!({"id": busy})).await;
}

#[tokio::test]
async fn a_second_cancel_is_refused_and_changes_nothing() {
    let host = Host::shared().await;
    let approval = host.agent("approval");
    let asked = approval.send(message("Deploy")).await;
    let id = task::id(&asked);
    let canceled = approval.call("CancelTask", json!({"id": id})).await;

    let refusal = approval.refused("CancelTask", json!({"id": id})).await;

    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (-32002, "TASK_NOT_CANCELABLE")
    );
    assert_eq!(approval.get(id).await, canceled);
}

#[tokio::test]
async fn a_completed_task_stays_completed() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let done = echo.send(message("x")).await;
    let refusal = echo
        .refused("CancelTask", json!({"id": task::id(&done)}))
        .await;
    assert_eq!(refusal.reason, "TASK_NOT_CANCELABLE");
    assert_eq!(echo.get(task::id(&done)).await, done);
}
