//! Log lines, on standard error: for people, or as JSON for machines.

use std::io::{self, IsTerminal};

use anyhow::{Context, anyhow, ensure};
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
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.log_format {
        LogFormat::Human => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow!("cannot start logging: {error}"))
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
