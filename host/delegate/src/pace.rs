//! How long to wait between attempts.

use std::time::Duration;

use taskyard_clock::IdSource;
use taskyard_task::decide::RetryPolicy;

/// How long to wait between attempts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// After the first look at a task that goes on, and after the first request that failed. Doubles with
    /// each further one.
    pub(crate) first: Duration,
    /// The longest wait: how late the end of a child can be noticed where nothing streams.
    pub(crate) longest: Duration,
    /// How long a message that may be on its way is given to become a task.
    pub(crate) settling: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(60),
            settling: Duration::from_secs(3),
        }
    }
}

impl Pace {
    /// The wait after `times` looks or failures in a row. Those that began together do not stay together.
    pub(crate) fn after(&self, times: u32, ids: &IdSource) -> Duration {
        let policy = RetryPolicy {
            max_attempts: u32::MAX,
            initial_ms: millis(self.first),
            factor: 2.0,
            max_ms: millis(self.longest),
            jitter: 0.25,
        };
        let jitter = ids.up_to(RetryPolicy::JITTER_SCALE);
        let delay = policy.delay_ms(times.max(1), None, jitter);
        delay.map_or(self.longest, Duration::from_millis)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
