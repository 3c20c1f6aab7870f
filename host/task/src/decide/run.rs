//! What runs do to their task: begin, record, end.

use crate::entry::{Blame, Continuation, Event, InputKind};
use crate::header::{Broken, Phase};
use crate::id::{Seq, Ticket, Timestamp};
use crate::kv::{Scope, StateCall, StateResult};

use super::draft::Draft;
use super::{Breakdown, Outcome, Refusal, Rules, children, deadline_exceeded};

/// How often a worker may break at one place before an operator must look at it.
const MOST_BREAKS: u32 = 3;
/// What a run that does nothing leaves: that it started, and that it is tried again.
const ENTRIES_OF_A_RUN: u64 = 2;
/// The most children that a header can name; what the worker's own limit stays below.
const MAX_OPEN_CHILDREN: usize = 1_024;

pub(super) fn start(draft: &mut Draft) -> Result<(), Refusal> {
    // A task that is `Running` here was left behind by a crash: the scheduler leases a task once.
    if !draft.header.phase.has_work() {
        return Err(Refusal::NotQueued);
    }
    if draft.header.deadline <= draft.now() {
        draft.end(deadline_exceeded());
        return Ok(());
    }
    draft.header.phase = Phase::Running;
    draft.header.attempt += 1;
    let attempt = draft.header.attempt;
    draft.record(Event::Started { attempt });
    let looks_idle = draft.header.state == crate::TaskState::Submitted;
    // A task that nobody was shown may still end in a direct message; it stays quiet until then.
    if draft.header.announced && looks_idle {
        draft.record(Event::Working);
    }
    Ok(())
}

pub(super) fn record(draft: &mut Draft, attempt: u32, event: Event) -> Result<(), Refusal> {
    expect_current(draft, attempt)?;
    if !event.is_journaled() {
        return Err(Refusal::NotJournaled(event.kind()));
    }
    if matches!(event, Event::ChildStarted { begun: Ok(_), .. })
        && draft.header.children.len() >= MAX_OPEN_CHILDREN
    {
        return Err(Refusal::TooManyChildren);
    }
    // Whoever gets something done is not failing in a row.
    draft.header.failures = 0;
    draft.header.broken = None;
    let child = match &event {
        Event::ChildStarted {
            ticket,
            call,
            begun: Ok(task),
        } => Some((*ticket, call.detached, *task)),
        _ => None,
    };
    let given_up = match &event {
        Event::GaveUp { ticket } => Some(*ticket),
        _ => None,
    };
    draft.header.has_state |= writes_own_state(&event);
    let seq = draft.record(event);
    if let Some((ticket, detached, task)) = child {
        children::started(draft, seq, ticket, detached, task);
    }
    if let Some(ticket) = given_up {
        children::given_up(draft, ticket);
    }
    Ok(())
}

/// Gives something up. If that was what clients were asked for, they see so at once: the worker may go on for
/// long before it does anything else that they see.
pub(super) fn withdraw(
    draft: &mut Draft,
    attempt: u32,
    ticket: Ticket,
    asking: Option<InputKind>,
) -> Result<(), Refusal> {
    record(draft, attempt, Event::GaveUp { ticket })?;
    if draft.header.state.is_interrupted() {
        show_asking(draft, asking);
    }
    Ok(())
}

/// Lets clients see what they are asked for, if they see something else.
fn show_asking(draft: &mut Draft, asking: Option<InputKind>) {
    match asking {
        Some(kind) if draft.header.state != kind.state() => {
            draft.record(Event::StillAsking { kind });
        }
        // The question was withdrawn.
        None if draft.header.state.is_interrupted() => {
            draft.record(Event::Working);
        }
        _ => {}
    }
}

/// Whether something is left that goes when the task ends.
fn writes_own_state(event: &Event) -> bool {
    let Event::State { call, result } = event else {
        return false;
    };
    let is_own = matches!(
        **call,
        StateCall::Put {
            scope: Scope::Task,
            value: Some(_),
            ..
        }
    );
    is_own && matches!(result, StateResult::Written(_))
}

pub(super) fn suspend(
    draft: &mut Draft,
    attempt: u32,
    until: Option<Timestamp>,
    seen: Seq,
    asking: Option<InputKind>,
) -> Result<(), Refusal> {
    expect_current(draft, attempt)?;
    let missed_something = draft.header.last_outside > seen;
    let is_due = until.is_some_and(|until| until <= draft.now());
    // Whoever is to cancel has a grace time, and does not wait for anything else.
    if missed_something || is_due || draft.header.cancel_requested {
        draft.queue();
        return Ok(());
    }
    show_asking(draft, asking);
    draft.header.phase = Phase::Suspended { until };
    Ok(())
}

pub(super) fn settle(
    draft: &mut Draft,
    rules: &Rules,
    attempt: u32,
    outcome: Outcome,
    jitter: u32,
) -> Result<(), Refusal> {
    expect_current(draft, attempt)?;
    // An accepted cancel is a promise to the client, whatever the worker says afterwards.
    if draft.header.cancel_requested {
        draft.end(Event::Canceled);
        return Ok(());
    }
    match outcome {
        Outcome::Completed { message } => draft.end(Event::Completed { message }),
        Outcome::Rejected { reason } => draft.end(Event::Rejected { reason }),
        Outcome::Replied { parts } if draft.header.announced => {
            draft.end(Event::Completed { message: parts });
        }
        Outcome::Replied { parts } => draft.end(Event::Replied { parts }),
        Outcome::Failed {
            blame,
            code,
            reason,
        } => draft.end(Event::Failed {
            blame,
            code,
            reason,
        }),
        Outcome::Transient {
            code,
            reason,
            after_ms,
        } => retry(draft, rules, code, reason, after_ms, jitter),
        Outcome::Broke(at) => broke(draft, rules, at, jitter),
        Outcome::Parked(at) => draft.park(at),
        Outcome::ContinuedAsNew(_) if does_nothing(draft) => {
            let reason = "the worker continued as new without having done anything";
            retry(
                draft,
                rules,
                "no-progress".to_owned(),
                reason.to_owned(),
                None,
                jitter,
            );
        }
        Outcome::ContinuedAsNew(continuation) => continue_as_new(draft, continuation),
        Outcome::Canceled => draft.end(Event::Canceled),
    }
    Ok(())
}

/// The same break at the same place a few times in a row will not mend itself.
fn broke(draft: &mut Draft, rules: &Rules, at: Breakdown, jitter: u32) {
    let same = |last: &&Broken| last.position == at.position && last.code == at.code;
    let times = draft.header.broken.as_ref().filter(same);
    let times = times.map_or(0, |last| last.times) + 1;
    let failures = draft.header.failures + 1;
    let delay = rules.retry.delay_ms(failures, None, jitter);
    let Some(delay) = delay.filter(|_| times < MOST_BREAKS) else {
        draft.park(at);
        return;
    };
    draft.header.failures = failures;
    delay_run(draft, at.code.clone(), at.reason, delay);
    draft.header.broken = Some(Broken {
        position: at.position,
        code: at.code,
        times,
    });
}

/// Whether nothing but runs was added since the task continued as new; else it could go on so for ever.
fn does_nothing(draft: &Draft) -> bool {
    let header = &draft.header;
    let added = header.last.0.saturating_sub(header.replay_from.0);
    let runs = u64::from(header.failures) + 1;
    header.replay_from > Seq::ZERO && added < runs * ENTRIES_OF_A_RUN
}

fn continue_as_new(draft: &mut Draft, continuation: Box<Continuation>) {
    if draft.header.state.is_interrupted() {
        draft.record(Event::Working);
    }
    let seq = draft.record(Event::ContinuedAsNew(continuation));
    draft.header.replay_from = seq;
    draft.header.told = 0;
    draft.header.failures = 0;
    draft.header.broken = None;
    // Those that are left are detached.
    draft.header.children.clear();
    draft.queue();
}

fn retry(
    draft: &mut Draft,
    rules: &Rules,
    code: String,
    reason: String,
    after_ms: Option<u64>,
    jitter: u32,
) {
    draft.header.failures += 1;
    let failures = draft.header.failures;
    let Some(delay) = rules.retry.delay_ms(failures, after_ms, jitter) else {
        draft.end(Event::Failed {
            blame: Blame::Worker,
            code,
            reason: format!("{reason} (gave up after {failures} attempts)"),
        });
        return;
    };
    delay_run(draft, code, reason, delay);
}

fn delay_run(draft: &mut Draft, code: String, reason: String, delay_ms: u64) {
    let until = draft.now().plus_millis(delay_ms);
    draft.record(Event::Retried {
        code,
        reason,
        not_before: until,
    });
    draft.header.phase = Phase::Delayed { until };
}

fn expect_current(draft: &Draft, attempt: u32) -> Result<(), Refusal> {
    if draft.header.phase == Phase::Running && draft.header.attempt == attempt {
        Ok(())
    } else {
        Err(Refusal::StaleRun)
    }
}
