//! Why an operation did not happen, and whose fault that is.

use std::time::Duration;

use taskyard_storage::{Failed, ReadError, without_paths};
use taskyard_task::{AgentName, Digest, Refusal};

use crate::probe::Probe;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Client: there is no such task, or the caller may not see it; which of the two is not told.
    #[error("task not found")]
    TaskNotFound,
    /// Client: no agent of this name is deployed, or it is being unloaded and takes no new tasks.
    #[error("agent not found")]
    AgentNotFound,
    /// Operator: there is no such API key.
    #[error("API key not found")]
    ApiKeyNotFound,
    /// Operator: there are as many API keys as there may be, and all of them live.
    #[error("there are {limit} API keys, and all of them live; revoke one first")]
    TooManyApiKeys {
        /// How many there may be.
        limit: usize,
    },
    /// Operator: no such plugin is loaded.
    #[error("plugin not found")]
    PluginNotFound,
    /// Operator: the agent has another plugin, and nobody said that it is to be replaced.
    #[error(
        "the agent {agent} runs the plugin {deployed}, and this one is {given}; if it is to be replaced, say so (--replace)"
    )]
    OtherPlugin {
        /// The agent.
        agent: AgentName,
        /// What its plugin calls itself.
        deployed: AgentName,
        /// What the new one calls itself.
        given: AgentName,
    },
    /// Operator: no loaded plugin is meant, or more than one.
    #[error("{}", which_plugin(named, found))]
    WhichPlugin {
        /// What the operator said.
        named: String,
        /// What it could mean.
        found: Vec<Digest>,
    },
    /// Operator: the task cannot go on with the component.
    #[error("the component cannot go on with the task: {0}")]
    Incompatible(Box<Probe>),
    /// Client: the task does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Client: the message names another conversation than its task's (A2A 3.4).
    #[error("contextId differs from the task's; leave it out or send the task's own")]
    ContextMismatch,
    /// Client: a field makes no sense.
    #[error("{field} {problem}")]
    Invalid {
        /// The field, as on the wire.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody's: there is too much to do.
    #[error("{what}; try again in {} s", retry_after.as_secs())]
    QueueFull {
        /// Which queue.
        what: String,
        /// When it may be worth trying again.
        retry_after: Duration,
    },
    /// Nobody's: the disk has no room for new work, and what is under way needs the rest of it.
    #[error("{what}; try again in {} s", retry_after.as_secs())]
    StorageFull {
        /// Which limit is reached.
        what: String,
        /// When it may be worth trying again.
        retry_after: Duration,
    },
    /// Client: the idempotency key was used for another request.
    #[error("the idempotency key was used before with another request; use a new key")]
    IdempotencyConflict,
    /// Client: the host will not post there.
    #[error("{0}")]
    WebhookRefused(String),
    /// Operator: the component cannot be a plugin.
    #[error("{0}")]
    PluginRefused(String),
    /// Operator: tasks still hold the plugin.
    #[error("{tasks} tasks of the agent have not ended; let it drain, or wait")]
    PluginInUse {
        /// How many.
        tasks: u64,
    },
    /// Host: it is about to end, and starts nothing new.
    #[error("the host is shutting down")]
    ShuttingDown,
    /// Host: it cannot read or store anything, now or any more.
    #[error("{0}")]
    Unavailable(String),
    /// Host: the disk failed after the change was handed over, so it may have taken effect, or may yet.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// Host: something is broken.
    #[error("{0}")]
    Internal(String),
}

fn which_plugin(named: &str, found: &[Digest]) -> String {
    if found.is_empty() {
        return format!(
            "no loaded plugin is {named:?}; name one by its version or by the first digits of its digest, and load it first"
        );
    }
    let found: Vec<_> = found.iter().map(|digest| digest.short()).collect();
    let found = found.join(", ");
    format!("more than one loaded plugin is {named:?}; say which by its digest: {found}")
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        Self::Unavailable(failed.to_string())
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            // What the disk does not give now it may give later; what makes no sense stays as it is.
            ReadError::Database(_) | ReadError::Closed => {
                Self::Unavailable(without_paths(&error.to_string()))
            }
            ReadError::Record { .. } => Self::Internal(error.to_string()),
        }
    }
}
