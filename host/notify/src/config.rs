//! What an operator can set about notifications.

use serde::{Deserialize, Serialize};
use taskyard_outbound::{GuardConfig, NoException};
use taskyard_task::decide::RetryPolicy;

use crate::guard::UrlGuard;

/// How notifications are delivered, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether webhooks may be at private, local and otherwise special addresses.
    pub allow_private: bool,
    /// Host names, addresses and networks (`10.1.0.0/16`) that are allowed all the same.
    pub allow: Vec<String>,
    /// How many notifications may be under way at once.
    pub max_concurrent: usize,
    /// Whether connections are kept for the next notification; not where files are scarce.
    #[serde(skip)]
    pub keep_idle: bool,
    /// How long a webhook may take to answer, in milliseconds.
    pub timeout_ms: u64,
    /// Failures in a row after which a webhook is given up.
    pub max_attempts: u32,
    /// How long to wait after the first failure, in milliseconds; doubles with each further one.
    pub initial_ms: u64,
    /// The longest wait, in milliseconds.
    pub max_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_private: false,
            allow: Vec::new(),
            // Each holds a connection and one payload.
            max_concurrent: 64,
            keep_idle: true,
            // The protocol recommends 10 to 30 s.
            timeout_ms: 15_000,
            // With the delays below: about half an hour of trying.
            max_attempts: 12,
            initial_ms: 1_000,
            max_ms: 600_000,
        }
    }
}

impl Config {
    /// When a failed notification is tried again.
    #[must_use]
    pub(crate) fn retry(&self) -> RetryPolicy {
        RetryPolicy {
            max_attempts: self.max_attempts,
            initial_ms: self.initial_ms,
            factor: 2.0,
            max_ms: self.max_ms,
            // Webhooks that failed together, because one receiver was down, do not come back together.
            jitter: 0.5,
        }
    }

    pub(crate) fn guard(&self) -> GuardConfig {
        GuardConfig {
            allow_private: self.allow_private,
            allow: self.allow.clone(),
        }
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// If a number must not be zero, or an exception is none.
    pub fn check(&self) -> Result<(), Error> {
        UrlGuard::new(self)?;
        let at_least_one = [
            ("max_concurrent", self.max_concurrent as u64),
            ("timeout_ms", self.timeout_ms),
            ("max_attempts", self.max_attempts.into()),
            ("initial_ms", self.initial_ms),
            ("max_ms", self.max_ms),
        ];
        match at_least_one.into_iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err(Error::Zero(key)),
            None => Ok(()),
        }
    }
}

/// Why notifications cannot be delivered with this configuration. All the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A number that must be positive.
    #[error("notify.{0} must be at least 1")]
    Zero(&'static str),
    /// An entry of the list of exceptions.
    #[error("notify.allow: {0}")]
    Allow(#[from] NoException),
    /// The HTTP client could not be made.
    #[error("cannot set up the HTTP client for notifications")]
    Client(#[source] reqwest::Error),
}
