//! Parked tasks and tasks by component: rows and counts that follow headers.

use taskyard_task::decide::{Breakdown, Outcome, RetryPolicy, Rules};
use taskyard_task::{AgentName, Header, Input, decide};

use super::*;

fn agent() -> AgentName {
    "echo".parse().unwrap()
}

/// Decides and writes one input.
async fn step(storage: &Storage, task: TaskId, at: u64, input: Input) -> Header {
    let header = storage.header(task).unwrap().unwrap();
    let rules = Rules {
        retry: RetryPolicy::default(),
    };
    let decision = decide(&rules, Timestamp(at), &header, input).unwrap();
    let header = decision.header.clone();
    write(storage, decision.into_commit()).await.unwrap();
    header
}

async fn park(storage: &Storage, number: u8, at: u64) -> Header {
    let task = task_id(number);
    let header = step(storage, task, at, Input::Start).await;
    let breakdown = Breakdown {
        code: "trap".to_owned(),
        reason: "it broke".to_owned(),
        position: Seq(1),
        backtrace: None,
    };
    let settle = Input::Settle {
        attempt: header.attempt,
        outcome: Outcome::Parked(breakdown),
        jitter: 0,
    };
    step(storage, task, at, settle).await
}

fn parked(storage: &Storage) -> Vec<TaskId> {
    let rows = storage.parked(None, 100).unwrap();
    assert_eq!(storage.count_parked().unwrap(), rows.len() as u64);
    rows.into_iter().map(|row| row.task).collect()
}

#[tokio::test]
async fn parked_tasks_are_listed_until_they_go_on() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    for number in 1..=3 {
        write(&storage, new_task(number)).await.unwrap();
    }
    let later = park(&storage, 1, 9_000).await;
    let first = park(&storage, 2, 8_000).await;
    assert_eq!(parked(&storage), [task_id(2), task_id(1)]);
    let page = storage.parked(None, 1).unwrap();
    assert_eq!(
        page,
        [ParkedRow {
            since: Timestamp(8_000),
            task: task_id(2),
            entry: first.last
        }]
    );
    let next = storage.parked(Some((page[0].since, page[0].task)), 5);
    assert_eq!(next.unwrap()[0].task, task_id(1));

    // A message to a parked task does not change why it is parked.
    let message = Message {
        id: "more".to_owned(),
        parts: vec![Part::text("more")],
        metadata: None,
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    };
    let message = Input::Message {
        message,
        push: None,
        remember: None,
    };
    let header = step(&storage, task_id(1), 9_500, message).await;
    assert_eq!(storage.parked_entry(&header).unwrap(), Some(later.last));

    let header = step(&storage, task_id(1), 9_900, Input::Resume).await;
    assert_eq!(storage.parked_entry(&header).unwrap(), None);
    step(&storage, task_id(2), 9_900, Input::Cancel).await;
    assert_eq!(parked(&storage), []);
}

#[tokio::test]
async fn tasks_and_counts_follow_the_component() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    let (old, new) = (Digest::of(b"echo"), Digest::of(b"echo 2"));
    for number in 1..=3 {
        write(&storage, new_task(number)).await.unwrap();
    }
    let of = |digest| storage.in_flight(digest, None, 100).unwrap();
    assert_eq!(of(old), [1, 2, 3].map(task_id));
    let behind = storage.in_flight(old, Some(task_id(1)), 1).unwrap();
    assert_eq!(behind, [task_id(2)]);

    step(&storage, task_id(2), 9_000, Input::Move { digest: new }).await;
    assert_eq!(of(old), [1, 3].map(task_id));
    assert_eq!(of(new), [task_id(2)]);
    let mut held = storage.held(&agent()).unwrap();
    held.sort_by_key(|(_, tasks)| *tasks);
    assert_eq!(held, [(new, 1), (old, 2)]);

    for number in 1..=3 {
        step(&storage, task_id(number), 9_000, Input::Cancel).await;
    }
    assert_eq!((of(old), of(new)), (Vec::new(), Vec::new()));
    assert_eq!(storage.held(&agent()).unwrap(), []);
}
