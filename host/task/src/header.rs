//! The small look-up record of a task: what `decide` needs to know without reading the log.

use serde::{Deserialize, Serialize};

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
    /// Waits for a message, without an instance.
    Waiting,
    /// Over.
    Ended,
}

impl Phase {
    /// Whether the task has a work item: it runs, or it is in line to run.
    #[must_use]
    pub fn has_work(self) -> bool {
        match self {
            Self::Queued | Self::Running => true,
            Self::Delayed { .. } | Self::Waiting | Self::Ended => false,
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
}

impl Header {
    /// When the broker must look at the task again by itself, if it must.
    #[must_use]
    pub fn timer(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Delayed { until } => Some(until.min(self.deadline)),
            Phase::Waiting => Some(self.deadline),
            // A queued task is looked at when it is leased, a running one by its run.
            Phase::Queued | Phase::Running | Phase::Ended => None,
        }
    }

    /// Whether the task is over.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }
}
