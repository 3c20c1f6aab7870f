//! Disks that somebody fills: new work is refused by name before nothing can be written any more.

use std::fs::{self, File};

use serde_json::{Value, json};

use crate::cli::taskyard;
use crate::support::agent::follow_up;
use crate::support::{Agent, Error, Host, Settings, message, task};

const MAX_BYTES: u64 = 1 << 30;

async fn refused(agent: &Agent, message: Value) {
    match agent.try_begin(message).await {
        Err(Error::Refused(refusal)) => assert_eq!(
            (refusal.status, refusal.reason.as_str()),
            (503, "STORAGE_FULL")
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_that_is_as_large_as_it_may_be_takes_no_new_work_and_ends_what_it_has() {
    let settings = Settings::default().set("storage.max_bytes", MAX_BYTES);
    let host = Host::with(&["approval", "countdown", "echo"], settings).await;
    let (approval, echo) = (host.agent("approval"), host.agent("echo"));
    let waits = approval.send(message("Deploy")).await;
    let unwanted = approval.send(message("Deploy twice")).await;
    let keyed = echo.with_header("idempotency-key", "before");
    let before = keyed.begin(message("before")).await;
    let runs = host.agent("countdown").begin(message("30")).await;

    // The database passes over files that it does not know. It has no blocks, so it fills nothing.
    let ballast = host.data().join("db/ballast");
    let file = File::create(&ballast).unwrap();
    file.set_len(2 * MAX_BYTES).unwrap();
    let why = host.readyz_becomes(503).await;
    assert!(why.contains("storage.max_bytes"), "{why}");

    // Nobody brings anything new, whichever tenant it is.
    for tenant in ["", "other"] {
        refused(&echo.of_tenant(tenant), message("new")).await;
    }
    refused(&approval, follow_up(task::id(&waits), "yes")).await;
    let status = taskyard(&host, &["status"]).exits(1).stdout;
    assert!(status.contains("takes no new work"), "{status}");
    assert!(status.contains("storage.max_bytes"), "{status}");
    let metrics = host.figures().await;
    assert!(metrics.contains("taskyard_storage_full 1"), "{metrics}");
    assert_eq!(host.look("/healthz").await.0, 200);
    // What there is ends, is looked at, is cancelled, and is found again by its key.
    let done = host.agent("countdown").ended(&runs).await;
    assert_eq!(task::state(&done), "COMPLETED");
    let cancelled = approval.call("CancelTask", json!({"id": task::id(&unwanted)}));
    assert_eq!(task::state(&cancelled.await), "CANCELED");
    assert_eq!(keyed.begin(message("before")).await, before);

    // There is room again, and nobody restarts the host.
    fs::remove_file(&ballast).unwrap();
    host.readyz_becomes(200).await;
    taskyard(&host, &["status"]).exits(0);
    let done = approval.answer(task::id(&waits), "yes").await;
    assert_eq!(task::state(&done), "COMPLETED");
    assert_eq!(task::state(&echo.send(message("after")).await), "COMPLETED");
    let log = host.log();
    for line in ["takes no new work", "takes new work"] {
        assert_eq!(log.matches(line).count(), 1, "{line}: {log}");
    }
}

/// What a tenant keeps, as the host tells operators.
async fn kept(host: &Host, tenant: &str) -> Value {
    let stats = host.admin().get("/v1/stats").await.body;
    let tenants = stats["usage"].as_array().unwrap();
    let found = tenants.iter().find(|it| it["tenant"] == tenant);
    found.cloned().unwrap_or(Value::Null)
}

#[tokio::test]
async fn a_tenant_that_keeps_as_much_as_it_may_keeps_nobody_else_out() {
    const MOST: u64 = 1 << 20;
    let settings = Settings::default().set("limits.max_bytes_per_tenant", MOST);
    let host = Host::with(&["approval", "echo"], settings).await;
    let greedy = host.agent("echo").of_tenant("greedy");
    let asks = host.agent("approval").of_tenant("greedy");
    let waits = asks.send(message("Deploy")).await;
    let other = host.agent("echo").of_tenant("other");
    other.send(message("small")).await;

    // One task is far beyond the limit: the message, and the artifact that repeats it.
    let large = greedy.begin(message(&"x".repeat(2 << 20))).await;
    assert_eq!(task::state(&greedy.ended(&large).await), "COMPLETED");
    let usage = kept(&host, "greedy").await;
    assert_eq!(usage["tasks"], 2, "{usage}");
    assert!(usage["content_bytes"].as_u64() > Some(MOST), "{usage}");
    refused(&greedy, message("more")).await;
    refused(&asks, follow_up(task::id(&waits), "yes")).await;
    assert_eq!(host.look("/readyz").await.0, 200);
    let status = taskyard(&host, &["status"]).exits(0).stdout;
    assert!(status.contains("CONTENT BYTES"), "{status}");

    // The others do not notice, and it can still look at what it has and cancel it.
    for _ in 0..4 {
        other.send(message("small")).await;
    }
    assert_eq!(greedy.get(&large).await["id"], large.as_str());
    let cancelled = asks.call("CancelTask", json!({"id": task::id(&waits)}));
    assert_eq!(task::state(&cancelled.await), "CANCELED");
    assert_eq!(kept(&host, "other").await["tasks"], 5);
    // The tallies are as durable as what they count.
    let before = kept(&host, "greedy").await;
    host.kill();
    host.restart().await;
    assert_eq!(kept(&host, "greedy").await, before);
    refused(&greedy, message("more")).await;
}
