//! Log lines, on standard error: for people, or as JSON for machines.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, anyhow, ensure};
use taskyard_task::visible::{in_json, in_line, styled};
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
    let lines = fmt().with_env_filter(filter);
    let started = match config.log_format {
        LogFormat::Human => {
            let is_seen = io::stderr().is_terminal();
            let show = if is_seen { coloured } else { in_line };
            let to = move || OneLine(io::stderr(), show);
            lines.with_ansi(is_seen).with_writer(to).try_init()
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            lines
                .with_writer(|| OneLine(io::stderr(), in_json))
                .try_init()
        }
    };
    started.map_err(|error| anyhow!("cannot start logging: {error}"))
}

/// A line for a terminal.
fn coloured(line: &str) -> String {
    styled(line, in_line)
}

/// Writes each event as one line in which everything is visible, whatever is in it: a line break of a worker must
/// not look like a line of the host. The library hands over whole events.
struct OneLine<W>(W, fn(&str) -> String);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = self.1(line) + "\n";
        self.0.write_all(line.as_bytes())?;
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
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::util::SubscriberInitExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const FORGED: &str = "a\nERROR forged\r\u{1b}[8mb\u{202e}c\u{e0041}";

    /// What a worker's line becomes in each format: for a terminal, for a file, for machines.
    fn logged() -> [String; 3] {
        let write = |start: &dyn Fn(Written) -> tracing::subscriber::DefaultGuard| {
            let written = Written::default();
            let guard = start(written.clone());
            tracing::info!(field = %FORGED, text = FORGED, "{FORGED}");
            drop(guard);
            String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
        };
        [
            write(&|to| {
                let to = move || OneLine(to.clone(), coloured);
                fmt().with_ansi(true).with_writer(to).set_default()
            }),
            write(&|to| {
                let to = move || OneLine(to.clone(), in_line);
                fmt().with_ansi(false).with_writer(to).set_default()
            }),
            write(&|to| {
                let to = move || OneLine(to.clone(), in_json);
                fmt().json().with_writer(to).set_default()
            }),
        ]
    }

    #[test]
    fn an_event_is_one_line_in_which_everything_is_visible() {
        let [terminal, file, machines] = logged();
        for text in [&terminal, &file, &machines] {
            assert_eq!(text.find('\n'), Some(text.len() - 1), "{text}");
            assert!(!text.contains(['\r', '\u{202e}', '\u{e0041}']), "{text}");
            assert!(!text.contains("\u{1b}[8m"), "{text}");
        }
        assert!(terminal.contains("\u{1b}[32m"), "the level has its colour");
        assert!(!file.contains('\u{1b}'));
        let event: serde_json::Value = serde_json::from_str(&machines).unwrap();
        assert_eq!(event["fields"]["message"], FORGED);
    }
}
