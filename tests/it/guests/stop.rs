//! Workers that do not stop when asked to.

use serde_json::json;

use super::{assert_unharmed, host, settings, start};
use crate::support::{message, places, task};

async fn check_canceled(behaviour: &str) {
    let host = host().await;
    let misbehaving = host.agent("misbehaving");
    let id = misbehaving.begin(message(behaviour)).await;
    misbehaving
        .reached(&id, |state| task::short(state) != "SUBMITTED")
        .await;

    let canceled = misbehaving.call("CancelTask", json!({"id": id})).await;

    assert_eq!(
        task::state(&canceled),
        "CANCELED",
        "{behaviour}: {canceled}"
    );
    assert_unharmed(&host.agent("echo")).await;
    assert_eq!(
        misbehaving.get(&id).await,
        canceled,
        "{behaviour}: something came after the end"
    );
}

#[tokio::test]
async fn a_worker_that_ignores_the_cancel_is_stopped() {
    check_canceled("ignores-cancel").await;
}

#[tokio::test]
async fn a_worker_that_goes_on_after_the_cancel_is_stopped() {
    check_canceled("calls-after-stop").await;
}

#[tokio::test]
async fn a_worker_that_computes_is_stopped() {
    let host = host().await;
    let misbehaving = host.agent("misbehaving");
    let id = misbehaving.begin(message("endless-loop")).await;
    let ended = misbehaving.call("CancelTask", json!({"id": id})).await;
    // The cancel or the CPU limit: whichever is first, the task is over.
    assert!(task::is_terminal(task::state(&ended)), "{ended}");
}

#[tokio::test]
async fn a_worker_that_sleeps_is_stopped() {
    check_canceled("sleep 60000").await;
}

#[tokio::test]
async fn a_task_that_takes_too_long_fails() {
    let settings = settings().set("task.deadline_seconds", 1);
    let host = start(settings).await;
    let misbehaving = host.agent("misbehaving");
    for behaviour in ["sleep 60000", "ask"] {
        let id = misbehaving.begin(message(behaviour)).await;
        let ended = misbehaving.ended(&id).await;
        assert_eq!(task::state(&ended), "FAILED", "{behaviour}");
        assert_eq!(
            task::says(&ended),
            "the task did not end before its deadline",
            "{behaviour}"
        );
    }
}

#[tokio::test]
async fn a_run_that_takes_too_long_fails() {
    let host = start(settings()).await;
    let limits = [
        ("name", "hasty".to_owned()),
        ("limits", r#"{"wall_ms":200}"#.to_owned()),
    ];
    host.admin()
        .load(&places::guest("misbehaving"), &limits)
        .await;
    let ended = host.agent("hasty").send(message("ignores-cancel")).await;
    assert_eq!(task::state(&ended), "FAILED");
    assert_eq!(task::says(&ended), "exceeded the wall time limit of 200 ms");
}
