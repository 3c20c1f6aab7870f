//! Workers that produce more than they may.

use super::{check, host, start};
use crate::support::{Error, Event, Host, Settings, message, places, task};

#[tokio::test]
async fn a_flood_of_events_is_refused_at_the_limit() {
    check("event-flood", "COMPLETED", "1000 x ").await;
    check("event-flood", "COMPLETED", "log entries: 300").await;
}

#[tokio::test]
async fn a_flood_that_ignores_refusals_meets_the_cpu_limit() {
    check(
        "event-flood-ignoring",
        "FAILED",
        "exceeded the CPU limit of 500 ms",
    )
    .await;
}

#[tokio::test]
async fn a_huge_artifact_is_refused_at_the_limit() {
    let ended = check("huge-artifact", "FAILED", "artifact bytes: 5242880").await;
    // The fifth chunk would fit but for the artifact's name.
    assert_eq!(task::artifact(&ended, "huge").len(), 4 << 20);
}

#[tokio::test]
async fn a_huge_message_is_refused_at_the_limit() {
    check("huge-message 8", "COMPLETED", "message bytes: 2097152").await;
    check("huge-message 2", "COMPLETED", "ok").await;
}

#[tokio::test]
async fn many_small_chunks_are_one_artifact() {
    let ended = check("chunks 200 1000", "COMPLETED", "").await;
    assert_eq!(task::artifact(&ended, "chunks"), "x".repeat(200_000));
}

#[tokio::test]
async fn a_flood_of_diagnostics_is_cut() {
    // On a host of its own: what it logs is looked at.
    let host = start(super::settings()).await;
    let misbehaving = host.agent("misbehaving");
    let id = misbehaving.begin(message("log-flood")).await;
    let ended = misbehaving.ended(&id).await;
    assert_eq!(task::state(&ended), "COMPLETED", "{ended}");
    let log = host.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("flood") && line.contains("line="));
    assert!(lines.count() <= 50, "more lines than allowed");
    assert!(
        log.lines().all(|line| line.len() < 2_000),
        "a line that is too long"
    );
    assert!(log.len() < 100_000, "{} bytes of diagnostics", log.len());
}

#[tokio::test]
async fn a_line_that_is_full_is_refused_and_empties_again() {
    let settings = Settings::default()
        .set("limits.max_runs", 1)
        .set("limits.max_queued", 3)
        // The worker keeps its place while it sleeps.
        .set("engine.hold_ms", 60_000);
    let host = start(settings).await;
    let misbehaving = host.agent("misbehaving");
    let mut accepted = Vec::new();
    let refusal = loop {
        match misbehaving.try_begin(message("sleep 300")).await {
            Ok(begun) => accepted.push(task::id(&begun).to_owned()),
            Err(Error::Refused(refusal)) => break refusal,
            Err(lost) => panic!("{lost:?}"),
        }
        assert!(accepted.len() < 20, "nothing is refused");
    };
    assert_eq!(
        (refusal.status, refusal.reason.as_str()),
        (503, "QUEUE_FULL")
    );
    for id in &accepted {
        assert_eq!(task::state(&misbehaving.ended(id).await), "COMPLETED");
    }
    host.agent("echo").send(message("room again")).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody() {
    // More than fits into the buffers of a connection.
    let (chunks, size) = (1_500, 20_000);
    let host = Host::start(Settings::default()).await;
    host.admin().load(&places::guest("misbehaving"), &[]).await;
    let misbehaving = host.agent("misbehaving");
    let id = misbehaving
        .begin(message(&format!("chunks {chunks} {size}")))
        .await;
    let mut lazy = misbehaving.subscribe(&id, Some(0)).await;

    let done = misbehaving.ended(&id).await;

    assert_eq!(task::artifact(&done, "chunks").len(), chunks * size);
    let events = lazy.rest().await;
    assert!(!lazy.is_broken());
    let read: usize = events.iter().filter_map(Event::chunk).map(str::len).sum();
    assert_eq!(
        read,
        chunks * size,
        "it gets everything when it reads at last"
    );
}

#[tokio::test]
async fn limits_are_those_of_the_deployment() {
    let host = host().await;
    let agent = host.admin().get("/v1/agents/misbehaving").await.ok();
    assert_eq!(agent["agent"]["limits"]["cpu_ms"], 500);
    assert_eq!(agent["agent"]["limits"]["memory_bytes"], 33_554_432);
}
