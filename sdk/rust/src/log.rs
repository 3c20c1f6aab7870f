//! Diagnostics for the operator.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::host::HostCalls;

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Level {
    /// Every step.
    Trace,
    /// What helps to find a mistake.
    Debug,
    /// What an operator wants to see.
    Info,
    /// What may go wrong soon.
    Warn,
    /// What went wrong.
    Error,
}

/// One line of the operator's log: fields first, the message last.
///
/// Lines beyond the operator's limits are dropped or cut.
///
/// ```
/// # use taskyard_sdk::prelude::*;
/// # fn parsed(task: &Task, rows: usize) {
/// task.log().field("rows", rows).field("header", true).info("parsed");
/// # }
/// ```
#[must_use = "nothing is written before `info`, `warn` or another level is called"]
pub struct Log<'t> {
    host: &'t dyn HostCalls,
    fields: Vec<(String, String)>,
}

impl<'t> Log<'t> {
    pub(crate) fn new(host: &'t dyn HostCalls) -> Self {
        Self {
            host,
            fields: Vec::new(),
        }
    }

    /// Adds a field to the line.
    pub fn field(mut self, name: &str, value: impl Display) -> Self {
        self.fields.push((name.to_owned(), value.to_string()));
        self
    }

    /// Writes the line.
    pub fn write(self, level: Level, message: &str) {
        self.host.log(level, message, self.fields);
    }

    /// Writes the line at [`Level::Trace`].
    pub fn trace(self, message: &str) {
        self.write(Level::Trace, message);
    }

    /// Writes the line at [`Level::Debug`].
    pub fn debug(self, message: &str) {
        self.write(Level::Debug, message);
    }

    /// Writes the line at [`Level::Info`].
    pub fn info(self, message: &str) {
        self.write(Level::Info, message);
    }

    /// Writes the line at [`Level::Warn`].
    pub fn warn(self, message: &str) {
        self.write(Level::Warn, message);
    }

    /// Writes the line at [`Level::Error`].
    pub fn error(self, message: &str) {
        self.write(Level::Error, message);
    }
}

impl fmt::Debug for Log<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}
