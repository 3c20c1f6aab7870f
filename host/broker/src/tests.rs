//! Scenarios with a scripted worker: no WebAssembly, no network.

mod api_keys;
mod by_context;
mod children;
mod content;
mod contexts;
mod hold;
mod operator;
mod outbox;
mod quick;
mod retention;
mod shortage;
mod state;
mod wishes;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use taskyard_clock::{Clock, IdSource};
use taskyard_task::content::Message;
use taskyard_task::decide::Outcome;
use taskyard_task::{
    AgentName, ArtifactSpec, Entry, Event, InputKind, Manifest, Observation, Part, Seq, TaskState,
    Tenant, Timestamp,
};
use tempfile::TempDir;

use super::*;

/// A broker on a data folder that can be closed and opened again.
struct Yard {
    folder: TempDir,
    clock: Clock,
    config: Config,
    broker: Broker,
}

struct AnyComponent;

impl Inspector for AnyComponent {
    fn inspect<'a>(&'a self, component: &'a [u8]) -> BoxFuture<'a, Result<Manifest, Error>> {
        let manifest = Manifest {
            name: agent(),
            version: String::from_utf8_lossy(component).into_owned(),
            description: "a test".to_owned(),
            skills: Vec::new(),
            input_modes: Vec::new(),
            output_modes: Vec::new(),
        };
        std::future::ready(Ok(manifest)).boxed()
    }
}

/// What is due to a webhook.
async fn due(yard: &Yard, lane: &Lane) -> Option<Delivery> {
    yard.broker.next_delivery(lane).await.unwrap().due()
}

fn agent() -> AgentName {
    "echo".parse().unwrap()
}

fn caller(tenant: &str) -> Caller {
    Caller {
        tenant: tenant.parse().unwrap(),
        principal: None,
        agents: None,
    }
}

fn open(folder: &TempDir, clock: &Clock, config: &Config) -> Broker {
    let storage = taskyard_storage::Config {
        folder: folder.path().to_owned(),
        sync: false,
        max_open_files: None,
        accept_data_loss: false,
    };
    let sources = Sources {
        clock: clock.clone(),
        ids: IdSource::system(),
    };
    let broker = Broker::open(&storage, config.clone(), sources).unwrap();
    broker.set_inspector(Arc::new(AnyComponent));
    broker
}

impl Yard {
    async fn new(config: Config) -> Self {
        let (folder, clock) = (
            TempDir::new().unwrap(),
            Clock::simulated(Timestamp(1_000_000)),
        );
        let broker = open(&folder, &clock, &config);
        let yard = Self {
            folder,
            clock,
            config,
            broker,
        };
        yard.deploy("1.0.0").await;
        yard
    }

    async fn deploy(&self, version: &str) -> taskyard_task::Agent {
        let request = DeployRequest {
            agent: None,
            component: version.into(),
            config: None,
            limits: taskyard_task::LimitChanges::default(),
            max_runs: None,
            egress: None,
            answer_by_context: None,
            replace: false,
        };
        self.broker.deploy(request).await.unwrap()
    }

    /// As after `kill -9`, except that the folder must be let go of.
    async fn restart(self) -> Self {
        let Self {
            folder,
            clock,
            config,
            broker,
        } = self;
        broker.stop().await;
        drop(broker);
        let broker = open(&folder, &clock, &config);
        Self {
            folder,
            clock,
            config,
            broker,
        }
    }

    async fn send(&self, text: &str) -> Sent {
        self.broker.send(&caller(""), request(text)).await.unwrap()
    }

    async fn answer(&self, sent: Sent, text: &str) -> Sent {
        let mut request = request(text);
        request.task = Some(sent.task);
        self.broker.send(&caller(""), request).await.unwrap()
    }

    async fn state(&self, sent: Sent) -> TaskState {
        let found = self.broker.get(&caller(""), &agent(), sent.task).await;
        found.unwrap().header.state
    }
}

fn request(text: &str) -> SendRequest {
    SendRequest {
        agent: agent(),
        message: Message {
            id: text.to_owned(),
            parts: vec![Part::text(text)],
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        },
        task: None,
        context_id: None,
        accepted_output_modes: Vec::new(),
        metadata: None,
        push: None,
        wishes: crate::Wishes::default(),
        announce: false,
        idempotency: None,
    }
}

fn chunk(text: &str, first: bool) -> Event {
    let spec = ArtifactSpec {
        id: "a".to_owned(),
        name: None,
        description: None,
        metadata: None,
    };
    Event::ArtifactAppended {
        id: "a".to_owned(),
        spec: first.then_some(spec),
        chunk: Part::text(text),
        last: false,
    }
}

fn ask() -> Event {
    Event::Asked {
        kind: InputKind::Input,
        prompt: vec![Part::text("?")],
    }
}

fn completed() -> Outcome {
    Outcome::Completed {
        message: Vec::new(),
    }
}

async fn kinds(watch: &mut Watch) -> Vec<(u64, &'static str)> {
    let mut kinds = Vec::new();
    loop {
        let page = watch.next().await.unwrap();
        if page.is_empty() {
            return kinds;
        }
        kinds.extend(page.iter().map(|(seq, entry)| (seq.0, entry.event.kind())));
    }
}

#[tokio::test]
async fn a_blocking_send_gets_the_end_with_all_artifacts() {
    let yard = Yard::new(Config::default()).await;
    let sent = yard.send("hello").await;
    let run = yard.broker.lease().await.unwrap();
    run.record(chunk("hel", true)).await.unwrap();
    run.record(chunk("lo", false)).await.unwrap();
    run.settle(completed()).await.unwrap();
    let end = yard.broker.turn_end(&sent).await.unwrap();
    assert_eq!(end.outline.view.state, TaskState::Completed);
    let parts = ["hel", "lo"].map(Part::text);
    assert_eq!(end.outline.view.artifacts[0].parts, parts);
}

#[tokio::test]
async fn a_direct_answer_shows_no_task() {
    let yard = Yard::new(Config::default()).await;
    let sent = yard.send("ping").await;
    let run = yard.broker.lease().await.unwrap();
    run.settle(Outcome::Replied {
        parts: vec![Part::text("pong")],
    })
    .await
    .unwrap();
    let end = yard.broker.turn_end(&sent).await.unwrap();
    assert_eq!(end.outline.view.reply.unwrap().1, [Part::text("pong")]);
    let got = yard.broker.get(&caller(""), &agent(), sent.task).await;
    assert!(matches!(got, Err(Error::TaskNotFound)));
    let query = ListQuery {
        page_size: 10,
        ..ListQuery::default()
    };
    assert_eq!(
        yard.broker
            .list(&caller(""), &agent(), query)
            .await
            .unwrap()
            .total,
        0
    );
}

#[tokio::test]
async fn a_quiet_task_is_shown_after_a_while_and_can_no_longer_reply() {
    let mut config = Config::default();
    config.task.announce_after_ms = 0;
    let yard = Yard::new(config).await;
    let sent = yard.send("ping").await;
    let mut watch = yard.broker.watch_sent(&sent).await.unwrap();
    assert_eq!(
        watch.announced().await.unwrap().header.state,
        TaskState::Submitted
    );
    let run = yard.broker.lease().await.unwrap();
    run.settle(Outcome::Replied {
        parts: vec![Part::text("pong")],
    })
    .await
    .unwrap();
    let end = yard.broker.turn_end(&sent).await.unwrap();
    assert_eq!(
        (end.outline.view.reply, end.outline.view.state),
        (None, TaskState::Completed)
    );
}

#[tokio::test]
async fn an_answer_begins_a_new_run_of_the_same_log() {
    let yard = Yard::new(Config::default()).await;
    let sent = yard.send("go").await;
    let run = yard.broker.lease().await.unwrap();
    run.record(ask()).await.unwrap();
    drop(run);
    assert_eq!(
        yard.broker
            .turn_end(&sent)
            .await
            .unwrap()
            .outline
            .view
            .state,
        TaskState::InputRequired
    );

    let yard = yard.restart().await;
    let sent = yard.answer(sent, "yes").await;
    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.header().attempt, 2);
    let (mut kinds, mut last) = (Vec::new(), Seq::ZERO);
    while last < run.header().last {
        // A page has what is durable, and at least one entry.
        for (seq, entry) in run.journal(last, 100).await.unwrap() {
            kinds.push(entry.event.kind());
            last = seq;
        }
    }
    assert_eq!(
        kinds,
        [
            "submitted",
            "started",
            "working",
            "asked",
            "received",
            "working",
            "started"
        ]
    );
    run.settle(completed()).await.unwrap();
    assert_eq!(
        yard.broker
            .turn_end(&sent)
            .await
            .unwrap()
            .outline
            .view
            .state,
        TaskState::Completed
    );
}

#[tokio::test]
async fn what_ran_or_was_in_line_runs_again_after_a_restart() {
    let yard = Yard::new(Config::default()).await;
    let (first, second) = (yard.send("1").await, yard.send("2").await);
    let run = yard.broker.lease().await.unwrap();
    run.record(chunk("x", true)).await.unwrap();
    yard.broker.begin_shutdown();
    drop(run);
    let yard = yard.restart().await;
    let mut leased = [
        yard.broker.lease().await.unwrap(),
        yard.broker.lease().await.unwrap(),
    ];
    leased.sort_by_key(Run::task);
    let mut expected = [first.task, second.task];
    expected.sort();
    assert_eq!(leased.iter().map(Run::task).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_superseded_run_can_change_nothing() {
    let yard = Yard::new(Config::default()).await;
    yard.send("1").await;
    let stale = yard.broker.lease().await.unwrap();
    // The host believes that the run is gone.
    yard.broker
        .enqueue(crate::broker::work_item(stale.header()));
    let current = yard.broker.lease().await.unwrap();
    let refused = stale.record(chunk("x", true)).await;
    assert!(matches!(
        refused,
        Err(Error::Refused(taskyard_task::Refusal::StaleRun))
    ));
    stale.settle(completed()).await.unwrap_err();
    current.settle(completed()).await.unwrap();
}

#[tokio::test]
async fn a_transient_failure_is_tried_again_when_its_time_has_come() {
    let yard = Yard::new(Config::default()).await;
    let sent = yard.send("1").await;
    let run = yard.broker.lease().await.unwrap();
    let transient = Outcome::Transient {
        code: "busy".to_owned(),
        reason: "busy".to_owned(),
        after_ms: Some(60_000),
    };
    run.settle(transient).await.unwrap();
    yard.clock.advance(Duration::from_secs(59));
    assert!(yard.broker.lease().now_or_never().is_none());
    yard.clock.advance(Duration::from_secs(1));
    let run = yard.broker.lease().await.unwrap();
    assert_eq!((run.task(), run.header().failures), (sent.task, 1));
}

#[tokio::test]
async fn a_waiting_task_fails_at_its_deadline() {
    let yard = Yard::new(Config::default()).await;
    let sent = yard.send("1").await;
    let run = yard.broker.lease().await.unwrap();
    run.record(ask()).await.unwrap();
    run.suspend(None, Seq::ZERO, None, 0).await.unwrap();
    // The timer is on the disk before its moment comes.
    run.durable().await.unwrap();
    drop(run);
    let mut watch = yard.broker.watch_sent(&sent).await.unwrap();
    yard.clock.advance(Duration::from_secs(31 * 24 * 3_600));
    assert_eq!(kinds(&mut watch).await.last().unwrap().1, "failed");
}

#[tokio::test]
async fn a_cancel_reaches_the_run_and_wins() {
    let yard = Yard::new(Config::default()).await;
    let mut request = request("1");
    request.announce = true;
    let sent = yard.broker.send(&caller(""), request).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    assert!(!run.cancel_requested());
    let broker = yard.broker.clone();
    let cancel = tokio::spawn(async move { broker.cancel(&caller(""), &agent(), sent.task).await });
    run.canceled().await;
    run.record(Event::Observed {
        call: 1,
        what: Observation::Cancel,
    })
    .await
    .unwrap();
    run.settle(completed()).await.unwrap();
    assert_eq!(
        cancel.await.unwrap().unwrap().header.state,
        TaskState::Canceled
    );
    let again = yard.broker.cancel(&caller(""), &agent(), sent.task).await;
    assert!(matches!(
        again,
        Err(Error::Refused(taskyard_task::Refusal::NotCancelable(_)))
    ));
}

#[tokio::test]
async fn follow_ups_reach_the_run_in_order() {
    let yard = Yard::new(Config::default()).await;
    let mut first = request("1");
    first.announce = true;
    let sent = yard.broker.send(&caller(""), first).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.outside_after(Seq::ZERO).await.unwrap(), None);
    yard.answer(sent, "a").await;
    yard.answer(sent, "b").await;
    let (seq, a) = run.outside_after(Seq::ZERO).await.unwrap().unwrap();
    let (_, b) = run.outside_after(seq).await.unwrap().unwrap();
    let id = |entry: Entry| match entry.event {
        Event::Received { message } => message.id,
        other => panic!("{other:?}"),
    };
    assert_eq!((id(a), id(b)), ("a".to_owned(), "b".to_owned()));
}

#[tokio::test]
async fn a_watch_resumes_without_loss_or_repetition() {
    let yard = Yard::new(Config::default()).await;
    let sent = yard.send("1").await;
    let run = yard.broker.lease().await.unwrap();
    for number in 0..600 {
        run.record(chunk("x", number == 0)).await.unwrap();
    }
    run.settle(completed()).await.unwrap();
    let mut whole = yard.broker.watch_sent(&sent).await.unwrap();
    let all = kinds(&mut whole).await;
    assert_eq!(
        all.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
        (1..=604).collect::<Vec<_>>()
    );
    for cut in [0, 1, 300, 603, 604] {
        let mut rest = yard.broker.watch_sent(&sent).await.unwrap();
        rest.resume_after(Seq(cut));
        assert_eq!(kinds(&mut rest).await, all[cut as usize..]);
    }
    let snapshot = yard
        .broker
        .get(&caller(""), &agent(), sent.task)
        .await
        .unwrap();
    let parts = vec![Part::text("x"); 600];
    assert_eq!(snapshot.outline.view.artifacts[0].parts, parts);
}

#[tokio::test]
async fn an_idempotency_key_makes_one_task() {
    let yard = Yard::new(Config::default()).await;
    let keyed = |body: &[u8]| {
        let mut request = request("1");
        request.idempotency = Some(IdempotencyKey {
            key: "k".to_owned(),
            body: taskyard_task::Digest::of(body),
        });
        request
    };
    let me = caller("");
    let (a, b) = tokio::join!(
        yard.broker.send(&me, keyed(b"x")),
        yard.broker.send(&me, keyed(b"x")),
    );
    assert_eq!(a.unwrap(), b.unwrap());
    let other_body = yard.broker.send(&caller(""), keyed(b"y")).await;
    assert!(matches!(other_body, Err(Error::IdempotencyConflict)));
    let other_tenant = yard.broker.send(&caller("other"), keyed(b"y")).await;
    assert!(other_tenant.is_ok(), "keys of other callers do not meet");
}

fn keyed(announce: bool) -> SendRequest {
    SendRequest {
        announce,
        idempotency: Some(IdempotencyKey {
            key: "k".to_owned(),
            body: taskyard_task::Digest::of(b"x"),
        }),
        ..request("1")
    }
}

#[tokio::test]
async fn who_repeats_a_request_to_see_the_task_can_get_it() {
    let yard = Yard::new(Config::default()).await;
    let me = caller("");
    let first = yard.broker.send(&me, keyed(false)).await.unwrap();
    let hidden = yard.broker.get(&me, &agent(), first.task).await;
    assert!(matches!(hidden, Err(Error::TaskNotFound)), "{hidden:?}");
    let again = yard.broker.send(&me, keyed(true)).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(yard.state(first).await, TaskState::Submitted);
}

#[tokio::test]
async fn a_repeated_request_shows_no_task_that_was_answered_directly() {
    let yard = Yard::new(Config::default()).await;
    let me = caller("");
    let first = yard.broker.send(&me, keyed(false)).await.unwrap();
    let run = yard.broker.lease().await.unwrap();
    let parts = vec![Part::text("pong")];
    run.settle(Outcome::Replied { parts }).await.unwrap();
    let again = yard.broker.send(&me, keyed(true)).await.unwrap();
    assert_eq!(again, first);
    let end = yard.broker.turn_end(&again).await.unwrap();
    assert!(end.outline.view.reply.is_some() && !end.header.announced);
}

#[tokio::test]
async fn a_full_line_refuses_with_a_hint() {
    let mut config = Config::default();
    config.limits.max_queued_per_tenant = 2;
    let yard = Yard::new(config).await;
    yard.send("1").await;
    yard.send("2").await;
    let refused = yard.broker.send(&caller(""), request("3")).await;
    assert!(
        matches!(refused, Err(Error::QueueFull { .. })),
        "{refused:?}"
    );
    yard.broker
        .send(&caller("other"), request("4"))
        .await
        .unwrap();
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let yard = Yard::new(Config::default()).await;
    let mut mine = request("1");
    mine.announce = true;
    let sent = yard.broker.send(&caller("a"), mine).await.unwrap();
    yard.broker
        .get(&caller("a"), &agent(), sent.task)
        .await
        .unwrap();
    let other = caller("b");
    let found = [
        yard.broker.get(&other, &agent(), sent.task).await.err(),
        yard.broker.cancel(&other, &agent(), sent.task).await.err(),
        yard.broker.watch(&other, &agent(), sent.task).await.err(),
        yard.broker
            .push_configs(&other, &agent(), sent.task)
            .await
            .err(),
        yard.broker
            .get(&caller("a"), &"else".parse().unwrap(), sent.task)
            .await
            .err(),
    ];
    for error in found {
        assert!(matches!(error, Some(Error::TaskNotFound)), "{error:?}");
    }
}

#[tokio::test]
async fn tasks_in_flight_finish_on_the_component_that_they_began_with() {
    let yard = Yard::new(Config::default()).await;
    let sent = yard.send("1").await;
    let first = yard.broker.agents()[&agent()].digest;
    let second = yard.deploy("2.0.0").await;
    assert_eq!(second.revision, 2);
    let run = yard.broker.lease().await.unwrap();
    assert_eq!(run.header().digest, first);
    let refused = yard.broker.undeploy(&agent(), Drain::Refuse).await;
    assert!(matches!(refused, Err(Error::PluginInUse { tasks: 1 })));
    let status = yard.broker.agent_status(&agent()).await.unwrap();
    assert_eq!(status.tasks_by_digest, [(first, "1.0.0".to_owned(), 1)]);

    let broker = yard.broker.clone();
    let drain = tokio::spawn(async move { broker.undeploy(&agent(), Drain::Wait).await });
    tokio::task::yield_now().await;
    let refused = yard.broker.send(&caller(""), request("2")).await;
    assert!(
        matches!(refused, Err(Error::AgentNotFound)),
        "a draining agent takes no new tasks"
    );
    run.settle(completed()).await.unwrap();
    drain.await.unwrap().unwrap();
    assert!(yard.broker.agents().is_empty());
    assert!(matches!(
        yard.broker.component(first).await,
        Err(Error::PluginNotFound)
    ));
    assert_eq!(yard.state(sent).await, TaskState::Completed);
}

#[tokio::test]
async fn agents_are_back_after_a_restart() {
    let yard = Yard::new(Config::default()).await.restart().await;
    assert_eq!(yard.broker.default_agent().unwrap().name, agent());
}

#[tokio::test]
async fn among_several_agents_none_is_the_default_one_by_itself() {
    let name = |agent: Option<taskyard_task::Agent>| agent.map(|agent| agent.name);
    let other = || DeployRequest {
        agent: Some("another".parse().unwrap()),
        component: b"1.0.0".to_vec(),
        config: None,
        limits: taskyard_task::LimitChanges::default(),
        max_runs: None,
        egress: None,
        answer_by_context: None,
        replace: false,
    };
    let yard = Yard::new(Config::default()).await;
    assert_eq!(name(yard.broker.default_agent()), Some(agent()));
    yard.broker.deploy(other()).await.unwrap();
    assert_eq!(name(yard.broker.default_agent()), None);

    let told = Config {
        default_agent: Some(agent()),
        ..Config::default()
    };
    let yard = Yard::new(told).await;
    yard.broker.deploy(other()).await.unwrap();
    assert_eq!(name(yard.broker.default_agent()), Some(agent()));
}

#[tokio::test]
async fn an_agent_is_changed_without_another_component() {
    let yard = Yard::new(Config::default()).await;
    let rule = taskyard_task::EgressRule {
        host: "api.example.com".parse().unwrap(),
        inject: [("x-key".parse().unwrap(), "{key}".parse().unwrap())].into(),
    };
    let changes = AgentChanges {
        config: Some(r#"{"k":1}"#.to_owned()),
        egress: Some(vec![rule].try_into().unwrap()),
        answer_by_context: Some(true),
    };
    let name = agent();
    let configure = |changes| yard.broker.configure(&name, changes);
    let changed = configure(changes.clone()).await.unwrap();
    assert_eq!(
        (changed.revision, &changed.config),
        (2, &r#"{"k":1}"#.to_owned())
    );
    // What is so already is no change, and what is not said stays.
    for again in [changes, AgentChanges::default()] {
        assert_eq!(configure(again).await.unwrap(), changed);
    }
    let deployed = yard.deploy("2.0.0").await;
    assert_eq!(deployed.egress, changed.egress);
    assert!(deployed.answer_by_context);

    let nobody = "nobody".parse().unwrap();
    let refused = yard
        .broker
        .configure(&nobody, AgentChanges::default())
        .await;
    assert!(matches!(refused, Err(Error::AgentNotFound)));
    let yard = yard.restart().await;
    assert_eq!(yard.broker.agents()[&agent()].egress, changed.egress);
}
