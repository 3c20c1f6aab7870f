//! The operator's settings of the engine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The operator's settings of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many workers may be in memory at once; at least 1. Each reserves address space, not memory.
    pub max_instances: u32,
    /// How many compiled components stay loaded; at least 1. The least recently used one goes first.
    pub max_components: usize,
    /// How many components are compiled at once because tasks need them; at least 1. One more may be compiled
    /// to be loaded.
    pub compile_jobs: usize,
    /// How much memory the process that compiles one component may have, in bytes.
    pub compile_memory_bytes: u64,
    /// How long it may take, in seconds; at least 1.
    pub compile_timeout_seconds: u64,
    /// Where compiled components are kept, so that a restart does not compile them again. Nowhere if
    /// not set. Whoever can write there can run code as the host.
    pub cache_dir: Option<PathBuf>,
    /// How many bytes of a worker's memory stay resident between runs: more is faster, and costs up to
    /// this much memory for each of `max_instances`.
    pub keep_resident_bytes: usize,
    /// How long a worker stays in memory while it waits, in milliseconds; longer waits cost a replay
    /// instead of memory.
    pub hold_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // About 2 TiB of the 128 TiB of addresses that a process has.
            max_instances: 256,
            // Compiled components are 1 to 40 MB.
            max_components: 64,
            compile_jobs: 1,
            // Three times what workers with the runtime of Python or JavaScript take, and several times as long.
            compile_memory_bytes: 2 << 30,
            compile_timeout_seconds: 120,
            cache_dir: None,
            // What a small worker touches.
            keep_resident_bytes: 256 << 10,
            // A replay takes a few milliseconds; waits that are not much longer are not worth it.
            hold_ms: 200,
        }
    }
}

impl Config {
    /// Checks what the types cannot say.
    pub(crate) fn check(&self) -> Result<(), Error> {
        /// The pool reserves two times 4 GiB for each; this is a quarter of what a process has.
        const MOST_INSTANCES: u32 = 4_000;
        /// What a small component takes.
        const LEAST_COMPILE_MEMORY: u64 = 128 << 20;
        const MOST_COMPILE_SECONDS: u64 = 3_600;

        let refuse = |setting, problem| Err(Error::Config { setting, problem });
        if !(1..=MOST_INSTANCES).contains(&self.max_instances) {
            return refuse("max_instances", "must be between 1 and 4000");
        }
        if self.max_components == 0 {
            return refuse("max_components", "must be at least 1");
        }
        if self.compile_jobs == 0 {
            return refuse("compile_jobs", "must be at least 1");
        }
        if self.compile_memory_bytes < LEAST_COMPILE_MEMORY {
            return refuse(
                "compile_memory_bytes",
                "must be at least 134217728 (128 MiB)",
            );
        }
        if !(1..=MOST_COMPILE_SECONDS).contains(&self.compile_timeout_seconds) {
            return refuse("compile_timeout_seconds", "must be between 1 and 3600");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(change: impl FnOnce(&mut Config), setting: &str) {
        let mut config = Config::default();
        change(&mut config);
        let said = config.check().unwrap_err().to_string();
        assert!(
            said.starts_with(&format!("engine.{setting} must be")),
            "{said}"
        );
    }

    #[test]
    fn numbers_that_make_no_sense_are_named() {
        assert!(Config::default().check().is_ok());
        refused(|config| config.max_instances = 0, "max_instances");
        refused(|config| config.max_components = 0, "max_components");
        refused(|config| config.compile_jobs = 0, "compile_jobs");
        refused(
            |config| config.compile_memory_bytes = 1,
            "compile_memory_bytes",
        );
        refused(
            |config| config.compile_timeout_seconds = 0,
            "compile_timeout_seconds",
        );
        refused(
            |config| config.compile_timeout_seconds = u64::MAX,
            "compile_timeout_seconds",
        );
    }
}
