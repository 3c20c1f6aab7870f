//! What the client may say while the reminder waits.

use std::time::Duration;

use crate::span;

/// What there is to say.
pub(crate) const USAGE: &str = "I understand `snooze 10 min` and `cancel`.";

/// A word of the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Later, by this much.
    Snooze(Duration),
    /// Not at all.
    Cancel,
    /// Who knows.
    Unknown,
}

impl Command {
    pub(crate) fn of(text: &str) -> Self {
        let (command, rest) = match text.trim().split_once(char::is_whitespace) {
            Some((command, rest)) => (command, rest),
            None => (text.trim(), ""),
        };
        match (command.to_lowercase().as_str(), rest) {
            ("cancel", "") => Self::Cancel,
            ("snooze", span) => span::parse(span).map_or(Self::Unknown, Self::Snooze),
            _ => Self::Unknown,
        }
    }
}
