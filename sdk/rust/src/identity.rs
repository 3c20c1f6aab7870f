//! Who and what a task is.

/// Who and what a task is. Fixed for the life of the task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The task's identifier, as clients see it.
    pub task_id: String,
    /// The conversation that the task belongs to.
    pub context_id: String,
    /// Whose work this is; empty on hosts that serve one tenant only.
    pub tenant: String,
    /// The name of the agent under which the worker is deployed.
    pub agent: String,
    /// SHA-256 of the component that runs, in lower-case hexadecimal.
    pub plugin_digest: String,
    /// Media types that the client accepts; empty when it said nothing.
    pub accepted_output_modes: Vec<String>,
    /// The task that started this one as its child, if one did.
    pub parent_task: Option<String>,
}
