//! What a run did and how it ended.

use std::time::Duration;

use serde_json::Value;

use crate::host::InputKind;
use crate::{Error, Level, Outcome, Part};

/// Something that a worker did and that the host would keep.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The worker asked a question that the script does not answer.
    Waiting,
}

/// What a run did and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// How it ended.
    pub end: End,
    /// What it did, in order.
    pub events: Vec<Event>,
    /// What it told the operator.
    pub logs: Vec<LogLine>,
    /// How long it slept in total. No time passed in the test.
    pub slept: Duration,
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

    /// The question that the run waits for.
    pub fn waiting(&self) -> Option<&Question> {
        match (&self.end, self.events.last()) {
            (End::Waiting, Some(Event::Asked(question))) => Some(question),
            _ => None,
        }
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

fn text_of(parts: &[Part]) -> String {
    let texts: Vec<&str> = parts.iter().filter_map(Part::as_text).collect();
    texts.join("\n")
}
