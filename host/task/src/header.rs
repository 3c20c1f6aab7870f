//! The small look-up record of a task: what `decide` needs to know without reading the log.

use serde::{Deserialize, Serialize};

use crate::child::{ChildLink, ParentLink};
use crate::entry::Event;
use crate::id::{AgentName, Digest, Seq, TaskId, Tenant, Timestamp};
use crate::state::TaskState;

/// What the broker does with a task. Clients see only [`TaskState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// In line for a run.
    Queued,
    /// A run is going on. After a crash this means: run it again.
    Running,
    /// Waits until a moment before it is queued again.
    Delayed {
        /// The moment.
        until: Timestamp,
    },
    /// Waits without an instance: for a message, a child's end, or a moment.
    Suspended {
        /// The moment, if it waits for one.
        until: Option<Timestamp>,
    },
    /// Waits for an operator.
    Parked,
    /// Over.
    Ended,
}

impl Phase {
    /// Whether the task has a work item: it runs, or it is in line to run.
    #[must_use]
    pub fn has_work(self) -> bool {
        match self {
            Self::Queued | Self::Running => true,
            Self::Delayed { .. } | Self::Suspended { .. } | Self::Parked | Self::Ended => false,
        }
    }
}

/// The small look-up record of a task. Index rows, the work item and the timer of a task follow from
/// it: storage derives them whenever it writes a header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Which task.
    pub id: TaskId,
    /// Whose work it is.
    pub tenant: Tenant,
    /// The agent that it was sent to.
    pub agent: AgentName,
    /// The conversation that it belongs to.
    pub context_id: String,
    /// The component that runs it, for life.
    pub digest: Digest,
    /// What clients see.
    pub state: TaskState,
    /// What the broker does.
    pub phase: Phase,
    /// Whether clients can know the task. Until then it may still end in a direct message.
    pub announced: bool,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When clients last saw a new status (A2A `status.timestamp`).
    pub status_at: Timestamp,
    /// When it was queued; the place in line.
    pub queued_at: Timestamp,
    /// When it fails if it has not ended.
    pub deadline: Timestamp,
    /// The last entry of the log.
    pub last: Seq,
    /// How many entries clients could see so far; the `generation` of A2A 1.1.
    pub visible: u64,
    /// Which ownership of the partition wrote this; always 1 on one host.
    pub epoch: u64,
    /// How many runs began. A run that is not the last one can change nothing.
    pub attempt: u32,
    /// Transient failures in a row.
    pub failures: u32,
    /// Whether the client asked to cancel.
    pub cancel_requested: bool,
    /// The last message that arrived after the submission; zero if none did.
    pub last_received: Seq,
    /// How many messages arrived after the submission.
    pub received: u32,
    /// The task's notification configurations.
    pub push: Vec<String>,
    /// The last entry that came from outside: a message, a child's end, a cancel.
    pub last_outside: Seq,
    /// The entry that replays begin behind; zero if that is the submission.
    pub replay_from: Seq,
    /// What operators took back: behind the first entry of each pair and up to the second, nothing that
    /// the worker did counts.
    pub rewound: Vec<(Seq, Seq)>,
    /// Whose child the task is.
    pub parent: Option<ParentLink>,
    /// Its own children that have not ended.
    pub children: Vec<ChildLink>,
    /// How the worker broke last, if it did nothing new since.
    pub broken: Option<Broken>,
    /// Its place before other tasks of the same tenant and agent: larger ones go first.
    #[serde(default)]
    pub priority: Priority,
    /// Which states a configuration wants to hear of. One that is not here hears of everything.
    #[serde(default)]
    pub filters: Vec<(String, Vec<TaskState>)>,
    /// Whether the worker may have written state that only this task sees; it goes when the task ends.
    #[serde(default = "unknown_state")]
    pub has_state: bool,
    /// How many lines the worker had told the operator when the task was suspended last, counted from where
    /// replays begin. The next run tells them again, and they must not be passed on twice.
    #[serde(default)]
    pub told: u64,
}

/// Headers of earlier versions do not say.
fn unknown_state() -> bool {
    true
}

/// How urgent a task is, from -9 to 9; 0 unless the client says so.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "i8", into = "i8")]
pub struct Priority(i8);

impl Priority {
    /// The most and, negated, the least urgent.
    pub const MAX: i8 = 9;

    /// The number.
    #[must_use]
    pub fn number(self) -> i8 {
        self.0
    }
}

impl TryFrom<i8> for Priority {
    type Error = InvalidPriority;

    fn try_from(number: i8) -> Result<Self, InvalidPriority> {
        let valid = (-Self::MAX..=Self::MAX).contains(&number);
        valid.then_some(Self(number)).ok_or(InvalidPriority)
    }
}

impl From<Priority> for i8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

/// A number that is no priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a priority is an integer from -9 to 9")]
pub struct InvalidPriority;

/// A worker that breaks at the same place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The last entry that it reached.
    pub position: Seq,
    /// How, for programs.
    pub code: String,
    /// How often in a row.
    pub times: u32,
}

impl Header {
    /// When the broker must look at the task again by itself, if it must.
    #[must_use]
    pub fn timer(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Delayed { until } => Some(until.min(self.deadline)),
            Phase::Suspended { until } => {
                let until = until.unwrap_or(self.deadline);
                Some(until.min(self.deadline))
            }
            Phase::Parked => Some(self.deadline),
            // A queued task is looked at when it is leased, a running one by its run.
            Phase::Queued | Phase::Running | Phase::Ended => None,
        }
    }

    /// Whether what the worker did at `seq` counts: no operator took it back.
    #[must_use]
    pub fn counts(&self, seq: Seq) -> bool {
        counts(&self.rewound, seq)
    }

    /// Whether a notification configuration wants to hear of something that put the task into `state`,
    /// or that left its state alone.
    #[must_use]
    pub fn wants(&self, config: &str, state: Option<TaskState>) -> bool {
        let filter = self.filters.iter().find(|(id, _)| id == config);
        filter.is_none_or(|(_, on)| state.is_some_and(|state| on.contains(&state)))
    }

    /// Whether the task ended in a direct message, so that clients were never shown it. Any other end
    /// announces a task.
    #[must_use]
    pub fn is_reply(&self) -> bool {
        self.is_ended() && !self.announced
    }

    /// Whether the task is over.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }
}

/// Whether the entry `seq` does not count, given what operators took back: it is what a worker did there.
#[must_use]
pub fn is_taken_back(rewound: &[(Seq, Seq)], seq: Seq, event: &Event) -> bool {
    event.is_journaled() && !counts(rewound, seq)
}

/// Whether what a worker did at `seq` counts, given what operators took back.
#[must_use]
pub fn counts(rewound: &[(Seq, Seq)], seq: Seq) -> bool {
    !rewound.iter().any(|(to, at)| *to < seq && seq <= *at)
}
