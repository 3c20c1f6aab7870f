//! The states of a task that clients see (A2A 4.1.3), without the wire's "unspecified".

use serde::{Deserialize, Serialize};

/// Where a task stands (A2A `TaskState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaskState {
    /// Accepted, not begun.
    Submitted,
    /// Being worked on.
    Working,
    /// Waits for an answer of the client.
    InputRequired,
    /// Waits for credentials or a consent.
    AuthRequired,
    /// Ended with success.
    Completed,
    /// Ended with a failure.
    Failed,
    /// Ended because the client asked for it.
    Canceled,
    /// Ended because the agent would not do it.
    Rejected,
}

impl TaskState {
    /// Every state, in the order of their storage numbers.
    pub const ALL: [Self; 8] = [
        Self::Submitted,
        Self::Working,
        Self::InputRequired,
        Self::AuthRequired,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Rejected,
    ];

    /// Whether nothing can follow (A2A 3.1.1: a terminal task is immutable).
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Canceled | Self::Rejected => true,
            Self::Submitted | Self::Working | Self::InputRequired | Self::AuthRequired => false,
        }
    }

    /// Whether the task waits for somebody outside (A2A 3.2.2: a blocking send returns here).
    #[must_use]
    pub fn is_interrupted(self) -> bool {
        match self {
            Self::InputRequired | Self::AuthRequired => true,
            Self::Submitted
            | Self::Working
            | Self::Completed
            | Self::Failed
            | Self::Canceled
            | Self::Rejected => false,
        }
    }

    /// Its name in the protocol's definition.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Submitted => "TASK_STATE_SUBMITTED",
            Self::Working => "TASK_STATE_WORKING",
            Self::InputRequired => "TASK_STATE_INPUT_REQUIRED",
            Self::AuthRequired => "TASK_STATE_AUTH_REQUIRED",
            Self::Completed => "TASK_STATE_COMPLETED",
            Self::Failed => "TASK_STATE_FAILED",
            Self::Canceled => "TASK_STATE_CANCELED",
            Self::Rejected => "TASK_STATE_REJECTED",
        }
    }

    /// A number for keys. Never reuse one.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Submitted => 1,
            Self::Working => 2,
            Self::InputRequired => 3,
            Self::AuthRequired => 4,
            Self::Completed => 5,
            Self::Failed => 6,
            Self::Canceled => 7,
            Self::Rejected => 8,
        }
    }
}
