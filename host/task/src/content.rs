//! Messages, parts and artifacts as the log keeps them: bytes as bytes, JSON as its own text.

use serde::{Deserialize, Serialize};

/// What a part holds (A2A `Part.content`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PartBody {
    /// Text.
    Text(String),
    /// Bytes (A2A `raw`).
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The address of the content.
    Url(String),
    /// A JSON value, as text. Whoever makes one has parsed it.
    Data(String),
}

/// One piece of a message or artifact (A2A `Part`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The content.
    pub body: PartBody,
    /// The media type of the content.
    pub media_type: Option<String>,
    /// The file name that its author gave to it.
    pub filename: Option<String>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
}

impl Part {
    /// A plain text part.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            body: PartBody::Text(text.into()),
            media_type: None,
            filename: None,
            metadata: None,
        }
    }

    /// How many bytes the part counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        let body = match &self.body {
            PartBody::Text(text) | PartBody::Url(text) | PartBody::Data(text) => text.len(),
            PartBody::Bytes(bytes) => bytes.len(),
        };
        body + optional_size(self.media_type.as_ref())
            + optional_size(self.filename.as_ref())
            + optional_size(self.metadata.as_ref())
    }

    /// Whether `next` is more of the same text, so that both read as one part.
    #[must_use]
    pub fn continues_with(&self, next: &Self) -> bool {
        matches!(
            (&self.body, &next.body),
            (PartBody::Text(_), PartBody::Text(_)) | (PartBody::Bytes(_), PartBody::Bytes(_))
        ) && self.media_type == next.media_type
            && self.filename == next.filename
            && self.metadata.is_none()
            && next.metadata.is_none()
    }
}

/// How many bytes `parts` count for in limits.
#[must_use]
pub fn parts_size(parts: &[Part]) -> usize {
    parts.iter().map(Part::size).sum()
}

fn optional_size(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

/// A message of a client (A2A `Message` with `ROLE_USER`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The identifier that the client gave to it.
    pub id: String,
    /// The content.
    pub parts: Vec<Part>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    /// Extensions that the message uses.
    pub extensions: Vec<String>,
    /// Tasks that the client refers to.
    pub reference_task_ids: Vec<String>,
}

impl Message {
    /// How many bytes the message counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        parts_size(&self.parts) + self.id.len() + optional_size(self.metadata.as_ref())
    }
}

/// What an artifact is, apart from its content (A2A `Artifact`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactSpec {
    /// Unique within the task.
    pub id: String,
    /// A name for people.
    pub name: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
}

impl ArtifactSpec {
    /// How many bytes the description counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        self.id.len()
            + optional_size(self.name.as_ref())
            + optional_size(self.description.as_ref())
            + optional_size(self.metadata.as_ref())
    }
}
