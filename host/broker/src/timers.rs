//! Looks after tasks that wait for a moment: retries and deadlines.
//!
//! Timers are rows on disk in the order of their moments, so waiting tasks cost no memory.

use std::time::Duration;

use taskyard_storage::Health;
use taskyard_task::{Input, Partition, TaskId, Timestamp};

use crate::broker::{Broker, input_size};
use crate::error::Error;
use crate::lines::BACKGROUND;
use crate::look_back::LookBack;
use crate::slots::Committed;

/// How often the rows are looked at: how late a retry can be.
const TICK: Duration = Duration::from_millis(100);
/// Rows of one partition that are taken up at once.
const MOST: usize = 256;
/// See [`LookBack`].
const LOOK_BACK_MS: u64 = 60_000;

impl Broker {
    pub(crate) async fn run_timers(self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut look_back = LookBack::new(LOOK_BACK_MS);
        loop {
            tokio::select! {
                () = self.shared.closing.cancelled() => return,
                _ = tick.tick() => {}
            }
            let health = self.shared.storage.health();
            if let Health::Failed(_) = health {
                self.shared.failed.cancel();
                return;
            }
            match self.fire(look_back.since()).await {
                Ok(now) => look_back.looked(now, health == Health::Writable),
                Err(error) => {
                    if let Some(left_out) = BACKGROUND.next() {
                        tracing::error!(%error, left_out, "cannot look after timers");
                    }
                }
            }
        }
    }

    /// Takes up whatever is due since `since`; gives the moment up to which that is done.
    async fn fire(&self, since: Timestamp) -> Result<Timestamp, Error> {
        let now = self.shared.sources.clock.now();
        for partition in Partition::all() {
            let storage = &self.shared.storage;
            let mut due = storage.timers(partition, since, now, MOST)?;
            // What could not be taken up is looked at by the next tick. So nothing is looked at twice, and the
            // rows that a page deleted are not walked over for the next one.
            while let Some(last) = due.last().copied() {
                let is_last = due.len() < MOST;
                self.fire_page(due).await?;
                if is_last {
                    break;
                }
                due = storage.timers_after(last, now, MOST)?;
            }
        }
        Ok(now)
    }

    /// Hands over all of a page, then waits for the disk once. A task that cannot be taken up keeps no other
    /// waiting.
    async fn fire_page(&self, due: Vec<(Timestamp, TaskId)>) -> Result<(), Error> {
        let mut last = None;
        for (_, task) in due {
            match self.due(task).await {
                Ok(Some(durable)) => last = Some(durable),
                Ok(None) => {}
                Err(error @ (Error::Unavailable(_) | Error::ShuttingDown)) => return Err(error),
                Err(error) => {
                    if let Some(left_out) = BACKGROUND.next() {
                        tracing::error!(%task, %error, left_out, "cannot look after a timer");
                    }
                }
            }
        }
        // Commits queue in order, so the last one stands for all. The next look must not find them again.
        if let Some(durable) = last {
            durable.await?;
        }
        Ok(())
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
