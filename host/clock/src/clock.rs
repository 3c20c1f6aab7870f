//! What time it is: the system's, or what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taskyard_task::Timestamp;

pub use std::time::Instant;

/// Tells the time. Cheap to clone; clones of a simulated clock show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    Simulated(Arc<AtomicU64>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until a test moves it.
    #[must_use]
    pub fn simulated(start: Timestamp) -> Self {
        Self(Source::Simulated(Arc::new(AtomicU64::new(start.0))))
    }

    /// Now. May jump, as clocks of computers do.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_now(),
            Source::Simulated(millis) => Timestamp(millis.load(Ordering::SeqCst)),
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
fn system_now() -> Timestamp {
    // A clock before 1970 counts as 1970.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
