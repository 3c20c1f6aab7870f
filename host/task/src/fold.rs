//! What a log amounts to: the task as clients see it, minus what the header holds.
//!
//! Folding is the only way to get a task's artifacts, history and message. A long log of an ended task
//! leaves its fold as a snapshot.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::content::{ArtifactSpec, Message, Part, PartBody, parts_size};
use crate::entry::{Entry, Event};
use crate::header::is_taken_back;
use crate::id::{Seq, TaskId, Timestamp};
use crate::state::TaskState;

/// What a log amounts to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// What clients see.
    pub state: TaskState,
    /// When they first saw it.
    pub status_at: Timestamp,
    /// What the agent says about it (A2A `status.message`), and the entry that said so.
    pub status_message: Option<(Seq, Vec<Part>)>,
    /// The results so far, in the order in which they began.
    pub artifacts: Vec<ArtifactView>,
    /// The conversation, oldest first.
    pub history: Vec<HistoryItem>,
    /// The latest progress report: percent and text.
    pub progress: Option<(Option<u8>, Option<String>)>,
    /// The client's metadata of the request that began the task: a JSON object, as text.
    pub metadata: Option<String>,
    /// The direct answer, if the task ended in one.
    pub reply: Option<(Seq, Vec<Part>)>,
    /// The task's children on this host, in the order in which they began.
    pub children: Vec<TaskId>,
    /// The task that this one is a child of.
    pub parent: Option<TaskId>,
    /// The last entry that was folded.
    pub last: Seq,
    /// The ids of the artifacts that came in chunks.
    #[serde(default)]
    pub chunked: BTreeSet<String>,
    /// Why the task is parked, for programs; set until clients see another state.
    #[serde(default)]
    pub parked: Option<String>,
}

/// One result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactView {
    /// What it is.
    pub spec: ArtifactSpec,
    /// Its content. Each chunk is a part of its own, as it is to clients that add up the events (A2A 4.2.2).
    pub parts: Vec<Part>,
}

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum HistoryItem {
    /// The client said.
    User(Message),
    /// The agent said, at this entry.
    Agent(Seq, Vec<Part>),
}

impl Default for TaskView {
    fn default() -> Self {
        Self {
            state: TaskState::Submitted,
            status_at: Timestamp::default(),
            status_message: None,
            artifacts: Vec::new(),
            history: Vec::new(),
            progress: None,
            metadata: None,
            reply: None,
            children: Vec::new(),
            parent: None,
            last: Seq::ZERO,
            chunked: BTreeSet::new(),
            parked: None,
        }
    }
}

impl TaskView {
    /// Adds the next entry, unless an operator took it back: `rewound` is that of the header.
    pub fn apply_counting(&mut self, rewound: &[(Seq, Seq)], seq: Seq, entry: Entry) {
        if is_taken_back(rewound, seq, &entry.event) {
            self.last = seq;
        } else {
            self.apply(seq, entry);
        }
    }

    /// What `log` amounts to.
    pub fn fold(log: impl IntoIterator<Item = (Seq, Entry)>) -> Self {
        let mut view = Self::default();
        for (seq, entry) in log {
            view.apply(seq, entry);
        }
        view
    }

    /// Adds the next entry.
    pub fn apply(&mut self, seq: Seq, entry: Entry) {
        self.last = seq;
        if let Some(state) = entry.event.state() {
            self.state = state;
            self.status_at = entry.at;
            self.status_message = None;
            self.parked = None;
        }
        match entry.event {
            Event::Submitted(submission) => {
                self.metadata = submission.metadata;
                self.parent = submission.parent.map(|parent| parent.task);
                self.history.push(HistoryItem::User(submission.message));
            }
            Event::Received { message } => self.history.push(HistoryItem::User(message)),
            Event::Progress { percent, text } => {
                let message = text.clone().map(|text| (seq, vec![Part::text(text)]));
                self.status_message = message;
                self.progress = Some((percent, text));
            }
            Event::Said { parts } | Event::Asked { prompt: parts, .. } => {
                self.history.push(HistoryItem::Agent(seq, parts.clone()));
                self.status_message = Some((seq, parts));
            }
            Event::ArtifactPut { spec, parts } => {
                self.chunked.remove(&spec.id);
                self.put(spec, parts);
            }
            Event::ArtifactAppended {
                id, spec, chunk, ..
            } => self.append(&id, spec, chunk),
            Event::Completed { message } => {
                self.status_message = (!message.is_empty()).then_some((seq, message));
            }
            Event::Failed { reason, .. } | Event::Rejected { reason } => {
                self.status_message = Some((seq, vec![Part::text(reason)]));
            }
            Event::Replied { parts } => self.reply = Some((seq, parts)),
            Event::Parked { code, .. } => {
                self.status_message = Some((seq, vec![Part::text(parked_text(&code))]));
                self.parked = Some(code);
            }
            Event::ChildStarted { begun, .. } => self.children.extend(begun.ok().flatten()),
            Event::Started { .. }
            | Event::Working
            | Event::ArtifactClosed { .. }
            | Event::Slept { .. }
            | Event::Observed { .. }
            | Event::Requested { .. }
            | Event::Responded { .. }
            | Event::Streamed { .. }
            | Event::GaveUp { .. }
            | Event::State { .. }
            | Event::Kept { .. }
            | Event::Noticed { .. }
            | Event::ChildEnded { .. }
            | Event::StillAsking { .. }
            | Event::ContinuedAsNew(_)
            | Event::Resumed
            | Event::Rewound { .. }
            | Event::Moved { .. }
            | Event::CancelRequested
            | Event::Retried { .. }
            | Event::ContextRead { .. }
            // A credential is no part of the conversation.
            | Event::Provided(_)
            | Event::Canceled => {}
        }
    }

    /// The artifacts as other workers get them: chunks of the same text, or of the same bytes, are one part.
    pub fn take_artifacts(&mut self) -> Vec<ArtifactView> {
        let artifacts = std::mem::take(&mut self.artifacts).into_iter();
        artifacts.map(|it| self.as_workers_get(it)).collect()
    }

    /// One of its artifacts as other workers get it; see [`TaskView::take_artifacts`].
    #[must_use]
    pub fn as_workers_get(&self, artifact: ArtifactView) -> ArtifactView {
        match self.chunked.contains(&artifact.spec.id) {
            true => artifact.joined(),
            false => artifact,
        }
    }

    /// How many bytes of content the view holds; what queues count.
    #[must_use]
    pub fn size(&self) -> usize {
        let artifacts: usize = self.artifacts.iter().map(|a| parts_size(&a.parts)).sum();
        artifacts + self.history_size()
    }

    /// How many of these the conversation and the status have.
    #[must_use]
    pub fn history_size(&self) -> usize {
        let history: usize = self.history.iter().map(HistoryItem::size).sum();
        let status = self.status_message.as_ref();
        history + status.map_or(0, |(_, parts)| parts_size(parts))
    }

    fn put(&mut self, spec: ArtifactSpec, parts: Vec<Part>) {
        match self.artifacts.iter_mut().find(|a| a.spec.id == spec.id) {
            Some(artifact) => *artifact = ArtifactView { spec, parts },
            None => self.artifacts.push(ArtifactView { spec, parts }),
        }
    }

    fn append(&mut self, id: &str, spec: Option<ArtifactSpec>, chunk: Part) {
        // Later chunks nearly always belong to the artifact that began last.
        let open = self.artifacts.iter_mut().rev().find(|a| a.spec.id == id);
        match (open, spec) {
            (Some(artifact), None) => artifact.parts.push(chunk),
            (_, Some(spec)) => {
                self.chunked.insert(spec.id.clone());
                self.put(spec, vec![chunk]);
            }
            // No valid log has this; the chunk has nowhere to go.
            (None, None) => {}
        }
    }
}

impl ArtifactView {
    fn joined(self) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        for part in self.parts {
            match parts.last_mut() {
                Some(last) if last.continues_with(&part) => join(&mut last.body, part.body),
                _ => parts.push(part),
            }
        }
        Self {
            spec: self.spec,
            parts,
        }
    }
}

impl HistoryItem {
    fn size(&self) -> usize {
        match self {
            Self::User(message) => message.size(),
            Self::Agent(_, parts) => parts_size(parts),
        }
    }
}

/// What clients are told about a task that is parked. The reason is the operator's.
#[must_use]
pub fn parked_text(code: &str) -> String {
    format!("waiting for the operator of the host ({code})")
}

/// Adds `more` to `body`, which [`Part::continues_with`] says is of the same kind.
fn join(body: &mut PartBody, more: PartBody) {
    match (body, more) {
        (PartBody::Text(text), PartBody::Text(more)) => text.push_str(&more),
        (PartBody::Bytes(bytes), PartBody::Bytes(more)) => bytes.extend_from_slice(&more),
        (PartBody::Text(_) | PartBody::Bytes(_) | PartBody::Url(_) | PartBody::Data(_), _) => {}
    }
}
