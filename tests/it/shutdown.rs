//! How a host ends when it is asked to.

use serde_json::json;

use crate::support::{Agent, Error, Event, Host, Settings, eventually, message, task};

/// A task that works, and a stream of its events.
async fn working(countdown: &Agent, steps: &str) -> (String, crate::support::Events) {
    let id = countdown.begin(message(steps)).await;
    let mut events = countdown.subscribe(&id, Some(0)).await;
    events
        .find("the first tick", |event| event.text() == Some(steps))
        .await;
    (id, events)
}

/// How many tasks the host found unfinished when it started last.
fn taken_up(host: &Host) -> usize {
    let log = host.log();
    let line = log.lines().rfind(|line| line.contains("took up the tasks"));
    let count = line.unwrap().rsplit("tasks=").next().unwrap();
    count.parse().unwrap()
}

#[tokio::test]
async fn short_runs_end_first() {
    let host = Host::with(&["countdown"], Settings::default()).await;
    let countdown = host.agent("countdown");
    let (id, mut events) = working(&countdown, "15").await;

    host.terminate();

    let rest = events.rest().await;
    assert!(!events.is_broken(), "the stream was cut off");
    let (last, before) = rest.split_last().unwrap();
    let error = &last.response["error"];
    assert_eq!(error["data"][0]["reason"], "UNAVAILABLE", "{error}");
    assert_eq!(last.id, None);
    let seen = before.last().and_then(|event| event.id);
    assert_eq!(host.exited().await.code(), Some(0));
    assert!(!host.data().join("addresses.json").exists());
    host.restart().await;
    assert_eq!(taken_up(&host), 0);
    assert_eq!(task::state(&countdown.get(&id).await), "COMPLETED");
    // Who was told goes on after the last event that it saw.
    let rest = countdown
        .subscribe(&id, seen.or(Some(0)))
        .await
        .rest()
        .await;
    let state = rest.last().and_then(Event::state).map(task::short);
    assert_eq!(state, Some("COMPLETED"));
}

#[tokio::test]
async fn long_runs_go_on_after_the_restart_without_a_trace() {
    let settings = Settings::default().set("shutdown_grace_seconds", 0);
    let host = Host::with(&["countdown"], settings).await;
    let countdown = host.agent("countdown");
    let (id, mut events) = working(&countdown, "100").await;

    host.terminate();
    events.rest().await;
    assert_eq!(host.exited().await.code(), Some(0));
    host.restart().await;

    assert_eq!(taken_up(&host), 1);
    let done = countdown.ended(&id).await;
    assert_eq!(task::state(&done), "COMPLETED");
    let log = countdown.subscribe(&id, Some(0)).await.rest().await;
    let counted: Vec<_> = log.iter().filter_map(Event::text).collect();
    let expected: Vec<_> = (1..=100).rev().map(|left| left.to_string()).collect();
    assert_eq!(counted, expected);
}

#[tokio::test]
async fn who_waits_is_told_to_come_back() {
    let host = Host::with(&["countdown"], Settings::default()).await;
    let countdown = host.agent("countdown");
    let (id, _events) = working(&countdown, "40").await;
    let waiting = tokio::spawn({
        let countdown = countdown.clone();
        async move {
            let params = json!({"message": message("50")});
            countdown.try_call("SendMessage", params).await
        }
    });
    eventually("two runs", async || {
        let stats = host.admin().get("/v1/stats").await.ok();
        (stats["running"] == 2).then_some(())
    })
    .await;

    host.terminate();

    match waiting.await.unwrap() {
        Err(Error::Refused(refusal)) => {
            assert_eq!(
                (refusal.status, refusal.reason.as_str()),
                (503, "UNAVAILABLE")
            );
        }
        other => panic!("{other:?}"),
    }
    // While the runs end, nothing new is taken, and what there is can be looked at.
    let refusal = countdown
        .refused("SendMessage", json!({"message": message("1")}))
        .await;
    assert_eq!(
        (refusal.status, refusal.reason.as_str()),
        (503, "UNAVAILABLE")
    );
    assert_eq!(countdown.get(&id).await["id"], id.as_str());
    assert_eq!(host.exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let host = Host::with(&["countdown"], Settings::default()).await;
    let countdown = host.agent("countdown");
    let (id, mut events) = working(&countdown, "1000").await;

    host.terminate();
    events.rest().await;
    host.terminate();

    assert_eq!(host.exited().await.code(), Some(130));
    host.restart().await;
    assert!(!task::is_terminal(task::state(&countdown.get(&id).await)));
}
