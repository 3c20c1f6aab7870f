//! Artifacts: the results of a task, whole or chunk by chunk.

use std::fmt;

use serde::Serialize;

use crate::host::{HostCalls, Spec};
use crate::{IntoParts, OpError, Part, Result};

/// Says what an artifact is, then puts it whole or opens it for chunks.
///
/// ```
/// # use taskyard_sdk::prelude::*;
/// # fn report(task: &Task) -> Result<()> {
/// task.artifact("summary").name("Summary").put_json(&[1, 2, 3])?;
///
/// let mut report = task.artifact("report").media_type("text/markdown").open()?;
/// report.append("| a |\n")?;
/// task.progress(50, "half of it")?;
/// report.append("| b |\n")?;
/// report.close()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing happens before `put`, `put_json` or `open` is called"]
pub struct ArtifactBuilder<'t> {
    host: &'t dyn HostCalls,
    spec: Spec,
    media_type: Option<String>,
}

impl<'t> ArtifactBuilder<'t> {
    pub(crate) fn new(host: &'t dyn HostCalls, id: String) -> Self {
        let spec = Spec {
            id,
            ..Spec::default()
        };
        Self {
            host,
            spec,
            media_type: None,
        }
    }

    /// A name for people.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.spec.name = Some(name.into());
        self
    }

    /// What the artifact is, for people.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.spec.description = Some(description.into());
        self
    }

    /// The media type of every part or chunk that does not say its own.
    pub fn media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = Some(media_type.into());
        self
    }

    /// Adds further facts; `metadata` must become a JSON object.
    ///
    /// # Errors
    /// When `metadata` has no JSON form.
    pub fn metadata<T: Serialize + ?Sized>(mut self, metadata: &T) -> Result<Self> {
        self.spec.metadata = Some(serde_json::to_string(metadata)?);
        Ok(self)
    }

    /// Puts the whole artifact. One with the same id is replaced.
    ///
    /// # Errors
    /// [`OpError::Invalid`] when there are no parts; [`OpError::LimitExceeded`] when it is too large.
    pub fn put(self, content: impl IntoParts) -> Result<(), OpError> {
        let mut parts = content.into_parts();
        for part in &mut parts {
            set_default(&mut part.media_type, self.media_type.as_ref());
        }
        self.host.put(self.spec, parts)
    }

    /// Puts the whole artifact as one JSON value.
    ///
    /// # Errors
    /// When `value` has no JSON form, and like [`put`](Self::put).
    pub fn put_json<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        Ok(self.put(Part::json(value)?)?)
    }

    /// Opens an artifact that grows chunk by chunk. Nothing is shown before the first chunk.
    ///
    /// # Errors
    /// [`OpError::Invalid`] when the id was opened or put before.
    pub fn open(self) -> Result<Artifact<'t>, OpError> {
        let id = self.spec.id.clone();
        self.host.open(self.spec)?;
        Ok(Artifact {
            host: self.host,
            id,
            media_type: self.media_type,
        })
    }
}

/// An artifact that grows chunk by chunk. Dropping it leaves it unsealed.
#[must_use = "an artifact needs at least one chunk and a `close`"]
pub struct Artifact<'t> {
    host: &'t dyn HostCalls,
    id: String,
    media_type: Option<String>,
}

impl Artifact<'_> {
    /// Adds one chunk: one small write and one event, however large the artifact is already.
    ///
    /// # Errors
    /// [`OpError::LimitExceeded`] when the chunk or the artifact becomes too large.
    pub fn append(&mut self, chunk: impl Into<Part>) -> Result<(), OpError> {
        let mut chunk = chunk.into();
        set_default(&mut chunk.media_type, self.media_type.as_ref());
        self.host.append(&self.id, chunk)
    }

    /// Seals the artifact.
    ///
    /// # Errors
    /// [`OpError::Invalid`] when it has no chunk yet.
    pub fn close(self) -> Result<(), OpError> {
        self.host.close(&self.id)
    }
}

fn set_default(value: &mut Option<String>, default: Option<&String>) {
    if value.is_none() {
        *value = default.cloned();
    }
}

impl fmt::Debug for ArtifactBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArtifactBuilder")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Artifact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifact")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
