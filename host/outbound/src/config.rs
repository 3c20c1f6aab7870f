//! What an operator can set about workers' requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::guard::{Guard, GuardConfig, NoException};

/// Where workers' requests may go beyond the public internet, and how much they may take. Which hosts
/// an agent may ask at all is said by the agent's own rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether requests may go to private, local and otherwise special addresses.
    pub allow_private: bool,
    /// Host names, addresses and networks (`10.1.0.0/16`) that are allowed all the same.
    pub allow: Vec<String>,
    /// How long one attempt may take, and how long a stream may be silent, in milliseconds.
    pub timeout_ms: u64,
    /// The largest body of a response, in bytes, also after it is decompressed.
    pub max_response_bytes: u64,
    /// How many requests may be under way at once; further ones wait.
    pub max_concurrent: usize,
    /// Whether connections are kept for the next request; not where files are scarce.
    #[serde(skip)]
    pub keep_idle: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_private: false,
            allow: Vec::new(),
            // Language models think before they answer.
            timeout_ms: 60_000,
            // What a worker may write at once is as much by default.
            max_response_bytes: 16 << 20,
            // Each holds a connection and up to one response.
            max_concurrent: 1024,
            keep_idle: true,
        }
    }
}

impl Config {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// If a number must not be zero, or an exception is none.
    pub fn check(&self) -> Result<(), Error> {
        self.guard()?;
        let at_least_one = [
            ("timeout_ms", self.timeout_ms),
            ("max_response_bytes", self.max_response_bytes),
            ("max_concurrent", self.max_concurrent as u64),
        ];
        match at_least_one.into_iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(Error::Zero(key)),
            None => Ok(()),
        }
    }

    pub(crate) fn guard(&self) -> Result<Guard, Error> {
        Ok(Guard::new(&GuardConfig {
            allow_private: self.allow_private,
            allow: self.allow.clone(),
        })?)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// Why requests cannot be sent with this configuration. All the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A number that must be positive.
    #[error("egress.{0} must be at least 1")]
    Zero(&'static str),
    /// An entry of the list of exceptions.
    #[error("egress.allow: {0}")]
    Allow(#[from] NoException),
    /// The HTTP client could not be made.
    #[error("cannot set up the HTTP client for workers' requests")]
    Client(#[source] reqwest::Error),
}
