//! How many lines faults of the host itself may fill: a host that is broken is asked as often as before, and tries as
//! often, and would write a line each time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines that are written in each [`SPAN`]; more of them are counted.
const MOST: u32 = 10;
const SPAN: Duration = Duration::from_secs(60);

/// Those of what runs in the background: it tries again, many times a second.
pub(crate) static BACKGROUND: Lines = Lines::new();

/// Lines of one kind.
#[derive(Debug)]
pub struct Lines(Mutex<Option<Span>>);

#[derive(Debug)]
struct Span {
    begun: Instant,
    written: u32,
    left_out: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

impl Lines {
    /// None so far.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether a fault is to be written, and how many were not since the last one that was.
    pub fn next(&self) -> Option<u64> {
        self.next_at(Instant::now())
    }

    fn next_at(&self, now: Instant) -> Option<u64> {
        let mut span = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let span = span.get_or_insert(Span {
            begun: now,
            written: 0,
            left_out: 0,
        });
        if now >= span.begun + SPAN {
            (span.begun, span.written) = (now, 0);
        }
        if span.written == MOST {
            span.left_out += 1;
            return None;
        }
        span.written += 1;
        Some(std::mem::take(&mut span.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_minute_are_written_and_the_others_counted() {
        let lines = Lines::new();
        let begun = Instant::now();
        let written = (0..1_000).filter_map(|_| lines.next_at(begun)).count();
        assert_eq!(written, MOST as usize);
        assert_eq!(lines.next_at(begun + SPAN), Some(990));
        assert_eq!(lines.next_at(begun + SPAN), Some(0));
        let later = begun + SPAN;
        let written = (0..1_000).filter_map(|_| lines.next_at(later)).count();
        assert_eq!(written, MOST as usize - 2);
    }
}
