//! Waiting for a moment.

use std::time::Duration;

use taskyard_task::Event;

use super::gate::Gate;
use super::log::TaskLog;
use super::stop::Stop;

/// How many looks at something that is not ready yet, in a row, make a wait. Ends loops that never
/// look at the clock.
const MOST_IDLE_LOOKS: u32 = 256;
/// How long such a wait takes.
const IDLE_WAIT_NS: u64 = 1_000_000;

/// How the worker's time and the real time belong together.
#[derive(Debug)]
pub(super) struct Pace {
    idle_looks: u32,
    /// Whether the worker is somewhere that no run was before.
    caught_up: bool,
}

impl Pace {
    pub(super) fn new(attempt: u32) -> Self {
        Self {
            idle_looks: 0,
            caught_up: attempt <= 1,
        }
    }

    /// The worker is where it has been before.
    pub(super) fn fall_back(&mut self) {
        self.caught_up = false;
    }

    /// The worker is where it has never been.
    pub(super) fn catch_up(&mut self) {
        self.caught_up = true;
    }

    /// The worker did something.
    pub(super) fn not_idle(&mut self) {
        self.idle_looks = 0;
    }
}

impl<L: TaskLog> Gate<L> {
    /// Waits until so many nanoseconds after the task began.
    ///
    /// # Errors
    /// Stopped at the limit of entries, and if the log says otherwise or is not to be had.
    pub(crate) async fn wait(&mut self, until_ns: u64) -> Result<(), Stop> {
        if self.budget.admit_entry().is_err() {
            let limit = self.budget.limits().log_entries;
            return Err(Stop::LogLimit { limit });
        }
        if !self.is_replaying() {
            self.log.sleep(self.real_span(until_ns)).await;
        }
        self.step(Event::Slept { until_ns }).await?;
        self.time.reach_ns(until_ns);
        Ok(())
    }

    /// The worker looked at something that is not ready yet, or waited for nothing.
    ///
    /// # Errors
    /// Like [`Gate::wait`].
    pub(crate) async fn idle(&mut self) -> Result<(), Stop> {
        self.pace.idle_looks += 1;
        if self.pace.idle_looks < MOST_IDLE_LOOKS {
            return Ok(());
        }
        self.wait(self.time.now_ns().saturating_add(IDLE_WAIT_NS))
            .await
    }

    /// How long a wait takes in the real world: as long as the worker wants to wait. One that an
    /// earlier run may have begun ends when it would have ended then.
    fn real_span(&self, until_ns: u64) -> Duration {
        let wanted = until_ns.saturating_sub(self.time.now_ns());
        let left = until_ns.saturating_sub(self.time.ns_at(self.clock.now()));
        let span = if self.pace.caught_up {
            wanted
        } else {
            wanted.min(left)
        };
        Duration::from_nanos(span)
    }
}
