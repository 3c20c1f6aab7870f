//! The two tools, asked at the same time.

use std::time::Duration;

use taskyard_sdk::http::{Response, Retry};
use taskyard_sdk::prelude::*;

use crate::settings::Settings;

/// How long a tool may take for one attempt.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A tool in trouble is asked again with growing delays, for a few seconds.
const ATTEMPTS: u32 = 4;
/// A tool that sends more has not understood the query.
const MAX_RESPONSE_BYTES: u64 = 1024 * 1024;
/// How much of an answer the model gets to read.
const MAX_SOURCE_CHARS: usize = 16 * 1024;

/// Asks both tools, and gives their answers as text for the model. One of them may be out of order.
///
/// # Errors
/// `no-source`, when both are.
pub(crate) fn ask(task: &Task, settings: &Settings, query: &str) -> Result<String> {
    // Both are under way before the first one is waited for.
    let search = start(&settings.search_url, query)?;
    let facts = start(&settings.facts_url, query)?;
    let mut sources = String::new();
    for (name, answer) in [("search", search), ("facts", facts)] {
        match read(answer) {
            Ok(text) => sources.push_str(&format!("Source {name}:\n{text}\n\n")),
            // These two are for others to handle.
            Err(error) if matches!(error.code(), "canceled" | "denied") => return Err(error),
            Err(error) => task.say(format!("I go on without {name}: {}", error.message()))?,
        }
    }
    match sources.is_empty() {
        true => Err(Error::permanent("no-source", "no tool could be asked")),
        false => Ok(sources),
    }
}

fn start(url: &str, query: &str) -> Result<Ticket<Response>, OpError> {
    http::request("GET", url)
        .query("q", query)
        .timeout(TIMEOUT)
        .retry(Retry::times(ATTEMPTS))
        .max_response_bytes(MAX_RESPONSE_BYTES)
        .start()
}

fn read(answer: Ticket<Response>) -> Result<String> {
    let text = answer.take()?.ok()?.text();
    Ok(text.chars().take(MAX_SOURCE_CHARS).collect())
}
