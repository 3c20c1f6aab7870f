//! The limits of a run that a replay can observe, and that are therefore pinned when a task is made.

use serde::{Deserialize, Serialize};

/// What one task may use. Pinned in its first log entry: a replay that met other limits could see
/// other refusals and take another path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunLimits {
    /// Linear memory of the instance, in bytes.
    pub memory_bytes: u64,
    /// Time that a run may compute, in milliseconds; waiting does not count.
    pub cpu_ms: u64,
    /// Time that a run may take, in milliseconds. A wait that ends the run does not count.
    pub wall_ms: u64,
    /// Entries of the task's log that its worker may write.
    pub log_entries: u64,
    /// Diagnostic lines that a run may write.
    pub log_lines: u64,
    /// Bytes of one diagnostic line; longer ones are cut.
    pub log_line_bytes: u64,
    /// Bytes of all artifacts of the task together.
    pub artifact_bytes: u64,
    /// Bytes of one message, of one chunk of an artifact, of one artifact that is put whole, of the body of
    /// one request, and of what one child leaves.
    pub message_bytes: u64,
    /// Requests of the task that may be under way at once.
    pub requests: u64,
    /// Children of the task that may be under way at once. Every commit of the task carries their names.
    pub children: u64,
    /// Keys that one scope of state may hold.
    pub state_keys: u64,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            // Enough for language runtimes with a garbage collector.
            memory_bytes: 256 << 20,
            // A worker that computes longer in one go is broken or belongs on other hardware.
            cpu_ms: 60_000,
            wall_ms: 24 * 3_600_000,
            // 10 000 entries replay in 0.15 to 1 s; this is the most that a restart should cost.
            log_entries: 100_000,
            log_lines: 10_000,
            log_line_bytes: 8 << 10,
            artifact_bytes: 256 << 20,
            message_bytes: 16 << 20,
            requests: 64,
            children: 64,
            state_keys: 10_000,
        }
    }
}

/// Limits that an operator sets for one agent; what is absent stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "each field is that of the same name in `RunLimits`"
)]
pub struct LimitChanges {
    pub memory_bytes: Option<u64>,
    pub cpu_ms: Option<u64>,
    pub wall_ms: Option<u64>,
    pub log_entries: Option<u64>,
    pub log_lines: Option<u64>,
    pub log_line_bytes: Option<u64>,
    pub artifact_bytes: Option<u64>,
    pub message_bytes: Option<u64>,
    pub requests: Option<u64>,
    pub children: Option<u64>,
    pub state_keys: Option<u64>,
}

impl RunLimits {
    /// These limits with `changes`.
    #[must_use]
    pub fn with(self, changes: &LimitChanges) -> Self {
        Self {
            memory_bytes: changes.memory_bytes.unwrap_or(self.memory_bytes),
            cpu_ms: changes.cpu_ms.unwrap_or(self.cpu_ms),
            wall_ms: changes.wall_ms.unwrap_or(self.wall_ms),
            log_entries: changes.log_entries.unwrap_or(self.log_entries),
            log_lines: changes.log_lines.unwrap_or(self.log_lines),
            log_line_bytes: changes.log_line_bytes.unwrap_or(self.log_line_bytes),
            artifact_bytes: changes.artifact_bytes.unwrap_or(self.artifact_bytes),
            message_bytes: changes.message_bytes.unwrap_or(self.message_bytes),
            requests: changes.requests.unwrap_or(self.requests),
            children: changes.children.unwrap_or(self.children),
            state_keys: changes.state_keys.unwrap_or(self.state_keys),
        }
    }
}
