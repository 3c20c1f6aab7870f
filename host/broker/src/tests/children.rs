//! Parents and children, with scripted workers.

use taskyard_task::{
    ChildCall, ChildEnd, ChildTarget, Continuation, Header, RemoteStage, TaskId, Ticket,
};

use super::*;

const CHILD: &str = "child";

/// A yard with an agent for parents and one for children.
async fn yard() -> Yard {
    let yard = Yard::new(Config::default()).await;
    let request = DeployRequest {
        agent: Some(CHILD.parse().unwrap()),
        component: "2.0.0".into(),
        config: None,
        limits: taskyard_task::LimitChanges::default(),
        max_runs: None,
        egress: None,
        answer_by_context: None,
        replace: false,
    };
    yard.broker.deploy(request).await.unwrap();
    yard
}

fn call(target: ChildTarget) -> ChildCall {
    ChildCall {
        target,
        message: vec![Part::text("go")],
        metadata: Some(r#"{"n":1}"#.to_owned()),
        detached: false,
    }
}

fn here() -> ChildCall {
    call(ChildTarget::Agent(CHILD.parse().unwrap()))
}

fn elsewhere() -> ChildCall {
    call(ChildTarget::Remote("https://example.com".to_owned()))
}

fn detached(call: ChildCall) -> ChildCall {
    ChildCall {
        detached: true,
        ..call
    }
}

/// Starts a child on this host.
async fn start(run: &Run, ticket: u64, call: ChildCall) -> TaskId {
    let begun = run.start_child(Ticket(ticket), call, vec![agent()]).await;
    begun.unwrap().2.unwrap().unwrap()
}

/// Starts a child on another host.
async fn send_away(run: &Run, ticket: u64, call: ChildCall) {
    let begun = run.start_child(Ticket(ticket), call, vec![agent()]).await;
    assert_eq!(begun.unwrap().2, Ok(None));
}

/// The next end of a child behind entry `after`, waited for.
async fn child_end(run: &Run, after: Seq) -> (Seq, u64, ChildEnd) {
    loop {
        if let Some((seq, entry)) = run.outside_after(after).await.unwrap() {
            let Event::ChildEnded { ticket, end } = entry.event else {
                panic!("{entry:?}");
            };
            return (seq, ticket.0, *end);
        }
        run.outside_grew(after).await;
    }
}

async fn suspend(run: Run) {
    run.suspend(None, Seq::ZERO, None, 0).await.unwrap();
}

/// Waits until a task is as it should be, and gives its header.
async fn until(yard: &Yard, task: TaskId, reached: impl Fn(&Header) -> bool) -> Header {
    let sent = Sent {
        task,
        seq: Seq::ZERO,
    };
    let mut watch = yard.broker.watch_sent(&sent).await.unwrap();
    loop {
        let snapshot = watch.snapshot().await.unwrap();
        if reached(&snapshot.header) {
            return snapshot.header;
        }
        watch.next().await.unwrap();
    }
}

async fn ended(yard: &Yard, task: TaskId) -> TaskState {
    until(yard, task, Header::is_ended).await.state
}

/// How many ends of children a task was told of.
async fn told(yard: &Yard, task: TaskId) -> usize {
    let log = yard.broker.shared.storage.log(task, Seq::ZERO, 1_000);
    let is_end = |entry: &Entry| matches!(entry.event, Event::ChildEnded { .. });
    log.unwrap()
        .iter()
        .filter(|(_, entry)| is_end(entry))
        .count()
}

#[tokio::test]
async fn a_child_works_for_its_parent() {
    let yard = yard().await;
    let sent = yard.send("1").await;
    let parent = yard.broker.lease().await.unwrap();
    let child = start(&parent, 1, here()).await;
    assert_eq!(child.partition(), sent.task.partition());

    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.task(), child);
    let journal = run.journal(Seq::ZERO, 1).await.unwrap();
    let Event::Submitted(submission) = &journal[0].1.event else {
        panic!("{journal:?}");
    };
    assert_eq!(submission.parent.unwrap().task, sent.task);
    assert_eq!(submission.lineage, [agent()]);
    assert_eq!(submission.context_id, parent.header().context_id);
    assert_eq!(submission.message.parts, [Part::text("go")]);
    assert_eq!(submission.message.metadata.as_deref(), Some(r#"{"n":1}"#));
    assert_eq!(
        submission.message.reference_task_ids,
        [sent.task.to_string()]
    );

    run.record(chunk("re", true)).await.unwrap();
    run.record(chunk("sult", false)).await.unwrap();
    let message = vec![Part::text("done")];
    run.settle(Outcome::Completed { message }).await.unwrap();

    let (_, ticket, end) = child_end(&parent, Seq::ZERO).await;
    assert_eq!((ticket, end.state), (1, TaskState::Completed));
    assert_eq!(end.message, [Part::text("done")]);
    assert_eq!(end.artifacts[0].parts, [Part::text("result")]);
    parent.settle(completed()).await.unwrap();
    assert_eq!(ended(&yard, sent.task).await, TaskState::Completed);
    let view = yard.broker.get(&caller(""), &agent(), sent.task).await;
    assert_eq!(
        view.unwrap().outline.view.children,
        [child],
        "clients see both related"
    );
}

#[tokio::test]
async fn the_end_of_a_child_wakes_a_parent_that_waits() {
    let yard = yard().await;
    let sent = yard.send("1").await;
    let parent = yard.broker.lease().await.unwrap();
    start(&parent, 1, here()).await;
    start(&parent, 2, here()).await;
    suspend(parent).await;
    let children = [
        yard.broker.lease().await.unwrap(),
        yard.broker.lease().await.unwrap(),
    ];
    let mut seen = Seq::ZERO;
    for child in children {
        let ended = child.task();
        assert!(yard.broker.lease().now_or_never().is_none(), "it waits");
        child.settle(completed()).await.unwrap();
        let parent = yard.broker.lease().await.unwrap();
        assert_eq!(parent.task(), sent.task);
        (seen, _, _) = child_end(&parent, seen).await;
        let mut left = parent.header().children.iter();
        assert!(left.all(|child| child.task != Some(ended)));
        parent.suspend(None, seen, None, 0).await.unwrap();
    }
}

#[tokio::test]
async fn a_parent_is_told_once_wherever_the_host_goes_down() {
    for cut in ["started", "leased", "ended", "told"] {
        let mut yard = yard().await;
        let sent = yard.send("1").await;
        let parent = yard.broker.lease().await.unwrap();
        let child = start(&parent, 1, here()).await;
        parent.durable().await.unwrap();
        suspend(parent).await;
        if cut == "started" {
            yard = yard.restart().await;
        }
        let run = yard.broker.lease().await.unwrap();
        assert_eq!(run.task(), child, "{cut}");
        drop(run);
        if cut == "leased" {
            yard = yard.restart().await;
        }
        let run = yard.broker.lease().await.unwrap();
        let failed = Outcome::Failed {
            blame: taskyard_task::Blame::Worker,
            code: "no".to_owned(),
            reason: "no".to_owned(),
        };
        run.settle(failed).await.unwrap();
        if cut == "ended" {
            // Its letter was delivered already, or is now.
            yard = yard.restart().await;
        }
        until(&yard, sent.task, |parent| parent.children.is_empty()).await;
        if cut == "told" {
            yard = yard.restart().await;
        }
        let parent = yard.broker.lease().await.unwrap();
        let (last, _, end) = child_end(&parent, Seq::ZERO).await;
        assert_eq!(end.state, TaskState::Failed, "{cut}");
        assert_eq!(parent.outside_after(last).await.unwrap(), None, "{cut}");
        assert_eq!(told(&yard, sent.task).await, 1, "{cut}");
    }
}

#[tokio::test]
async fn a_child_that_cannot_be_had_is_recorded_too() {
    let mut config = Config::default();
    config.limits.max_queued_per_tenant = 1;
    let yard = Yard::new(config).await;
    yard.send("1").await;
    let parent = yard.broker.lease().await.unwrap();
    let nobody = || call(ChildTarget::Agent("nobody".parse().unwrap()));
    let begun = parent.start_child(Ticket(1), nobody(), vec![agent()]).await;
    let (seq, at, refused) = begun.unwrap();
    assert!(refused.clone().unwrap_err().contains("no such agent"));
    let entry = parent.entry(seq).await.unwrap().unwrap();
    let recorded = Event::ChildStarted {
        ticket: Ticket(1),
        call: Box::new(nobody()),
        begun: refused,
    };
    assert_eq!((entry.at, entry.event), (at, recorded));

    // The parent runs, one task is in line, and no more may be.
    yard.send("2").await;
    let own = call(ChildTarget::Agent(agent()));
    let begun = parent.start_child(Ticket(1), own, vec![agent()]).await;
    let refused = begun.unwrap().2.unwrap_err();
    assert!(refused.contains("as many tasks in line"), "{refused}");
}

#[tokio::test]
async fn a_run_that_was_superseded_starts_no_child() {
    let yard = yard().await;
    yard.send("1").await;
    let stale = yard.broker.lease().await.unwrap();
    yard.broker
        .enqueue(crate::broker::work_item(stale.header()));
    let _current = yard.broker.lease().await.unwrap();
    for call in [here(), elsewhere()] {
        let begun = stale.start_child(Ticket(1), call, Vec::new()).await;
        let refused = begun.unwrap_err();
        assert!(
            matches!(refused, Error::Refused(taskyard_task::Refusal::StaleRun)),
            "{refused}"
        );
    }
    assert!(
        yard.broker.lease().now_or_never().is_none(),
        "nothing is in line"
    );
    assert!(yard.broker.remotes_ready().now_or_never().is_none());
}

#[tokio::test]
async fn the_end_of_a_parent_cancels_its_children_except_detached_ones() {
    let yard = yard().await;
    let sent = yard.send("1").await;
    let parent = yard.broker.lease().await.unwrap();
    let in_line = start(&parent, 1, here()).await;
    let left_alone = start(&parent, 2, detached(here())).await;
    parent.settle(completed()).await.unwrap();
    assert_eq!(ended(&yard, sent.task).await, TaskState::Completed);
    assert_eq!(ended(&yard, in_line).await, TaskState::Canceled);

    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.task(), left_alone);
    assert!(!run.cancel_requested());
    run.settle(completed()).await.unwrap();
    assert_eq!(
        told(&yard, sent.task).await,
        0,
        "nothing comes after the end"
    );
}

#[tokio::test]
async fn a_cancel_reaches_the_children_of_children() {
    let yard = yard().await;
    let mut first = request("1");
    first.announce = true;
    let sent = yard.broker.send(&caller(""), first).await.unwrap();
    let parent = yard.broker.lease().await.unwrap();
    start(&parent, 1, here()).await;
    let child = yard.broker.lease().await.unwrap();
    let call = call(ChildTarget::Agent(agent()));
    let begun = child.start_child(Ticket(1), call, vec![agent(), CHILD.parse().unwrap()]);
    let grandchild = begun.await.unwrap().2.unwrap().unwrap();

    let broker = yard.broker.clone();
    let cancel = tokio::spawn(async move { broker.cancel(&caller(""), &agent(), sent.task).await });
    parent.canceled().await;
    // Its worker returns, and gives up what it started before.
    parent
        .record(Event::GaveUp { ticket: Ticket(1) })
        .await
        .unwrap();
    child.canceled().await;
    child.settle(Outcome::Canceled).await.unwrap();
    assert_eq!(ended(&yard, grandchild).await, TaskState::Canceled);
    let (_, _, end) = child_end(&parent, parent_cancel(&yard, sent.task).await).await;
    assert_eq!(end.state, TaskState::Canceled);
    parent.settle(Outcome::Canceled).await.unwrap();
    assert_eq!(
        cancel.await.unwrap().unwrap().header.state,
        TaskState::Canceled
    );
}

/// The entry that asks a task to cancel.
async fn parent_cancel(yard: &Yard, task: TaskId) -> Seq {
    let log = yard.broker.shared.storage.log(task, Seq::ZERO, 1_000);
    let mut log = log.unwrap().into_iter();
    let found = log.find(|(_, entry)| entry.event == Event::CancelRequested);
    found.unwrap().0
}

#[tokio::test]
async fn a_child_elsewhere_is_kept_until_it_is_over() {
    let yard = yard().await;
    let sent = yard.send("1").await;
    let parent = yard.broker.lease().await.unwrap();
    send_away(&parent, 1, elsewhere()).await;
    parent.durable().await.unwrap();
    suspend(parent).await;

    let [id] = yard.broker.remotes_ready().await[..] else {
        panic!("there is one");
    };
    let work = yard.broker.remote(id).await.unwrap().unwrap();
    assert_eq!((&work.child.stage, work.awaited), (&RemoteStage::New, true));
    assert_eq!(work.child.url, "https://example.com");
    let task = "theirs".to_owned();
    yard.broker
        .remote_stage(id, RemoteStage::Sent { task: task.clone() })
        .await
        .unwrap();

    let yard = yard.restart().await;
    assert_eq!(yard.broker.remotes_ready().await, [id]);
    let again = yard.broker.remote(id).await.unwrap().unwrap().child;
    assert_eq!(again.stage, RemoteStage::Sent { task });
    assert_eq!(again.message_id, work.child.message_id);

    for _ in 0..2 {
        let end = ChildEnd::failed("so it goes");
        yard.broker.remote_ended(id, end).await.unwrap();
    }
    assert!(yard.broker.remote(id).await.unwrap().is_none());
    let parent = yard.broker.lease().await.unwrap();
    assert_eq!(child_end(&parent, Seq::ZERO).await.1, 1);
    assert_eq!(told(&yard, sent.task).await, 1);
    drop(parent);
    let yard = yard.restart().await;
    assert!(yard.broker.remotes_ready().now_or_never().is_none());
}

#[tokio::test]
async fn a_child_elsewhere_learns_that_it_is_wanted_no_more() {
    let yard = yard().await;
    yard.send("1").await;
    let parent = yard.broker.lease().await.unwrap();
    for (ticket, call) in [
        (1, elsewhere()),
        (2, elsewhere()),
        (3, detached(elsewhere())),
    ] {
        send_away(&parent, ticket, call).await;
    }
    parent.durable().await.unwrap();
    let mut children = yard.broker.remotes_ready().await;
    children.sort();
    let [given_up, left, left_alone] = children[..] else {
        panic!("{children:?}");
    };
    parent
        .record(Event::GaveUp { ticket: Ticket(1) })
        .await
        .unwrap();
    assert_eq!(yard.broker.remotes_ready().await, [given_up]);
    let work = yard.broker.remote(given_up).await.unwrap().unwrap();
    assert!(
        work.child.cancel && work.awaited,
        "its end can still be waited for"
    );

    parent.settle(completed()).await.unwrap();
    for (id, cancel) in [(given_up, true), (left, true), (left_alone, false)] {
        let work = yard.broker.remote(id).await.unwrap().unwrap();
        assert_eq!((work.child.cancel, work.awaited), (cancel, false));
    }
    // A stage that comes later takes nothing back.
    let stage = RemoteStage::Sending;
    yard.broker.remote_stage(left, stage.clone()).await.unwrap();
    let yard = yard.restart().await;
    let work = yard.broker.remote(left).await.unwrap().unwrap();
    assert_eq!((work.child.cancel, work.child.stage), (true, stage));
}

#[tokio::test]
async fn children_of_a_worker_that_continues_as_new_are_not_mixed_up() {
    let yard = yard().await;
    let sent = yard.send("1").await;
    let parent = yard.broker.lease().await.unwrap();
    send_away(&parent, 1, detached(elsewhere())).await;
    let continued = Outcome::ContinuedAsNew(Box::new(Continuation {
        state: Vec::new(),
        inbox: Vec::new(),
        read: Seq::ZERO,
        artifacts: Vec::new(),
        artifact_bytes: 0,
        canceled: false,
    }));
    parent.settle(continued).await.unwrap();
    let parent = yard.broker.lease().await.unwrap();
    send_away(&parent, 1, elsewhere()).await;
    parent.durable().await.unwrap();

    let mut children = yard.broker.remotes_ready().await;
    children.sort();
    let [old, new] = children[..] else {
        panic!("{children:?}");
    };
    yard.broker
        .remote_ended(old, ChildEnd::failed("old"))
        .await
        .unwrap();
    assert_eq!(told(&yard, sent.task).await, 0);
    yard.broker
        .remote_ended(new, ChildEnd::failed("new"))
        .await
        .unwrap();
    let (_, _, end) = child_end(&parent, Seq::ZERO).await;
    assert_eq!(end.message, [Part::text("new")]);
}

#[tokio::test]
async fn letters_of_before_a_restart_are_delivered() {
    const CHILDREN: u64 = 1_000;
    let yard = yard().await;
    let sent = yard.send("1").await;
    let parent = yard.broker.lease().await.unwrap();
    for ticket in 1..=CHILDREN {
        start(&parent, ticket, here()).await;
    }
    parent.durable().await.unwrap();
    suspend(parent).await;
    let fail = |task| {
        let reason = "enough".to_owned();
        yard.broker
            .change(task, taskyard_task::Input::Fail { reason }, |_| Ok(()))
    };
    let header = until(&yard, sent.task, |_| true).await;
    let children = header.children.iter().filter_map(|child| child.task);
    let ends: Vec<_> = children.map(fail).collect();
    for end in futures::future::join_all(ends).await {
        end.unwrap();
    }
    // Many of the letters are on the disk only when the next process begins.
    let yard = yard.restart().await;
    until(&yard, sent.task, |parent| parent.children.is_empty()).await;
    let log = yard.broker.shared.storage.log(sent.task, Seq::ZERO, 10_000);
    let kinds = log
        .unwrap()
        .into_iter()
        .map(|(_, entry)| entry.event.kind());
    let told = kinds.filter(|kind| *kind == "child-ended").count();
    assert_eq!(told as u64, CHILDREN);
}
