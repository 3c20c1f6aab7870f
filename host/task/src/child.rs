//! Children: tasks that a task starts, here or elsewhere, and how they end.

use serde::{Deserialize, Serialize};

use crate::content::{Part, parts_size};
use crate::fold::{ArtifactView, TaskView};
use crate::id::{AgentName, Seq, TaskId, Ticket};
use crate::outline::Outline;
use crate::state::TaskState;

/// How many generations of children a task may have above it. Deeper ones are a mistake.
pub const MAX_GENERATIONS: usize = 8;

/// Who does a child's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildTarget {
    /// An agent of this host.
    Agent(AgentName),
    /// An agent elsewhere, by its address.
    Remote(String),
}

/// What a worker asked a child to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildCall {
    /// Who does it.
    pub target: ChildTarget,
    /// The message that begins it.
    pub message: Vec<Part>,
    /// The message's metadata: a JSON object, as text.
    pub metadata: Option<String>,
    /// Whether it goes on when the parent ends.
    pub detached: bool,
}

impl ChildCall {
    /// How many bytes the call counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        parts_size(&self.message) + self.metadata.as_ref().map_or(0, String::len)
    }
}

/// How a child ended and what it left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildEnd {
    /// A terminal state.
    pub state: TaskState,
    /// Its last words, or its direct answer.
    pub message: Vec<Part>,
    /// Its results.
    pub artifacts: Vec<ArtifactView>,
}

impl ChildEnd {
    /// What the parent gets of a child whose log amounts to `view`. Results of more than `most_bytes`
    /// are left out, and the message says so.
    #[must_use]
    pub fn of(mut view: TaskView, most_bytes: usize) -> Self {
        let artifacts = view.take_artifacts();
        let words = view.status_message.or(view.reply);
        let mut end = Self {
            state: view.state,
            message: words.map_or_else(Vec::new, |(_, parts)| parts),
            artifacts,
        };
        let size = end.size();
        if size > most_bytes {
            end.leave_results_out(size, most_bytes);
        }
        end
    }

    /// The same if `outline` says already that the results are too large; nothing if they may be not.
    #[must_use]
    pub fn of_too_much(outline: &Outline, most_bytes: usize) -> Option<Self> {
        let artifacts = 0..outline.view.artifacts.len();
        let size = artifacts.map(|place| outline.size_of(place)).sum();
        (size > most_bytes).then(|| {
            let mut end = Self {
                state: outline.view.state,
                message: Vec::new(),
                artifacts: Vec::new(),
            };
            end.leave_results_out(size, most_bytes);
            end
        })
    }

    fn leave_results_out(&mut self, size: usize, most_bytes: usize) {
        self.artifacts.clear();
        self.message = vec![Part::text(format!(
            "the results have {size} bytes, more than the {most_bytes} that a message may have; read them from the child's task"
        ))];
    }

    /// A child that could not be started or followed.
    #[must_use]
    pub fn failed(reason: impl Into<String>) -> Self {
        Self {
            state: TaskState::Failed,
            message: vec![Part::text(reason)],
            artifacts: Vec::new(),
        }
    }

    /// How many bytes the end counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        let artifacts = self.artifacts.iter();
        let artifacts: usize = artifacts
            .map(|artifact| artifact.spec.size() + parts_size(&artifact.parts))
            .sum();
        artifacts + parts_size(&self.message)
    }
}

/// A child that has not ended, as its parent's header knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildLink {
    /// The parent's name for it.
    pub ticket: Ticket,
    /// The child's task; none for a remote one.
    pub task: Option<TaskId>,
    /// Whether it goes on when the parent ends.
    pub detached: bool,
    /// The entry of the parent's log that started it.
    pub since: Seq,
}

/// Whose child a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentLink {
    /// The parent.
    pub task: TaskId,
    /// The parent's name for the child.
    pub ticket: Ticket,
}

/// What one task must tell another. Written with the change that caused it, and delivered afterwards,
/// once: tasks never change together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Letter {
    /// Whom.
    pub to: TaskId,
    /// Who.
    pub from: TaskId,
    /// The parent's name for the child that is meant.
    pub ticket: Ticket,
    /// What.
    pub news: News,
}

/// What a [`Letter`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum News {
    /// The child `from` has ended.
    ChildEnded,
    /// The parent `from` wants the child no more.
    Cancel,
    /// A task tells itself: it wants a child on another host no more.
    CancelRemote {
        /// The entry that started the child.
        since: Seq,
    },
}

/// A child on another host, and how far it is. Kept apart from its parent, because it changes without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemoteChild {
    /// The parent.
    pub parent: TaskId,
    /// The parent's name for it.
    pub ticket: Ticket,
    /// The entry of the parent's log that started it. Unlike tickets, which a worker that continues as new
    /// counts from 1 again, no two children of a task have the same.
    pub since: Seq,
    /// The agent, under whose rules requests go out.
    pub agent: AgentName,
    /// The address of the remote agent.
    pub url: String,
    /// The id of the message that begins it, and the conversation that it opens there: both are made up
    /// here, so that the remote task can be found again.
    pub message_id: String,
    /// See `message_id`.
    pub context_id: String,
    /// What to do.
    pub call: ChildCall,
    /// How far it is.
    pub stage: RemoteStage,
    /// Whether the parent wants it no more.
    pub cancel: bool,
}

/// Which child on another host: a name for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RemoteId {
    /// The parent.
    pub parent: TaskId,
    /// The entry of the parent's log that started it.
    pub since: Seq,
}

impl RemoteChild {
    /// Which it is.
    #[must_use]
    pub fn id(&self) -> RemoteId {
        RemoteId {
            parent: self.parent,
            since: self.since,
        }
    }

    /// What says that its parent wants it no more.
    #[must_use]
    pub fn cancel_letter(&self) -> Letter {
        Letter {
            to: self.parent,
            from: self.parent,
            ticket: self.ticket,
            news: News::CancelRemote { since: self.since },
        }
    }
}

/// How far a remote child is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RemoteStage {
    /// Nothing was sent.
    New,
    /// The message is or was about to be sent; nobody knows whether it arrived.
    Sending,
    /// The remote agent knows it under this id.
    Sent {
        /// The remote task.
        task: String,
    },
}
