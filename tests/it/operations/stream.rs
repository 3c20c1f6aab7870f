//! `SendStreamingMessage` and `SubscribeToTask`: which events, in which order, and when it is over.

use serde_json::{Value, json};

use crate::support::agent::message_of;
use crate::support::{Agent, Event, Host, message, task};

#[tokio::test]
async fn a_stream_begins_with_the_task_and_ends_with_its_end() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");
    let mut stream = countdown.stream(message("3")).await;

    let events = stream.rest().await;

    assert!(!stream.is_broken());
    assert_eq!(events[0].kind(), "task");
    assert_increasing(&events);
    let id = task::id(&events[0].result()["task"]);
    let log = whole_log(&countdown, id).await;
    let said: Vec<_> = log.iter().filter_map(Event::text).collect();
    assert_eq!(said, ["3", "2", "1"]);
    assert_eq!(
        log.iter().filter_map(Event::chunk).collect::<Vec<_>>(),
        ["Lift-off!"]
    );
    let states: Vec<_> = log
        .iter()
        .filter_map(Event::state)
        .map(task::short)
        .collect();
    assert_eq!(states.last(), Some(&"COMPLETED"));
    assert_eq!(
        states
            .iter()
            .filter(|state| task::is_terminal(state))
            .count(),
        1
    );
    // What came behind the snapshot is what the log has behind it.
    let behind: Vec<_> = log
        .into_iter()
        .filter(|event| event.id > events[0].id)
        .collect();
    assert_eq!(events[1..], behind);
}

#[tokio::test]
async fn progress_is_in_the_metadata() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");
    let mut stream = countdown.stream(message("4")).await;
    let event = stream
        .find("progress", |event| event.text() == Some("2"))
        .await;
    let progress = &event.result()["statusUpdate"]["metadata"]["taskyard.progress"];
    assert_eq!(progress, &json!({"percent": 50, "text": "2"}));
}

#[tokio::test]
async fn a_direct_reply_is_the_only_event() {
    let host = Host::shared().await;
    let mut stream = host.agent("echo").stream(message("/reply hi")).await;
    let events = stream.rest().await;
    let [only] = &events[..] else {
        panic!("more than one event: {events:?}");
    };
    assert_eq!(only.result()["message"]["parts"], json!([{"text": "hi"}]));
}

#[tokio::test]
async fn chunks_of_an_artifact_add_up() {
    let host = Host::shared().await;
    let report = host.agent("csv-report");
    let rows: String = (0..500)
        .map(|row| format!("{row},{}\n", row * row))
        .collect();
    let csv = json!([{"text": format!("n,square\n{rows}"), "mediaType": "text/csv"}]);

    let done = report.send(message_of(csv)).await;

    let updates = whole_log(&report, task::id(&done)).await;
    let updates: Vec<_> = updates
        .iter()
        .map(|event| &event.result()["artifactUpdate"])
        .filter(|update| update["artifact"]["artifactId"] == "table")
        .collect();
    assert_eq!(updates.len(), 10, "one for each chunk of 50 rows");
    let appended: Vec<_> = updates
        .iter()
        .map(|update| update["append"] == true)
        .collect();
    assert!(!appended[0] && appended[1..].iter().all(|append| *append));
    let sealed: Vec<_> = updates
        .iter()
        .map(|update| update["lastChunk"] == true)
        .collect();
    assert_eq!(sealed.iter().position(|last| *last), Some(sealed.len() - 1));
    let text = |update: &&Value| {
        update["artifact"]["parts"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let table: String = updates.iter().map(text).collect();
    assert_eq!(table, task::artifact(&done, "table"));
    assert!(table.ends_with("| 499 | 249001 |\n"));
}

#[tokio::test]
async fn subscribers_see_the_same_events() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");
    let id = countdown.begin(message("10")).await;
    let mut first = countdown.subscribe(&id, None).await;
    let mut second = countdown.subscribe(&id, None).await;

    let (first, second) = futures::join!(first.rest(), second.rest());

    assert_eq!(first[0].kind(), "task");
    assert_eq!(second[0].kind(), "task");
    let log = whole_log(&countdown, &id).await;
    for events in [first, second] {
        let behind = log.iter().filter(|event| event.id > events[0].id);
        assert!(behind.eq(&events[1..]));
    }
}

#[tokio::test]
async fn a_client_that_goes_away_changes_nothing() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");
    let mut stream = countdown.stream(message("10")).await;
    let first = stream.next().await.unwrap();
    drop(stream);
    let done = countdown.ended(task::id(&first.result()["task"])).await;
    assert_eq!(task::state(&done), "COMPLETED");
}

#[tokio::test]
async fn the_stream_of_a_message_ends_with_the_question_and_a_subscription_goes_on() {
    let host = Host::shared().await;
    let approval = host.agent("approval");

    let mut stream = approval.stream(message("Ship it")).await;
    let events = stream.rest().await;
    let last = events.last().unwrap();
    assert_eq!(last.state().map(task::short), Some("INPUT_REQUIRED"));
    let id = task::id(&events[0].result()["task"]);

    let mut subscription = approval.subscribe(id, None).await;
    let snapshot = subscription.next().await.unwrap();
    assert_eq!(snapshot.state().map(task::short), Some("INPUT_REQUIRED"));
    approval.answer(id, "yes").await;
    let rest = subscription.rest().await;
    assert_eq!(
        rest.last().unwrap().state().map(task::short),
        Some("COMPLETED")
    );
}

#[tokio::test]
async fn an_ended_task_cannot_be_followed() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let done = echo.send(message("x")).await;
    let refusal = echo
        .refused("SubscribeToTask", json!({"id": task::id(&done)}))
        .await;
    assert_eq!(refusal.reason, "UNSUPPORTED_OPERATION");
}

/// All events that there are, in one go.
async fn whole_log(agent: &Agent, id: &str) -> Vec<Event> {
    agent.subscribe(id, Some(0)).await.rest().await
}

fn assert_increasing(events: &[Event]) {
    let ids: Vec<_> = events.iter().map(|event| event.id.unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}
