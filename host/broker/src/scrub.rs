//! Everything that is stored is read again and again, at a pace that nobody notices.

use std::time::Duration;

use taskyard_storage::Scrub;

use crate::broker::Broker;

/// How much is read at once,
const STEP_BYTES: usize = 1 << 20;
/// and how often: together 4 MiB/s, so 100 GiB take seven hours.
const STEP: Duration = Duration::from_millis(250);
/// From the end of a pass to the beginning of the next one.
const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

impl Broker {
    /// Reads everything once a day, until the host ends.
    pub(crate) async fn run_scrub(self) {
        let closing = self.shared.closing.clone();
        let passes = async {
            loop {
                self.scrub_all().await;
                tokio::time::sleep(PAUSE).await;
            }
        };
        closing.run_until_cancelled(passes).await;
    }

    async fn scrub_all(&self) {
        let mut scrub = Scrub::default();
        let mut step = tokio::time::interval(STEP);
        step.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            step.tick().await;
            let storage = self.shared.storage.clone();
            let stepped = tokio::task::spawn_blocking(move || {
                let goes_on = storage.scrub(&mut scrub, STEP_BYTES);
                (goes_on, scrub)
            });
            let goes_on;
            (goes_on, scrub) = match stepped.await {
                Ok(stepped) => stepped,
                Err(error) => return tracing::error!(%error, "cannot read what is stored"),
            };
            match goes_on {
                Ok(true) => {}
                Ok(false) => break,
                // It is being opened again, and read further afterwards.
                Err(error) => tracing::debug!(%error, "cannot read what is stored now"),
            }
        }
        let now = self.shared.sources.clock.now();
        metrics::gauge!("taskyard_storage_scrubbed_timestamp_seconds").set(now.0 as f64 / 1e3);
        let damaged_tables = scrub.damaged();
        tracing::debug!(damaged_tables, "all that is stored was read");
    }
}
