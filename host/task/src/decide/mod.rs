//! What happens to a task on each input: one pure function, the only place where tasks change.
//!
//! `decide` looks at the header, never at the log, and answers with the entries to append, the new
//! header and what else must be written with them. Races (cancel against completion, a late run
//! against a newer one) end here: whoever is decided first wins, and the other gets a [`Refusal`].

mod children;
mod draft;
mod operator;
mod retry;
mod run;
mod submit;
#[cfg(test)]
mod tests;

pub use draft::Decision;
pub use retry::RetryPolicy;
pub use submit::{NewTask, submit};

use crate::child::{ChildEnd, Letter};
use crate::commit::Remembered;
use crate::content::Message;
use crate::entry::{Blame, Continuation, Event, InputKind, Provided};
use crate::header::{Header, Phase};
use crate::id::{Digest, Seq, Ticket, Timestamp};
use crate::push::{MAX_PUSH_CONFIGS, PushConfig};
use crate::{Change, TaskState};

use draft::Draft;

/// How many messages a task takes after the one that began it; all of them are replayed.
pub const MAX_RECEIVED: u32 = 10_000;

/// Something that can change a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A client sent a message to the task.
    Message {
        /// The message.
        message: Message,
        /// A webhook to register with it, which hears of what the message leads to.
        push: Option<PushConfig>,
        /// The idempotency key under which the request is remembered, and the digest of its body.
        remember: Option<(Digest, Digest)>,
    },
    /// An operator answers the oldest open question, out of band.
    Provide {
        /// The answer.
        message: Message,
    },
    /// A client is about to be shown the task.
    Announce,
    /// A client asked to cancel.
    Cancel,
    /// The scheduler gives the task to a worker.
    Start,
    /// A run did something that belongs into the log.
    Record {
        /// Which run.
        attempt: u32,
        /// What it did.
        event: Event,
    },
    /// A run withdraws a question, or gives up something else that it waited for.
    Withdraw {
        /// Which run.
        attempt: u32,
        /// What it gives up.
        ticket: Ticket,
        /// What clients are still asked for.
        asking: Option<InputKind>,
    },
    /// A run gives its task up until something happens: a message, a child's end, a cancel, a moment.
    Suspend {
        /// Which run.
        attempt: u32,
        /// The moment, if it waits for one.
        until: Option<Timestamp>,
        /// The last entry from outside that the run knows of. If there is a newer one, the task is in line
        /// again at once.
        seen: Seq,
        /// What clients are asked for, if the task waits for their answer.
        asking: Option<InputKind>,
        /// How many lines the worker told the operator, counted from where replays begin.
        told: u64,
    },
    /// A letter from another task arrived: its child ended, or its parent wants it no more. `end` is there
    /// in the first case.
    Letter {
        /// The letter.
        letter: Letter,
        /// How the child ended.
        end: Option<Box<ChildEnd>>,
    },
    /// A child on another host ended.
    RemoteEnded {
        /// The entry that started it.
        since: Seq,
        /// How.
        end: Box<ChildEnd>,
    },
    /// An operator lets a parked task go on.
    Resume,
    /// An operator sends a parked task back behind this entry, and lets it go on from there.
    Rewind {
        /// The last entry that counts.
        to: Seq,
    },
    /// An operator moves a task to another component; a parked one goes on.
    Move {
        /// The component.
        digest: Digest,
    },
    /// An operator ends a task.
    Fail {
        /// For people.
        reason: String,
    },
    /// A run ended.
    Settle {
        /// Which run.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// A random number up to [`RetryPolicy::JITTER_SCALE`], in case the task is tried again.
        jitter: u32,
    },
    /// The task's timer is due.
    Due,
    /// A client registers a webhook, or replaces the one with the same id.
    PutPushConfig(PushConfig),
    /// A client removes a webhook.
    DeletePushConfig(String),
    /// The host was told to keep ended tasks only for so long.
    Forget {
        /// The idempotency keys of the task's messages.
        keys: Vec<Digest>,
    },
}

/// How a run ended. A run that waits is suspended, not settled.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The work is done.
    Completed {
        /// The message of the final status, if any.
        message: Vec<crate::Part>,
    },
    /// The worker will not do it.
    Rejected {
        /// For people.
        reason: String,
    },
    /// A direct answer.
    Replied {
        /// The answer.
        parts: Vec<crate::Part>,
    },
    /// It failed for good.
    Failed {
        /// Whose fault it is.
        blame: Blame,
        /// For programs.
        code: String,
        /// For people.
        reason: String,
    },
    /// It failed in a way that may pass.
    Transient {
        /// For programs.
        code: String,
        /// For people.
        reason: String,
        /// How long to wait at least, in milliseconds.
        after_ms: Option<u64>,
    },
    /// The worker broke. It is tried again, and parked when it keeps breaking at the same place.
    Broke(Breakdown),
    /// Nothing but an operator can help.
    Parked(Breakdown),
    /// The worker goes on with an empty log.
    ContinuedAsNew(Box<Continuation>),
    /// The run was stopped because it did not end within the grace time after a cancel.
    Canceled,
}

/// How and where a worker came to a halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakdown {
    /// For programs.
    pub code: String,
    /// For people.
    pub reason: String,
    /// The last entry that the worker reached.
    pub position: Seq,
    /// Where in its code it was.
    pub backtrace: Option<String>,
}

/// What `decide` needs to know besides the task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How transient failures are retried.
    pub retry: RetryPolicy,
}

/// Why an input changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing changes an ended task any more.
    #[error("the task has ended ({})", .0.name())]
    Ended(TaskState),
    /// A2A 3.1.1: a terminal task accepts no further messages.
    #[error("the task has ended ({}) and takes no more messages", .state.name())]
    MessageAfterEnd {
        /// How it ended.
        state: TaskState,
        /// The context in which the client can go on.
        context_id: String,
    },
    /// A2A 3.1.5: a terminal task, canceled ones included, is not cancelable.
    #[error("the task has ended ({}) and cannot be canceled", .0.name())]
    NotCancelable(TaskState),
    /// The run was superseded or the task ended meanwhile; whatever it did does not count.
    #[error("the run is no longer the task's current one")]
    StaleRun,
    /// The task is not in line for a run.
    #[error("the task is not queued")]
    NotQueued,
    /// The task took as many messages as it may.
    #[error(
        "the task already took {MAX_RECEIVED} messages; begin a new task with the same contextId"
    )]
    TooManyMessages,
    /// The task has as many webhooks as it may.
    #[error(
        "the task already has {MAX_PUSH_CONFIGS} notification configurations; delete one first"
    )]
    TooManyPushConfigs,
    /// An operator answered a task that asks nothing.
    #[error("the task asks nothing; it can be answered once it does")]
    NotAsking,
    /// Only parked tasks can be resumed or sent back.
    #[error("the task is not parked")]
    NotParked,
    /// An operator named an entry that a task cannot be sent back to.
    #[error("the task can be sent back to entries {from} to {until}")]
    BadPosition {
        /// The first one possible.
        from: Seq,
        /// The last one possible.
        until: Seq,
    },
    /// Only ended tasks can be forgotten.
    #[error("the task has not ended")]
    NotEnded,
    /// A task cannot change its component while it runs.
    #[error("a run of the task is going on; try again when it is over")]
    Busy,
    /// The task has as many open children as it may.
    #[error("the task has as many children as it may")]
    TooManyChildren,
    /// The host tried to record something that a run cannot cause.
    #[error("a run cannot record {0:?}")]
    NotJournaled(&'static str),
}

/// Decides what `input` does to the task with `header`.
///
/// # Errors
/// A [`Refusal`] if the task does not allow the input; nothing changes then.
pub fn decide(
    rules: &Rules,
    now: Timestamp,
    header: &Header,
    input: Input,
) -> Result<Decision, Refusal> {
    let mut draft = Draft::of(header, now);
    match input {
        Input::Message {
            message,
            push,
            remember,
        } => receive(&mut draft, message, push, remember)?,
        Input::Provide { message } => provide(&mut draft, message)?,
        Input::Announce => draft.header.announced = true,
        Input::Cancel => cancel(&mut draft)?,
        Input::Start => run::start(&mut draft)?,
        Input::Record { attempt, event } => run::record(&mut draft, attempt, event)?,
        Input::Settle {
            attempt,
            outcome,
            jitter,
        } => run::settle(&mut draft, rules, attempt, outcome, jitter)?,
        Input::Withdraw {
            attempt,
            ticket,
            asking,
        } => run::withdraw(&mut draft, attempt, ticket, asking)?,
        Input::Suspend {
            attempt,
            until,
            seen,
            asking,
            told,
        } => {
            draft.header.told = told;
            run::suspend(&mut draft, attempt, until, seen, asking)?;
        }
        Input::Letter { letter, end } => children::letter(&mut draft, letter, end)?,
        Input::RemoteEnded { since, end } => children::remote_ended(&mut draft, since, end),
        Input::Resume => operator::resume(&mut draft)?,
        Input::Rewind { to } => operator::rewind(&mut draft, to)?,
        Input::Move { digest } => operator::change_component(&mut draft, digest)?,
        Input::Fail { reason } => operator::fail(&mut draft, reason)?,
        Input::Due => due(&mut draft),
        Input::PutPushConfig(config) => put_push_config(&mut draft, config)?,
        Input::DeletePushConfig(id) => delete_push_config(&mut draft, id),
        Input::Forget { keys } => forget(&mut draft, keys)?,
    }
    Ok(draft.finish())
}

fn receive(
    draft: &mut Draft,
    message: Message,
    push: Option<PushConfig>,
    remember: Option<(Digest, Digest)>,
) -> Result<(), Refusal> {
    if draft.header.is_ended() {
        return Err(Refusal::MessageAfterEnd {
            state: draft.header.state,
            context_id: draft.header.context_id.clone(),
        });
    }
    expect_room(draft)?;
    if let Some(config) = push {
        put_push_config(draft, config)?;
    }
    let seq = take_in(draft, Event::Received { message });
    if let Some((key, body)) = remember {
        draft.remember(key, seq, body);
    }
    Ok(())
}

/// Only a task that asks can be answered: what an operator says otherwise would be a message in line, which
/// workers take for the client's.
fn provide(draft: &mut Draft, message: Message) -> Result<(), Refusal> {
    if !draft.header.is_ended() && !draft.header.state.is_interrupted() {
        return Err(Refusal::NotAsking);
    }
    expect_room(draft)?;
    take_in(draft, Event::Provided(Box::new(Provided { message })));
    Ok(())
}

/// Refuses what somebody says to a task that takes no more.
fn expect_room(draft: &Draft) -> Result<(), Refusal> {
    if draft.header.is_ended() {
        return Err(Refusal::Ended(draft.header.state));
    }
    if draft.header.received >= MAX_RECEIVED {
        return Err(Refusal::TooManyMessages);
    }
    Ok(())
}

/// Takes what somebody said to the task.
fn take_in(draft: &mut Draft, said: Event) -> Seq {
    let seq = draft.record_outside(said);
    draft.header.last_received = seq;
    draft.header.received += 1;
    // Whoever was asked has answered.
    if draft.header.state.is_interrupted() {
        draft.record(Event::Working);
    }
    draft.wake();
    seq
}

fn cancel(draft: &mut Draft) -> Result<(), Refusal> {
    match draft.header.phase {
        Phase::Ended => return Err(Refusal::NotCancelable(draft.header.state)),
        _ if draft.header.cancel_requested => {}
        // Nobody is there who could be told.
        Phase::Parked => draft.end(Event::Canceled),
        Phase::Queued | Phase::Delayed { .. } if draft.header.attempt == 0 => {
            draft.end(Event::Canceled);
        }
        // The worker gets a grace time; the run's end becomes the task's end.
        Phase::Queued | Phase::Running | Phase::Delayed { .. } | Phase::Suspended { .. } => {
            draft.header.cancel_requested = true;
            draft.record_outside(Event::CancelRequested);
            draft.wake();
        }
    }
    Ok(())
}

fn due(draft: &mut Draft) {
    let now = draft.now();
    let waits = matches!(
        draft.header.phase,
        Phase::Delayed { .. } | Phase::Suspended { .. } | Phase::Parked
    );
    if waits && draft.header.deadline <= now {
        draft.end(deadline_exceeded());
        return;
    }
    match draft.header.phase {
        Phase::Delayed { until } | Phase::Suspended { until: Some(until) } if until <= now => {
            draft.queue();
        }
        // The timer of an earlier phase.
        _ => {}
    }
}

fn deadline_exceeded() -> Event {
    Event::Failed {
        blame: Blame::Host,
        code: "deadline-exceeded".to_owned(),
        reason: "the task did not end before its deadline".to_owned(),
    }
}

// Configurations may come and go on ended tasks too: clients look at what was delivered.
fn put_push_config(draft: &mut Draft, config: PushConfig) -> Result<(), Refusal> {
    if !draft.header.push.contains(&config.id) {
        if draft.header.push.len() >= MAX_PUSH_CONFIGS {
            return Err(Refusal::TooManyPushConfigs);
        }
        draft.header.push.push(config.id.clone());
    }
    draft.header.filters.retain(|(id, _)| *id != config.id);
    draft.header.filters.extend(config.filter());
    let task = draft.header.id;
    draft.change(Change::PutPushConfig {
        task,
        config: Box::new(config),
    });
    Ok(())
}

fn delete_push_config(draft: &mut Draft, config: String) {
    draft.header.push.retain(|id| *id != config);
    draft.header.filters.retain(|(id, _)| *id != config);
    let task = draft.header.id;
    draft.change(Change::DeletePushConfig { task, config });
}

fn forget(draft: &mut Draft, keys: Vec<Digest>) -> Result<(), Refusal> {
    if !draft.header.is_ended() {
        return Err(Refusal::NotEnded);
    }
    draft.forget(keys);
    Ok(())
}

impl Draft {
    fn remember(&mut self, key: Digest, seq: Seq, body: Digest) {
        let task = self.header.id;
        self.change(Change::Remember {
            key,
            submitted: Remembered { task, seq, body },
        });
    }
}
