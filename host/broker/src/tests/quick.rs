//! Tasks that are over at once: one commit, and nothing that is seen, sent or lost before it.
//!
//! The time for which a beginning is held back passes only where its client is polled, so most of these
//! tests leave the client alone until the run did what it is to do.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::poll;
use taskyard_storage::{AppendError, CommitLog, Numbered, Trouble};
use taskyard_task::{
    Blame, Change, ChildCall, ChildTarget, Commit, Partition, Phase, TaskId, Ticket,
};

use super::state::{Breaking, open_on};
use super::*;

/// After which a test says that something does not happen.
pub(super) const NEVER: Duration = Duration::from_secs(5);

/// A disk that can be kept busy, and that notes what is written.
#[derive(Clone, Default)]
pub(super) struct Disk {
    /// Held by whoever wants nothing to be durable.
    busy: Arc<tokio::sync::Mutex<()>>,
    written: Arc<Mutex<Vec<Commit>>>,
}

impl Disk {
    /// Nothing becomes durable until this is dropped.
    pub(super) async fn keep_busy(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.busy.lock().await
    }

    /// The commits that changed `task`.
    pub(super) fn commits_of(&self, task: TaskId) -> Vec<Commit> {
        let is_of =
            |change: &Change| matches!(change, Change::Header { after, .. } if after.id == task);
        let written = self.written.lock().unwrap().clone();
        let written = written.into_iter();
        written
            .filter(|commit| commit.changes.iter().any(is_of))
            .collect()
    }
}

struct Watched {
    inner: Box<dyn CommitLog>,
    disk: Disk,
}

impl CommitLog for Watched {
    fn append(&mut self, group: &[Numbered]) -> Result<(), AppendError> {
        let _busy = self.disk.busy.blocking_lock();
        self.inner.append(group)?;
        let commits = group.iter().map(|numbered| numbered.commit.clone());
        self.disk.written.lock().unwrap().extend(commits);
        Ok(())
    }

    fn last(&mut self, partition: Partition) -> Option<u64> {
        self.inner.last(partition)
    }

    fn recover(&mut self) -> Result<(), Trouble> {
        self.inner.recover()
    }
}

async fn yard_on<L: CommitLog + 'static>(
    config: Config,
    disk: impl FnOnce(Box<dyn CommitLog>) -> L,
) -> Yard {
    let (yard, folder) = (Yard::new(config).await, TempDir::new().unwrap());
    let broker = open_on(&folder, &yard, disk);
    let yard = Yard {
        folder,
        broker,
        ..yard
    };
    yard.deploy("1.0.0").await;
    yard
}

async fn yard_with(config: Config) -> (Disk, Yard) {
    let disk = Disk::default();
    let watched = disk.clone();
    let yard = yard_on(config, |inner| Watched {
        inner,
        disk: watched,
    });
    (disk, yard.await)
}

pub(super) async fn yard() -> (Disk, Yard) {
    yard_with(Config::default()).await
}

pub(super) type Client = BoxFuture<'static, Result<TaskSnapshot, Error>>;

fn quick(broker: &Broker, request: SendRequest) -> Client {
    let broker = broker.clone();
    async move { broker.send_quick(&caller(""), request).await }.boxed()
}

/// A client whose task is in line, and whose beginning is held back until the client is polled again.
pub(super) async fn held(yard: &Yard, request: SendRequest) -> Client {
    let mut client = quick(&yard.broker, request);
    assert!(poll!(&mut client).is_pending());
    client
}

/// The turn that a new task begins with.
fn first(task: TaskId) -> Sent {
    Sent { task, seq: Seq(1) }
}

pub(super) fn holds(yard: &Yard, task: TaskId) -> bool {
    let slot = yard.broker.shared.slots.get(task);
    let is_empty = slot.turn().held().is_empty();
    !is_empty
}

fn stored(yard: &Yard, task: TaskId) -> Option<taskyard_task::Header> {
    yard.broker.shared.storage.header(task).unwrap()
}

pub(super) fn logged(yard: &Yard, task: TaskId) -> Vec<(u64, &'static str)> {
    let log = yard.broker.shared.storage.log(task, Seq::ZERO, 1_000);
    let log = log.unwrap().into_iter();
    log.map(|(seq, entry)| (seq.0, entry.event.kind()))
        .collect()
}

/// Lets others go first, so many times.
async fn turns(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_task_that_is_over_at_once_is_one_commit() {
    let (disk, yard) = yard().await;
    let client = held(&yard, request("1")).await;
    let run = yard.broker.lease().await.unwrap();
    let task = run.task();
    run.record(chunk("hel", true)).await.unwrap();
    run.record(chunk("lo", false)).await.unwrap();
    run.settle(completed()).await.unwrap();
    let end = client.await.unwrap();
    let parts = ["hel", "lo"].map(Part::text);
    assert_eq!(end.outline.view.artifacts[0].parts, parts);

    assert_eq!(disk.commits_of(task).len(), 1);
    let header = stored(&yard, task).unwrap();
    assert!(header.is_ended() && header.announced);
    assert_eq!((header.last, header.attempt), (Seq(6), 1));
    let expected = [
        (1, "submitted"),
        (2, "started"),
        (3, "working"),
        (4, "artifact-appended"),
        (5, "artifact-appended"),
        (6, "completed"),
    ];
    assert_eq!(logged(&yard, task), expected);
    let storage = &yard.broker.shared.storage;
    assert!(storage.work().unwrap().is_empty());
    let ever = Timestamp(u64::MAX);
    let timers = storage.timers(task.partition(), Timestamp::default(), ever, 10);
    assert!(timers.unwrap().is_empty());
    assert!(storage.held(&agent()).unwrap().is_empty());
    assert_eq!(yard.state(first(task)).await, TaskState::Completed);
}

#[tokio::test]
async fn the_answer_is_what_everybody_gets_afterwards() {
    let (disk, yard) = yard().await;
    let no = || "no".to_owned();
    let failed = Outcome::Failed {
        blame: Blame::Worker,
        code: no(),
        reason: no(),
    };
    let parts = vec![Part::text("pong")];
    let message = parts.clone();
    let table = [
        (0, Outcome::Completed { message }),
        (3, completed()),
        // Long enough to leave a snapshot.
        (70, completed()),
        (0, Outcome::Replied { parts }),
        (2, failed),
    ];
    for (chunks, outcome) in table {
        let case = format!("{outcome:?} behind {chunks} pieces");
        let client = held(&yard, request("1")).await;
        let run = yard.broker.lease().await.unwrap();
        let task = run.task();
        for number in 0..chunks {
            run.record(chunk("x", number == 0)).await.unwrap();
        }
        run.settle(outcome).await.unwrap();
        let answer = client.await.unwrap();
        assert_eq!(disk.commits_of(task).len(), 1, "{case}");
        let later = yard.broker.turn_end(&first(task)).await.unwrap();
        assert_eq!(answer.header, later.header, "{case}");
        assert_eq!(answer.outline.view, later.outline.view, "{case}");
    }
}

#[tokio::test]
async fn nothing_of_it_can_be_seen_before_it_is_durable() {
    let (disk, yard) = yard().await;
    let (me, name) = (caller(""), agent());
    let waiting = disk.busy.lock().await;
    let mut client = held(&yard, request("1")).await;
    let run = yard.broker.lease().await.unwrap();
    let task = run.task();
    run.record(chunk("x", true)).await.unwrap();
    run.end(completed()).await.unwrap();
    assert!(poll!(&mut client).is_pending());
    let got = yard.broker.get(&me, &name, task).await;
    assert!(matches!(got, Err(Error::TaskNotFound)), "{got:?}");
    let query = ListQuery {
        page_size: 10,
        ..ListQuery::default()
    };
    let listed = yard.broker.list(&me, &name, query).await.unwrap();
    assert_eq!(listed.total, 0);

    drop(waiting);
    assert_eq!(
        client.await.unwrap().outline.view.state,
        TaskState::Completed
    );
    yard.broker.get(&me, &name, task).await.unwrap();
}

#[tokio::test]
async fn what_takes_longer_is_on_the_disk_meanwhile() {
    let (disk, yard) = yard().await;
    let mut client = held(&yard, request("1")).await;
    let run = yard.broker.lease().await.unwrap();
    let task = run.task();
    let slot = yard.broker.shared.slots.get(task);
    let mut applied = slot.follow();
    assert_eq!(stored(&yard, task), None);
    tokio::select! {
        end = &mut client => panic!("its run goes on: {end:?}"),
        durable = applied.changed() => durable.unwrap(),
    }
    let header = stored(&yard, task).unwrap();
    assert_eq!((header.phase, header.announced), (Phase::Running, false));
    let got = yard.broker.get(&caller(""), &agent(), task).await;
    assert!(matches!(got, Err(Error::TaskNotFound)), "{got:?}");

    run.record(chunk("x", true)).await.unwrap();
    run.settle(completed()).await.unwrap();
    let end = client.await.unwrap();
    assert_eq!(end.outline.view.state, TaskState::Completed);
    assert_eq!(end.outline.view.artifacts[0].parts, [Part::text("x")]);
    assert!(disk.commits_of(task).len() > 1, "the end is not held back");
}

#[tokio::test]
async fn a_client_that_goes_away_loses_nothing() {
    let yard = Yard::new(Config::default()).await;
    drop(held(&yard, request("1")).await);
    let yard = yard.restart().await;
    let run = yard.broker.lease().await.unwrap();
    let task = run.task();
    assert_eq!(
        stored(&yard, task).unwrap().created_at,
        Timestamp(1_000_000)
    );
    run.settle(completed()).await.unwrap();
    assert_eq!(yard.state(first(task)).await, TaskState::Completed);

    let client = held(&yard, request("2")).await;
    let run = yard.broker.lease().await.unwrap();
    let task = run.task();
    run.record(chunk("x", true)).await.unwrap();
    drop(client);
    run.settle(completed()).await.unwrap();
    let end = yard.broker.turn_end(&first(task)).await.unwrap();
    assert_eq!(
        (end.outline.view.last, end.outline.view.artifacts.len()),
        (Seq(5), 1)
    );
}

#[tokio::test]
async fn a_quiet_task_is_shown_after_a_while_whatever_its_client_does() {
    for goes_away in [true, false] {
        let mut config = Config::default();
        config.task.announce_after_ms = 0;
        let (disk, yard) = yard_with(config).await;
        let waiting = disk.busy.lock().await;
        let client = held(&yard, request("1")).await;
        let run = yard.broker.lease().await.unwrap();
        let task = run.task();
        let slot = yard.broker.shared.slots.get(task);
        let mut applied = slot.follow();
        match goes_away {
            true => drop(client),
            false => drop(tokio::spawn(client)),
        }
        while holds(&yard, task) {
            tokio::task::yield_now().await;
        }
        // Whoever is to announce it may look at once.
        turns(10).await;
        drop(waiting);
        applied.changed().await.unwrap();
        let shown = tokio::time::timeout(NEVER, yard.broker.shown(task)).await;
        assert!(
            matches!(shown, Ok(Ok(()))),
            "{shown:?}, and the client goes away: {goes_away}"
        );
        assert_eq!(yard.state(first(task)).await, TaskState::Submitted);
        run.settle(completed()).await.unwrap();
    }
}

#[tokio::test]
async fn whatever_leaves_the_sandbox_waits_for_the_beginning() {
    let (disk, yard) = yard().await;
    let waiting = disk.busy.lock().await;
    let _client = held(&yard, request("1")).await;
    let run = yard.broker.lease().await.unwrap();
    let (last, _) = run.record(chunk("x", true)).await.unwrap();
    let mut durable = run.durable().boxed();
    assert!(poll!(&mut durable).is_pending());
    drop(waiting);
    durable.await.unwrap();
    assert_eq!(stored(&yard, run.task()).unwrap().last, last);
    assert_eq!(disk.commits_of(run.task()).len(), 1);
}

#[tokio::test]
async fn whatever_leaves_waits_for_the_beginning_whoever_writes_it() {
    let (disk, yard) = yard().await;
    for writer in ["the client that goes away", "what leaves first", "the run"] {
        let waiting = disk.busy.lock().await;
        let client = held(&yard, request("1")).await;
        let run = yard.broker.lease().await.unwrap();
        let (last, _) = run.record(chunk("x", true)).await.unwrap();
        let (mut one, mut other) = (run.durable().boxed(), run.durable().boxed());
        match writer {
            "the client that goes away" => drop(client),
            "what leaves first" => assert!(poll!(&mut one).is_pending()),
            // Only entries of the log are held back.
            _ => run.suspend(None, Seq::ZERO, None, 0).await.unwrap(),
        }
        assert!(!holds(&yard, run.task()), "{writer} writes it");
        assert!(poll!(&mut other).is_pending(), "{writer} wrote it");
        drop(waiting);
        other.await.unwrap();
        assert!(stored(&yard, run.task()).unwrap().last >= last, "{writer}");
        // The last one was suspended.
        let _ = run.settle(completed()).await;
    }
}

#[tokio::test]
async fn a_child_begins_in_one_commit_with_its_parent() {
    let (disk, yard) = yard().await;
    let client = held(&yard, request("1")).await;
    let parent = yard.broker.lease().await.unwrap();
    let call = ChildCall {
        target: ChildTarget::Agent(agent()),
        message: vec![Part::text("go")],
        metadata: None,
        detached: false,
    };
    let begun = parent.start_child(Ticket(1), call, vec![agent()]).await;
    let child = begun.unwrap().2.unwrap().unwrap();
    parent.durable().await.unwrap();
    let commits = disk.commits_of(parent.task());
    assert_eq!(commits.len(), 1);
    assert_eq!(commits, disk.commits_of(child));

    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.task(), child);
    run.settle(completed()).await.unwrap();
    parent.settle(completed()).await.unwrap();
    assert_eq!(client.await.unwrap().outline.view.children, [child]);
}

#[tokio::test]
async fn a_question_answers_the_client_and_can_be_answered() {
    let (disk, yard) = yard().await;
    let client = held(&yard, request("1")).await;
    let run = yard.broker.lease().await.unwrap();
    let sent = first(run.task());
    run.record(ask()).await.unwrap();
    let asking = Some(InputKind::Input);
    run.suspend(None, Seq::ZERO, asking, 0).await.unwrap();
    drop(run);
    let asked = client.await.unwrap();
    assert_eq!(asked.outline.view.state, TaskState::InputRequired);
    assert_eq!(disk.commits_of(sent.task).len(), 1);
    let later = yard.broker.turn_end(&sent).await.unwrap();
    assert_eq!(
        (asked.header, asked.outline.view),
        (later.header, later.outline.view)
    );

    let answered = yard.answer(sent, "yes").await;
    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.task(), sent.task);
    run.settle(completed()).await.unwrap();
    let end = yard.broker.turn_end(&answered).await.unwrap();
    assert_eq!(end.outline.view.state, TaskState::Completed);
}

#[tokio::test]
async fn a_cancel_in_between_keeps_the_order() {
    let (disk, yard) = yard().await;
    let (me, name) = (caller(""), agent());
    let client = held(&yard, request("1")).await;
    let run = yard.broker.lease().await.unwrap();
    let task = run.task();
    let hidden = yard.broker.cancel(&me, &name, task).await;
    assert!(matches!(hidden, Err(Error::TaskNotFound)), "{hidden:?}");
    assert!(holds(&yard, task), "what is refused writes nothing");

    run.record(chunk("x", true)).await.unwrap();
    let mut cancel = yard.broker.cancel(&me, &name, task).boxed();
    assert!(poll!(&mut cancel).is_pending());
    run.canceled().await;
    run.settle(completed()).await.unwrap();
    for end in [client.await, cancel.await] {
        assert_eq!(end.unwrap().outline.view.state, TaskState::Canceled);
    }
    let kinds: Vec<_> = logged(&yard, task)
        .into_iter()
        .map(|(_, kind)| kind)
        .collect();
    let expected = [
        "submitted",
        "started",
        "working",
        "artifact-appended",
        "cancel-requested",
        "canceled",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(disk.commits_of(task).len(), 2);
}

#[tokio::test]
async fn a_disk_that_fails_answers_whoever_waits() {
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let breaking = Arc::clone(&left);
    let yard = yard_on(Config::default(), |inner| Breaking {
        inner,
        left: breaking,
        lands: false,
        broken: false,
    });
    let yard = yard.await;
    left.store(0, Ordering::SeqCst);
    let client = held(&yard, request("1")).await;
    let run = yard.broker.lease().await.unwrap();
    let task = run.task();
    let settled = run.settle(completed()).await;
    assert!(matches!(settled, Err(Error::Unavailable(_))), "{settled:?}");
    let end = client.await;
    let is_unknown = matches!(end, Err(Error::OutcomeUnknown(_)));
    assert!(is_unknown, "it was handed over: {end:?}");
    let end = quick(&yard.broker, request("2")).await;
    let is_refused = matches!(end, Err(Error::Unavailable(_)));
    assert!(is_refused, "it was not: {end:?}");
    assert_eq!(stored(&yard, task), None);
}

#[tokio::test]
async fn what_is_large_is_not_held_back() {
    let large = "x".repeat(64 << 10);
    let yard = Yard::new(Config::default()).await;
    let _client = held(&yard, request(&large)).await;
    let run = yard.broker.lease().await.unwrap();
    assert!(!holds(&yard, run.task()), "the message is large");

    let _client = held(&yard, request("1")).await;
    let run = yard.broker.lease().await.unwrap();
    run.record(chunk("x", true)).await.unwrap();
    assert!(holds(&yard, run.task()));
    let (last, _) = run.record(chunk(&large, false)).await.unwrap();
    assert!(!holds(&yard, run.task()), "what the run did is large");
    run.durable().await.unwrap();
    assert_eq!(stored(&yard, run.task()).unwrap().last, last);
}

#[tokio::test]
async fn an_agent_whose_task_is_held_back_is_in_use() {
    let yard = Yard::new(Config::default()).await;
    let client = held(&yard, request("1")).await;
    let refused = yard.broker.undeploy(&agent(), Drain::Refuse).await;
    assert!(
        matches!(refused, Err(Error::PluginInUse { .. })),
        "{refused:?}"
    );
    let run = yard.broker.lease().await.unwrap();
    yard.broker.component(run.header().digest).await.unwrap();
    run.settle(completed()).await.unwrap();
    client.await.unwrap();
    let removed = yard.broker.undeploy(&agent(), Drain::Refuse).await;
    removed.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_writes_first_nothing_is_lost_or_out_of_order() {
    const TASKS: usize = 400;
    const WORKERS: usize = 8;
    let yard = Yard::new(Config::default()).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let worker = |_: usize| {
        let (broker, begun) = (yard.broker.clone(), Arc::clone(&begun));
        tokio::spawn(async move {
            let mut done = Vec::new();
            while begun.fetch_add(1, Ordering::SeqCst) < TASKS {
                let run = broker.lease().await.unwrap();
                for step in 0..done.len() % 5 {
                    run.record(chunk("x", step == 0)).await.unwrap();
                    turns(step).await;
                }
                if done.len() % 3 == 0 {
                    run.durable().await.unwrap();
                }
                done.push(run.task());
                run.settle(completed()).await.unwrap();
            }
            done
        })
    };
    let workers: Vec<_> = (0..WORKERS).map(worker).collect();
    let client = |number: usize| {
        let mut client = quick(&yard.broker, request("1"));
        tokio::spawn(async move {
            if number.is_multiple_of(2) {
                return Some(client.await.unwrap());
            }
            // Goes away, sooner or later.
            tokio::select! {
                biased;
                end = &mut client => Some(end.unwrap()),
                () = turns(number % 8) => None,
            }
        })
    };
    let clients: Vec<_> = (0..TASKS).map(client).collect();

    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await.unwrap());
    }
    done.sort_unstable();
    done.dedup();
    assert_eq!(done.len(), TASKS, "each task has one run");
    for task in done {
        let header = stored(&yard, task).unwrap();
        assert_eq!(header.state, TaskState::Completed);
        let log = logged(&yard, task);
        let seqs: Vec<_> = log.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, (1..=header.last.0).collect::<Vec<_>>());
        assert_eq!(log.last().unwrap().1, "completed");
    }
    assert!(yard.broker.shared.storage.work().unwrap().is_empty());
    for client in clients {
        if let Some(end) = client.await.unwrap() {
            let stored = stored(&yard, end.header.id).unwrap();
            assert_eq!((end.outline.view.last, &end.header), (stored.last, &stored));
        }
    }
}

#[test]
fn quick_is_what_nobody_can_ask_for_before_it_is_over() {
    let wishing = |wishes| SendRequest {
        wishes,
        ..request("1")
    };
    let moment = Some(Timestamp(2_000_000));
    let table = [
        ("a message", request("1"), true),
        (
            "one with a deadline",
            wishing(Wishes {
                deadline: moment,
                ..Wishes::default()
            }),
            true,
        ),
        (
            "one of a conversation",
            SendRequest {
                context_id: Some("c".to_owned()),
                ..request("1")
            },
            true,
        ),
        (
            "one for later",
            wishing(Wishes {
                not_before: moment,
                ..Wishes::default()
            }),
            false,
        ),
        (
            "one that is answered at once",
            SendRequest {
                announce: true,
                ..request("1")
            },
            false,
        ),
        ("one under a key", keyed(false), false),
        (
            "one with a webhook",
            SendRequest {
                push: Some(PushRequest::default()),
                ..request("1")
            },
            false,
        ),
        (
            "one for a task",
            SendRequest {
                task: Some(TaskId::from_bytes([0; 16])),
                ..request("1")
            },
            false,
        ),
    ];
    for (what, request, expected) in table {
        assert_eq!(request.is_quick(), expected, "{what}");
    }
}
