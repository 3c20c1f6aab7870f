//! Looks after tasks that wait for a moment: retries and deadlines.
//!
//! Timers are rows on disk in the order of their moments, so waiting tasks cost no memory.

use std::time::Duration;

use taskyard_task::{Input, Partition, TaskId, Timestamp};

use crate::broker::Broker;
use crate::error::Error;

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
                let all = due.len() < MOST;
                for task in due {
                    self.due(task).await?;
                }
                if all {
                    break;
                }
            }
        }
        Ok(now)
    }

    async fn due(&self, task: TaskId) -> Result<(), Error> {
        match self.change(task, Input::Due, |_| Ok(())).await {
            Ok(_) | Err(Error::TaskNotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
