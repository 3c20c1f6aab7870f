//! When a run that failed transiently is tried again.

use serde::{Deserialize, Serialize};

/// Exponential backoff with jitter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    /// Failures in a row after which the task fails for good; at least 1.
    pub max_attempts: u32,
    /// The first delay, in milliseconds.
    pub initial_ms: u64,
    /// What each further delay is multiplied by.
    pub factor: f64,
    /// The longest delay, in milliseconds.
    pub max_ms: u64,
    /// How much of a delay is random, from 0 to 1: tasks that failed together do not come back together.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            initial_ms: 1_000,
            factor: 2.0,
            max_ms: 300_000,
            jitter: 0.2,
        }
    }
}

impl RetryPolicy {
    /// The random numbers that [`RetryPolicy::delay_ms`] takes go up to this.
    pub const JITTER_SCALE: u32 = 1_000;

    /// How long to wait after the `failures`-th failure in a row, in milliseconds; `None` when it was
    /// the last one allowed. `at_least` is what the worker asked for.
    #[must_use]
    pub fn delay_ms(&self, failures: u32, at_least: Option<u64>, jitter: u32) -> Option<u64> {
        if failures >= self.max_attempts {
            return None;
        }
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let full = (self.initial_ms as f64 * self.factor.powi(exponent)).min(self.max_ms as f64);
        let share = f64::from(jitter.min(Self::JITTER_SCALE)) / f64::from(Self::JITTER_SCALE);
        let delay = full * (1.0 - self.jitter * share);
        Some((delay as u64).max(at_least.unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_the_longest_and_then_end() {
        let policy = RetryPolicy {
            max_attempts: 5,
            initial_ms: 100,
            factor: 10.0,
            max_ms: 5_000,
            jitter: 0.5,
        };
        let delays: Vec<_> = (1..=5).map(|n| policy.delay_ms(n, None, 0)).collect();
        assert_eq!(
            delays,
            [Some(100), Some(1_000), Some(5_000), Some(5_000), None]
        );
        assert_eq!(
            policy.delay_ms(1, None, RetryPolicy::JITTER_SCALE),
            Some(50)
        );
        assert_eq!(policy.delay_ms(1, Some(700), 0), Some(700));
    }
}
