//! Spans of time as people write them, such as `90 s` or `1 h 30 min`.

use std::time::Duration;

/// Whoever asks for more will not be there.
pub(crate) const MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// # Errors
/// For the client: what is wrong.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text.trim());
    let span = span.map_err(|error| format!("{text:?} is no span of time: {error}"))?;
    match span <= MAX {
        true => Ok(span),
        false => Err(format!("{text:?} is more than ten years")),
    }
}
