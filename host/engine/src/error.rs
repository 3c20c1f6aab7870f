//! Why the engine cannot be set up.

use std::path::PathBuf;

/// Why the engine cannot be set up. All of them are the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that makes no sense.
    #[error("engine.{setting} {problem}")]
    Config {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The sandbox cannot be built, mostly because address space is short.
    #[error(
        "failed to set up the sandbox (fewer engine.max_instances need less address space): {0}"
    )]
    Sandbox(String),
    /// The directory of compiled components cannot be used.
    #[error("failed to use {path} for compiled components")]
    Cache {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The thread that ends time slices cannot be started.
    #[error("failed to start the thread that ends time slices")]
    Ticker(#[source] std::io::Error),
}
