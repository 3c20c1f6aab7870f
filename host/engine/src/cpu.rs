//! Measures how long a run computes; waiting does not count.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use taskyard_clock::{Clock, Instant};

/// What a run has computed so far: the time spent inside of `poll`, host calls and replay included.
pub(crate) struct CpuMeter {
    clock: Clock,
    zero: Instant,
    limit: Duration,
    /// Of the polls that are over, in nanoseconds.
    used_ns: AtomicU64,
    /// When the current poll began, in nanoseconds since `zero`.
    poll_began_ns: AtomicU64,
}

impl CpuMeter {
    /// A meter that stands at zero.
    pub(crate) fn new(clock: &Clock, limit_ms: u64) -> Arc<Self> {
        Arc::new(Self {
            clock: clock.clone(),
            zero: clock.instant(),
            limit: Duration::from_millis(limit_ms),
            used_ns: AtomicU64::new(0),
            poll_began_ns: AtomicU64::new(0),
        })
    }

    /// The limit in milliseconds, if it is used up. To be asked while a poll goes on.
    pub(crate) fn exceeded_ms(&self) -> Option<u128> {
        let poll = self.now_ns() - self.poll_began_ns.load(Ordering::Relaxed);
        let used = self.used_ns.load(Ordering::Relaxed) + poll;
        (Duration::from_nanos(used) > self.limit).then_some(self.limit.as_millis())
    }

    /// Counts what `work` computes.
    pub(crate) async fn measure<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            let began = self.now_ns();
            self.poll_began_ns.store(began, Ordering::Relaxed);
            let polled = work.as_mut().poll(context);
            self.used_ns
                .fetch_add(self.now_ns() - began, Ordering::Relaxed);
            polled
        })
        .await
    }

    fn now_ns(&self) -> u64 {
        let passed = self.clock.instant().duration_since(self.zero);
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    fn compute(millis: u64) {
        let clock = Clock::system();
        let began = clock.instant();
        while clock.instant().duration_since(began) < Duration::from_millis(millis) {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn only_polls_count() {
        let meter = CpuMeter::new(&Clock::system(), 15);
        let mut measured = pin!(meter.measure(async {
            tokio::task::yield_now().await;
            meter.exceeded_ms()
        }));
        assert!(poll!(measured.as_mut()).is_pending());
        compute(20);
        assert_eq!(measured.await, None);
    }

    #[tokio::test]
    async fn all_polls_count_and_the_one_that_goes_on() {
        let meter = CpuMeter::new(&Clock::system(), 5);
        let exceeded = meter.measure(async {
            compute(3);
            tokio::task::yield_now().await;
            compute(3);
            meter.exceeded_ms()
        });
        assert_eq!(exceeded.await, Some(5));
    }
}
