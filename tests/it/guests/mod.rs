//! Workers that misbehave are contained: each fails with a precise reason, and nobody else notices.

mod break_down;
mod calls;
mod flood;
mod load;
mod replay;
mod retry;
mod stop;

use serde_json::Value;

use crate::support::host::SharedHost;
use crate::support::wait::eventually;
use crate::support::{Agent, Host, Settings, message, places, task};

/// What a misbehaving task may use: little, so that it gets there soon.
const LIMITS: &str = r#"{
    "cpu_ms": 500,
    "memory_bytes": 33554432,
    "log_entries": 300,
    "log_lines": 50,
    "log_line_bytes": 100,
    "artifact_bytes": 5242880,
    "message_bytes": 2097152
}"#;

/// A host that forgives little, with a worker that does everything wrong and one that does not.
async fn host() -> Host {
    static HOST: SharedHost = SharedHost::new();
    HOST.get(async || start(settings()).await).await
}

fn settings() -> Settings {
    Settings::default()
        .set("task.cancel_grace_ms", 300)
        .set("retry.initial_ms", 20)
        .set("retry.max_attempts", 3)
}

async fn start(settings: Settings) -> Host {
    let host = Host::with(&["echo"], settings).await;
    let limits = [("limits", LIMITS.to_owned())];
    host.admin()
        .load(&places::guest("misbehaving"), &limits)
        .await;
    host
}

/// Lets a worker misbehave to its end, while another one does its work.
async fn misbehave(behaviour: &str) -> Value {
    let host = host().await;
    let misbehaving = host.agent("misbehaving");
    let id = misbehaving.begin(message(behaviour)).await;
    assert_unharmed(&host.agent("echo")).await;
    misbehaving.ended(&id).await
}

/// Runs a behaviour to its end, and compares how it ended. The text must be in what the status says.
async fn check(behaviour: &str, state: &str, says: &str) -> Value {
    let ended = misbehave(behaviour).await;
    assert_eq!(task::state(&ended), state, "{behaviour}: {ended}");
    assert!(
        task::says(&ended).contains(says),
        "{behaviour}: {:?} does not contain {says:?}",
        task::says(&ended)
    );
    ended
}

/// Lets a worker break down until its task stands still, and compares what the operator is told. Gives the
/// task's id.
async fn check_parked(behaviour: &str, says: &str) -> String {
    let host = host().await;
    let misbehaving = host.agent("misbehaving");
    let id = misbehaving.begin(message(behaviour)).await;
    assert_unharmed(&host.agent("echo")).await;
    let path = format!("/v1/tasks/{id}");
    let status = eventually("the task stands still", async || {
        let status = host.admin().get(&path).await.ok();
        (status["phase"] == "parked").then_some(status)
    })
    .await;
    let told = status.to_string();
    assert!(
        told.contains(says),
        "{behaviour}: {told} does not contain {says:?}"
    );
    // Nothing works on it, and nobody is told that something does.
    assert_eq!(task::state(&misbehaving.get(&id).await), "SUBMITTED");
    id
}

async fn assert_unharmed(echo: &Agent) {
    let done = echo.send(message("meanwhile")).await;
    assert_eq!(task::artifact(&done, "echo"), "meanwhile");
}
