//! Looks after tasks that wait for a moment: retries and deadlines.
//!
//! Timers are rows on disk in the order of their moments, so waiting tasks cost no memory.

use std::time::Duration;

use taskyard_task::{Input, Partition, TaskId, Timestamp};

use crate::broker::{Broker, input_size};
use crate::error::Error;
use crate::slots::Committed;

/// How often the rows are looked at: how late a retry can be.
const TICK: Duration = Duration::from_millis(100);
/// Rows of one partition that are taken up at once.
const MOST: usize = 256;
/// Rows can be written a little after the moment that they are for was looked at. Looking back this
/// far finds them, and spares walking over all rows that were ever deleted.
const LOOK_BACK_MS: u64 = 60_000;

impl Broker {
    pub(crate) async fn run_timers(self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut since = Timestamp::default();
        loop {
            tokio::select! {
                () = self.shared.closing.cancelled() => return,
                _ = tick.tick() => {}
            }
            if self.shared.storage.failed().is_some() {
                self.shared.failed.cancel();
                return;
            }
            match self.fire(since).await {
                Ok(now) => since = Timestamp(now.0.saturating_sub(LOOK_BACK_MS)),
                Err(error) => tracing::error!(%error, "cannot look after timers"),
            }
        }
    }

    /// Takes up whatever is due since `since`; gives the moment up to which that is done.
    async fn fire(&self, since: Timestamp) -> Result<Timestamp, Error> {
        let now = self.shared.sources.clock.now();
        for partition in Partition::all() {
            loop {
                let due = self.shared.storage.timers(partition, since, now, MOST)?;
                let is_last = due.len() < MOST;
                let changed = self.fire_page(due).await?;
                // A page that changed nothing would be found again at once; the next tick looks at it.
                if is_last || !changed {
                    break;
                }
            }
        }
        Ok(now)
    }

    /// Hands over all of a page, then waits for the disk once. Tells whether anything changed. A task that
    /// cannot be taken up keeps no other waiting.
    async fn fire_page(&self, due: Vec<TaskId>) -> Result<bool, Error> {
        let mut last = None;
        for task in due {
            match self.due(task).await {
                Ok(Some(durable)) => last = Some(durable),
                Ok(None) => {}
                Err(error @ (Error::Unavailable(_) | Error::ShuttingDown)) => return Err(error),
                Err(error) => tracing::error!(%task, %error, "cannot look after a timer"),
            }
        }
        // Commits queue in order, so the last one stands for all. The next look must not find them again.
        let Some(durable) = last else {
            return Ok(false);
        };
        durable.await?;
        Ok(true)
    }

    /// Nothing if nothing is to be done any more.
    async fn due(&self, task: TaskId) -> Result<Option<Committed>, Error> {
        let input = Input::Due;
        let place = self.shared.storage.reserve(input_size(&input)).await?;
        let slot = self.shared.slots.get(task);
        match self.change_now(&slot, place, input, |_| Ok(())) {
            Ok((_, durable)) => Ok(durable),
            Err(Error::TaskNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
