//! What runs do to their task: begin, record, end.

use crate::entry::{Blame, Event};
use crate::header::Phase;

use super::draft::Draft;
use super::{Outcome, Refusal, Rules, deadline_exceeded};

pub(super) fn start(draft: &mut Draft) -> Result<(), Refusal> {
    // A task that is `Running` here was left behind by a crash: the scheduler leases a task once.
    if !draft.header.phase.has_work() {
        return Err(Refusal::NotQueued);
    }
    if draft.header.cancel_requested {
        draft.end(Event::Canceled);
        return Ok(());
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
    let asks = matches!(event, Event::Asked { .. });
    // Whoever gets something done is not failing in a row.
    draft.header.failures = 0;
    draft.record(event);
    if asks && draft.header.cancel_requested {
        draft.end(Event::Canceled);
    } else if asks {
        draft.header.phase = Phase::Waiting;
    }
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
        Outcome::Canceled => draft.end(Event::Canceled),
    }
    Ok(())
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
    let until = draft.now().plus_millis(delay);
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
