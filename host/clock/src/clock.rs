//! What time it is: the host's, or what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taskyard_task::Timestamp;

use crate::host_time::{Config, HostTime, LastSeen, News};

pub use std::time::Instant;

/// Tells the time. Cheap to clone; clones of a simulated clock show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    Host(Arc<HostTime>),
    Simulated(Arc<AtomicU64>),
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The host's time: the system's, as of now. It goes on by itself; [`Clock::follow`] compares the two.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::Host(Arc::new(HostTime::start())))
    }

    /// A clock that stands still until a test moves it.
    #[must_use]
    pub fn simulated(start: Timestamp) -> Self {
        Self(Source::Simulated(Arc::new(AtomicU64::new(start.0))))
    }

    /// Now, for everything that the host itself waits for and writes down. Does not step with the system's
    /// clock, and never goes back unless an operator accepts that.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Host(time) => time.now(),
            Source::Simulated(millis) => Timestamp(millis.load(Ordering::SeqCst)),
        }
    }

    /// What the system's clock says, for times that are agreed upon with others: how long tokens and certificates
    /// are valid. May step.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            Source::Host(_) => wall_now(),
            Source::Simulated(_) => self.now(),
        }
    }

    /// Looks at the system's clock, and follows it unless it stepped. To be called every second or so.
    pub fn follow(&self, config: Config) -> Option<News> {
        self.host()?.follow(config)
    }

    /// Goes on after what an earlier host saw, before anything asks for the time.
    pub fn resume(&self, last: &LastSeen, config: Config) -> Option<News> {
        self.host()?.resume(last, config)
    }

    /// How many milliseconds the system's clock is ahead of the host's time, if that is a step that is not
    /// followed.
    #[must_use]
    pub fn step_ms(&self) -> Option<i64> {
        self.host()?.step_ms()
    }

    /// Follows a step, because an operator says that the clock is right. Returns how far that was; nothing
    /// if there is no step.
    pub fn accept(&self) -> Option<i64> {
        self.host()?.accept()
    }

    /// What the next start is to know.
    #[must_use]
    pub fn last_seen(&self) -> Option<LastSeen> {
        Some(self.host()?.last_seen())
    }

    fn host(&self) -> Option<&HostTime> {
        match &self.0 {
            Source::Host(time) => Some(time),
            Source::Simulated(_) => None,
        }
    }

    /// Moves a simulated clock on; the system's cannot be moved.
    pub fn advance(&self, by: Duration) {
        if let Source::Simulated(millis) = &self.0 {
            let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
            millis.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// A point for measuring how long something takes; never jumps, and is never simulated.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one source")]
    pub fn instant(&self) -> Instant {
        Instant::now()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one source")]
pub(crate) fn wall_now() -> Timestamp {
    // A clock before 1970 counts as 1970.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
