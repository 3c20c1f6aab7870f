//! Random programs of host calls in random worlds: a crash anywhere must make no difference.

use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::worker;
use crate::http::{Response, Retry};
use crate::prelude::*;
use crate::testing::{Host, Reply};

/// One step of a program. Numbers choose among the tickets there are.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Step {
    Note,
    Append,
    AskLater,
    Start(u8),
    StartOnce(u8),
    Stream(u8),
    Child(u8),
    Timer(u8),
    TakeAnswer(usize),
    TakeResponse(usize),
    TakeEnd(usize),
    Race(usize, usize),
    RaceTimer(usize, u8),
    JoinAll(u8),
    Cancel(usize),
    Messages(u8),
    NextMessage,
    CancelRequested,
    Sleep(u8),
    Update(u8),
    Keys,
    Memo(u8),
    Random,
}

fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    prop_oneof![
        1 => Just(Note),
        1 => Just(Append),
        2 => Just(AskLater),
        3 => any::<u8>().prop_map(Start),
        3 => any::<u8>().prop_map(Child),
        1 => any::<u8>().prop_map(Timer),
        2 => any::<usize>().prop_map(TakeAnswer),
        2 => any::<usize>().prop_map(TakeResponse),
        2 => any::<usize>().prop_map(TakeEnd),
        2 => any::<(usize, usize)>().prop_map(|(a, b)| Race(a, b)),
        2 => any::<(usize, u8)>().prop_map(|(a, b)| RaceTimer(a, b)),
        1 => any::<u8>().prop_map(JoinAll),
        1 => any::<usize>().prop_map(Cancel),
        1 => any::<u8>().prop_map(Messages),
        2 => Just(NextMessage),
        1 => Just(CancelRequested),
        2 => any::<u8>().prop_map(Sleep),
        1 => any::<u8>().prop_map(Update),
        1 => Just(Keys),
        1 => any::<u8>().prop_map(Memo),
        1 => Just(Random),
    ]
}

/// Steps that a crash may interrupt.
fn fragile_step() -> impl Strategy<Value = Step> {
    use Step::*;
    prop_oneof![
        4 => step(),
        1 => any::<u8>().prop_map(StartOnce),
        1 => any::<u8>().prop_map(Stream),
    ]
}

/// What is open.
#[derive(Default)]
struct Open {
    answers: Vec<Ticket<Message>>,
    responses: Vec<Ticket<Response>>,
    ends: Vec<Ticket<ChildEnd>>,
    timers: Vec<Ticket<()>>,
}

worker!(Interpreter, |task, _input| {
    let steps: Vec<Step> = task.config().get_or("steps", Vec::new())?;
    let rest: Vec<Step> = task.continued_state()?.unwrap_or(steps);
    let mut open = Open::default();
    let mut rest = rest.into_iter();
    while let Some(step) = rest.next() {
        let seen = perform(task, &mut open, &step);
        task.progress_note(&format!("{step:?}: {seen:?}"))?;
        if task.should_continue_as_new() && open.ends.is_empty() {
            return Outcome::continue_as_new(&rest.collect::<Vec<Step>>());
        }
    }
    Ok(Outcome::completed())
});

fn millis(number: u8) -> Duration {
    Duration::from_millis(u64::from(number))
}

fn perform(task: &Task, open: &mut Open, step: &Step) -> Result<String> {
    let request = |path: &u8| {
        http::request("POST", format!("https://a.example/{}", path % 8)).retry(Retry::times(2))
    };
    let seen = match step {
        Step::Note => String::new(),
        Step::Append => {
            let artifact = task.artifact(wait::new_id());
            artifact.put("x")?;
            String::new()
        }
        Step::AskLater => {
            open.answers.push(task.ask_later("?")?);
            String::new()
        }
        Step::Start(path) => {
            open.responses.push(request(path).start()?);
            String::new()
        }
        Step::StartOnce(path) => {
            open.responses.push(request(path).at_most_once().start()?);
            String::new()
        }
        Step::Stream(path) => {
            let pieces: Result<Vec<Vec<u8>>, OpError> = request(path).stream()?.collect();
            format!("{pieces:?}")
        }
        Step::Child(path) => {
            let child = children::agent("child").message(path.to_string());
            open.ends.push(child.start()?);
            String::new()
        }
        Step::Timer(span) => {
            open.timers.push(wait::timer(millis(*span)));
            String::new()
        }
        Step::TakeAnswer(index) => {
            format!("{:?}", pick(&open.answers, *index)?.within(millis(90))?)
        }
        Step::TakeResponse(index) => format!("{:?}", pick(&open.responses, *index)?.take()?),
        Step::TakeEnd(index) => format!("{:?}", pick(&open.ends, *index)?.take()?),
        Step::Race(first, second) => {
            let race = select(pick(&open.responses, *first)?, pick(&open.ends, *second)?)?;
            format!("{race:?}")
        }
        Step::RaceTimer(index, span) => {
            let race = select(pick(&open.answers, *index)?, wait::timer(millis(*span)))?;
            format!("{race:?}")
        }
        Step::JoinAll(span) => {
            let tickets = open.responses.iter().copied();
            format!("{:?}", join_all_within(tickets, millis(*span))?)
        }
        Step::Cancel(index) => {
            if let Ok(ticket) = pick(&open.responses, *index) {
                ticket.cancel()?;
            }
            if let Ok(ticket) = pick(&open.answers, *index) {
                ticket.cancel()?;
            }
            if let Ok(ticket) = pick(&open.ends, *index) {
                ticket.cancel()?;
            }
            String::new()
        }
        Step::Messages(span) => format!("{:?}", task.messages().within(millis(*span))?),
        Step::NextMessage => format!("{:?}", task.next_message()?),
        Step::CancelRequested => task.cancel_requested().to_string(),
        Step::Sleep(span) => format!("{:?} {:?}", task.sleep(millis(*span)), task.now()),
        Step::Update(key) => {
            let key = format!("k{}", key % 4);
            let value = state::plugin().update(&key, |n: Option<u32>| n.unwrap_or(0) + 1)?;
            value.to_string()
        }
        Step::Keys => format!("{:?}", state::plugin().keys("").collect::<Vec<_>>()),
        Step::Memo(number) => memo("number", number, || u32::from(*number) * 2)?.to_string(),
        Step::Random => wait::random().to_string(),
    };
    Ok(seen)
}

fn pick<T>(tickets: &[Ticket<T>], index: usize) -> Result<Ticket<T>> {
    let index = index
        .checked_rem(tickets.len())
        .or_fail("none", "nothing is open")?;
    Ok(tickets[index])
}

/// What goes on around the worker.
#[derive(Debug, Clone)]
struct Surroundings {
    delays: Vec<u8>,
    answers: Vec<u8>,
    follow_ups: Vec<(bool, u8)>,
    cancel: Option<(bool, u8)>,
    continue_after: Option<usize>,
}

fn surroundings() -> impl Strategy<Value = Surroundings> {
    let delays = proptest::collection::vec(any::<u8>(), 8);
    let answers = proptest::collection::vec(any::<u8>(), 0..4);
    let follow_ups = proptest::collection::vec((any::<bool>(), any::<u8>()), 0..5);
    let cancel = proptest::option::weighted(0.3, (any::<bool>(), any::<u8>()));
    let continue_after = proptest::option::weighted(0.3, 4_usize..30);
    (delays, answers, follow_ups, cancel, continue_after).prop_map(
        |(delays, answers, follow_ups, cancel, continue_after)| Surroundings {
            delays,
            answers,
            follow_ups,
            cancel,
            continue_after,
        },
    )
}

fn host(steps: &[Step], around: &Surroundings) -> Host {
    let mut host = Host::new()
        .config(serde_json::json!({"steps": steps}))
        .slow_child("child", millis(around.delays[0]), |message| {
            ChildEnd::completed().with_message(message.parts.clone())
        });
    for (path, delay) in around.delays.iter().enumerate() {
        let pattern = format!("POST https://a.example/{path}");
        let reply = match delay % 5 {
            0 => Reply::failed("no route"),
            1 => Reply::status(503),
            _ => Reply::pieces(["a", "b", "c"]).every(millis(delay % 3)),
        };
        host = host.respond(&pattern, reply.after(millis(*delay)));
        host = host.respond(&pattern, Reply::text("second"));
    }
    for delay in &around.answers {
        host = host.answer_after(millis(*delay), format!("answer {delay}"));
    }
    for (by_call, when) in &around.follow_ups {
        let text = format!("follow-up {when}");
        host = match by_call {
            true => host.follow_up_after(usize::from(*when % 40), text),
            false => host.follow_up_at(2 * millis(*when), text),
        };
    }
    host = match around.cancel {
        Some((true, call)) => host.cancel_at_call(usize::from(call % 40)),
        Some((false, span)) => host.cancel_at(2 * millis(span)),
        None => host,
    };
    match around.continue_after {
        Some(entries) => host.suggest_continue_after(entries),
        None => host,
    }
}

proptest! {
    #[test]
    fn a_crash_anywhere_makes_no_difference(
        steps in proptest::collection::vec(step(), 1..24),
        around in surroundings(),
    ) {
        host(&steps, &around).run_with_crashes::<Interpreter>();
    }

    #[test]
    fn interrupted_runs_end_as_well(
        steps in proptest::collection::vec(fragile_step(), 1..16),
        around in surroundings(),
    ) {
        host(&steps, &around).on_interruption(|_| {}).run_with_crashes::<Interpreter>();
    }
}
