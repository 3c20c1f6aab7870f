//! Log lines, on standard error: for people, or as JSON for machines.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, anyhow, ensure};
use taskyard_task::visible::escaped;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

use crate::config::{Config, LogFormat};

/// Starts logging, for the whole process.
///
/// # Errors
/// If the filter cannot be read, or logging was started before.
pub(crate) fn start(config: &Config) -> anyhow::Result<()> {
    let filter = filter(&config.log)?;
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(|| OneLine(io::stderr()));
    let started = match config.log_format {
        LogFormat::Human => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow!("cannot start logging: {error}"))
}

/// Writes each event as one line, whatever is in it: a line break of a worker must not look like a line of the
/// host. The library hands over whole events, in which escape sequences are its own.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = match text.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (&*text, ""),
        };
        let line = escaped(line, |c| matches!(c, '\u{1b}' | '\t'));
        self.0.write_all(format!("{line}{end}").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Reads a filter.
///
/// # Errors
/// If it is none, or says a word that is neither a level nor a part of the host. To the library, that is
/// the name of some part, and all others are silenced.
pub(crate) fn filter(text: &str) -> anyhow::Result<EnvFilter> {
    let words = text.split(',').map(str::trim);
    for word in words.filter(|word| !word.contains(['=', '[', ']', '{', '}'])) {
        ensure!(
            word.is_empty() || word.parse::<LevelFilter>().is_ok() || word.starts_with("taskyard"),
            "log: {word:?} is no level (off, error, warn, info, debug, trace) and no part of the host (such as taskyard_engine=debug)"
        );
    }
    let filter = EnvFilter::builder().parse(text);
    filter.with_context(|| format!("log: {text:?} is not a log filter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let mut out = OneLine(Vec::new());
        out.write_all("INFO worker: a\nERROR forged\rb\u{202e}c\n".as_bytes())
            .unwrap();
        let written = String::from_utf8(out.0).unwrap();
        assert_eq!(
            written,
            "INFO worker: a\\u{a}ERROR forged\\u{d}b\\u{202e}c\n"
        );
    }
}
