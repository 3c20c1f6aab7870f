//! Random programs of host calls, random crashes, random upgrades: what a run saw is what every replay of it
//! sees.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use taskyard_outbound::Request;
use taskyard_task::decide::Outcome;
use taskyard_task::http::HttpError;
use taskyard_task::{
    ArtifactSpec, ChildCall, ChildEnd, ChildTarget, Event, Expected, InputKind, Part, Phase, Seq,
    StateCall, StateScope, TaskState, Ticket,
};

use super::gate::{Gate, Opening};
use super::requests::{Reading, RequestState, Sending};
use super::world::{Crash, Reply, Script, World, earlier, earlier_id};
use super::{CallError, Stop};

/// One call of a program. Numbers choose among the tickets that there are.
#[derive(Debug, Clone, PartialEq)]
enum Call {
    Say(u8),
    Append(u8),
    Ask,
    Answer(u8),
    Timer(u16),
    Sleep(u16),
    Any(Vec<u8>, Option<u16>),
    All(Vec<u8>),
    GiveUp(u8),
    Fetch(u8, bool),
    Stream(u8),
    Take(u8),
    Piece(u8),
    Child(u8, bool),
    ChildEnd(u8),
    Put(u8, u8),
    Swap(u8, u8),
    Get(u8),
    Memo(u8),
    Earlier(u8),
    Read(u8),
    Messages,
    NextMessage,
    Canceled,
    Look,
}

fn call() -> impl Strategy<Value = Call> {
    let few = || prop::collection::vec(any::<u8>(), 1..4);
    prop_oneof![
        any::<u8>().prop_map(Call::Say),
        any::<u8>().prop_map(Call::Append),
        Just(Call::Ask),
        any::<u8>().prop_map(Call::Answer),
        (0..2_000u16).prop_map(Call::Timer),
        (0..2_000u16).prop_map(Call::Sleep),
        (few(), prop::option::of(0..2_000u16))
            .prop_map(|(tickets, timeout)| Call::Any(tickets, timeout)),
        few().prop_map(Call::All),
        any::<u8>().prop_map(Call::GiveUp),
        (any::<u8>(), any::<bool>()).prop_map(|(to, resend)| Call::Fetch(to, resend)),
        any::<u8>().prop_map(Call::Stream),
        any::<u8>().prop_map(Call::Take),
        any::<u8>().prop_map(Call::Piece),
        (any::<u8>(), any::<bool>()).prop_map(|(what, detached)| Call::Child(what, detached)),
        any::<u8>().prop_map(Call::ChildEnd),
        (any::<u8>(), any::<u8>()).prop_map(|(key, value)| Call::Put(key, value)),
        (any::<u8>(), any::<u8>()).prop_map(|(key, value)| Call::Swap(key, value)),
        any::<u8>().prop_map(Call::Get),
        any::<u8>().prop_map(Call::Memo),
        any::<u8>().prop_map(Call::Earlier),
        any::<u8>().prop_map(Call::Read),
        Just(Call::Messages),
        Just(Call::NextMessage),
        Just(Call::Canceled),
        Just(Call::Look),
    ]
}

/// A program as it runs: what it holds, and what it saw.
struct Process {
    gate: Gate,
    tickets: Vec<Ticket>,
    seen: Vec<String>,
    /// How much of it is fixed: the log has an entry of that call, or of a later one. The rest had no
    /// consequence yet, and may come out differently when the task is run again.
    fixed: usize,
}

impl Process {
    fn ticket(&self, number: u8) -> Ticket {
        let index = usize::from(number) % self.tickets.len().max(1);
        self.tickets.get(index).copied().unwrap_or_default()
    }

    fn tickets(&self, numbers: &[u8]) -> Vec<Ticket> {
        numbers.iter().map(|number| self.ticket(*number)).collect()
    }

    /// Makes a call; what is refused is seen like any other result.
    async fn call(&mut self, call: &Call) -> Result<(), Stop> {
        let before = self.gate.position();
        let made = self.try_call(call).await;
        let now = self.gate.time().look();
        let made = match made {
            Err(CallError::Stopped(stop)) => Err(stop),
            Err(CallError::Refused(refusal)) => Ok(format!("refused: {refusal}")),
            Ok(seen) => Ok(seen),
        };
        if let Ok(seen) = &made {
            self.seen.push(format!("{call:?} at {now}: {seen}"));
        }
        if self.gate.position() > before {
            self.fixed = self.seen.len();
        }
        made.map(drop)
    }

    async fn try_call(&mut self, call: &Call) -> Result<String, CallError> {
        let gate = &mut self.gate;
        let text = |number: &u8| vec![Part::text(number.to_string())];
        let seen = match call {
            Call::Say(what) => {
                gate.effect(Event::Said { parts: text(what) }).await?;
                String::new()
            }
            Call::Append(what) => {
                let spec = ArtifactSpec {
                    id: what.to_string(),
                    name: None,
                    description: None,
                    metadata: None,
                };
                let opened = gate.artifacts().open(spec).is_ok();
                let chunk = Part::text("x");
                let event = gate.artifacts().append(what.to_string(), chunk)?;
                gate.effect(event).await?;
                gate.artifacts().grown(what.to_string());
                format!("{opened}")
            }
            Call::Ask => {
                let question = gate.ask(InputKind::Input, text(&0)).await?;
                self.tickets.push(question);
                format!("{question:?}")
            }
            Call::Answer(number) => {
                let question = self.ticket(*number);
                format!("{:?}", self.gate.take_answer(question).await?.id)
            }
            Call::Timer(span) => {
                let due = gate.after_ms((*span).into());
                let timer = gate.timer(due)?;
                self.tickets.push(timer);
                format!("{timer:?}")
            }
            Call::Sleep(span) => {
                let until = gate.after_ms((*span).into());
                gate.sleep_until(until).await?;
                String::new()
            }
            Call::Any(numbers, timeout) => {
                let tickets = self.tickets(numbers);
                let timeout = timeout.map(u64::from).or(Some(5_000));
                format!("{:?}", self.gate.any(&tickets, timeout).await?)
            }
            Call::All(numbers) => {
                let tickets = self.tickets(numbers);
                format!("{:?}", self.gate.all(&tickets, Some(5_000)).await?)
            }
            Call::GiveUp(number) => {
                let ticket = self.ticket(*number);
                format!("{:?}", self.gate.give_up_ticket(ticket).await?)
            }
            Call::Fetch(to, resend) => {
                let ticket = gate.send_request(sending(*to, *resend, false)).await?;
                self.tickets.push(ticket);
                format!("{ticket:?}")
            }
            Call::Stream(to) => {
                let ticket = gate.send_request(sending(*to, true, true)).await?;
                self.tickets.push(ticket);
                format!("{ticket:?}")
            }
            Call::Take(number) => {
                let ticket = self.ticket(*number);
                self.gate.response_begun(ticket).await?;
                let state = self.gate.request(ticket);
                format!("{:?}", state.and_then(RequestState::take_result))
            }
            Call::Piece(number) => {
                let ticket = self.ticket(*number);
                format!("{:?}", self.gate.next_piece(ticket).await?)
            }
            Call::Child(what, detached) => {
                let call = ChildCall {
                    target: ChildTarget::Agent("child".parse().expect("a name")),
                    message: text(what),
                    metadata: None,
                    detached: *detached,
                };
                let child = gate.start_child(call, &[]).await?;
                self.tickets.push(child);
                format!("{child:?} {:?}", self.gate.child_task(child))
            }
            Call::ChildEnd(number) => {
                let child = self.ticket(*number);
                format!("{:?}", self.gate.take_child(child).await?)
            }
            Call::Put(key, value) => {
                let result = gate.state(put(*key, *value, Expected::Anything)).await?;
                format!("{result:?}")
            }
            Call::Swap(key, value) => {
                let result = gate.state(put(*key, *value, Expected::Version(1))).await?;
                format!("{result:?}")
            }
            Call::Get(key) => {
                let get = StateCall::Get {
                    scope: StateScope::Task,
                    key: (key % 4).to_string(),
                };
                format!("{:?}", gate.state(get).await?)
            }
            Call::Memo(what) => {
                let label = what.to_string();
                match gate.recall(&label, 7).await? {
                    Some(kept) => format!("{kept:?}"),
                    None => {
                        gate.keep(label, 7, vec![*what]).await?;
                        format!("{:?}", [what])
                    }
                }
            }
            Call::Earlier(limit) => {
                let tasks = gate.earlier_tasks((limit % 5).into()).await?;
                let ids = tasks.iter().map(|task| task.id.to_string());
                format!("{:?}", ids.collect::<Vec<_>>())
            }
            Call::Read(number) => {
                let id = earlier_id((number % 5).into()).to_string();
                format!("{:?}", gate.read_task(&id).await?.messages)
            }
            Call::Messages => {
                let ticket = gate.messages();
                if !self.tickets.contains(&ticket) {
                    self.tickets.push(ticket);
                }
                format!("{ticket:?}")
            }
            Call::NextMessage => {
                let message = gate.next_message().await?;
                format!("{:?}", message.map(|message| message.id))
            }
            Call::Canceled => format!("{}", gate.cancel_requested().await?),
            Call::Look => String::new(),
        };
        Ok(seen)
    }
}

fn put(key: u8, value: u8, expected: Expected) -> StateCall {
    StateCall::Put {
        scope: StateScope::Task,
        key: (key % 4).to_string(),
        value: Some(vec![value].into()),
        ttl_ms: None,
        expected,
    }
}

fn sending(to: u8, resend: bool, streamed: bool) -> Sending {
    Sending {
        request: Request {
            method: "POST".to_owned(),
            url: format!("http://example.com/{to}"),
            headers: Vec::new(),
            body: bytes::Bytes::new(),
            timeout: None,
            retry: None,
            idempotency_key: None,
            max_response_bytes: None,
        },
        resend,
        reading: if streamed {
            Reading::Pieces
        } else {
            Reading::Whole
        },
        wants_key: true,
    }
}

fn script(messages: Vec<u16>, cancel_at_ms: Option<u16>, out_of_band: bool) -> Script {
    let messages = messages.into_iter();
    Script {
        answers_out_of_band: out_of_band,
        earlier: (0..4).map(|n| earlier(n, &n.to_string())).collect(),
        network: Box::new(|request| {
            let to: u64 = request.url.bytes().map(u64::from).sum();
            if to.is_multiple_of(7) {
                return Err(HttpError::Failed("broken".to_owned()));
            }
            let mut reply = Reply::text(to % 300, request.url.clone());
            reply.pieces = vec![
                (0, b"a".to_vec()),
                (to % 50, b"b".to_vec()),
                (1, b"c".to_vec()),
            ];
            Ok(reply)
        }),
        children: Box::new(|call| {
            let end = ChildEnd {
                state: TaskState::Completed,
                message: call.message.clone(),
                artifacts: Vec::new(),
            };
            (call.size() as u64 * 100, end)
        }),
        answers: (0..20).map(|n| (n * 37, format!("answer-{n}"))).collect(),
        messages: messages
            .enumerate()
            .map(|(n, at)| (at.into(), format!("message-{n}")))
            .collect(),
        cancel_at_ms: cancel_at_ms.map(u64::from),
        ..Script::default()
    }
}

/// How a run ended, and what it saw.
struct Ran {
    seen: Vec<String>,
    stop: Option<Stop>,
    /// See [`Process::fixed`].
    fixed: usize,
    /// How many entries it replayed.
    passed: usize,
}

async fn run(world: &World, opening: Opening, calls: &[Call]) -> Ran {
    let (log, network) = (Arc::new(world.clone()), Arc::new(world.clone()));
    let (gate, _) = Gate::open(log, network, world.clock.clone(), opening)
        .await
        .expect("the log can be opened");
    let mut process = Process {
        gate,
        tickets: Vec::new(),
        seen: Vec::new(),
        fixed: 0,
    };
    let mut stop = None;
    for call in calls {
        if let Err(stopped) = process.call(call).await {
            stop = Some(stopped);
            break;
        }
    }
    if stop.is_none() {
        stop = process.gate.close_children().await.err();
    }
    if stop.is_none() {
        process.gate.linger().await;
        stop = process.gate.end().err();
    }
    Ran {
        seen: process.seen,
        stop,
        fixed: process.fixed,
        passed: usize::try_from(process.gate.replayed()).unwrap_or(usize::MAX),
    }
}

/// Runs until the task ends, through all crashes. Gives what each run saw.
async fn live(world: &World, calls: &[Call], hold: Duration) -> Vec<Vec<String>> {
    let mut runs = Vec::new();
    for _ in 0..500 {
        if !world.until_runnable() {
            break;
        }
        let Some(header) = world.lease_or_die() else {
            continue;
        };
        let opening = Opening::of(&header, hold);
        let ran = tokio::select! {
            biased;
            ran = run(world, opening, calls) => ran,
            () = world.crashed() => continue,
            () = world.pass_time() => continue,
        };
        let mut seen = ran.seen;
        if ran.stop.is_some() {
            seen.truncate(ran.fixed);
        }
        runs.push(seen);
        match ran.stop {
            None => {
                let message = Vec::new();
                world.settle(Outcome::Completed { message });
            }
            Some(Stop::Suspended | Stop::Unavailable(_)) => {}
            Some(stop) => panic!("{stop}: {:#?}", world.log()),
        }
    }
    runs
}

/// Runs a program against the log without changing anything.
async fn dry(world: &World, calls: &[Call]) -> Ran {
    let opening = Opening::probe(&world.header());
    let log = world.log();
    let ran = run(world, opening, calls).await;
    assert_eq!(world.log(), log, "a dry run changes nothing");
    ran
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_sees_what_the_run_saw(
        calls in prop::collection::vec(call(), 1..25),
        messages in prop::collection::vec(0..5_000u16, 0..4),
        cancel_at_ms in prop::option::weighted(0.2, 0..5_000u16),
        crashes in prop::collection::vec((2..60u64, any::<bool>()), 0..4),
        holds: bool,
        out_of_band: bool,
        other in call(),
        place: prop::sample::Index,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new(script(messages, cancel_at_ms, out_of_band));
            for (seq, after) in crashes {
                let seq = Seq(seq);
                world.crash_at(if after { Crash::After(seq) } else { Crash::Before(seq) });
            }
            let hold = if holds { Duration::from_secs(1 << 30) } else { Duration::ZERO };
            let runs = live(&world, &calls, hold).await;
            let header = world.header();
            prop_assert_eq!(header.phase, Phase::Ended, "{:#?}", world.log());

            // Every run saw the beginning of what the last one saw.
            let last = runs.last().unwrap();
            for seen in &runs {
                prop_assert_eq!(seen.as_slice(), &last[..seen.len()]);
            }
            // And so does a replay of the whole.
            let again = dry(&world, &calls).await;
            let replayed = again.seen.len();
            prop_assert_eq!(&again.seen, &last[..replayed]);
            match again.stop {
                None => prop_assert_eq!(replayed, calls.len()),
                // Looks that saw nothing left no trace behind the last entry.
                Some(stop) => prop_assert_eq!(stop, Stop::EndOfLog),
            }
            prop_assert_eq!(again.passed, world.journaled().len());

            // Nothing that was answered is sent again, and nothing changes its key.
            let answered = world.journaled().into_iter().filter(|event| matches!(event, Event::Responded { .. })).count();
            let mut sent = world.sent();
            let sendings = sent.len();
            sent.sort();
            sent.dedup();
            prop_assert!(sendings - sent.len() <= 64 * runs.len());
            prop_assert!(answered <= world.journaled().len());

            // Another program either does the same as far as the log goes, or is caught.
            let mut changed = calls.clone();
            let index = place.index(changed.len());
            changed[index] = other;
            let tried = dry(&world, &changed).await;
            let same = tried.seen.len().min(index);
            prop_assert_eq!(&tried.seen[..same], &last[..same]);
            prop_assert!(!matches!(tried.stop, Some(Stop::Unavailable(_))), "{:?}", tried.stop);
            Ok(())
        })?;
    }
}
