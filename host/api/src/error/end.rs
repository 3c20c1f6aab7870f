//! How a task ended, in the words of the client's version.

use std::fmt;

use taskyard_task::TaskState;

/// The state that a task ended in, and what the client calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndState {
    state: TaskState,
    name: String,
}

impl EndState {
    /// The same by another name.
    pub(super) fn named(self, name: impl FnOnce(TaskState) -> String) -> Self {
        Self {
            name: name(self.state),
            ..self
        }
    }
}

impl From<TaskState> for EndState {
    /// As 1.0 names it.
    fn from(state: TaskState) -> Self {
        Self {
            state,
            name: state.name().to_owned(),
        }
    }
}

impl fmt::Display for EndState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
