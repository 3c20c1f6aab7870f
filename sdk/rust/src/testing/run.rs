//! What a run did and how it ended.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use serde::{Deserialize, Serialize};

use super::SentRequest;
use crate::host::InputKind;
use crate::part::text_of;
use crate::state::{Area, Scope};
use crate::{Disposition, Error, Level, Message, Outcome, Part};

/// Something that a worker did and that the host would keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// [`Task::progress`](crate::Task::progress).
    Progress {
        /// How far, of 100.
        percent: Option<u8>,
        /// What it does.
        text: Option<String>,
    },
    /// [`Task::say`](crate::Task::say).
    Said(Vec<Part>),
    /// [`Task::ask`](crate::Task::ask).
    Asked(Question),
    /// A whole artifact.
    Put {
        /// Its id.
        id: String,
        /// Its content.
        parts: Vec<Part>,
    },
    /// One chunk of an artifact.
    Appended {
        /// Its id.
        id: String,
        /// What was added.
        chunk: Part,
    },
    /// The end of an artifact that came in chunks.
    Closed {
        /// Its id.
        id: String,
    },
}

impl Event {
    /// What `task.progress(percent, text)` leaves.
    pub fn progress(percent: u8, text: &str) -> Self {
        Self::Progress {
            percent: Some(percent),
            text: (!text.is_empty()).then(|| text.to_owned()),
        }
    }
}

/// A question of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// What it needs.
    pub kind: InputKind,
    /// What it says.
    pub prompt: Vec<Part>,
}

impl Question {
    /// The text of the prompt.
    pub fn text(&self) -> String {
        text_of(&self.prompt)
    }
}

/// One line for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub message: String,
    /// Its fields, in order.
    pub fields: Vec<(String, String)>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The worker returned an outcome.
    Finished(Outcome),
    /// The worker returned an error.
    Failed(Error),
    /// The worker waits for something that the script does not have: an answer, a message, the end of a
    /// child.
    Waiting,
}

/// A child that a worker started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartedChild {
    /// The name of the agent, or the address of a remote one.
    pub target: String,
    /// The message that began it.
    pub message: Message,
    /// Whether it goes on when the parent ends.
    pub detached: bool,
    /// Whether the worker cancelled it before it ended.
    pub canceled: bool,
}

/// What a run did and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// How it ended.
    pub end: End,
    /// What it did for clients, in order.
    pub events: Vec<Event>,
    /// What it told the operator.
    pub logs: Vec<LogLine>,
    /// How long it took, sleeping and waiting included. No time passed in the test.
    pub elapsed: Duration,
    /// The requests that the outside world saw, in order, with every repetition.
    pub requests: Vec<SentRequest>,
    /// The children that it started, in order.
    pub children: Vec<StartedChild>,
    /// How often it continued as new.
    pub continued: usize,
    pub(super) open_question: Option<Question>,
    pub(super) stored: BTreeMap<(Area, String), Vec<u8>>,
}

impl Run {
    /// How the run ended when nothing went wrong.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.end {
            End::Finished(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Why the run failed.
    pub fn failure(&self) -> Option<&Error> {
        match &self.end {
            End::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Why the task was parked for an operator.
    pub fn paused(&self) -> Option<&Error> {
        let is_paused = |error: &&Error| error.disposition() == Disposition::Pause;
        self.failure().filter(is_paused)
    }

    /// The oldest question that nobody answered, of a run that waits.
    pub fn waiting(&self) -> Option<&Question> {
        match self.end {
            End::Waiting => self.open_question.as_ref(),
            _ => None,
        }
    }

    /// What is stored in the end under a key, as the task sees it.
    pub fn stored(&self, scope: Scope, key: &str) -> Option<Value> {
        let value = self.stored.get(&(scope.area, key.to_owned()))?;
        serde_json::from_slice(value).ok()
    }

    /// Tells whether the worker completed the task.
    pub fn is_completed(&self) -> bool {
        matches!(self.outcome(), Some(Outcome::Completed(_)))
    }

    /// What the worker said at the end: the final words, the reply, or the reason of the rejection.
    pub fn final_text(&self) -> Option<String> {
        match self.outcome()? {
            Outcome::Completed(parts) | Outcome::Reply(parts) => Some(text_of(parts)),
            Outcome::Rejected(reason) => Some(reason.clone()),
            Outcome::ContinueAsNew(_) => None,
        }
    }

    /// What the worker said on the way, in order.
    pub fn said(&self) -> Vec<String> {
        let said = |event: &Event| match event {
            Event::Said(parts) => Some(text_of(parts)),
            _ => None,
        };
        self.events.iter().filter_map(said).collect()
    }

    /// The parts or chunks of one artifact; empty if there is none.
    pub fn artifact(&self, artifact: &str) -> Vec<&Part> {
        let mut content = Vec::new();
        for event in &self.events {
            match event {
                Event::Put { id, parts } if id == artifact => content = parts.iter().collect(),
                Event::Appended { id, chunk } if id == artifact => content.push(chunk),
                _ => {}
            }
        }
        content
    }

    /// The text of one artifact, chunks joined as they came; nothing if there is no such artifact.
    pub fn artifact_text(&self, artifact: &str) -> Option<String> {
        let content = self.artifact(artifact);
        if content.is_empty() {
            return None;
        }
        Some(content.into_iter().filter_map(Part::as_text).collect())
    }

    /// The first JSON value in one artifact.
    pub fn artifact_json(&self, artifact: &str) -> Option<Value> {
        let content = self.artifact(artifact);
        content.into_iter().find_map(|part| part.as_json().ok()?)
    }
}
