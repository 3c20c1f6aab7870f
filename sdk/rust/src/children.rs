//! Other tasks that this one starts: on agents of this host, or of others.
//!
//! A child is a task like any other, of the same tenant and conversation. However often the parent is
//! run, its children are started once. When the parent ends, children that are not
//! [detached](Child::detached) are cancelled.
//!
//! ```
//! use taskyard_sdk::prelude::*;
//! # struct Parent;
//! # impl Worker for Parent {
//! #     fn describe() -> Manifest { Manifest::new("parent", "1.0.0", "Has children.") }
//!
//! fn run(task: &Task, input: Message) -> Result<Outcome> {
//!     let text = input.text();
//!     let started: Result<Vec<_>, OpError> = text
//!         .lines()
//!         .map(|line| children::agent("translator").message(line).start())
//!         .collect();
//!     for end in join_all(started?)? {
//!         let translation = end.ok()?.artifact_text("translation").unwrap_or_default();
//!         task.say(translation)?;
//!     }
//!     Ok(Outcome::completed())
//! }
//! # }
//! # use taskyard_sdk::testing::Host;
//! let host = Host::new().message("one\ntwo").child("translator", |message| {
//!     ChildEnd::completed().with_artifact("translation", message.text().to_uppercase())
//! });
//! assert_eq!(host.run_with_crashes::<Parent>().said(), ["ONE", "TWO"]);
//! ```

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::host::TicketId;
use crate::part::text_of;
use crate::{Error, IntoParts, OpError, Part, Result, Ticket, current};

/// A task for an agent of this host, by the agent's name.
pub fn agent(name: impl Into<String>) -> Child {
    Child::new(Target::Agent(name.into()))
}

/// A task for an agent elsewhere that speaks A2A, by the address of its agent card or of its host. The
/// operator must allow the host name, as for requests.
pub fn remote(url: impl Into<String>) -> Child {
    Child::new(Target::Remote(url.into()))
}

/// Who does the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Target {
    Agent(String),
    Remote(String),
}

/// A task to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "nothing happens before `start` or `run` is called"]
pub struct Child {
    pub(crate) target: Target,
    pub(crate) message: Vec<Part>,
    pub(crate) metadata: Option<String>,
    pub(crate) detached: bool,
}

impl Child {
    fn new(target: Target) -> Self {
        Self {
            target,
            message: Vec::new(),
            metadata: None,
            detached: false,
        }
    }

    /// The message that begins it. It must have a part.
    pub fn message(mut self, content: impl IntoParts) -> Self {
        self.message = content.into_parts();
        self
    }

    /// Further facts for the message; `metadata` must become a JSON object.
    ///
    /// # Errors
    /// When `metadata` has no JSON form.
    pub fn metadata<T: Serialize + ?Sized>(mut self, metadata: &T) -> Result<Self> {
        self.metadata = Some(serde_json::to_string(metadata)?);
        Ok(self)
    }

    /// Lets it go on when the parent ends.
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Starts it. The ticket is complete when it has ended, and [cancels](Ticket::cancel) it.
    ///
    /// # Errors
    /// [`OpError::Invalid`] when there is no such agent, or when it is among the ancestors of this task;
    /// [`OpError::Denied`] when the operator does not allow the remote host; [`OpError::LimitExceeded`]
    /// when there are too many children at once, or too many generations.
    pub fn start(self) -> Result<Ticket<ChildEnd>, OpError> {
        let id = current::host().child_start(self)?;
        Ok(Ticket::new(id, take))
    }

    /// Starts it and waits for its end.
    ///
    /// # Errors
    /// Like [`start`](Self::start) and [`Ticket::take`].
    pub fn run(self) -> Result<ChildEnd, OpError> {
        self.start()?.take()
    }
}

fn take(child: TicketId) -> Result<ChildEnd, OpError> {
    current::host().child_take(child)
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChildState {
    /// With success.
    Completed,
    /// It failed, or could not be started or followed; the message says why.
    Failed,
    /// It was cancelled.
    Canceled,
    /// Its agent would not do it; the message says why.
    Rejected,
}

/// The end of a child and what it left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChildEnd {
    /// How it ended.
    pub state: ChildState,
    /// Its last words, or its direct answer.
    pub message: Vec<Part>,
    /// Its results; empty if they are together larger than a message may be, which the message then says.
    pub artifacts: Vec<ChildArtifact>,
}

impl ChildEnd {
    /// An end without a word. Workers receive ends; tests make them.
    pub fn new(state: ChildState) -> Self {
        Self {
            state,
            message: Vec::new(),
            artifacts: Vec::new(),
        }
    }

    /// An end with success.
    pub fn completed() -> Self {
        Self::new(ChildState::Completed)
    }

    /// A failure, in the child's words.
    pub fn failed(words: &str) -> Self {
        Self::new(ChildState::Failed).with_message(words)
    }

    /// The same end with last words.
    #[must_use]
    pub fn with_message(mut self, content: impl IntoParts) -> Self {
        self.message = content.into_parts();
        self
    }

    /// The same end with one more result.
    #[must_use]
    pub fn with_artifact(mut self, id: impl Into<String>, content: impl IntoParts) -> Self {
        self.artifacts.push(ChildArtifact {
            id: id.into(),
            name: None,
            description: None,
            metadata: None,
            parts: content.into_parts(),
        });
        self
    }

    /// The end itself if the child completed.
    ///
    /// # Errors
    /// `child-failed`, `child-canceled` or `child-rejected`, with the child's last words.
    pub fn ok(self) -> Result<Self> {
        let code = match self.state {
            ChildState::Completed => return Ok(self),
            ChildState::Failed => "child-failed",
            ChildState::Canceled => "child-canceled",
            ChildState::Rejected => "child-rejected",
        };
        Err(Error::permanent(code, self.text()))
    }

    /// The text of its last words; empty if there are none.
    pub fn text(&self) -> String {
        text_of(&self.message)
    }

    /// One of its results.
    pub fn artifact(&self, id: &str) -> Option<&ChildArtifact> {
        self.artifacts.iter().find(|artifact| artifact.id == id)
    }

    /// The text of one of its results; nothing if there is no such result.
    pub fn artifact_text(&self, id: &str) -> Option<String> {
        self.artifact(id).map(ChildArtifact::text)
    }

    /// The JSON value of one of its results; nothing if there is no such result, or no JSON in it.
    ///
    /// # Errors
    /// When the value does not look like a `T`.
    pub fn artifact_json<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>> {
        self.artifact(id).map_or(Ok(None), ChildArtifact::json)
    }
}

/// A result of a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChildArtifact {
    /// Unique within the child.
    pub id: String,
    /// A name for people.
    pub name: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// Further facts: a JSON object, as text.
    pub metadata: Option<String>,
    /// Its content; chunks of the same text are one part.
    pub parts: Vec<Part>,
}

impl ChildArtifact {
    /// The text parts, joined by line ends; empty if there are none.
    pub fn text(&self) -> String {
        text_of(&self.parts)
    }

    /// The first JSON value; nothing if there is none.
    ///
    /// # Errors
    /// When the value does not look like a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        for part in &self.parts {
            if let Some(value) = part.as_json()? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}
