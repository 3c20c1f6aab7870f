//! How long each of many things took.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

/// Kept digits of each latency; an hour is the longest that can be told apart.
const DIGITS: u8 = 3;
const LONGEST_NANOS: u64 = 3_600_000_000_000;
const NANOS_PER_MS: f64 = 1e6;

/// Latencies of one measurement.
#[derive(Debug)]
pub(crate) struct Samples {
    histogram: Histogram<u64>,
    /// How long the measurement took.
    pub(crate) over: Duration,
}

impl Samples {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            histogram: Histogram::new_with_bounds(1, LONGEST_NANOS, DIGITS)?,
            over: Duration::ZERO,
        })
    }

    pub(crate) fn add(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.histogram.saturating_record(nanos);
    }

    pub(crate) fn count(&self) -> u64 {
        self.histogram.len()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.count() as f64 / self.over.as_secs_f64()
    }

    /// The latency in milliseconds that `percent` of all did not exceed; 0 if there are none.
    pub(crate) fn ms(&self, percent: f64) -> f64 {
        self.histogram.value_at_percentile(percent) as f64 / NANOS_PER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_how_long_most_took() {
        let mut samples = Samples::new().unwrap();
        (1..=100).for_each(|ms| samples.add(Duration::from_millis(ms)));
        samples.over = Duration::from_secs(10);
        assert_eq!(samples.count(), 100);
        assert_eq!(samples.per_second(), 10.0);
        assert!((samples.ms(50.0) - 50.0).abs() < 0.1);
        assert!((samples.ms(99.0) - 99.0).abs() < 0.1);
    }

    #[test]
    fn nothing_took_no_time() {
        assert_eq!(Samples::new().unwrap().ms(99.0), 0.0);
    }
}
