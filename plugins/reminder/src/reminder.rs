//! What to remind of, and when. This is all that goes on into the next log.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::span;

/// Faster repetition is a flood, not a reminder.
const MIN_EVERY: Duration = Duration::from_secs(1);
/// A longer text is a document.
const MAX_TEXT_BYTES: usize = 4 * 1024;
const USAGE: &str =
    "say `in 90 s: tea`, `2030-12-24T18:00:00Z: buy a tree` or `every 1 h: stretch`";

/// What to remind of, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reminder {
    pub(crate) text: String,
    pub(crate) due: SystemTime,
    /// How often it is repeated; never if absent.
    every: Option<Duration>,
    /// How often it was due before.
    pub(crate) times: u64,
}

impl Reminder {
    /// Reads `WHEN: TEXT`.
    ///
    /// # Errors
    /// For the client: what is wrong.
    pub(crate) fn parse(message: &str, now: SystemTime) -> Result<Self, String> {
        let (when, text) = message.split_once(": ").ok_or(USAGE)?;
        let (when, text) = (when.trim(), text.trim());
        if text.is_empty() || text.len() > MAX_TEXT_BYTES {
            return Err(format!(
                "the text must have between 1 and {MAX_TEXT_BYTES} bytes"
            ));
        }
        let every = when.strip_prefix("every ").map(span::parse).transpose()?;
        if every.is_some_and(|every| every < MIN_EVERY) {
            return Err("I do not repeat that more than once in a second".to_owned());
        }
        let due = match (every, when.strip_prefix("in ")) {
            (Some(span), _) => now + span,
            (None, Some(span)) => now + span::parse(span)?,
            (None, None) => moment(when, now)?,
        };
        Ok(Self {
            text: text.to_owned(),
            due,
            every,
            times: 0,
        })
    }

    /// What the client is told.
    pub(crate) fn promise(&self) -> String {
        format!("I will remind you at {}.", self.due_text())
    }

    /// The moment as RFC 3339.
    pub(crate) fn due_text(&self) -> String {
        humantime::format_rfc3339_seconds(self.due).to_string()
    }

    /// Makes it later, but not by more than anybody may ask for.
    pub(crate) fn snooze(&mut self, span: Duration, now: SystemTime) {
        self.due = (self.due + span).min(now + span::MAX);
    }

    /// The same for the next time, if it is repeated. Times that were missed are left out.
    pub(crate) fn again(self, now: SystemTime) -> Option<Self> {
        let every = self.every?;
        let late = now.duration_since(self.due).unwrap_or_default();
        let missed = late.as_millis() / every.as_millis();
        // Not even in ten years are there that many seconds.
        let steps = u32::try_from(missed + 1).unwrap_or(u32::MAX);
        Some(Self {
            due: self.due + every * steps,
            times: self.times + 1,
            ..self
        })
    }
}

fn moment(text: &str, now: SystemTime) -> Result<SystemTime, String> {
    let moment = humantime::parse_rfc3339_weak(text).map_err(|_| USAGE)?;
    match moment.duration_since(now) {
        Err(_) => Err(format!("{text} is over")),
        Ok(span) if span > span::MAX => Err(format!("{text} is more than ten years away")),
        Ok(_) => Ok(moment),
    }
}
