//! What an operator can set about tasks and queues.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskyard_task::decide::RetryPolicy;
use taskyard_task::{AgentName, RunLimits};

/// What an operator can set about tasks and queues.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// How much runs and waits at once.
    pub limits: QueueLimits,
    /// How transient failures are retried.
    pub retry: RetryPolicy,
    /// How long things may take.
    pub task: TaskConfig,
    /// How much of the disk there is for new work.
    pub disk: DiskLimits,
    /// Whether everything that is stored is read once a day, to hear of damage.
    pub scrub: bool,
    /// How long ended tasks are kept.
    pub retention: RetentionConfig,
    /// What a worker may use, where its agent says nothing else.
    pub worker: RunLimits,
    /// The agent at the root of the host. If it is not set, the only agent is at the root, and among several
    /// none.
    pub default_agent: Option<AgentName>,
}

/// How much runs and waits at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueLimits {
    /// Runs at once on this host. Each has an instance of a worker in memory.
    pub max_runs: u32,
    /// Runs at once of one agent.
    pub max_runs_per_agent: u32,
    /// Runs at once for one tenant.
    pub max_runs_per_tenant: u32,
    /// Tasks in line on this host; new ones are refused beyond it. Of each tenant, at most
    /// `max_queued_per_tenant` count.
    pub max_queued: u32,
    /// Tasks in line for one tenant; new ones are refused beyond it.
    pub max_queued_per_tenant: u32,
    /// What one tenant may keep on the disk, in bytes; what it brings is refused beyond it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes_per_tenant: Option<u64>,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            // Runs that wait for responses cost memory, not time: far more than there are cores.
            max_runs: 256,
            max_runs_per_agent: 256,
            max_runs_per_tenant: 256,
            max_queued: 100_000,
            max_queued_per_tenant: 20_000,
            max_bytes_per_tenant: None,
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskConfig {
    /// When a task fails that has not ended, in seconds after its submission; waiting for people counts.
    pub deadline_seconds: u64,
    /// How long a worker may go on after a cancel, in milliseconds.
    pub cancel_grace_ms: u64,
    /// How long a task may stay quiet before waiting clients are shown it, in milliseconds; until then
    /// it may still be answered by a direct message.
    pub announce_after_ms: u64,
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self {
            deadline_seconds: 30 * 24 * 3_600,
            cancel_grace_ms: 5_000,
            announce_after_ms: 1_000,
        }
    }
}

/// How long ended tasks are kept: for good, unless one of these says otherwise. What was deleted is gone,
/// so that is for the operator to choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// A task is forgotten when this many seconds have passed since its end.
    pub max_age_seconds: Option<u64>,
    /// A tenant has at most this many ended tasks; those that ended first are forgotten first.
    pub max_tasks_per_tenant: Option<u64>,
}

/// How much of the disk there is for new work; work that is under way may go beyond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskLimits {
    /// What is to be left of the file system, for work that is under way to end with.
    pub reserve_bytes: Option<u64>,
    /// How large the database may be.
    pub max_bytes: Option<u64>,
}

impl RetentionConfig {
    pub(crate) fn is_on(self) -> bool {
        self.max_age_seconds.is_some() || self.max_tasks_per_tenant.is_some()
    }
}

impl TaskConfig {
    pub(crate) fn cancel_grace(&self) -> Duration {
        Duration::from_millis(self.cancel_grace_ms)
    }
}
