//! What a worker can read of the earlier tasks of its conversation.
//!
//! What was read is written to the log of the task that read it, so all of it is bounded.

use serde::{Deserialize, Serialize};

use crate::content::{Part, PartBody, parts_size};
use crate::fold::{ArtifactView, HistoryItem, TaskView};
use crate::header::Header;
use crate::id::{TaskId, Timestamp};
use crate::outline::Outline;
use crate::state::TaskState;

/// The most tasks that one listing gives: a conversation is a handful, and each is folded for it.
pub const MAX_LISTED: u32 = 100;
/// The most content of one task that is read, in bytes: it is copied into the log of who reads it.
pub const MAX_READ_BYTES: usize = 1 << 20;
/// How much of a text a summary has, in bytes.
const MAX_TEXT_BYTES: usize = 512;
/// The most artifacts that a summary names.
const MAX_NAMED: usize = 32;

/// What a worker wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContextCall {
    /// Which other tasks the conversation has.
    List {
        /// How many at most.
        limit: u32,
    },
    /// What one of them holds.
    Read {
        /// Which.
        task: TaskId,
    },
}

/// What it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ContextResult {
    /// The tasks, the one that changed last first.
    Tasks(Vec<TaskSummary>),
    /// The task.
    Task(Box<EarlierTask>),
    /// There is no such task, or the worker may not read it; which of the two is not told.
    Unknown,
}

/// A task in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// Which.
    pub id: TaskId,
    /// What clients see.
    pub state: TaskState,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When clients last saw a new status.
    pub status_at: Timestamp,
    /// The beginning of the text that began it.
    pub request: String,
    /// The beginning of what its agent said last about its state, if it said something.
    pub status: Option<String>,
    /// The ids and names of its first artifacts.
    pub artifacts: Vec<(String, Option<String>)>,
}

/// A task that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlierTask {
    /// It in short.
    pub summary: TaskSummary,
    /// What its agent said last about its state; empty if it said nothing.
    pub status: Vec<Part>,
    /// What was said, oldest first; of a long conversation, the end.
    pub messages: Vec<Utterance>,
    /// Its results, in the order in which they began. One that has no parts did not fit.
    pub artifacts: Vec<ArtifactView>,
    /// Whether nothing was left out.
    pub complete: bool,
}

/// One message of a task that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Utterance {
    /// Whether the agent said it, and not the client.
    pub by_agent: bool,
    /// What.
    pub parts: Vec<Part>,
}

impl TaskSummary {
    /// The task of `header`, whose log amounts to `view`.
    #[must_use]
    pub fn of(header: &Header, view: &TaskView) -> Self {
        let began = view.history.first().map(parts_of).unwrap_or_default();
        // What was answered by a direct message is an exchange like others: the message is its last word.
        let status = view.status_message.as_ref().or(view.reply.as_ref());
        let artifacts = view.artifacts.iter().take(MAX_NAMED);
        Self {
            id: header.id,
            state: header.state,
            created_at: header.created_at,
            status_at: header.status_at,
            request: beginning(began),
            status: status.map(|(_, parts)| beginning(parts)),
            artifacts: artifacts
                .map(|it| (it.spec.id.clone(), it.spec.name.as_deref().map(cut)))
                .collect(),
        }
    }

    fn size(&self) -> usize {
        let named = |(id, name): &(String, Option<String>)| id.len() + optional(name.as_ref());
        let artifacts: usize = self.artifacts.iter().map(named).sum();
        self.request.len() + optional(self.status.as_ref()) + artifacts
    }
}

impl EarlierTask {
    /// The task of `header`, whose log amounts to `outline`: its last words first, then its results, then
    /// what was said, as far as [`MAX_READ_BYTES`] reach. `parts` reads the parts of the result at a place of
    /// the outline, and is asked only for what fits.
    ///
    /// # Errors
    /// Those of `parts`.
    pub fn of<E>(
        header: &Header,
        outline: &Outline,
        mut parts: impl FnMut(usize) -> Result<Vec<Part>, E>,
    ) -> Result<Self, E> {
        let view = &outline.view;
        let summary = TaskSummary::of(header, view);
        let mut room = Room::default();
        let status = view.status_message.as_ref().or(view.reply.as_ref());
        let status = status.map(|(_, parts)| parts.clone());
        let status = room.take(status.unwrap_or_default()).unwrap_or_default();
        let mut artifacts = Vec::new();
        for (place, artifact) in view.artifacts.iter().enumerate() {
            if !room.has(artifact.spec.size()) {
                continue;
            }
            let parts = match room.has(outline.size_of(place)) {
                true => parts(place)?,
                false => Vec::new(),
            };
            let spec = artifact.spec.clone();
            artifacts.push(view.as_workers_get(ArtifactView { spec, parts }));
        }
        let mut messages = Vec::new();
        for said in view.history.iter().rev() {
            match room.take_message(said) {
                Some(said) => messages.push(said),
                None => break,
            }
        }
        messages.reverse();
        Ok(Self {
            summary,
            status,
            messages,
            artifacts,
            complete: !room.is_exceeded,
        })
    }

    fn size(&self) -> usize {
        let messages = self.messages.iter().map(|said| parts_size(&said.parts));
        let artifacts = self.artifacts.iter();
        let artifacts = artifacts.map(|it| it.spec.size() + parts_size(&it.parts));
        self.summary.size()
            + parts_size(&self.status)
            + messages.sum::<usize>()
            + artifacts.sum::<usize>()
    }
}

impl ContextResult {
    /// How many bytes the result counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Tasks(tasks) => tasks.iter().map(TaskSummary::size).sum(),
            Self::Task(task) => task.size(),
            Self::Unknown => 0,
        }
    }
}

/// What there is still room for.
#[derive(Default)]
struct Room {
    used: usize,
    is_exceeded: bool,
}

impl Room {
    fn has(&mut self, size: usize) -> bool {
        let used = self.used.saturating_add(size);
        let fits = used <= MAX_READ_BYTES;
        match fits {
            true => self.used = used,
            false => self.is_exceeded = true,
        }
        fits
    }

    fn take(&mut self, parts: Vec<Part>) -> Option<Vec<Part>> {
        self.has(parts_size(&parts)).then_some(parts)
    }

    fn take_message(&mut self, said: &HistoryItem) -> Option<Utterance> {
        let by_agent = matches!(said, HistoryItem::Agent(..));
        let parts = parts_of(said);
        self.has(parts_size(parts)).then(|| Utterance {
            by_agent,
            parts: parts.to_vec(),
        })
    }
}

fn parts_of(said: &HistoryItem) -> &[Part] {
    match said {
        HistoryItem::User(message) => &message.parts,
        HistoryItem::Agent(_, parts) => parts,
    }
}

/// The beginning of the first text among the parts.
fn beginning(parts: &[Part]) -> String {
    let text = parts.iter().find_map(|part| match &part.body {
        PartBody::Text(text) => Some(text.as_str()),
        PartBody::Bytes(_) | PartBody::Url(_) | PartBody::Data(_) => None,
    });
    cut(text.unwrap_or_default())
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    text.get(..end).unwrap_or_default().to_owned()
}

fn optional(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

#[cfg(test)]
mod tests;
