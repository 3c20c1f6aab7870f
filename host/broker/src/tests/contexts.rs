//! Earlier tasks: which of them a worker reads, and which a client refers to; answers out of band.

use taskyard_task::{ContextCall, ContextResult, Refusal, TaskId, Ticket};

use super::*;
use crate::Run;

/// A task of a conversation, shown at once.
async fn begin(yard: &Yard, tenant: &str, context: &str, text: &str) -> Sent {
    let mut request = request(text);
    request.context_id = Some(context.to_owned());
    request.announce = true;
    yard.broker.send(&caller(tenant), request).await.unwrap()
}

/// One that has ended.
async fn done(yard: &Yard, tenant: &str, context: &str, text: &str) -> Sent {
    let sent = begin(yard, tenant, context, text).await;
    let run = yard.broker.lease().await.unwrap();
    run.record(chunk(text, true)).await.unwrap();
    run.settle(completed()).await.unwrap();
    yard.clock.advance(Duration::from_millis(10));
    sent
}

async fn earlier(run: &Run, limit: u32) -> Vec<String> {
    let read = run.context(ContextCall::List { limit }, false).await;
    match read.unwrap().2 {
        ContextResult::Tasks(tasks) => tasks.into_iter().map(|task| task.request).collect(),
        other => panic!("{other:?}"),
    }
}

async fn read(run: &Run, task: TaskId, referred: bool) -> Option<String> {
    let read = run.context(ContextCall::Read { task }, referred).await;
    match read.unwrap().2 {
        ContextResult::Task(task) => Some(task.summary.request),
        ContextResult::Unknown => None,
        ContextResult::Tasks(tasks) => panic!("{tasks:?}"),
    }
}

#[tokio::test]
async fn a_worker_sees_the_other_tasks_of_its_conversation() {
    let yard = Yard::new(Config::default()).await;
    let one = done(&yard, "", "c", "one").await;
    let two = done(&yard, "", "c", "two").await;
    let elsewhere = done(&yard, "", "d", "elsewhere").await;
    let theirs = done(&yard, "other", "c", "theirs").await;
    // Nobody was shown it, and it was answered directly.
    let mut quiet = request("quiet");
    quiet.context_id = Some("c".to_owned());
    let quiet = yard.broker.send(&caller(""), quiet).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    let parts = vec![Part::text("pong")];
    run.settle(Outcome::Replied { parts }).await.unwrap();

    let me = begin(&yard, "", "c", "three").await;
    let run = yard.broker.lease().await.unwrap();
    assert_eq!(earlier(&run, 100).await, ["quiet", "two", "one"]);
    assert_eq!(earlier(&run, 1).await, ["quiet"]);

    assert_eq!(read(&run, one.task, false).await.as_deref(), Some("one"));
    assert_eq!(read(&run, two.task, true).await.as_deref(), Some("two"));
    assert_eq!(read(&run, elsewhere.task, false).await, None);
    let referred = read(&run, elsewhere.task, true).await;
    assert_eq!(referred.as_deref(), Some("elsewhere"));
    for hidden in [theirs, me] {
        assert_eq!(read(&run, hidden.task, true).await, None);
    }
    let remembered = read(&run, quiet.task, false).await;
    assert_eq!(remembered.as_deref(), Some("quiet"));
}

/// An exchange that ends in a direct message.
async fn reply(yard: &Yard, tenant: &str, context: &str, text: &str) -> Sent {
    let mut asked = request(text);
    asked.context_id = Some(context.to_owned());
    let sent = yard.broker.send(&caller(tenant), asked).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    let parts = vec![Part::text(format!("re: {text}"))];
    run.settle(Outcome::Replied { parts }).await.unwrap();
    yard.clock.advance(Duration::from_millis(10));
    sent
}

#[tokio::test]
async fn an_exchange_is_remembered_however_fast_the_worker_was() {
    let yard = Yard::new(Config::default()).await;
    reply(&yard, "", "c", "one").await;
    done(&yard, "", "c", "two").await;
    let three = reply(&yard, "", "c", "three").await;
    for (tenant, context) in [("", "d"), ("other", "c")] {
        reply(&yard, tenant, context, "not theirs").await;
    }
    let before = begin(&yard, "", "c", "four").await;
    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.header().id, before.task);
    assert_eq!(earlier(&run, 100).await, ["three", "two", "one"]);
    assert_eq!(earlier(&run, 2).await, ["three", "two"]);
    let call = ContextCall::Read { task: three.task };
    let (_, _, result) = run.context(call, false).await.unwrap();
    let ContextResult::Task(task) = result else {
        panic!("{result:?}");
    };
    assert_eq!(task.status, [Part::text("re: three")]);
    assert_eq!(task.summary.status.as_deref(), Some("re: three"));
    assert_eq!(task.summary.state, TaskState::Completed);
    assert_eq!(task.messages.len(), 1);
    // Clients were never shown it, and are not now.
    let known = yard.broker.get(&caller(""), &agent(), three.task).await;
    assert!(matches!(known, Err(Error::TaskNotFound)), "{known:?}");
}

#[tokio::test]
async fn what_was_read_is_in_the_log() {
    let yard = Yard::new(Config::default()).await;
    done(&yard, "", "c", "one").await;
    begin(&yard, "", "c", "two").await;
    let run = yard.broker.lease().await.unwrap();
    let call = ContextCall::List { limit: 5 };
    let (seq, _, result) = run.context(call.clone(), false).await.unwrap();
    let logged = run.entry(seq).await.unwrap().unwrap().event;
    let expected = Event::ContextRead {
        call: Box::new(call),
        result: Box::new(result),
    };
    assert_eq!(logged, expected);
}

#[tokio::test]
async fn a_reference_to_what_the_client_may_not_know_is_dropped() {
    let yard = Yard::new(Config::default()).await;
    let known = done(&yard, "", "c", "one").await;
    let quiet = yard.send("quiet").await;
    let refer = async |caller: Caller, tasks: Vec<String>| {
        let mut request = request("see");
        request.message.reference_task_ids = tasks;
        let sent = yard.broker.send(&caller, request).await?;
        let first = yard.broker.shared.storage.log(sent.task, Seq::ZERO, 1)?;
        match first.into_iter().next().map(|(_, entry)| entry.event) {
            Some(Event::Submitted(submission)) => Ok(submission.message.reference_task_ids),
            other => panic!("{other:?}"),
        }
    };
    let known = known.task.to_string();
    let all = vec![known.clone(); 32];
    assert_eq!(refer(caller(""), all.clone()).await.unwrap(), all);
    let of_agents = |agents: &[&str]| Caller {
        agents: Some(agents.iter().map(|name| name.parse().unwrap()).collect()),
        ..caller("")
    };
    let one = vec![known.clone()];
    let of_the_same = refer(of_agents(&["echo"]), one.clone()).await;
    assert_eq!(of_the_same.unwrap(), one);
    // Nothing tells a task of others from none at all.
    let nobody = TaskId::from_bytes([9; 16]).to_string();
    for stranger in [caller("other"), of_agents(&["else"])] {
        let kept = refer(stranger, vec![known.clone(), nobody.clone()]).await;
        assert_eq!(kept.unwrap(), Vec::<String>::new());
    }
    for hidden in [quiet.task.to_string(), nobody, "no id".to_owned()] {
        let kept = refer(caller(""), vec![hidden, known.clone()]).await;
        assert_eq!(kept.unwrap(), one);
    }
    let refused = refer(caller(""), vec![known; 33]).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
}

#[tokio::test]
async fn follow_ups_keep_the_references_that_are_known() {
    let yard = Yard::new(Config::default()).await;
    let known = done(&yard, "", "c", "one").await.task.to_string();
    let sent = begin(&yard, "", "c", "two").await;
    let mut more = request("more");
    more.task = Some(sent.task);
    more.message.reference_task_ids = vec!["no id".to_owned(), known.clone()];
    let more = yard.broker.send(&caller(""), more).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    match run.entry(more.seq).await.unwrap().unwrap().event {
        Event::Received { message } => assert_eq!(message.reference_task_ids, [known]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_operator_answers_a_question_once() {
    let yard = Yard::new(Config::default()).await;
    let sent = begin(&yard, "", "c", "one").await;
    let run = yard.broker.lease().await.unwrap();
    let parts = || vec![Part::text("s3cret")];
    let refused = yard.broker.answer(sent.task, parts()).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::NotAsking)));

    run.record(ask()).await.unwrap();
    let asking = Some(InputKind::Input);
    run.durable().await.unwrap();
    assert_eq!(yard.state(sent).await, TaskState::InputRequired);
    run.suspend(None, Seq::ZERO, asking, 0).await.unwrap();
    drop(run);
    yard.broker.answer(sent.task, parts()).await.unwrap();
    assert_eq!(yard.state(sent).await, TaskState::Working);

    let run = yard.broker.lease().await.unwrap();
    let (_, answer) = run.outside_after(Seq::ZERO).await.unwrap().unwrap();
    assert_eq!(answer.event.kind(), "provided");
    let task = yard.broker.get(&caller(""), &agent(), sent.task).await;
    assert!(!format!("{task:?}").contains("s3cret"));
    let again = yard.broker.answer(sent.task, parts()).await;
    assert!(again.is_err());
}

#[tokio::test]
async fn a_question_that_is_given_up_is_not_asked_any_more() {
    let yard = Yard::new(Config::default()).await;
    let sent = begin(&yard, "", "c", "one").await;
    let run = yard.broker.lease().await.unwrap();
    run.record(ask()).await.unwrap();
    let (seq, _) = run.withdraw(Ticket(1), None).await.unwrap();
    run.durable().await.unwrap();
    assert_eq!(yard.state(sent).await, TaskState::Working);
    let logged = run.entry(seq).await.unwrap().unwrap().event;
    assert_eq!(logged, Event::GaveUp { ticket: Ticket(1) });
}
