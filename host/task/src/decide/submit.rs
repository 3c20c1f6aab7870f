//! How a task begins.

use crate::commit::Change;
use crate::entry::{Event, Submission};
use crate::header::{Header, Phase, Priority};
use crate::id::{Digest, Seq, TaskId, Timestamp};
use crate::push::PushConfig;
use crate::state::TaskState;

use super::draft::{Decision, Draft};

/// A task to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Its identifier.
    pub id: TaskId,
    /// How it begins.
    pub submission: Submission,
    /// Which ownership of the partition makes it.
    pub epoch: u64,
    /// When it fails if it has not ended.
    pub deadline: Timestamp,
    /// How urgent it is.
    pub priority: Priority,
    /// When it may run at the earliest, if not at once.
    pub not_before: Option<Timestamp>,
    /// Whether the client is shown the task at once.
    pub announced: bool,
    /// A webhook that hears of everything from the beginning.
    pub push: Option<PushConfig>,
    /// The idempotency key under which the request is remembered, and the digest of its body.
    pub remember: Option<(Digest, Digest)>,
}

/// Decides what a new task begins with.
#[must_use]
pub fn submit(now: Timestamp, new: NewTask) -> Decision {
    let submission = new.submission;
    let header = Header {
        id: new.id,
        tenant: submission.tenant.clone(),
        agent: submission.agent.clone(),
        context_id: submission.context_id.clone(),
        digest: submission.digest,
        state: TaskState::Submitted,
        phase: match new.not_before.filter(|until| *until > now) {
            Some(until) => Phase::Delayed { until },
            None => Phase::Queued,
        },
        announced: new.announced,
        created_at: now,
        status_at: now,
        queued_at: now,
        deadline: new.deadline,
        last: Seq::ZERO,
        visible: 0,
        epoch: new.epoch,
        attempt: 0,
        failures: 0,
        cancel_requested: false,
        last_received: Seq::ZERO,
        received: 0,
        push: new.push.iter().map(|config| config.id.clone()).collect(),
        last_outside: Seq::ZERO,
        replay_from: Seq::ZERO,
        rewound: Vec::new(),
        parent: submission.parent,
        children: Vec::new(),
        broken: None,
        priority: new.priority,
        filters: new.push.iter().filter_map(PushConfig::filter).collect(),
        has_state: false,
        told: 0,
    };
    let mut draft = Draft::new_task(header, now);
    let seq = draft.record(Event::Submitted(Box::new(submission)));
    if let Some(config) = new.push {
        draft.change(Change::PutPushConfig {
            task: new.id,
            config: Box::new(config),
        });
    }
    if let Some((key, body)) = new.remember {
        draft.remember(key, seq, body);
    }
    draft.finish()
}
