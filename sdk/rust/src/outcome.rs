//! How a run ends when nothing went wrong.

use crate::{IntoParts, Part};

/// How a run ended, when nothing went wrong.
///
/// ```
/// use taskyard_sdk::{Outcome, Part};
///
/// assert_eq!(Outcome::completed_with("done"), Outcome::Completed(vec![Part::text("done")]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The work is done; the parts, if any, become the message of the final status.
    Completed(Vec<Part>),
    /// The worker will not do this work, for the reason given.
    Rejected(String),
    /// A direct answer instead of a task. If the client was shown the task already, it completes
    /// with this message.
    Reply(Vec<Part>),
}

impl Outcome {
    /// The work is done, and the artifacts say it all.
    pub fn completed() -> Self {
        Self::Completed(Vec::new())
    }

    /// The work is done, with a closing word. Results belong in artifacts.
    pub fn completed_with(content: impl IntoParts) -> Self {
        Self::Completed(content.into_parts())
    }

    /// The worker will not do this work. Tell the client what would help.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected(reason.into())
    }

    /// A direct answer without a task; the content must not be empty.
    pub fn reply(content: impl IntoParts) -> Self {
        Self::Reply(content.into_parts())
    }
}
