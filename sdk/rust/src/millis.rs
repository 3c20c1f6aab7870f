//! Spans and moments as the world counts them: in whole milliseconds.

use std::time::{Duration, SystemTime};

/// A span, or a moment since 1970.
pub(crate) type Millis = u64;

/// Rounded up, so that nobody waits less than was asked for.
pub(crate) fn of_span(span: Duration) -> Millis {
    let millis = span.as_nanos().div_ceil(1_000_000);
    Millis::try_from(millis).unwrap_or(Millis::MAX)
}

/// Rounded up; moments before 1970 are 1970.
pub(crate) fn of_moment(moment: SystemTime) -> Millis {
    let span = moment.duration_since(SystemTime::UNIX_EPOCH);
    span.map_or(0, of_span)
}

/// A moment further away than the system can count is the last one it can.
pub(crate) fn to_moment(millis: Millis) -> SystemTime {
    /// The last second of the year 9999.
    const LAST: Duration = Duration::from_secs(253_402_300_799);

    let span = Duration::from_millis(millis).min(LAST);
    SystemTime::UNIX_EPOCH + span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_up() {
        assert_eq!(of_span(Duration::from_nanos(1)), 1);
        assert_eq!(of_span(Duration::from_millis(7)), 7);
        assert_eq!(of_span(Duration::MAX), Millis::MAX);
    }

    #[test]
    fn moments_outside_of_the_range_are_its_ends() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(of_moment(before), 0);
        assert_eq!(of_moment(to_moment(1_234)), 1_234);
        assert!(to_moment(Millis::MAX) > to_moment(0));
    }
}
