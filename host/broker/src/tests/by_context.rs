//! Messages that name their context alone, to an agent that takes them for answers.

use taskyard_task::{Digest, TaskId};

use super::*;
use crate::IdempotencyKey;

async fn set_up(yard: &Yard, answers: bool) {
    let changes = AgentChanges {
        answer_by_context: Some(answers),
        ..AgentChanges::default()
    };
    yard.broker.configure(&agent(), changes).await.unwrap();
}

async fn yard(answers: bool) -> Yard {
    let yard = Yard::new(Config::default()).await;
    set_up(&yard, answers).await;
    yard
}

fn in_context(text: &str) -> SendRequest {
    SendRequest {
        context_id: Some("c".to_owned()),
        ..request(text)
    }
}

/// A task that waits for input, of whatever caller and context.
async fn asking_as(yard: &Yard, tenant: &str, request: SendRequest, kind: InputKind) -> TaskId {
    let sent = yard.broker.send(&caller(tenant), request).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    let prompt = vec![Part::text("?")];
    run.record(Event::Asked { kind, prompt }).await.unwrap();
    run.durable().await.unwrap();
    run.suspend(None, Seq::ZERO, Some(kind), 0).await.unwrap();
    sent.task
}

/// One of the caller and the context, whatever else waits there.
async fn asking(yard: &Yard) -> TaskId {
    set_up(yard, false).await;
    let task = asking_as(yard, "", in_context("go"), InputKind::Input).await;
    set_up(yard, true).await;
    task
}

async fn say(yard: &Yard, request: SendRequest) -> TaskId {
    let sent = yard.broker.send(&caller(""), request).await;
    sent.unwrap().task
}

#[tokio::test]
async fn the_one_task_that_waits_is_answered() {
    let yard = yard(true).await;
    let task = asking(&yard).await;
    assert_eq!(say(&yard, in_context("yes")).await, task);
    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.task(), task);
    let (_, answer) = run.outside_after(Seq::ZERO).await.unwrap().unwrap();
    assert_eq!(answer.event.kind(), "received");
    // It does not wait any more, so what comes next is something new.
    assert_ne!(say(&yard, in_context("and")).await, task);
}

#[tokio::test]
async fn an_agent_that_is_not_set_up_so_gets_a_new_task() {
    let yard = yard(false).await;
    let task = asking_as(&yard, "", in_context("go"), InputKind::Input).await;
    assert_ne!(say(&yard, in_context("yes")).await, task);
    let header = yard.broker.get(&caller(""), &agent(), task).await.unwrap();
    assert_eq!(header.header.state, TaskState::InputRequired);
}

#[tokio::test]
async fn where_it_is_not_clear_which_task_is_meant_a_new_one_begins() {
    let yard = yard(true).await;
    let elsewhere = SendRequest {
        context_id: Some("d".to_owned()),
        ..request("go")
    };
    let others = [
        asking_as(&yard, "", elsewhere, InputKind::Input).await,
        asking_as(&yard, "other", in_context("go"), InputKind::Input).await,
        asking_as(&yard, "", in_context("go"), InputKind::Auth).await,
    ];
    // Nobody waits for input here: elsewhere, somebody else's, and one that wants credentials.
    let begun = say(&yard, in_context("hello")).await;
    assert!(!others.contains(&begun));
    yard.broker.fail(begun, "away".to_owned()).await.unwrap();

    let two = [asking(&yard).await, asking(&yard).await];
    let begun = say(&yard, in_context("yes")).await;
    assert!(!two.contains(&begun));
    yard.broker.fail(begun, "away".to_owned()).await.unwrap();
    yard.broker.fail(two[0], "away".to_owned()).await.unwrap();
    assert_eq!(say(&yard, in_context("yes")).await, two[1]);
    // A message without a context is of none.
    assert!(!two.contains(&say(&yard, request("yes")).await));
}

#[tokio::test]
async fn of_many_messages_at_once_one_is_the_answer() {
    let yard = yard(true).await;
    let task = asking(&yard).await;
    let sends = (0..20).map(|number| {
        let (broker, request) = (yard.broker.clone(), in_context(&number.to_string()));
        tokio::spawn(async move { broker.send(&caller(""), request).await.unwrap().task })
    });
    let sends: Vec<_> = sends.collect();
    let mut answers = 0;
    for send in sends {
        answers += usize::from(send.await.unwrap() == task);
    }
    assert_eq!(answers, 1);
}

#[tokio::test]
async fn an_answer_that_is_sent_again_under_its_key_is_one() {
    let yard = yard(true).await;
    let task = asking(&yard).await;
    let keyed = |body: &[u8]| SendRequest {
        idempotency: Some(IdempotencyKey {
            key: "k".to_owned(),
            body: Digest::of(body),
        }),
        ..in_context("yes")
    };
    let first = yard.broker.send(&caller(""), keyed(b"yes")).await.unwrap();
    assert_eq!(first.task, task);
    let again = yard.broker.send(&caller(""), keyed(b"yes")).await.unwrap();
    assert_eq!(again, first);
    let other = yard.broker.send(&caller(""), keyed(b"no")).await;
    assert!(matches!(other, Err(Error::IdempotencyConflict)));
    let yard = yard.restart().await;
    let again = yard.broker.send(&caller(""), keyed(b"yes")).await.unwrap();
    assert_eq!(again, first);
}

#[tokio::test]
async fn a_quick_send_answers_as_well() {
    let yard = yard(true).await;
    let task = asking(&yard).await;
    assert!(in_context("yes").is_quick());
    let sender = caller("");
    let (end, ()) = tokio::join!(yard.broker.send_quick(&sender, in_context("yes")), async {
        let run = yard.broker.lease().await.unwrap();
        run.settle(completed()).await.unwrap();
    });
    let end = end.unwrap();
    assert_eq!(
        (end.header.id, end.outline.view.state),
        (task, TaskState::Completed)
    );
}
