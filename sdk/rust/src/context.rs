//! The earlier tasks of the conversation: what was asked before, and what came of it.
//!
//! Those of the same agent, ended or not; and, by their ids, those that the client refers to in a message
//! ([`Message::reference_task_ids`](crate::Message::reference_task_ids)). What is read is written to this task's
//! log, so a replay sees what was there then: read what is needed, not everything.
//!
//! ```
//! use taskyard_sdk::prelude::*;
//! # struct Again;
//! # impl Worker for Again {
//! #     fn describe() -> Manifest { Manifest::new("again", "1.0.0", "Delivers the last report again.") }
//!
//! fn run(task: &Task, _: Message) -> Result<Outcome> {
//!     let earlier = context::earlier()?;
//!     let Some(last) = earlier.iter().find(|task| task.has_artifact("report")) else {
//!         return Ok(Outcome::rejected("there is no report in this conversation"));
//!     };
//!     let report = last.read()?.artifact_text("report").unwrap_or_default();
//!     task.artifact("report").put(report)?;
//!     Ok(Outcome::completed())
//! }
//! # }
//!
//! use taskyard_sdk::context::EarlierTask;
//! use taskyard_sdk::testing::Host;
//!
//! let report = EarlierTask::completed("task-0", "Write a report").artifact("report", "All is well.");
//! let run = Host::new().earlier(report).run_with_crashes::<Again>();
//! assert_eq!(run.artifact_text("report").as_deref(), Some("All is well."));
//! ```

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::part::text_of;
use crate::{IntoParts, OpError, Part, current};

/// The most tasks that [`earlier`] gives.
const MAX_LISTED: u32 = 100;

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TaskState {
    /// Nothing works on it yet.
    Submitted,
    /// In progress.
    Working,
    /// Waits for an answer of the client.
    InputRequired,
    /// Waits for credentials or a consent.
    AuthRequired,
    /// Ended with success.
    Completed,
    /// Failed.
    Failed,
    /// Cancelled.
    Canceled,
    /// Its agent would not do it.
    Rejected,
}

/// A task in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// Its identifier, as clients see it.
    pub id: String,
    /// How far it is.
    pub state: TaskState,
    /// When it was submitted.
    pub created_at: SystemTime,
    /// When it got its present status.
    pub updated_at: SystemTime,
    /// The beginning of the text that began it, at most 512 bytes; empty if that was no text.
    pub request: String,
    /// The beginning of what its agent said last about its state, if it said something.
    pub status: Option<String>,
    /// The ids and names of its first 32 artifacts.
    pub artifacts: Vec<(String, Option<String>)>,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Author {
    /// The client.
    User,
    /// The task's agent.
    Agent,
}

/// One message of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Utterance {
    /// Who said it.
    pub author: Author,
    /// What.
    pub parts: Vec<Part>,
}

/// A result of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EarlierArtifact {
    /// Unique within the task.
    pub id: String,
    /// A name for people.
    pub name: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// A JSON object with further facts, as text.
    pub metadata: Option<String>,
    /// Its content. Empty if it did not fit.
    pub parts: Vec<Part>,
}

/// What a task holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EarlierTask {
    /// It in short.
    pub summary: Summary,
    /// What its agent said last about its state; empty if it said nothing.
    pub status: Vec<Part>,
    /// What was said, oldest first; of a long conversation, the end.
    pub messages: Vec<Utterance>,
    /// Its results, in the order in which they began.
    pub artifacts: Vec<EarlierArtifact>,
    /// Whether nothing was left out: at most 1 MiB of a task is read, results before messages.
    pub complete: bool,
}

/// The other tasks of this conversation on this agent, the one that changed last first; at most 100.
///
/// Messages that were answered by a direct message are among them, as completed tasks whose status is the
/// answer: what a worker remembers does not depend on how fast it was.
///
/// # Errors
/// See [`OpError`].
pub fn earlier() -> Result<Vec<Summary>, OpError> {
    latest(MAX_LISTED)
}

/// Like [`earlier`], but at most `limit` of them.
///
/// # Errors
/// [`OpError::Invalid`] unless `limit` is between 1 and 100.
pub fn latest(limit: u32) -> Result<Vec<Summary>, OpError> {
    current::host().earlier_tasks(limit)
}

/// Reads a task of this conversation, or one that the client referred to. That the message of a child refers
/// to its parent does not let it read the parent.
///
/// # Errors
/// [`OpError::Denied`] if there is no such task, or this one may not read it; which of the two is not told.
pub fn read(task: &str) -> Result<EarlierTask, OpError> {
    current::host().read_task(task)
}

impl TaskState {
    /// Whether nothing changes it any more.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Canceled | Self::Rejected => true,
            Self::Submitted | Self::Working | Self::InputRequired | Self::AuthRequired => false,
        }
    }
}

impl Summary {
    /// Tells whether the task has an artifact of this id, among its first 32.
    pub fn has_artifact(&self, id: &str) -> bool {
        self.artifacts.iter().any(|(artifact, _)| artifact == id)
    }

    /// Reads the whole task.
    ///
    /// # Errors
    /// Like [`read`].
    pub fn read(&self) -> Result<EarlierTask, OpError> {
        read(&self.id)
    }
}

impl EarlierTask {
    /// A task that a text began and that was completed. Workers read tasks; tests make them.
    pub fn completed(id: impl Into<String>, request: impl Into<String>) -> Self {
        let request = request.into();
        let began = Utterance {
            author: Author::User,
            parts: request.clone().into_parts(),
        };
        Self {
            summary: Summary {
                id: id.into(),
                state: TaskState::Completed,
                created_at: SystemTime::UNIX_EPOCH,
                updated_at: SystemTime::UNIX_EPOCH,
                request,
                status: None,
                artifacts: Vec::new(),
            },
            status: Vec::new(),
            messages: vec![began],
            artifacts: Vec::new(),
            complete: true,
        }
    }

    /// The same task with one more artifact.
    #[must_use]
    pub fn artifact(mut self, id: impl Into<String>, content: impl IntoParts) -> Self {
        let id = id.into();
        self.summary.artifacts.push((id.clone(), None));
        self.artifacts.push(EarlierArtifact {
            id,
            name: None,
            description: None,
            metadata: None,
            parts: content.into_parts(),
        });
        self
    }

    /// The same task with these last words.
    #[must_use]
    pub fn status(mut self, content: impl IntoParts) -> Self {
        self.status = content.into_parts();
        self.summary.status = Some(self.status_text());
        self
    }

    /// The same task in another state.
    #[must_use]
    pub fn state(mut self, state: TaskState) -> Self {
        self.summary.state = state;
        self
    }

    /// The text of its last words; empty if there are none.
    pub fn status_text(&self) -> String {
        text_of(&self.status)
    }

    /// The text of an artifact, if there is one of this id.
    pub fn artifact_text(&self, id: &str) -> Option<String> {
        let mut artifacts = self.artifacts.iter();
        let artifact = artifacts.find(|artifact| artifact.id == id)?;
        Some(text_of(&artifact.parts))
    }
}
