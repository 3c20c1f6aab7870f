//! Damage that is found while the host runs: told once in the log, and kept for readiness, status and metrics.
//!
//! A process has one data folder, and what is damaged stays so until the process ends, so there is one place
//! for it: every error of reading passes through here on its way.

use std::sync::atomic::{AtomicBool, Ordering};

use rocksdb::ErrorKind;

static FOUND: AtomicBool = AtomicBool::new(false);

/// The metric exists from the start.
pub(crate) fn start() {
    metrics::gauge!("taskyard_storage_damaged").set(0.0);
}

/// Whether something in the data folder could not be read since the process started.
pub(crate) fn is_found() -> bool {
    FOUND.load(Ordering::Relaxed)
}

/// Looks at an error of the database.
pub(crate) fn note(error: &rocksdb::Error) {
    if error.kind() == ErrorKind::Corruption {
        found("the database", error.as_ref());
    }
}

/// Tells of a damage, the first time.
pub(crate) fn found(place: &str, reason: &str) {
    if FOUND.swap(true, Ordering::Relaxed) {
        return;
    }
    metrics::gauge!("taskyard_storage_damaged").set(1.0);
    tracing::error!(
        place,
        reason,
        "the data folder is damaged: tasks whose rows are there cannot be read; stop the host, and run `taskyard doctor`"
    );
}
