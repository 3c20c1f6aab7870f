//! How far back rows have to be looked for that are in the order of their time.
//!
//! A row can be written after the time that it is for was looked at: a little after, while all goes well, and
//! long after while the disk cannot be written. Looking back over all of that finds it, and no further spares
//! walking over the rows that were ever deleted.

use taskyard_task::Timestamp;

/// Where the next look begins.
#[derive(Debug)]
pub(crate) struct LookBack {
    /// How long after its time a row may be written while all goes well.
    millis: u64,
    since: Timestamp,
    /// When the disk could not be written for the last time.
    trouble: Option<Timestamp>,
}

impl LookBack {
    /// Begins with all rows.
    pub(crate) fn new(millis: u64) -> Self {
        Self {
            millis,
            since: Timestamp::default(),
            trouble: None,
        }
    }

    /// Where the next look begins.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    /// All rows up to `now` were looked at, with a disk that could be written or not.
    pub(crate) fn looked(&mut self, now: Timestamp, is_writable: bool) {
        if !is_writable {
            self.trouble = Some(now);
        }
        let settled = Timestamp(now.0.saturating_sub(self.millis));
        // What waited for the disk is written soon after it can be.
        if self.trouble.is_none_or(|at| at <= settled) {
            self.since = settled;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_waited_for_the_disk_are_looked_for() {
        let mut look_back = LookBack::new(10);
        assert_eq!(look_back.since(), Timestamp(0));
        for (now, is_writable, since) in [
            (5, true, 0),
            (100, true, 90),
            (110, false, 90),
            (500, false, 90),
            (505, true, 90),
            (509, true, 90),
            (510, true, 500),
            (600, true, 590),
        ] {
            look_back.looked(Timestamp(now), is_writable);
            assert_eq!(look_back.since(), Timestamp(since), "at {now}");
        }
    }
}
