//! `Last-Event-ID`: a client goes on where it was, over lost connections and lost hosts.

use serde_json::json;

use crate::support::{Event, Host, Settings, message, task};

#[tokio::test]
async fn a_client_goes_on_behind_the_event_it_saw_last() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");
    let id = countdown.begin(message("20")).await;

    let mut seen = Vec::new();
    let mut events = countdown.subscribe(&id, Some(0)).await;
    while seen.len() < 5 {
        seen.push(events.next().await.unwrap());
    }
    drop(events);
    let last = seen.last().unwrap().id;
    seen.extend(countdown.subscribe(&id, last).await.rest().await);

    let log = countdown.subscribe(&id, Some(0)).await.rest().await;
    assert_eq!(seen, log);
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_the_host_is_killed() {
    let host = Host::with(&["countdown"], Settings::default()).await;
    let countdown = host.agent("countdown");
    let id = countdown.begin(message("40")).await;

    let mut seen = Vec::new();
    for _ in 0..3 {
        let last = seen.last().map_or(Some(0), |event: &Event| event.id);
        let mut events = countdown.subscribe(&id, last).await;
        for _ in 0..5 {
            seen.push(events.next().await.unwrap());
        }
        host.kill();
        // What was on its way may still arrive.
        seen.extend(events.rest().await);
        host.restart().await;
    }
    let last = seen.last().unwrap().id;
    seen.extend(countdown.subscribe(&id, last).await.rest().await);

    let log = countdown.subscribe(&id, Some(0)).await.rest().await;
    assert_eq!(seen, log);
    let counted: Vec<_> = seen.iter().filter_map(|event| event.text()).collect();
    let expected: Vec<_> = (1..=40).rev().map(|left| left.to_string()).collect();
    assert_eq!(counted, expected);
    let done = countdown.get(&id).await;
    assert_eq!(task::state(&done), "COMPLETED");
}

#[tokio::test]
async fn a_stream_of_a_message_resumes_under_its_idempotency_key() {
    let host = Host::shared().await;
    let countdown = host
        .agent("countdown")
        .with_header("idempotency-key", "resumed-stream");
    let sent = message("10");
    let mut stream = countdown.stream(sent.clone()).await;
    let first = stream.next().await.unwrap();
    let last = first.id.unwrap().to_string();
    drop(stream);

    let mut again = countdown
        .with_header("last-event-id", &last)
        .stream(sent)
        .await;
    let rest = again.rest().await;

    let id = task::id(&first.result()["task"]);
    let log = countdown.subscribe(id, first.id).await.rest().await;
    assert_eq!(rest, log);
}

#[tokio::test]
async fn an_event_that_is_not_of_the_task_is_refused() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");
    let id = countdown.begin(message("1")).await;
    for foreign in ["1000000", "x", "-1"] {
        let resumed = countdown.with_header("last-event-id", foreign);
        let refusal = resumed.refused("SubscribeToTask", json!({"id": id})).await;
        assert_eq!(refusal.code, -32602, "{foreign}: {refusal:?}");
    }
}
