//! The trait that authors implement.

use crate::{Manifest, Message, Outcome, Result, Task};

/// A worker: does the work of one task at a time.
pub trait Worker {
    /// Says what the worker is. Called once when the plugin is loaded, outside of any task; must
    /// always give the same answer.
    fn describe() -> Manifest;

    /// Does the work of one task. `input` is the message that began it.
    ///
    /// The host may call this several times for one task: after a crash, a retry, a wait or an answer.
    /// Calls to the host that the task's log already holds return at once what they returned then, so
    /// write this as if it ran once, and keep no state outside of it.
    ///
    /// # Errors
    /// What went wrong, and whether trying again may help; see [`Error`](crate::Error).
    fn run(task: &Task, input: Message) -> Result<Outcome>;
}
