//! Walks the log: first through what earlier attempts left, then writing.

use std::panic::resume_unwind;

use super::entry::{Entry, What};
use crate::testing::host::Crash;

/// The longest log of a test. A worker that writes more does not end.
const MAX_ENTRIES: usize = 100_000;

/// Why a worker was stopped in the middle of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::testing) enum Stop {
    /// It waits for something that the script does not have.
    Waiting,
    Crashed,
}

impl Stop {
    /// Leaves the worker without a word on stderr.
    pub(super) fn now(self) -> ! {
        resume_unwind(Box::new(self))
    }
}

/// The log, and how far this attempt is.
pub(super) struct Journal {
    log: Vec<Entry>,
    /// The first entry behind the last continuation: where the worker begins.
    base: usize,
    next: usize,
    crash: Option<Crash>,
}

impl Journal {
    pub(super) fn new(log: Vec<Entry>, crash: Option<Crash>) -> Self {
        let is_continuation = |entry: &Entry| matches!(entry.what, What::ContinuedAsNew(_));
        let base = log.iter().rposition(is_continuation).map_or(0, |at| at + 1);
        Self {
            log,
            base,
            next: base,
            crash,
        }
    }

    /// The entry that an earlier attempt left at this place.
    pub(super) fn logged(&self) -> Option<&Entry> {
        self.log.get(self.next)
    }

    /// Goes past it.
    pub(super) fn pass(&mut self) {
        self.next += 1;
    }

    /// How many entries the worker left since it began, or since it was continued.
    pub(super) fn length(&self) -> usize {
        self.next - self.base
    }

    /// An entry is about to be written, with whatever shares its write. Crashes here if the script says so.
    pub(super) fn about_to_append(&self) {
        assert!(
            self.log.len() < MAX_ENTRIES,
            "the log has {MAX_ENTRIES} entries: does the worker ever end?"
        );
        if self.crash == Some(Crash::Before(self.log.len() + 1)) {
            Stop::Crashed.now();
        }
    }

    /// The entry is written. Crashes here if the script says so.
    pub(super) fn append(&mut self, entry: Entry) {
        self.log.push(read_back(&entry));
        self.next = self.log.len();
        if self.crash == Some(Crash::After(self.log.len())) {
            Stop::Crashed.now();
        }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.log
    }
}

/// An entry as a replay finds it: a host writes its log to a disk and reads it again, so a test must not
/// go on with what never left the memory.
fn read_back(entry: &Entry) -> Entry {
    let written = serde_json::to_vec(entry);
    let read = written.and_then(|written| serde_json::from_slice(&written));
    match read {
        Ok(read) => read,
        Err(error) => panic!("the log cannot hold this entry: {error}: {entry:?}"),
    }
}
