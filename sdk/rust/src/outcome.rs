//! How a run ends when nothing went wrong.

use serde::Serialize;

use crate::{IntoParts, Part, Result};

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
    /// The task goes on from here with this state and an empty log.
    ContinueAsNew(Vec<u8>),
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

    /// The task goes on from here with `state`, as JSON of at most 1 MiB, and an empty log, so that
    /// replays of a task that lives long stay short. `run` is called again, and
    /// [`Task::continued_state`](crate::Task::continued_state) gives `state` back.
    ///
    /// Children must have ended or be detached. Open questions and requests are given up; messages that
    /// were not taken stay in line, artifacts stay open for [`Task::artifact`](crate::Task::artifact).
    ///
    /// ```
    /// use taskyard_sdk::prelude::*;
    /// # struct Collector;
    /// # impl Worker for Collector {
    /// #     fn describe() -> Manifest { Manifest::new("collector", "1.0.0", "Collects words.") }
    ///
    /// fn run(task: &Task, _: Message) -> Result<Outcome> {
    ///     let mut words: Vec<String> = task.continued_state()?.unwrap_or_default();
    ///     while !task.should_continue_as_new() {
    ///         match task.messages().take()?.text() {
    ///             word if word == "end" => return Ok(Outcome::completed_with(words.join(" "))),
    ///             word => words.push(word),
    ///         }
    ///     }
    ///     Outcome::continue_as_new(&words)
    /// }
    /// # }
    /// # use taskyard_sdk::testing::Host;
    /// # use std::time::Duration;
    /// # let host = Host::new().suggest_continue_after(1);
    /// # let host = ["one", "two", "end"].into_iter().fold(host, |host, word| host.follow_up_at(Duration::ZERO, word));
    /// # let run = host.run_with_crashes::<Collector>();
    /// # assert_eq!(run.final_text().as_deref(), Some("one two"));
    /// # assert_eq!(run.continued, 2);
    /// ```
    ///
    /// # Errors
    /// When `state` has no JSON form.
    pub fn continue_as_new<T: Serialize + ?Sized>(state: &T) -> Result<Self> {
        Ok(Self::ContinueAsNew(serde_json::to_vec(state)?))
    }
}
