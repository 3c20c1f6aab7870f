//! How long each of many things took.

use std::time::Duration;

/// Latencies of one measurement.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    all: Vec<Duration>,
    over: Duration,
}

impl Latencies {
    pub(crate) fn over(time: Duration) -> Self {
        Self {
            all: Vec::new(),
            over: time,
        }
    }

    pub(crate) fn add(&mut self, latency: Duration) {
        self.all.push(latency);
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        self.all.append(&mut other.all);
        self.all.sort_unstable();
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.all.len() as f64 / self.over.as_secs_f64()
    }

    /// The latency that `percent` of all did not exceed; 0 if there are none.
    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        let place = self.all.len() * percent / 100;
        let latency = self.all.get(place.min(self.all.len().saturating_sub(1)));
        latency.map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0)
    }
}
