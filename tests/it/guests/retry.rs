//! Workers that fail for now.

use serde_json::json;

use super::{check, host};
use crate::support::{eventually, message, task};

#[tokio::test]
async fn a_transient_failure_is_tried_again_and_then_final() {
    check(
        "transient",
        "FAILED",
        "failed this time (gave up after 3 attempts)",
    )
    .await;
}

#[tokio::test]
async fn a_worker_says_how_long_to_wait() {
    let host = host().await;
    let misbehaving = host.agent("misbehaving");
    let id = misbehaving.begin(message("transient-after 60000")).await;
    // It fails at once, and is not tried again soon.
    eventually("a host without runs", async || {
        let stats = host.admin().get("/v1/agents/misbehaving").await.ok();
        let idle = stats["running"] == 0 && stats["queued"] == 0;
        idle.then_some(())
    })
    .await;
    let waiting = misbehaving.get(&id).await;
    assert!(!task::is_terminal(task::state(&waiting)), "{waiting}");
    misbehaving.call("CancelTask", json!({"id": id})).await;
}
