//! How far each artifact of a task is.

use std::collections::HashMap;

use taskyard_task::{ArtifactSpec, ArtifactStage as Stage, Event, Part};

use super::stop::Refusal;

/// How many artifacts a task may have. The host remembers each for as long as the run takes.
const MAX_ARTIFACTS: usize = 4_096;
/// The description of one artifact. What was opened is kept until its first chunk, so that all of them
/// together may take 64 MiB of the host's memory.
const MAX_SPEC_BYTES: usize = 16 << 10;

/// How far each artifact of a task is. Follows from the calls of the worker alone.
#[derive(Debug, Default)]
pub(crate) struct ArtifactStages(HashMap<String, Stage>);

impl ArtifactStages {
    /// What a task that continues as new takes with it, in an order that is always the same.
    pub(crate) fn carry_over(&self) -> Vec<(String, Stage)> {
        let mut stages: Vec<_> = self.0.clone().into_iter().collect();
        stages.sort_by(|(a, _), (b, _)| a.cmp(b));
        stages
    }

    /// What it took with it.
    pub(crate) fn carried_over(stages: Vec<(String, Stage)>) -> Self {
        Self(stages.into_iter().collect())
    }

    /// Opens an artifact.
    ///
    /// # Errors
    /// If it was opened or put before, there are too many, or its description is too long.
    pub(crate) fn open(&mut self, spec: ArtifactSpec) -> Result<(), Refusal> {
        if self.0.contains_key(&spec.id) {
            return refuse(&spec.id, "was opened or put before; choose another id");
        }
        self.admit(&spec)?;
        self.0.insert(spec.id.clone(), Stage::Opened(spec));
        Ok(())
    }

    /// The entry that puts an artifact whole.
    ///
    /// # Errors
    /// If there are too many, or its description is too long.
    pub(crate) fn put(&self, spec: ArtifactSpec, parts: Vec<Part>) -> Result<Event, Refusal> {
        self.admit(&spec)?;
        Ok(Event::ArtifactPut { spec, parts })
    }

    /// The entry that adds a chunk.
    ///
    /// # Errors
    /// If the artifact is not open.
    pub(crate) fn append(&self, id: String, chunk: Part) -> Result<Event, Refusal> {
        let spec = match self.0.get(&id) {
            Some(Stage::Opened(spec)) => Some(spec.clone()),
            Some(Stage::Growing) => None,
            Some(Stage::Sealed) | None => return refuse(&id, "is not open; open it first"),
        };
        Ok(Event::ArtifactAppended {
            id,
            spec,
            chunk,
            last: false,
        })
    }

    /// The entry that seals an artifact.
    ///
    /// # Errors
    /// If it is not open, or has no chunk yet.
    pub(crate) fn close(&self, id: String) -> Result<Event, Refusal> {
        match self.0.get(&id) {
            Some(Stage::Growing) => Ok(Event::ArtifactClosed { id }),
            Some(Stage::Opened(_)) => refuse(&id, "has no chunk yet; append one first"),
            Some(Stage::Sealed) | None => refuse(&id, "is not open; open it first"),
        }
    }

    /// The artifact is put or closed.
    pub(crate) fn sealed(&mut self, id: String) {
        self.0.insert(id, Stage::Sealed);
    }

    /// The artifact has a chunk.
    pub(crate) fn grown(&mut self, id: String) {
        self.0.insert(id, Stage::Growing);
    }

    fn admit(&self, spec: &ArtifactSpec) -> Result<(), Refusal> {
        if spec.size() > MAX_SPEC_BYTES {
            let limit = format!("bytes of an artifact's description: {MAX_SPEC_BYTES}");
            return Err(Refusal::Limit(limit));
        }
        if self.0.len() >= MAX_ARTIFACTS && !self.0.contains_key(&spec.id) {
            return Err(Refusal::Limit(format!("artifacts: {MAX_ARTIFACTS}")));
        }
        Ok(())
    }
}

fn refuse<T>(id: &str, problem: &str) -> Result<T, Refusal> {
    Err(Refusal::Invalid(format!("artifact {id:?} {problem}")))
}
