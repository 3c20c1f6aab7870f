//! Cancels, answers, follow-ups and subscribers meet on one task: it ends once, and everybody saw the same.

use futures::future::join_all;
use serde_json::{Value, json};

use super::client::{Binding, Client, Refused, Stream};
use super::normal::Normal;
use crate::support::Host;

/// Each round is another order of events.
const ROUNDS: usize = 40;

fn message(task: Option<&str>, text: &str) -> Value {
    let mut message = json!({"messageId": text, "role": "ROLE_USER", "parts": [{"text": text}]});
    if let Some(task) = task {
        message["taskId"] = task.into();
    }
    json!({"message": message})
}

fn state(task: &Value) -> String {
    task["status"]["state"].as_str().unwrap().to_owned()
}

/// Opens a stream, and reads the snapshot that it begins with: from then on nothing can be missed.
async fn follow(client: Client, task: &str) -> (Value, Stream) {
    let mut stream = client
        .open("SubscribeToTask", json!({"id": task}))
        .await
        .unwrap();
    let snapshot = stream.next().await.unwrap().unwrap();
    (snapshot, stream)
}

/// What happened to one task, as its followers saw it.
async fn round(host: &Host) -> Vec<Vec<Value>> {
    let client = |binding| Client::new(binding, host, "approval").of_tenant("races");
    let asked = client(Binding::JsonRpc)
        .call("SendMessage", message(None, "Deploy"))
        .await;
    let asked = asked.unwrap()["task"].clone();
    let task = asked["id"].as_str().unwrap();
    let followers = Binding::ALL.into_iter().chain(Binding::ALL);
    let followers = join_all(followers.map(|binding| follow(client(binding), task))).await;

    let everybody = Binding::ALL.into_iter().flat_map(|binding| {
        let (cancel, answer) = (client(binding), client(binding));
        let id = json!({"id": task});
        let words = message(Some(task), &format!("yes {binding:?}"));
        let yes = message(Some(task), "yes");
        let canceling = tokio::spawn(async move { cancel.call("CancelTask", id).await });
        let answering = tokio::spawn(async move {
            let _ = answer.call("SendMessage", words).await;
            answer.call("SendMessage", yes).await
        });
        [canceling, answering]
    });
    for done in join_all(everybody).await {
        check_outcome(done.unwrap());
    }

    let end = state(
        &client(Binding::Rest)
            .call("GetTask", json!({"id": task}))
            .await
            .unwrap(),
    );
    let seen = join_all(followers.into_iter().map(|(snapshot, stream)| async {
        let mut seen = vec![snapshot];
        seen.extend(stream.all().await.into_iter().map(Result::unwrap));
        seen
    }));
    let seen = seen.await;
    for events in &seen {
        check_events(events, &end);
    }
    seen
}

/// Whoever came too late is told so, and nobody is told anything else.
fn check_outcome(outcome: Result<Value, Refused>) {
    if let Err(refused) = outcome {
        let late = ["TASK_NOT_CANCELABLE", "UNSUPPORTED_OPERATION"];
        assert!(late.contains(&refused.reason.as_str()), "{refused:?}");
    }
}

/// One terminal state, at the end, and it is the task's.
fn check_events(events: &[Value], end: &str) {
    let states = events
        .iter()
        .filter_map(|event| event.pointer("/statusUpdate/status/state")?.as_str());
    let terminal = ["COMPLETED", "FAILED", "CANCELED", "REJECTED"];
    let is_terminal = |state: &&str| terminal.iter().any(|end| state.ends_with(end));
    let ends: Vec<_> = states.filter(is_terminal).collect();
    assert_eq!(ends, [end], "{events:#?}");
    assert_eq!(
        events.last().unwrap()["statusUpdate"]["status"]["state"],
        end
    );
}

#[tokio::test]
async fn a_task_ends_once_and_everybody_saw_the_same() {
    let host = super::host().await;
    for _ in 0..ROUNDS {
        let seen = round(&host).await;
        let mut seen = seen
            .iter()
            .map(|events| Normal::default().of(&json!(events)));
        let first = seen.next().unwrap();
        for other in seen {
            assert_eq!(first, other);
        }
    }
}
