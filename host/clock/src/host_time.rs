//! The host's own time: it follows the system's clock, and does not step with it.
//!
//! Between two looks it runs with the time since the machine booted, which nobody can set. A look compares it
//! with the system's clock: a small difference is drift and is followed, a large one is a step and is not,
//! until the clock returns or an operator accepts it. So nothing that waits for a time sees a step, be it a
//! timer, a deadline or retention.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use taskyard_task::Timestamp;

use crate::clock::wall_now;

/// Where the system tells one boot from the next.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What of the system's clock is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A larger difference between the system's clock and the host's time is a step, which is not followed
    /// before an operator accepts it.
    pub max_step_seconds: u64,
    /// If the machine was off for longer than this many days, an operator must say that its clock is right.
    pub max_absence_days: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Far more than a clock drifts between two looks, less than any deadline that matters.
            max_step_seconds: 300,
            max_absence_days: 30,
        }
    }
}

impl Config {
    fn max_step_ms(self) -> i64 {
        millis(self.max_step_seconds.saturating_mul(1_000))
    }

    fn max_absence_ms(self) -> i64 {
        millis(self.max_absence_days.saturating_mul(24 * 3_600 * 1_000))
    }
}

/// What a host that ends leaves behind about the time, for the next start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSeen {
    /// The host's time.
    pub at: Timestamp,
    /// Since the machine booted, in milliseconds.
    pub since_boot_ms: u64,
    /// Which boot that was, if the system tells.
    pub boot: Option<String>,
}

/// What a look at the system's clock found, if it is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The clock was set by so many milliseconds; the host's time goes on as before.
    Stepped(i64),
    /// The clock is where it should be again.
    Returned,
}

/// The host's time.
#[derive(Debug)]
pub(crate) struct HostTime(Mutex<Following>);

impl HostTime {
    pub(crate) fn start() -> Self {
        Self(Mutex::new(Following::new(since_boot_ms(), wall_ms())))
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.lock().now(since_boot_ms()).unsigned_abs())
    }

    pub(crate) fn follow(&self, config: Config) -> Option<News> {
        self.lock()
            .look(since_boot_ms(), wall_ms(), config.max_step_ms())
    }

    pub(crate) fn resume(&self, last: &LastSeen, config: Config) -> Option<News> {
        let is_same_boot = last.boot.is_some() && last.boot == boot_id();
        self.lock()
            .resume(since_boot_ms(), wall_ms(), last, is_same_boot, config)
    }

    pub(crate) fn step_ms(&self) -> Option<i64> {
        self.lock().step_ms
    }

    pub(crate) fn accept(&self) -> Option<i64> {
        self.lock().accept(since_boot_ms(), wall_ms())
    }

    pub(crate) fn last_seen(&self) -> LastSeen {
        let since_boot_ms = since_boot_ms();
        LastSeen {
            at: Timestamp(self.lock().now(since_boot_ms).unsigned_abs()),
            since_boot_ms: since_boot_ms.unsigned_abs(),
            boot: boot_id(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Following> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wall_ms() -> i64 {
    millis(wall_now().0)
}

/// Counts while the machine sleeps, too.
fn since_boot_ms() -> i64 {
    let time = clock_gettime(ClockId::Boottime);
    let since = Duration::try_from(time).unwrap_or_default();
    millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string(BOOT_ID).ok()?;
    Some(id.trim().to_owned())
}

fn millis(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// How the host's time follows the clock; all in milliseconds.
#[derive(Debug)]
struct Following {
    /// The host's time when the machine booted.
    offset: i64,
    /// The latest time that was told; none is told that is earlier.
    latest: i64,
    /// Since the machine booted, at the last look.
    looked_at: i64,
    /// How far the clock is ahead of the host's time, if that is too far to follow.
    step_ms: Option<i64>,
    /// How far the clock may be ahead after it was not believed at the start: as long as the machine may have
    /// been off.
    absence: Option<i64>,
}

impl Following {
    fn new(since_boot: i64, wall: i64) -> Self {
        Self {
            offset: wall.saturating_sub(since_boot),
            latest: 0,
            looked_at: since_boot,
            step_ms: None,
            absence: None,
        }
    }

    fn now(&mut self, since_boot: i64) -> i64 {
        self.latest = self.latest.max(self.steady(since_boot));
        self.latest
    }

    fn steady(&self, since_boot: i64) -> i64 {
        since_boot.saturating_add(self.offset).max(0)
    }

    fn look(&mut self, since_boot: i64, wall: i64, max_step: i64) -> Option<News> {
        let passed = since_boot.saturating_sub(self.looked_at).max(0);
        self.looked_at = since_boot;
        let ahead = wall.saturating_sub(self.steady(since_boot));
        if ahead < -max_step || ahead > self.absence.unwrap_or(max_step) {
            let before = self.step_ms.replace(ahead);
            return before.is_none().then_some(News::Stepped(ahead));
        }
        // Forwards at once. Backwards at half the speed of time, so that nothing stands still for long.
        self.offset = self.offset.saturating_add(ahead.max(-(passed / 2)));
        self.absence = None;
        self.step_ms.take().map(|_| News::Returned)
    }

    /// Goes on after `last`. A machine that has not booted since tells exactly how much time has passed.
    fn resume(
        &mut self,
        since_boot: i64,
        wall: i64,
        last: &LastSeen,
        is_same_boot: bool,
        config: Config,
    ) -> Option<News> {
        let passed = since_boot.saturating_sub(millis(last.since_boot_ms));
        let passed = if is_same_boot { passed.max(0) } else { 0 };
        let expected = millis(last.at.0).saturating_add(passed);
        let ahead = wall.saturating_sub(expected);
        let absence = (!is_same_boot).then(|| config.max_absence_ms());
        let max_step = config.max_step_ms();
        let is_step = ahead < -max_step || ahead > absence.unwrap_or(max_step);
        let start = if is_step {
            expected
        } else {
            wall.max(expected)
        };
        *self = Self {
            step_ms: is_step.then_some(ahead),
            absence: absence.filter(|_| is_step),
            ..Self::new(since_boot, start)
        };
        self.step_ms.map(News::Stepped)
    }

    /// The clock is right, says an operator.
    fn accept(&mut self, since_boot: i64, wall: i64) -> Option<i64> {
        self.step_ms?;
        let ahead = wall.saturating_sub(self.steady(since_boot));
        *self = Self::new(since_boot, wall);
        Some(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;
    const STEP: i64 = 300_000;
    /// Where the clock was when the machine booted.
    const WALL: i64 = 1_000 * DAY;

    #[test]
    fn a_step_is_not_followed_and_time_goes_on() {
        for step in [-HOUR, 2 * DAY, 31 * DAY, -WALL] {
            let mut time = Following::new(0, WALL);
            assert_eq!(
                time.look(1_000, WALL + 1_000 + step, STEP),
                Some(News::Stepped(step))
            );
            assert_eq!(time.now(1_000), WALL + 1_000, "{step}");
            // Said once.
            assert_eq!(time.look(2_000, WALL + 2_000 + step, STEP), None);
            assert_eq!(time.now(2_000), WALL + 2_000, "{step}");
            // Set right again.
            assert_eq!(time.look(3_000, WALL + 3_000, STEP), Some(News::Returned));
            assert_eq!(time.now(3_000), WALL + 3_000, "{step}");
            assert_eq!(time.step_ms, None);
        }
    }

    #[test]
    fn drift_is_followed_and_time_never_goes_back() {
        for drift in [-STEP, -700, -1, 0, 1, 700, STEP] {
            let mut time = Following::new(0, WALL);
            let mut last = 0;
            for second in 1..=700 {
                let boot = second * 1_000;
                assert_eq!(time.look(boot, WALL + boot + drift, STEP), None);
                let now = time.now(boot);
                assert!(now >= last, "{drift} at {second}");
                last = now;
            }
            assert_eq!(last, WALL + 700_000 + drift);
        }
    }

    #[test]
    fn an_accepted_step_is_followed_at_once() {
        for step in [-HOUR, 31 * DAY] {
            let mut time = Following::new(0, WALL);
            assert_eq!(time.accept(500, WALL + 500), None);
            time.look(1_000, WALL + 1_000 + step, STEP);
            assert_eq!(time.accept(1_500, WALL + 1_500 + step), Some(step));
            assert_eq!(time.now(1_500), WALL + 1_500 + step);
            assert_eq!(time.look(2_000, WALL + 2_000 + step, STEP), None);
        }
    }

    /// Resumes ten minutes after boot, with a clock that is `ahead` of what the host saw last.
    fn resumed(ahead: i64, is_same_boot: bool) -> (Following, Option<News>) {
        let mut time = Following::new(0, 0);
        let last = LastSeen {
            at: Timestamp(WALL.unsigned_abs()),
            since_boot_ms: 0,
            boot: None,
        };
        let config = Config::default();
        let news = time.resume(600_000, WALL + ahead, &last, is_same_boot, config);
        (time, news)
    }

    #[test]
    fn a_start_believes_what_can_be() {
        for (ahead, is_same_boot, expected, news) in [
            // The same boot tells how long the host was off: ten minutes.
            (600_000, true, 600_000, None),
            (600_000 + 1_000, true, 601_000, None),
            (600_000 - 1_000, true, 600_000, None),
            (2 * DAY, true, 600_000, Some(2 * DAY - 600_000)),
            (-HOUR, true, 600_000, Some(-HOUR - 600_000)),
            // Another one does not.
            (2 * DAY, false, 2 * DAY, None),
            (-1_000, false, 0, None),
            (-HOUR, false, 0, Some(-HOUR)),
            (31 * DAY, false, 0, Some(31 * DAY)),
        ] {
            let (mut time, told) = resumed(ahead, is_same_boot);
            assert_eq!(told, news.map(News::Stepped), "{ahead} {is_same_boot}");
            assert_eq!(time.now(600_000), WALL + expected, "{ahead} {is_same_boot}");
        }
    }

    // Small machines have no clock that runs while they are off; they learn the time from the network.
    #[test]
    fn a_clock_that_is_set_right_after_the_start_is_believed() {
        let (mut time, _) = resumed(-HOUR, false);
        let told = time.look(601_000, WALL + 2 * DAY, STEP);
        assert_eq!(told, Some(News::Returned));
        assert_eq!(time.now(601_000), WALL + 2 * DAY);
        // From here on, the narrow bound holds.
        let told = time.look(602_000, WALL + 3 * DAY, STEP);
        assert!(matches!(told, Some(News::Stepped(_))));
    }
}
