//! What operators see of tasks that stand still, and what they do to them.

use std::sync::atomic::{AtomicU32, Ordering};

use taskyard_task::decide::Breakdown;
use taskyard_task::{Digest, Phase, Refusal, TaskId};

use super::*;

/// Finds every component compatible but those whose name says otherwise, and lets something happen to the
/// task meanwhile.
struct ByName {
    probes: AtomicU32,
    /// How many of the first probes are disturbed by a message.
    disturbed: u32,
}

impl Prober for ByName {
    fn probe(&self, trial: Trial) -> BoxFuture<'_, Result<Probe, Error>> {
        async move {
            let number = self.probes.fetch_add(1, Ordering::Relaxed);
            let header = trial.header().clone();
            if number < self.disturbed {
                let mut more = request(&format!("more {number}"));
                more.task = Some(header.id);
                trial.broker().send(&caller(""), more).await.unwrap();
            }
            let journal = trial.journal(Seq::ZERO, 100)?;
            assert_eq!(journal.len() as u64, header.last.0);
            let component = trial.component().await?;
            let difference = Difference {
                seq: Seq(4),
                logged: "progress",
                did: "`said`".to_owned(),
            };
            let fit = match component.ends_with(b"-other") {
                true => Fit::Differs(difference),
                false => Fit::Compatible,
            };
            Ok(Probe { replayed: 1, fit })
        }
        .boxed()
    }
}

async fn yard(disturbed: u32) -> Yard {
    let yard = Yard::new(Config::default()).await;
    yard.broker.set_prober(Arc::new(ByName {
        probes: AtomicU32::new(0),
        disturbed,
    }));
    yard
}

fn why() -> Breakdown {
    Breakdown {
        code: "trap".to_owned(),
        reason: "it broke".to_owned(),
        position: Seq(5),
        backtrace: Some("0: here".to_owned()),
    }
}

/// A task with two chunks whose worker then broke for good.
async fn parked(yard: &Yard, text: &str) -> Sent {
    let sent = yard.send(text).await;
    let run = yard.broker.lease().await.unwrap();
    run.record(chunk("a", true)).await.unwrap();
    run.record(chunk("b", false)).await.unwrap();
    run.settle(Outcome::Parked(why())).await.unwrap();
    sent
}

fn ids(tasks: &[ParkedTask]) -> Vec<TaskId> {
    tasks.iter().map(|task| task.header.id).collect()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn parked_tasks_stay_parked_and_say_why() {
    let yard = yard(0).await;
    let first = parked(&yard, "1").await;
    yard.clock.advance(Duration::from_secs(5));
    let second = parked(&yard, "2").await;
    assert_eq!(yard.broker.stats().parked, 2);

    let yard = yard.restart().await;
    assert_eq!(yard.broker.stats().parked, 2);
    assert!(yard.broker.lease().now_or_never().is_none());
    assert_eq!(yard.state(first).await, TaskState::Submitted);
    let page = yard.broker.parked(None, 10, None).unwrap();
    assert_eq!(ids(&page.tasks), [first.task, second.task]);
    assert_eq!(page.next_page_token, "");
    assert_eq!(page.tasks[0].why, why());
    assert_eq!(page.tasks[0].version.as_deref(), Some("1.0.0"));
    assert_eq!(page.tasks[1].since, Timestamp(1_005_000));

    let page = yard.broker.parked(Some(&agent()), 1, None).unwrap();
    assert_eq!(ids(&page.tasks), [first.task]);
    let token = Some(page.next_page_token.as_str());
    let rest = yard.broker.parked(Some(&agent()), 10, token).unwrap();
    assert_eq!(ids(&rest.tasks), [second.task]);
    let other = "other".parse().unwrap();
    let none = yard.broker.parked(Some(&other), 10, None).unwrap();
    assert!(none.tasks.is_empty() && none.next_page_token.is_empty());
    assert!(yard.broker.parked(None, 10, Some("rubbish")).is_err());

    let status = yard.broker.task_status(first.task).unwrap();
    assert_eq!(status.parked.unwrap().why, why());
    assert_eq!(status.last_entry.entry.event.kind(), "parked");
}

#[tokio::test]
async fn a_parked_task_goes_on_where_it_was() {
    let yard = yard(0).await;
    let sent = parked(&yard, "1").await;
    assert_eq!(
        refusal(yard.broker.rewind(sent.task, Seq(99)).await),
        Refusal::BadPosition {
            from: Seq(1),
            until: Seq(6)
        }
    );
    assert_eq!(yard.state(sent).await, TaskState::Submitted);
    yard.broker.resume(sent.task).await.unwrap();
    assert_eq!(yard.broker.stats().parked, 0);
    // Before there is a run.
    let shown = yard.broker.get(&caller(""), &agent(), sent.task).await;
    let view = shown.unwrap().outline.view;
    assert_eq!((view.state, view.parked), (TaskState::Working, None));
    assert_eq!(view.status_message, None);
    assert_eq!(
        refusal(yard.broker.resume(sent.task).await),
        Refusal::NotParked
    );
    let run = yard.broker.lease().await.unwrap();
    run.settle(completed()).await.unwrap();
    assert_eq!(yard.state(sent).await, TaskState::Completed);
    for refused in [
        yard.broker.resume(sent.task).await,
        yard.broker.rewind(sent.task, Seq(2)).await,
        yard.broker.fail(sent.task, "late".to_owned()).await,
    ] {
        assert_eq!(refusal(refused), Refusal::Ended(TaskState::Completed));
    }
    let nobody = TaskId::from_bytes([9; 16]);
    assert!(matches!(
        yard.broker.resume(nobody).await,
        Err(Error::TaskNotFound)
    ));
}

#[tokio::test]
async fn what_was_taken_back_is_marked_in_the_log() {
    let yard = yard(0).await;
    let sent = parked(&yard, "1").await;
    yard.answer(sent, "more").await;
    // Behind the first chunk.
    yard.broker.rewind(sent.task, Seq(4)).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    run.record(Event::Observed {
        call: 1,
        what: Observation::Message(Seq(7)),
    })
    .await
    .unwrap();
    run.settle(completed()).await.unwrap();

    let page = yard.broker.task_log(sent.task, Seq::ZERO, 100).unwrap();
    let log: Vec<_> = page
        .entries
        .iter()
        .map(|logged| (logged.entry.event.kind(), logged.taken_back))
        .collect();
    assert_eq!(
        log,
        [
            ("submitted", false),
            ("started", false),
            ("working", false),
            ("artifact-appended", false),
            ("artifact-appended", true),
            ("parked", false),
            ("received", false),
            ("rewound", false),
            ("working", false),
            ("started", false),
            ("observed", false),
            ("completed", false),
        ]
    );
    assert_eq!(page.last, Seq(12));
    assert_eq!(page.entries[10].about, Some("received"));
    let later = yard.broker.task_log(sent.task, Seq(10), 1).unwrap();
    assert_eq!(later.entries[0].about, Some("received"));
    let done = yard.broker.get(&caller(""), &agent(), sent.task).await;
    assert_eq!(
        done.unwrap().outline.view.artifacts[0].parts,
        [Part::text("a")]
    );
}

#[tokio::test]
async fn a_task_moves_only_to_what_does_the_same() {
    let yard = yard(0).await;
    let sent = parked(&yard, "1").await;
    yard.deploy("1.1.0-other").await;
    let agent = yard.deploy("1.1.0").await;

    let differs = yard.broker.find_plugin("1.1.0-other", &agent.name).unwrap();
    let refused = yard.broker.move_to(sent.task, differs.digest).await;
    let Err(Error::Incompatible(probe)) = refused else {
        panic!("{refused:?}");
    };
    assert!(probe.to_string().contains("at entry 4"), "{probe}");
    let unknown = yard.broker.move_to(sent.task, Digest::of(b"?")).await;
    assert!(matches!(unknown, Err(Error::PluginNotFound)));

    let moved = yard.broker.move_to(sent.task, agent.digest).await.unwrap();
    assert_eq!((moved.phase, moved.digest), (Phase::Queued, agent.digest));
    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.header().digest, agent.digest);
    assert_eq!(
        refusal(yard.broker.move_to(sent.task, agent.digest).await),
        Refusal::Busy
    );
}

#[tokio::test]
async fn a_task_that_changes_while_it_is_probed_is_probed_again() {
    let twice = yard(2).await;
    let sent = parked(&twice, "1").await;
    let agent = twice.deploy("1.1.0").await;
    twice.broker.move_to(sent.task, agent.digest).await.unwrap();

    let always = yard(99).await;
    let sent = parked(&always, "1").await;
    let agent = always.deploy("1.1.0").await;
    let refused = always.broker.move_to(sent.task, agent.digest).await;
    assert_eq!(refusal(refused), Refusal::Busy);
    assert_eq!(always.broker.stats().parked, 1);
}

#[tokio::test]
async fn a_failed_task_tells_its_client_why() {
    let yard = yard(0).await;
    let sent = parked(&yard, "1").await;
    let reason = "the operator gave up".to_owned();
    yard.broker.fail(sent.task, reason).await.unwrap();
    let end = yard.broker.turn_end(&sent).await.unwrap();
    assert_eq!(end.outline.view.state, TaskState::Failed);
    let said = end.outline.view.status_message.unwrap().1;
    assert_eq!(said, [Part::text("the operator gave up")]);
}

#[tokio::test]
async fn a_client_can_still_cancel_and_its_wait_goes_on() {
    let yard = yard(0).await;
    let (canceled, resumed) = (parked(&yard, "1").await, parked(&yard, "2").await);
    assert!(yard.broker.turn_end(&resumed).now_or_never().is_none());
    let end = yard
        .broker
        .cancel(&caller(""), &agent(), canceled.task)
        .await;
    assert_eq!(end.unwrap().header.state, TaskState::Canceled);
    assert_eq!(yard.broker.stats().parked, 1);

    let broker = yard.broker.clone();
    let waiting = tokio::spawn(async move { broker.turn_end(&resumed).await });
    yard.broker.resume(resumed.task).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    run.settle(completed()).await.unwrap();
    let end = waiting.await.unwrap().unwrap();
    assert_eq!(end.header.state, TaskState::Completed);
}

#[tokio::test]
async fn tasks_are_found_by_what_runs_them() {
    let yard = yard(0).await;
    let old = yard.broker.agents().values().next().unwrap().digest;
    let mut on_old = [yard.send("1").await.task, yard.send("2").await.task];
    on_old.sort();
    let new = yard.deploy("1.1.0").await.digest;
    let on_new = yard.send("3").await.task;

    let find = |plugin: Option<&str>, token: Option<&str>, size| {
        let query = FlightQuery {
            agent: Some(agent()),
            plugin: plugin.map(str::to_owned),
            page_size: size,
            page_token: token.map(str::to_owned),
        };
        let page = yard.broker.in_flight(&query)?;
        let tasks = page.tasks.iter().map(|task| task.header.id);
        Ok::<_, Error>((tasks.collect::<Vec<_>>(), page.next_page_token))
    };
    let digits: String = old.to_string().chars().take(8).collect();
    for named in ["1.0.0", &digits, &old.to_string()] {
        let mut found = find(Some(named), None, 10).unwrap().0;
        found.sort();
        assert_eq!(found, on_old, "{named}");
    }
    assert_eq!(find(Some("1.1.0"), None, 10).unwrap().0, [on_new]);
    let none = find(Some("2.0.0"), None, 10);
    assert!(matches!(none, Err(Error::WhichPlugin { .. })));

    // Page by page, whatever the agent's components.
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let (page, next) = find(None, token.as_deref(), 1).unwrap();
        all.extend(page);
        if next.is_empty() {
            break;
        }
        token = Some(next);
    }
    all.sort();
    let mut expected = [on_old[0], on_old[1], on_new];
    expected.sort();
    assert_eq!(all, expected);

    yard.broker.move_to(on_old[0], new).await.unwrap();
    assert_eq!(find(Some("1.0.0"), None, 10).unwrap().0, [on_old[1]]);
    let held = yard.broker.agent_status(&agent()).await.unwrap();
    let mut held: Vec<_> = held.tasks_by_digest.iter().map(|one| one.2).collect();
    held.sort_unstable();
    assert_eq!(held, [1, 2]);
}

#[tokio::test]
async fn plugins_are_meant_by_version_or_digits() {
    let yard = yard(0).await;
    let new = yard.deploy("1.1.0").await;
    let find = |named: &str| yard.broker.find_plugin(named, &new.name);
    assert_eq!(find("1.1.0").unwrap().digest, new.digest);
    let digits: String = new.digest.to_string().chars().take(6).collect();
    assert_eq!(find(&digits.to_uppercase()).unwrap().digest, new.digest);
    let error = find("3.0.0").unwrap_err().to_string();
    assert!(error.contains("no loaded plugin is \"3.0.0\""), "{error}");
    assert!(find(&digits[..5]).is_err(), "too few digits");
}
