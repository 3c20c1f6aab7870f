//! One record of a task's log.
//!
//! Valid logs: entry 1 is `Submitted` and no other is; at most one terminal event, and nothing after
//! it; an `ArtifactAppended` without a spec follows one with a spec for the same artifact; `Observed`
//! messages and `Noticed` name an outside entry before them, each at most once; a `Responded` or
//! `Streamed` follows the `Requested` of its ticket.
//!
//! Who causes entries: the worker (they are *journaled*: a replay meets the same calls again), the
//! outside (clients and children; the worker learns of them by a `Noticed` or `Observed`), or the host.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::child::{ChildCall, ChildEnd, ParentLink};
use crate::content::{ArtifactSpec, Message, Part, parts_size};
use crate::context::{ContextCall, ContextResult};
use crate::http::{HttpError, HttpResponse};
use crate::id::{AgentName, Digest, Seq, TaskId, Tenant, Ticket, Timestamp};
use crate::kv::{StateCall, StateResult};
use crate::limits::RunLimits;
use crate::request::{HttpCall, Piece};
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
pub const REPLAY_CONTRACT: u32 = 2;

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
    /// Whose child the task is.
    pub parent: Option<ParentLink>,
    /// The agents above it, the oldest first.
    pub lineage: Vec<AgentName>,
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

/// What a worker that continues as new takes with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Continuation {
    /// What the worker gave.
    #[serde(with = "serde_bytes")]
    pub state: Vec<u8>,
    /// Messages that it did not take.
    pub inbox: Vec<Seq>,
    /// The last entry from outside that it could have known.
    pub read: Seq,
    /// The artifacts that it began, and how far they are.
    pub artifacts: Vec<(String, ArtifactStage)>,
    /// Bytes of artifacts that it wrote.
    pub artifact_bytes: u64,
    /// Whether it knows that the client asked to cancel.
    pub canceled: bool,
}

/// How far an artifact is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArtifactStage {
    /// Opened; its description goes with the first chunk.
    Opened(ArtifactSpec),
    /// It has chunks, and may get more.
    Growing,
    /// Put whole, or closed.
    Sealed,
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
        /// Whether clients are told that it is the last one: the worker closed the artifact before anybody
        /// saw the chunk. Says nothing to a replay, which meets the close in an entry of its own.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        last: bool,
    },
    /// The worker sealed an artifact. Clients learn of it from the last chunk, if that was not on its way
    /// to them by then, and from the end of the task.
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
    /// The worker sends a request.
    Requested {
        /// Its name.
        ticket: Ticket,
        /// What it sends.
        call: Box<HttpCall>,
    },
    /// The worker got the whole response to a request.
    Responded {
        /// Which request.
        ticket: Ticket,
        /// What came.
        result: Result<HttpResponse, HttpError>,
    },
    /// The worker got a piece of the response to a request.
    Streamed {
        /// Which request.
        ticket: Ticket,
        /// The piece.
        piece: Piece,
    },
    /// The worker started a child.
    ChildStarted {
        /// Its name.
        ticket: Ticket,
        /// What it is to do.
        call: Box<ChildCall>,
        /// Its task, none for a remote one; or why it was not started.
        begun: Result<Option<TaskId>, String>,
    },
    /// The worker, or its end, gave up what this ticket names.
    GaveUp {
        /// What.
        ticket: Ticket,
    },
    /// The worker read or wrote its state.
    State {
        /// What it did.
        call: Box<StateCall>,
        /// What came of it.
        result: StateResult,
    },
    /// The worker keeps the result of expensive work.
    Kept {
        /// Which work.
        label: String,
        /// On what.
        input: u64,
        /// Its result.
        #[serde(with = "serde_bytes")]
        value: Vec<u8>,
    },
    /// The worker got to know an entry that came from outside.
    Noticed {
        /// The entry.
        seq: Seq,
    },
    /// A child ended.
    ChildEnded {
        /// Which.
        ticket: Ticket,
        /// How.
        end: Box<ChildEnd>,
    },
    /// The task waits again for an answer that clients were asked for before.
    StillAsking {
        /// What it waits for.
        kind: InputKind,
    },
    /// The worker's log ends here and begins again.
    ContinuedAsNew(Box<Continuation>),
    /// The task stands still until an operator looks at it.
    Parked {
        /// For programs.
        code: String,
        /// For the operator.
        reason: String,
        /// The last entry that the worker reached.
        position: Seq,
        /// Where in its code it was.
        backtrace: Option<String>,
    },
    /// An operator let the task go on.
    Resumed,
    /// An operator sent the task back: what the worker did behind this entry does not count any more.
    Rewound {
        /// The last entry that counts.
        to: Seq,
    },
    /// An operator moved the task to another component.
    Moved {
        /// The component.
        digest: Digest,
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
    /// The worker read of earlier tasks.
    ContextRead {
        /// What it wanted to know.
        call: Box<ContextCall>,
        /// What it got.
        result: Box<ContextResult>,
    },
    /// An operator answered the oldest open question out of band (A2A 4.1.3). No client sees it.
    Provided(Box<Provided>),
}

/// An answer that did not come from the client. What it says may be a credential: the log has it, and the
/// worker gets it, but nothing that prints, lists or folds entries shows it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Provided {
    /// The answer, as the worker gets it.
    pub message: Message,
}

impl fmt::Debug for Provided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provided")
            .field("id", &self.message.id)
            .finish_non_exhaustive()
    }
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
            | Self::Asked { .. }
            | Self::StillAsking { .. }
            | Self::Parked { .. }
            | Self::Completed { .. }
            | Self::Failed { .. }
            | Self::Rejected { .. }
            | Self::Canceled => true,
            Self::Submitted(_)
            | Self::Started { .. }
            | Self::ArtifactClosed { .. }
            | Self::Received { .. }
            | Self::Slept { .. }
            | Self::Observed { .. }
            | Self::Requested { .. }
            | Self::Responded { .. }
            | Self::Streamed { .. }
            | Self::ChildStarted { .. }
            | Self::GaveUp { .. }
            | Self::State { .. }
            | Self::Kept { .. }
            | Self::Noticed { .. }
            | Self::ChildEnded { .. }
            | Self::ContinuedAsNew(_)
            | Self::Resumed
            | Self::Rewound { .. }
            | Self::Moved { .. }
            | Self::CancelRequested
            | Self::Retried { .. }
            | Self::ContextRead { .. }
            | Self::Provided(_)
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
            | Self::Observed { .. }
            | Self::Requested { .. }
            | Self::Responded { .. }
            | Self::Streamed { .. }
            | Self::ChildStarted { .. }
            | Self::GaveUp { .. }
            | Self::State { .. }
            | Self::Kept { .. }
            | Self::ContextRead { .. }
            | Self::Noticed { .. } => true,
            Self::Submitted(_)
            | Self::Started { .. }
            | Self::Working
            | Self::Received { .. }
            | Self::ChildEnded { .. }
            | Self::StillAsking { .. }
            | Self::ContinuedAsNew(_)
            | Self::Parked { .. }
            | Self::Resumed
            | Self::Rewound { .. }
            | Self::Moved { .. }
            | Self::CancelRequested
            | Self::Retried { .. }
            | Self::Completed { .. }
            | Self::Failed { .. }
            | Self::Rejected { .. }
            | Self::Canceled
            | Self::Provided(_)
            | Self::Replied { .. } => false,
        }
    }

    /// Whether it comes from outside: a client, an operator or a child. The worker learns of it by another entry.
    #[must_use]
    pub fn is_from_outside(&self) -> bool {
        matches!(
            self,
            Self::Received { .. }
                | Self::Provided(_)
                | Self::ChildEnded { .. }
                | Self::CancelRequested
        )
    }

    /// Whether it is what a wait of the worker ended with.
    #[must_use]
    pub fn ends_a_wait(&self) -> bool {
        matches!(
            self,
            Self::Slept { .. }
                | Self::Responded { .. }
                | Self::Streamed { .. }
                | Self::Noticed { .. }
        )
    }

    /// Whether a worker that does `did` repeats this entry: the same call, whatever the host answered.
    #[must_use]
    pub fn is_same_call(&self, did: &Self) -> bool {
        match (self, did) {
            (Self::Requested { ticket: a, call: x }, Self::Requested { ticket: b, call: y }) => {
                a == b && x.is_same(y)
            }
            (
                Self::ChildStarted {
                    ticket: a, call: x, ..
                },
                Self::ChildStarted {
                    ticket: b, call: y, ..
                },
            ) => a == b && x == y,
            (
                Self::ArtifactAppended {
                    id: a,
                    spec: s,
                    chunk: x,
                    ..
                },
                Self::ArtifactAppended {
                    id: b,
                    spec: t,
                    chunk: y,
                    ..
                },
            ) => (a, s, x) == (b, t, y),
            (Self::State { call: x, .. }, Self::State { call: y, .. }) => x.is_repeated_by(y),
            (Self::ContextRead { call: x, .. }, Self::ContextRead { call: y, .. }) => x == y,
            (logged, did) => logged == did,
        }
    }

    /// The state that clients see from this entry on, if the entry says so.
    #[must_use]
    pub fn state(&self) -> Option<TaskState> {
        match self {
            Self::Submitted(_) => Some(TaskState::Submitted),
            Self::Working | Self::Progress { .. } | Self::Said { .. } => Some(TaskState::Working),
            Self::Asked { kind, .. } | Self::StillAsking { kind } => Some(kind.state()),
            // Accepted, and nothing works on it.
            Self::Parked { .. } => Some(TaskState::Submitted),
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
            | Self::Requested { .. }
            | Self::Responded { .. }
            | Self::Streamed { .. }
            | Self::ChildStarted { .. }
            | Self::GaveUp { .. }
            | Self::State { .. }
            | Self::Kept { .. }
            | Self::Noticed { .. }
            | Self::ChildEnded { .. }
            | Self::ContinuedAsNew(_)
            | Self::Resumed
            | Self::Rewound { .. }
            | Self::Moved { .. }
            | Self::CancelRequested
            | Self::ContextRead { .. }
            | Self::Provided(_)
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
            Self::Requested { .. } => "requested",
            Self::Responded { .. } => "responded",
            Self::Streamed { .. } => "streamed",
            Self::ChildStarted { .. } => "child-started",
            Self::GaveUp { .. } => "gave-up",
            Self::State { .. } => "state",
            Self::Kept { .. } => "kept",
            Self::Noticed { .. } => "noticed",
            Self::ChildEnded { .. } => "child-ended",
            Self::StillAsking { .. } => "still-asking",
            Self::ContinuedAsNew(_) => "continued-as-new",
            Self::Parked { .. } => "parked",
            Self::Resumed => "resumed",
            Self::Rewound { .. } => "rewound",
            Self::Moved { .. } => "moved",
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
            Self::ContextRead { .. } => "context-read",
            Self::Provided(_) => "provided",
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
            Self::Provided(provided) => provided.message.size(),
            Self::ContextRead { result, .. } => result.size(),
            Self::Failed { code, reason, .. } | Self::Retried { code, reason, .. } => {
                code.len() + reason.len()
            }
            Self::Rejected { reason } => reason.len(),
            Self::Requested { call, .. } => call.method.len() + call.url.len(),
            Self::Responded { result, .. } => result.as_ref().map_or(0, HttpResponse::size),
            Self::Streamed { piece, .. } => piece.size(),
            Self::ChildStarted { call, .. } => call.size(),
            Self::ChildEnded { end, .. } => end.size(),
            Self::State { call, result } => call.size() + result.size(),
            Self::Kept { label, value, .. } => label.len() + value.len(),
            Self::ContinuedAsNew(continuation) => continuation.state.len(),
            Self::Parked {
                code,
                reason,
                backtrace,
                ..
            } => code.len() + reason.len() + backtrace.as_ref().map_or(0, String::len),
            Self::Started { .. }
            | Self::Working
            | Self::StillAsking { .. }
            | Self::GaveUp { .. }
            | Self::Noticed { .. }
            | Self::Resumed
            | Self::Rewound { .. }
            | Self::Moved { .. }
            | Self::ArtifactClosed { .. }
            | Self::Slept { .. }
            | Self::Observed { .. }
            | Self::CancelRequested
            | Self::Canceled => 0,
        }
    }
}
