//! Workers in plain code against a log in memory: what a run writes is what every replay of it does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use taskyard_outbound::Request;
use taskyard_task::{
    ArtifactSpec, ChildCall, ChildEnd, ChildTarget, Event, InputKind, Message, Observation, Part,
    RunLimits, Seq, StateCall, StateScope,
};

use super::gate::{Gate, Opening};
use super::world::{self, BEGAN, World};
use super::{ArtifactStages, CallError, Reading, Refusal, Sending, Stop};
use crate::diagnostics::Diagnostics;

const MS: u64 = 1_000_000;
/// Waits of this length keep their instance.
const HOLD: Duration = Duration::from_secs(3_600);

/// A task and its world.
struct Script(World);

impl std::ops::Deref for Script {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl Script {
    fn new(limits: RunLimits) -> Self {
        Self(World::new(world::Script {
            limits,
            ..world::Script::default()
        }))
    }

    async fn try_run(&self) -> Result<Gate, Stop> {
        let header = self.lease();
        let opening = Opening::of(&header, HOLD);
        let outlet = Arc::clone(&opening.outlet);
        let world = self.of_run(&header);
        let (log, network) = (Arc::new(world.clone()), Arc::new(world));
        let (gate, _) = Gate::open(log, network, self.clock.clone(), opening).await?;
        assert_eq!(outlet.is_open(), !gate.is_replaying());
        Ok(gate)
    }

    /// A gate that only tries a worker against the log as it is.
    async fn trial(&self) -> Gate {
        let header = self.header();
        let opening = Opening::probe(&header);
        let (log, network) = (Arc::new(self.0.clone()), Arc::new(self.0.clone()));
        let opened = Gate::open(log, network, self.clock.clone(), opening).await;
        opened.unwrap().0
    }

    async fn first_run(&self) -> Gate {
        self.try_run().await.unwrap()
    }

    async fn run_again(&self) -> Gate {
        self.try_run().await.unwrap()
    }

    /// Lets time pass while `work` waits.
    async fn live<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            () = self.pass_time() => unreachable!("time never ends"),
        }
    }
}

fn said(text: &str) -> Event {
    Event::Said {
        parts: vec![Part::text(text)],
    }
}

fn get(key: &str) -> StateCall {
    StateCall::Get {
        scope: StateScope::Task,
        key: key.to_owned(),
    }
}

fn sending() -> Sending {
    Sending {
        request: Request {
            method: "GET".to_owned(),
            url: "https://a.example/".to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout: None,
            retry: None,
            idempotency_key: None,
            max_response_bytes: None,
        },
        resend: true,
        reading: Reading::Whole,
        wants_key: true,
    }
}

fn mismatch(stop: &CallError) -> String {
    match stop {
        CallError::Stopped(stop @ Stop::Mismatch(_)) => stop.to_string(),
        other => panic!("not a mismatch: {other:?}"),
    }
}

async fn ask(gate: &mut Gate) -> Result<Message, CallError> {
    let question = gate.ask(InputKind::Input, vec![Part::text("?")]).await?;
    gate.take_answer(question).await
}

async fn next(gate: &mut Gate) -> Option<String> {
    gate.next_message().await.unwrap().map(|message| message.id)
}

#[tokio::test]
async fn a_replay_does_nothing_again() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    assert!(!gate.is_replaying());
    gate.effect(said("one")).await.unwrap();
    gate.effect(said("two")).await.unwrap();

    let mut gate = script.run_again().await;
    assert!(gate.is_replaying());
    gate.effect(said("one")).await.unwrap();
    assert!(gate.is_replaying());
    gate.effect(said("two")).await.unwrap();
    assert!(!gate.is_replaying());
    assert_eq!(gate.replayed(), 2);
    gate.effect(said("three")).await.unwrap();
    gate.end().unwrap();
    assert_eq!(script.journaled(), ["one", "two", "three"].map(said));
}

#[tokio::test]
async fn a_worker_that_does_something_else_is_stopped() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    gate.effect(said("one")).await.unwrap();

    let other = script.run_again().await.effect(said("other")).await;
    let reason = mismatch(&other.unwrap_err());
    assert_eq!(
        reason,
        "replay differs from the log at entry 4: the log has `said`, the worker did another `said`"
    );
    let progress = Event::Progress {
        percent: None,
        text: None,
    };
    let other = script.run_again().await.effect(progress).await;
    assert!(mismatch(&other.unwrap_err()).ends_with("the worker did `progress`"));
    let end = script.run_again().await.end();
    assert!(mismatch(&end.unwrap_err().into()).ends_with("the worker did nothing more"));
    assert_eq!(script.journaled(), [said("one")]);
}

#[tokio::test]
async fn a_trial_repeats_the_log_and_does_nothing_new() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    gate.effect(said("one")).await.unwrap();
    script.receive("hello");
    let before = script.log();

    for news in 0..8 {
        let mut gate = script.trial().await;
        gate.effect(said("one")).await.unwrap();
        let stopped: Result<(), CallError> = match news {
            0 => gate.effect(said("two")).await.map(drop),
            1 => gate.sleep_until(u64::MAX).await,
            2 => gate.next_message().await.map(drop),
            3 => gate
                .cancel_requested()
                .await
                .map(drop)
                .map_err(CallError::from),
            4 => gate.ask(InputKind::Input, Vec::new()).await.map(drop),
            5 => gate.keep("work".to_owned(), 1, Vec::new()).await,
            6 => gate.state(get("key")).await.map(drop),
            _ => gate.send_request(sending()).await.map(drop),
        };
        assert_eq!(stopped, Err(Stop::EndOfLog.into()), "call {news}");
        assert_eq!(gate.replayed(), 1);
    }
    let other = script.trial().await.effect(said("other")).await;
    assert!(mismatch(&other.unwrap_err()).contains("at entry 4"));
    assert_eq!(script.log(), before);
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn a_stale_run_stops() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    script.lease();
    let stopped = gate.effect(said("late")).await;
    assert_eq!(stopped, Err(Stop::Stale.into()));
}

/// How many of `lines` that a worker says the operator gets to read.
fn heard(gate: &Gate, lines: usize) -> usize {
    let diagnostics = Diagnostics::new(&RunLimits::default(), Arc::clone(&gate.outlet));
    (0..lines).filter(|_| diagnostics.admit_line()).count()
}

#[tokio::test]
async fn what_is_said_before_a_suspension_is_heard_once() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    gate.effect(said("one")).await.unwrap();
    assert_eq!(heard(&gate, 3), 3);
    assert_eq!(ask(&mut gate).await, Err(Stop::Suspended.into()));
    drop(gate);

    script.receive("answer");
    let mut gate = script.run_again().await;
    gate.effect(said("one")).await.unwrap();
    assert_eq!(heard(&gate, 3), 0, "it says the same again");
    ask(&mut gate).await.unwrap();
    assert_eq!(heard(&gate, 2), 2);
    assert_eq!(ask(&mut gate).await, Err(Stop::Suspended.into()));
    drop(gate);

    script.receive("another answer");
    let mut gate = script.run_again().await;
    gate.effect(said("one")).await.unwrap();
    assert_eq!(heard(&gate, 3), 0);
    ask(&mut gate).await.unwrap();
    assert_eq!(heard(&gate, 2), 0);
    ask(&mut gate).await.unwrap();
    assert_eq!(heard(&gate, 1), 1);
}

#[tokio::test]
async fn the_first_message_behind_a_question_is_its_answer() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    script.receive("early");
    assert_eq!(ask(&mut gate).await, Err(Stop::Suspended.into()));

    script.pass(5_000);
    script.receive("answer");
    script.receive("late");
    let mut gate = script.run_again().await;
    assert_eq!(ask(&mut gate).await.unwrap().id, "answer");
    assert!(!gate.is_replaying());
    // The worker sees that time has passed.
    assert_eq!(gate.time().now_ns(), 5_000 * MS);
    assert_eq!(next(&mut gate).await.as_deref(), Some("early"));
    assert_eq!(next(&mut gate).await.as_deref(), Some("late"));
    assert_eq!(next(&mut gate).await, None);

    let mut gate = script.run_again().await;
    ask(&mut gate).await.unwrap();
    assert_eq!(next(&mut gate).await.as_deref(), Some("early"));
    assert_eq!(next(&mut gate).await.as_deref(), Some("late"));
    assert!(!gate.is_replaying());
}

#[tokio::test]
async fn a_cancel_is_told_once_and_then_questions_are_refused() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    script.cancel();
    for run in 1..=2 {
        assert_eq!(
            ask(&mut gate).await,
            Err(Refusal::Canceled.into()),
            "run {run}"
        );
        script.live(gate.sleep_until(20 * MS)).await.unwrap();
        let asked = gate.ask(InputKind::Input, vec![Part::text("?")]).await;
        assert_eq!(asked, Err(Refusal::Canceled.into()));
        gate.effect(said("goodbye")).await.unwrap();
        gate = script.run_again().await;
    }
    let kinds = script.journaled();
    let kinds: Vec<_> = kinds.iter().map(Event::kind).collect();
    assert_eq!(kinds, ["asked", "noticed", "slept", "said"]);
}

/// Looks for a message and for a cancel in turn, and tells what it saw at which look.
async fn look_around(gate: &mut Gate, script: Option<&Script>) -> Vec<String> {
    let mut seen = Vec::new();
    for turn in 0..4 {
        if let (Some(script), 1) = (script, turn) {
            script.receive("hurry");
        }
        if let (Some(script), 2) = (script, turn) {
            script.cancel();
        }
        let message = next(gate).await;
        let canceled = gate.cancel_requested().await.unwrap();
        seen.push(format!("{message:?} {canceled}"));
    }
    seen
}

#[tokio::test]
async fn looks_see_the_same_at_the_same_place() {
    let script = Script::new(RunLimits::default());
    let live = look_around(&mut script.first_run().await, Some(&script)).await;
    assert_eq!(live[0], "None false");
    assert_eq!(live[1], "Some(\"hurry\") false");
    assert_eq!(live[2], "None true");
    assert_eq!(live[3], "None true");
    let message = Observation::Message(Seq(4));
    let expected = [
        Event::Observed {
            call: 3,
            what: message,
        },
        Event::Observed {
            call: 6,
            what: Observation::Cancel,
        },
    ];
    assert_eq!(script.journaled(), expected);

    let mut gate = script.run_again().await;
    assert_eq!(look_around(&mut gate, None).await, live);
    gate.end().unwrap();
}

#[tokio::test]
async fn a_look_that_saw_something_else_is_a_mismatch() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    script.receive("hurry");
    assert!(next(&mut gate).await.is_some());

    let mut gate = script.run_again().await;
    // The log has a message for the first look.
    let canceled = gate.cancel_requested().await.map_err(CallError::from);
    mismatch(&canceled.unwrap_err());

    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    assert!(!gate.cancel_requested().await.unwrap());
    script.cancel();
    gate.effect(said("one")).await.unwrap();
    assert!(gate.cancel_requested().await.unwrap());
    let mut gate = script.run_again().await;
    gate.effect(said("one")).await.unwrap();
    assert!(!gate.cancel_requested().await.unwrap());
    // The second look for a cancel, which saw one, is left out.
    let other = gate.effect(said("two")).await;
    assert!(mismatch(&other.unwrap_err()).contains("has `observed`"));
}

#[tokio::test]
async fn time_passes_with_entries_and_looks() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    assert_eq!(gate.time().look(), 1_000);
    assert_eq!(
        gate.time().look_at_wall().as_nanos(),
        u128::from(BEGAN.0 * MS + 2_000)
    );
    script.pass(20);
    gate.effect(said("one")).await.unwrap();
    assert_eq!(gate.time().look(), 20 * MS + 1_000);

    script.pass(60_000);
    let mut gate = script.run_again().await;
    assert_eq!(gate.time().look(), 1_000);
    gate.time().look();
    gate.effect(said("one")).await.unwrap();
    assert_eq!(gate.time().look(), 20 * MS + 1_000);
}

#[tokio::test]
async fn a_wait_is_not_repeated() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    script.live(gate.wait_until(250 * MS)).await.unwrap();
    assert_eq!(gate.time().now_ns(), 250 * MS);
    assert_eq!(script.slept(), [Duration::from_millis(250)]);

    let mut gate = script.run_again().await;
    script.live(gate.wait_until(250 * MS)).await.unwrap();
    assert_eq!(gate.time().now_ns(), 250 * MS);
    assert_eq!(script.slept().len(), 1);
    let other = script.run_again().await.wait_until(251 * MS).await;
    mismatch(&other.map_err(CallError::from).unwrap_err());
}

#[tokio::test]
async fn a_wait_that_a_crash_cut_short_goes_on_where_it_was() {
    let script = Script::new(RunLimits::default());
    script.first_run().await;
    // The first run waits for a second; the host is killed after 0.9 s.
    script.pass(900);
    let mut gate = script.run_again().await;
    script.live(gate.wait_until(1_000 * MS)).await.unwrap();
    assert_eq!(script.slept(), [Duration::from_millis(100)]);

    // A wait that begins in this run takes as long as it says, however long was computed before.
    script.pass(5_000);
    let until_ns = gate.time().now_ns() + 300 * MS;
    script.live(gate.wait_until(until_ns)).await.unwrap();
    assert_eq!(script.slept()[1], Duration::from_millis(300));
}

#[tokio::test]
async fn spinning_makes_a_wait_now_and_then() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    for _ in 0..512 {
        script.live(gate.idle()).await.unwrap();
    }
    let waits = [MS, 2 * MS].map(|until_ns| Event::Slept { until_ns });
    assert_eq!(script.journaled(), waits);
    let mut gate = script.run_again().await;
    for _ in 0..512 {
        script.live(gate.idle()).await.unwrap();
    }
    assert!(!gate.is_replaying());
    assert_eq!(script.journaled(), waits);
}

#[tokio::test]
async fn limits_refuse_in_words_and_the_same_in_a_replay() {
    let limits = RunLimits {
        log_entries: 3,
        message_bytes: 10,
        ..RunLimits::default()
    };
    let script = Script::new(limits);
    let mut gate = script.first_run().await;
    for again in [false, true] {
        let long = gate.effect(said("longer than ten bytes")).await;
        assert_eq!(
            long,
            Err(Refusal::Limit("message bytes: 10".to_owned()).into())
        );
        for text in ["one", "two", "three"] {
            gate.effect(said(text)).await.unwrap();
        }
        let full = Err(Refusal::Limit("log entries: 3".to_owned()).into());
        assert_eq!(gate.effect(said("four")).await.map(drop), full);
        let prompt = vec![Part::text("?")];
        assert_eq!(gate.ask(InputKind::Input, prompt).await.map(drop), full);
        assert_eq!(gate.next_message().await.map(drop), full);
        assert_eq!(gate.wait_until(MS).await, Err(Stop::LogLimit { limit: 3 }));
        assert!(!gate.cancel_requested().await.unwrap());
        if !again {
            gate = script.run_again().await;
        }
    }
    assert_eq!(script.journaled().len(), 3);
}

#[tokio::test]
async fn artifacts_have_a_limit_together() {
    let limits = RunLimits {
        artifact_bytes: 8,
        ..RunLimits::default()
    };
    let mut gate = Script::new(limits).first_run().await;
    let chunk = |text: &str| Event::ArtifactAppended {
        id: "a".to_owned(),
        spec: None,
        chunk: Part::text(text),
        last: false,
    };
    gate.effect(chunk("12345")).await.unwrap();
    let over = gate.effect(chunk("6789")).await;
    assert_eq!(
        over,
        Err(Refusal::Limit("artifact bytes: 8".to_owned()).into())
    );
    gate.effect(chunk("678")).await.unwrap();
}

#[tokio::test]
async fn long_logs_are_read_page_by_page() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    for number in 0..3_000 {
        gate.effect(said(&number.to_string())).await.unwrap();
        if number % 100 == 0 {
            script.receive(&number.to_string());
        }
    }
    let mut gate = script.run_again().await;
    for number in 0..3_000 {
        gate.effect(said(&number.to_string())).await.unwrap();
    }
    assert!(!gate.is_replaying());
    for number in (0..3_000).step_by(100) {
        assert_eq!(next(&mut gate).await, Some(number.to_string()));
    }
    assert_eq!(next(&mut gate).await, None);
}

#[tokio::test]
async fn messages_that_are_not_kept_are_read_again() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    gate.effect(said("one")).await.unwrap();
    let large = "x".repeat(3 << 20);
    script.receive(&large);
    script.receive(&large);
    script.receive("small");
    let mut gate = script.run_again().await;
    gate.effect(said("one")).await.unwrap();
    for length in [large.len(), large.len(), 5] {
        assert_eq!(next(&mut gate).await.map(|id| id.len()), Some(length));
    }
}

#[tokio::test]
async fn a_log_of_another_contract_is_refused() {
    let script = Script::new(RunLimits::default());
    script.change_submission(|submission| submission.contract += 1);
    let opened = script.try_run().await.map(drop);
    assert!(matches!(opened, Err(Stop::Incompatible(_))));
}

#[test]
fn artifacts_go_from_stage_to_stage() {
    let spec = |id: &str| ArtifactSpec {
        id: id.to_owned(),
        name: None,
        description: None,
        metadata: None,
    };
    let chunk = || Part::text("x");
    let mut artifacts = ArtifactStages::default();
    let a = || "a".to_owned();
    assert!(artifacts.append(a(), chunk()).is_err());
    assert!(artifacts.close(a()).is_err());

    artifacts.open(spec("a")).unwrap();
    assert!(artifacts.open(spec("a")).is_err());
    assert!(artifacts.close(a()).is_err());
    let first = artifacts.append(a(), chunk()).unwrap();
    assert!(matches!(
        first,
        Event::ArtifactAppended { spec: Some(_), .. }
    ));
    artifacts.grown(a());
    let second = artifacts.append(a(), chunk()).unwrap();
    assert!(matches!(second, Event::ArtifactAppended { spec: None, .. }));
    artifacts.close(a()).unwrap();
    artifacts.sealed(a());
    assert!(artifacts.append(a(), chunk()).is_err());
    assert!(artifacts.close(a()).is_err());

    // A whole one replaces whatever there was.
    artifacts.put(spec("a"), vec![chunk()]).unwrap();
    assert!(artifacts.open(spec("a")).is_err());
}

#[test]
fn what_the_host_remembers_of_artifacts_is_bounded() {
    let spec = |id: String, description: usize| ArtifactSpec {
        id,
        name: None,
        description: Some("x".repeat(description)),
        metadata: None,
    };
    let mut artifacts = ArtifactStages::default();
    let long = artifacts.open(spec("long".to_owned(), 16 << 10));
    assert!(matches!(long, Err(Refusal::Limit(_))));
    let mut number = 0;
    let refused = loop {
        match artifacts.open(spec(number.to_string(), 1)) {
            Ok(()) => number += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, Refusal::Limit(format!("artifacts: {number}")));
    // Those that are there can still be replaced.
    assert!(
        artifacts
            .put(spec("0".to_owned(), 1), vec![Part::text("x")])
            .is_ok()
    );
}

#[tokio::test]
async fn an_answer_that_nobody_took_is_carried_over() {
    let script = Script::new(RunLimits::default());
    let mut gate = script.first_run().await;
    gate.ask(InputKind::Input, vec![Part::text("?")])
        .await
        .unwrap();
    let answer = script.receive("answer");
    // It is read, but it is no message in line.
    assert_eq!(next(&mut gate).await, None);
    let continuation = gate.continuation(Vec::new()).unwrap();
    assert_eq!(continuation.inbox, [answer]);
}

#[tokio::test]
async fn the_end_of_a_child_that_was_taken_back_is_not_that_of_the_next() {
    let script = Script(World::new(world::Script {
        children: Box::new(|_| (10, ChildEnd::failed("no"))),
        ..world::Script::default()
    }));
    let call = || ChildCall {
        target: ChildTarget::Agent("child".parse().unwrap()),
        message: vec![Part::text("do")],
        metadata: None,
        detached: false,
    };
    let started_at = script.header().last;
    let mut gate = script.first_run().await;
    let child = gate.start_child(call(), &[]).await.unwrap();
    script.live(gate.take_child(child)).await.unwrap();
    drop(gate);
    script.stand_still();
    script.send_back(started_at);
    for _ in 0..2 {
        let mut gate = script.run_again().await;
        let child = gate.start_child(call(), &[]).await.unwrap();
        script.live(gate.take_child(child)).await.unwrap();
        gate.end().unwrap();
    }
    let ends = script.log().into_iter();
    let ends = ends.filter(|(_, entry)| matches!(entry.event, Event::ChildEnded { .. }));
    let ends: Vec<Seq> = ends.map(|(seq, _)| seq).collect();
    let noticed = script
        .journaled()
        .into_iter()
        .filter_map(|event| match event {
            Event::Noticed { seq } => Some(seq),
            _ => None,
        });
    assert_eq!(noticed.collect::<Vec<_>>(), ends);
    assert_eq!(ends.len(), 2);
}

/// What clients saw of a task, by the kinds of its entries.
fn visible(script: &Script) -> Vec<&'static str> {
    script.visible().iter().map(Event::kind).collect()
}

#[tokio::test]
async fn a_question_that_is_withdrawn_is_not_asked_any_more() {
    let script = Script::new(RunLimits::default());
    for _ in 1..=2 {
        let mut gate = script.run_again().await;
        let prompt = || vec![Part::text("?")];
        let first = gate.ask(InputKind::Auth, prompt()).await.unwrap();
        let second = gate.ask(InputKind::Input, prompt()).await.unwrap();
        gate.give_up_ticket(first).await.unwrap();
        gate.give_up_ticket(second).await.unwrap();
        // Once is enough.
        gate.give_up_ticket(second).await.unwrap();
        assert!(!gate.is_replaying());
    }
    let seen = visible(&script);
    // The first run, the questions, and that the second one is all that is left, until it is not.
    assert_eq!(seen, ["working", "asked", "asked", "working"]);
}

#[tokio::test]
async fn an_answer_out_of_band_is_an_answer() {
    let script = Script::new(RunLimits::default());
    for _ in 1..=2 {
        let mut gate = script.run_again().await;
        let question = gate.ask(InputKind::Auth, vec![Part::text("?")]).await;
        let question = question.unwrap();
        if !gate.is_replaying() {
            script.provide("s3cret");
        }
        let answer = script.live(gate.take_answer(question)).await.unwrap();
        assert_eq!(answer.id, "s3cret");
        assert_eq!(next(&mut gate).await, None);
    }
}
