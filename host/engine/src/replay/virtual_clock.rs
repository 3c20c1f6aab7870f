//! The time that a worker sees.

use std::time::Duration;

use taskyard_task::Timestamp;

/// What one look at the clock takes. Makes time strictly monotonic without a log entry, and ends
/// loops that wait by looking at the clock.
const TICK_NS: u64 = 1_000;

const NS_PER_MS: u64 = 1_000_000;

/// The time that a worker sees: that of the last entry applied, and a little more with every look.
/// Computing takes no time; it catches up with the next entry.
#[derive(Debug, Clone)]
pub(crate) struct VirtualClock {
    /// When the task began: zero of the monotonic clock.
    began: Timestamp,
    now_ns: u64,
}

impl VirtualClock {
    /// The clock of a task that began then.
    pub(crate) fn new(began: Timestamp) -> Self {
        Self { began, now_ns: 0 }
    }

    /// Nanoseconds since the task began. Not a look.
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// A look at the monotonic clock: nanoseconds since the task began.
    pub(crate) fn look(&mut self) -> u64 {
        self.now_ns = self.now_ns.saturating_add(TICK_NS);
        self.now_ns
    }

    /// A look at the wall clock: the time since 1970.
    pub(crate) fn look_at_wall(&mut self) -> Duration {
        let since_began = Duration::from_nanos(self.look());
        Duration::from_millis(self.began.0).saturating_add(since_began)
    }

    /// An entry of that moment is applied.
    pub(crate) fn reach(&mut self, at: Timestamp) {
        self.reach_ns(self.ns_at(at));
    }

    /// It is at least that late.
    pub(crate) fn reach_ns(&mut self, ns: u64) {
        self.now_ns = self.now_ns.max(ns);
    }

    /// The moment in nanoseconds since the task began.
    pub(crate) fn ns_at(&self, at: Timestamp) -> u64 {
        at.millis_since(self.began).saturating_mul(NS_PER_MS)
    }
}
