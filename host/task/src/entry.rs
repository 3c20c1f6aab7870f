//! One record of a task's log.
//!
//! Valid logs: entry 1 is `Submitted` and no other is; at most one terminal event, and nothing after
//! it; an `ArtifactAppended` without a spec follows one with a spec for the same artifact; `Observed`
//! messages name a `Received` entry before them, each at most once.

use serde::{Deserialize, Serialize};

use crate::content::{ArtifactSpec, Message, Part, parts_size};
use crate::id::{AgentName, Digest, Seq, Tenant, Timestamp};
use crate::limits::RunLimits;
use crate::state::TaskState;

/// One record of a task's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was decided.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// The number of the replay contract that this version writes: everything that a replay can depend
/// on (clock steps, randomness, polling order, limits, the rules in `taskyard-engine`). A log is
/// replayed under the contract that it was begun with.
pub const REPLAY_CONTRACT: u32 = 1;

/// How the task began, and all that a replay needs to begin again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The message that began the task.
    pub message: Message,
    /// Whose work it is.
    pub tenant: Tenant,
    /// The agent that it was sent to.
    pub agent: AgentName,
    /// The conversation that it belongs to.
    pub context_id: String,
    /// The component that runs it, for life.
    pub digest: Digest,
    /// The agent's configuration at that moment: a JSON object, as text.
    pub config: String,
    /// The limits at that moment.
    pub limits: RunLimits,
    /// Media types that the client accepts.
    pub accepted_output_modes: Vec<String>,
    /// The client's metadata of the request: a JSON object, as text.
    pub metadata: Option<String>,
    /// [`REPLAY_CONTRACT`] at that moment.
    pub contract: u32,
    /// Where the task's random numbers come from. Secret: whoever knows it can guess them.
    #[serde(with = "serde_bytes")]
    pub seed: [u8; 32],
}

/// What a worker waits for (A2A 3.4.3, 7.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputKind {
    /// An answer.
    Input,
    /// Credentials or a consent.
    Auth,
}

impl InputKind {
    /// The state of a task that waits for it.
    #[must_use]
    pub fn state(self) -> TaskState {
        match self {
            Self::Input => TaskState::InputRequired,
            Self::Auth => TaskState::AuthRequired,
        }
    }
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// The worker said so itself, or broke.
    Worker,
    /// The operator's limits or the host.
    Host,
}

/// What a worker got to see without waiting for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observation {
    /// That the client asked to cancel.
    Cancel,
    /// The message of this entry.
    Message(Seq),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A client submitted the task.
    Submitted(Box<Submission>),
    /// A run began; runs are counted from 1.
    Started {
        /// The number of the run.
        attempt: u32,
    },
    /// Clients see the task as working from here on.
    Working,
    /// The worker reported progress.
    Progress {
        /// 0 to 100.
        percent: Option<u8>,
        /// For people.
        text: Option<String>,
    },
    /// The worker said something.
    Said {
        /// What it said.
        parts: Vec<Part>,
    },
    /// The worker put a whole artifact.
    ArtifactPut {
        /// What it is.
        spec: ArtifactSpec,
        /// Its content.
        parts: Vec<Part>,
    },
    /// The worker added a chunk to an artifact.
    ArtifactAppended {
        /// Which artifact.
        id: String,
        /// What it is; with the first chunk only.
        spec: Option<ArtifactSpec>,
        /// The chunk.
        chunk: Part,
    },
    /// The worker sealed an artifact.
    ArtifactClosed {
        /// Which artifact.
        id: String,
    },
    /// The worker asked and waits.
    Asked {
        /// What it waits for.
        kind: InputKind,
        /// The question.
        prompt: Vec<Part>,
    },
    /// A message of the client arrived.
    Received {
        /// The message.
        message: Message,
    },
    /// The worker waited for a timer, until this many nanoseconds after the task began.
    Slept {
        /// The worker's time when it went on.
        until_ns: u64,
    },
    /// A call that does not wait told the worker something new.
    Observed {
        /// The number of the call among all observing calls of the run, from 1; says on replay which
        /// of them it was.
        call: u64,
        /// What it told.
        what: Observation,
    },
    /// The client asked to cancel while a run was going on.
    CancelRequested,
    /// A run failed in a way that may pass; the task is tried again.
    Retried {
        /// For programs.
        code: String,
        /// For people.
        reason: String,
        /// When it may run again.
        not_before: Timestamp,
    },
    /// The end: success.
    Completed {
        /// The message of the final status, if any.
        message: Vec<Part>,
    },
    /// The end: failure.
    Failed {
        /// Whose fault it is.
        blame: Blame,
        /// For programs.
        code: String,
        /// For people.
        reason: String,
    },
    /// The end: the worker will not do it.
    Rejected {
        /// For people.
        reason: String,
    },
    /// The end: canceled by the client.
    Canceled,
    /// The end: answered by a direct message; the client never saw a task.
    Replied {
        /// The answer.
        parts: Vec<Part>,
    },
}

impl Event {
    /// Whether clients see the entry as an event of the task (A2A 4.2).
    #[must_use]
    pub fn is_visible(&self) -> bool {
        match self {
            Self::Working
            | Self::Progress { .. }
            | Self::Said { .. }
            | Self::ArtifactPut { .. }
            | Self::ArtifactAppended { .. }
            | Self::ArtifactClosed { .. }
            | Self::Asked { .. }
            | Self::Completed { .. }
            | Self::Failed { .. }
            | Self::Rejected { .. }
            | Self::Canceled => true,
            Self::Submitted(_)
            | Self::Started { .. }
            | Self::Received { .. }
            | Self::Slept { .. }
            | Self::Observed { .. }
            | Self::CancelRequested
            | Self::Retried { .. }
            | Self::Replied { .. } => false,
        }
    }

    /// Whether the worker itself caused the entry, so that a replay meets the same call again.
    #[must_use]
    pub fn is_journaled(&self) -> bool {
        match self {
            Self::Progress { .. }
            | Self::Said { .. }
            | Self::ArtifactPut { .. }
            | Self::ArtifactAppended { .. }
            | Self::ArtifactClosed { .. }
            | Self::Asked { .. }
            | Self::Slept { .. }
            | Self::Observed { .. } => true,
            Self::Submitted(_)
            | Self::Started { .. }
            | Self::Working
            | Self::Received { .. }
            | Self::CancelRequested
            | Self::Retried { .. }
            | Self::Completed { .. }
            | Self::Failed { .. }
            | Self::Rejected { .. }
            | Self::Canceled
            | Self::Replied { .. } => false,
        }
    }

    /// The state that clients see from this entry on, if the entry says so.
    #[must_use]
    pub fn state(&self) -> Option<TaskState> {
        match self {
            Self::Submitted(_) => Some(TaskState::Submitted),
            Self::Working | Self::Progress { .. } | Self::Said { .. } => Some(TaskState::Working),
            Self::Asked { kind, .. } => Some(kind.state()),
            Self::Completed { .. } => Some(TaskState::Completed),
            Self::Failed { .. } => Some(TaskState::Failed),
            Self::Rejected { .. } => Some(TaskState::Rejected),
            Self::Canceled => Some(TaskState::Canceled),
            // Inside, a task that was answered directly is over; nobody outside sees it.
            Self::Replied { .. } => Some(TaskState::Completed),
            Self::Started { .. }
            | Self::ArtifactPut { .. }
            | Self::ArtifactAppended { .. }
            | Self::ArtifactClosed { .. }
            | Self::Received { .. }
            | Self::Slept { .. }
            | Self::Observed { .. }
            | Self::CancelRequested
            | Self::Retried { .. } => None,
        }
    }

    /// A word for people and for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Submitted(_) => "submitted",
            Self::Started { .. } => "started",
            Self::Working => "working",
            Self::Progress { .. } => "progress",
            Self::Said { .. } => "said",
            Self::ArtifactPut { .. } => "artifact-put",
            Self::ArtifactAppended { .. } => "artifact-appended",
            Self::ArtifactClosed { .. } => "artifact-closed",
            Self::Asked { .. } => "asked",
            Self::Received { .. } => "received",
            Self::Slept { .. } => "slept",
            Self::Observed { .. } => "observed",
            Self::CancelRequested => "cancel-requested",
            Self::Retried { .. } => "retried",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Rejected { .. } => "rejected",
            Self::Canceled => "canceled",
            Self::Replied { .. } => "replied",
        }
    }

    /// How many bytes of content the entry carries; what queues and limits count.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Submitted(submission) => submission.message.size() + submission.config.len(),
            Self::Progress { text, .. } => text.as_ref().map_or(0, String::len),
            Self::Said { parts }
            | Self::Asked { prompt: parts, .. }
            | Self::Completed { message: parts }
            | Self::Replied { parts } => parts_size(parts),
            Self::ArtifactPut { spec, parts } => spec.size() + parts_size(parts),
            Self::ArtifactAppended { spec, chunk, .. } => {
                spec.as_ref().map_or(0, ArtifactSpec::size) + chunk.size()
            }
            Self::Received { message } => message.size(),
            Self::Failed { code, reason, .. } | Self::Retried { code, reason, .. } => {
                code.len() + reason.len()
            }
            Self::Rejected { reason } => reason.len(),
            Self::Started { .. }
            | Self::Working
            | Self::ArtifactClosed { .. }
            | Self::Slept { .. }
            | Self::Observed { .. }
            | Self::CancelRequested
            | Self::Canceled => 0,
        }
    }
}
