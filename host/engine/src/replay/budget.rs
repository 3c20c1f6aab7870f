//! Counts what a task wrote against its pinned limits.

use taskyard_task::{Event, RunLimits};

use super::stop::Refusal;

/// Counts what a task wrote against its pinned limits. Both are the same in every replay, so
/// refusals need no entries.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: RunLimits,
    entries: u64,
    artifact_bytes: u64,
}

impl Budget {
    /// Nothing is written yet.
    pub(crate) fn new(limits: RunLimits) -> Self {
        Self {
            limits,
            entries: 0,
            artifact_bytes: 0,
        }
    }

    /// Whether there is room for `event`.
    ///
    /// # Errors
    /// Names the limit that is reached.
    pub(crate) fn admit(&self, event: &Event) -> Result<(), Refusal> {
        self.admit_entry()?;
        let size = event.size() as u64;
        within("message bytes", size, self.limits.message_bytes)?;
        if is_artifact(event) {
            let total = self.artifact_bytes.saturating_add(size);
            within("artifact bytes", total, self.limits.artifact_bytes)?;
        }
        Ok(())
    }

    /// Whether there is room for one more entry.
    ///
    /// # Errors
    /// Names the limit that is reached.
    pub(crate) fn admit_entry(&self) -> Result<(), Refusal> {
        let entries = self.entries.saturating_add(1);
        within("log entries", entries, self.limits.log_entries)
    }

    /// Takes `event` into account.
    pub(crate) fn count(&mut self, event: &Event) {
        self.entries = self.entries.saturating_add(1);
        if is_artifact(event) {
            self.artifact_bytes = self.artifact_bytes.saturating_add(event.size() as u64);
        }
    }

    /// Bytes of artifacts that were written.
    pub(crate) fn artifact_bytes(&self) -> u64 {
        self.artifact_bytes
    }

    /// Bytes of artifacts that were written before the task continued as new.
    pub(crate) fn carry_over(&mut self, artifact_bytes: u64) {
        self.artifact_bytes = artifact_bytes;
    }

    /// Whether so much is written that the worker should continue as new.
    pub(crate) fn is_nearly_used_up(&self) -> bool {
        self.entries >= self.limits.log_entries / 4 * 3
    }

    /// The pinned limits.
    pub(crate) fn limits(&self) -> &RunLimits {
        &self.limits
    }
}

fn within(name: &str, value: u64, limit: u64) -> Result<(), Refusal> {
    if value <= limit {
        Ok(())
    } else {
        Err(Refusal::Limit(format!("{name}: {limit}")))
    }
}

fn is_artifact(event: &Event) -> bool {
    matches!(
        event,
        Event::ArtifactPut { .. } | Event::ArtifactAppended { .. }
    )
}
