//! Streams by gRPC: what comes, in which order, how they end, and how a client goes on.

use a2a_pb::proto;
use proto::stream_response::Payload;
use serde_json::Value;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use super::grpc_client::{
    Client, client, field, get, message, reason, send, subscription, v1, with,
};
use super::host::Host;
use crate::{Config, Extension};

async fn host() -> Host {
    Host::new(Config::default()).await
}

async fn stream(client: &mut Client, text: &str) -> Streaming<proto::StreamResponse> {
    let stream = client.send_streaming_message(v1(message(text))).await;
    stream.unwrap().into_inner()
}

async fn all(mut stream: Streaming<proto::StreamResponse>) -> Vec<Payload> {
    let mut events = Vec::new();
    while let Some(event) = stream.message().await.unwrap() {
        events.push(event.payload.unwrap());
    }
    events
}

fn task_of(event: &Payload) -> &proto::Task {
    match event {
        Payload::Task(task) => task,
        other => panic!("no task: {other:?}"),
    }
}

fn state_of(event: &Payload) -> proto::TaskState {
    match event {
        Payload::Task(task) => task.status.as_ref().unwrap().state(),
        Payload::StatusUpdate(update) => update.status.as_ref().unwrap().state(),
        other => panic!("no state: {other:?}"),
    }
}

/// The number that an event carries.
fn number(event: &Payload) -> Option<u64> {
    let metadata = match event {
        Payload::Task(task) => task.metadata.as_ref(),
        Payload::StatusUpdate(update) => update.metadata.as_ref(),
        Payload::ArtifactUpdate(update) => update.metadata.as_ref(),
        Payload::Message(_) => None,
    };
    let metadata = a2a_pb::pbconv::from_proto_struct(metadata?);
    let sequence = metadata.get(Extension::StreamResume.uri())?.get("sequence");
    sequence.and_then(Value::as_f64).map(|n| n as u64)
}

#[tokio::test]
async fn a_stream_begins_with_the_task_and_ends_with_its_end() {
    let mut client = client(&host().await);
    let events = all(stream(&mut client, "count").await).await;
    assert_eq!(state_of(&events[0]), proto::TaskState::Submitted);
    assert_eq!(events.len(), 13);
    assert_eq!(
        state_of(events.last().unwrap()),
        proto::TaskState::Completed
    );
    assert!(events.iter().all(|event| number(event).is_none()));
}

#[tokio::test]
async fn a_direct_answer_is_the_only_event() {
    let mut client = client(&host().await);
    let events = all(stream(&mut client, "reply").await).await;
    assert!(matches!(events.as_slice(), [Payload::Message(_)]));
}

#[tokio::test]
async fn errors_before_the_stream_are_statuses() {
    let mut client = client(&host().await);
    let refused = client
        .send_streaming_message(v1(proto::SendMessageRequest::default()))
        .await;
    assert_eq!(field(&refused.unwrap_err()), "message");
    let task = send(&mut client, "hello").await;
    let refused = client.subscribe_to_task(v1(subscription(&task.id))).await;
    assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
}

const RESUMABLE: [(&str, &str); 2] = [
    ("a2a-version", "1.0"),
    ("a2a-extensions", "urn:taskyard:extension:stream-resume:v1"),
];

#[tokio::test]
async fn who_counts_goes_on_where_it_was() {
    let mut client = client(&host().await);
    let request = with(message("count"), &RESUMABLE);
    let events = client.send_streaming_message(request).await.unwrap();
    let events = all(events.into_inner()).await;
    let id = task_of(&events[0]).id.clone();
    for (index, event) in events.iter().enumerate() {
        let seen = number(event).unwrap().to_string();
        let mut metadata = RESUMABLE.to_vec();
        metadata.push(("last-event-id", &seen));
        let rest = client.subscribe_to_task(with(subscription(&id), &metadata));
        let rest = all(rest.await.unwrap().into_inner()).await;
        assert_eq!(rest, events[index + 1..], "behind {seen}");
    }
}

#[tokio::test]
async fn a_repeated_send_follows_the_same_task() {
    let mut client = client(&host().await);
    let mut metadata = RESUMABLE.to_vec();
    metadata.push(("idempotency-key", "k"));
    let mut send = async |metadata: &[(&'static str, &str)]| {
        let stream = client.send_streaming_message(with(message("count"), metadata));
        all(stream.await.unwrap().into_inner()).await
    };
    let first = send(&metadata).await;
    assert_eq!(send(&metadata).await, first);
    let seen = number(&first[4]).unwrap().to_string();
    metadata.push(("last-event-id", &seen));
    assert_eq!(send(&metadata).await, first[5..]);
}

/// Reads up to the first event that shows the task at work.
async fn until_working(stream: &mut Streaming<proto::StreamResponse>) -> String {
    let mut id = String::new();
    while let Some(event) = stream.message().await.unwrap() {
        match event.payload.unwrap() {
            Payload::Task(task) => id = task.id,
            other if state_of(&other) == proto::TaskState::Working => return id,
            _ => {}
        }
    }
    panic!("the stream ended");
}

#[tokio::test]
async fn streams_end_with_the_host() {
    let host = host().await;
    let mut stream = stream(&mut client(&host), "stay").await;
    until_working(&mut stream).await;
    host.stopping.cancel();
    let ended: Status = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended as if the task had"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unavailable);
    assert_eq!(reason(&ended), "UNAVAILABLE");
    let retry = ended.get_details_retry_info().unwrap();
    assert_eq!(retry.retry_delay, Some(std::time::Duration::from_secs(5)));
}

#[tokio::test]
async fn a_client_that_goes_away_changes_nothing() {
    let host = host().await;
    let mut client = client(&host);
    let mut gone = stream(&mut client, "stay").await;
    let id = until_working(&mut gone).await;
    drop(gone);
    let task = client.get_task(v1(get(&id))).await.unwrap().into_inner();
    assert_eq!(task.status.unwrap().state(), proto::TaskState::Working);
}
