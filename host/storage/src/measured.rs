//! Where `tests/instructions/` reaches what each commit and each read does, without the disk; and where tests
//! of other rooms see what reading costs.

use std::fmt;
use std::sync::Arc;

use rocksdb::WriteBatch;
use rocksdb::perf::{PerfContext, PerfMetric, PerfStatsLevel, set_perf_stats};
use serde::Serialize;
use serde::de::DeserializeOwned;
use taskyard_task::Commit;

use crate::apply::Applier;
use crate::database::Database;
use crate::{Storage, record};

/// A record as it is on the disk; `None` if it has no such form.
pub fn encode<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    record::encode(value).ok()
}

/// A record as it is in memory; `None` if these bytes are none.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    record::decode(bytes).ok()
}

/// What this thread reads from the moment on that this is made.
pub struct Reading(PerfContext);

impl Reading {
    /// Begins to count. There is one count for each thread.
    #[must_use]
    pub fn begin() -> Self {
        set_perf_stats(PerfStatsLevel::EnableCount);
        let mut counts = PerfContext::default();
        counts.reset();
        Self(counts)
    }

    /// Bytes of keys and records that were read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let ways = [PerfMetric::GetReadBytes, PerfMetric::IterReadBytes];
        ways.map(|way| self.0.metric(way)).iter().sum()
    }

    /// Deleted rows that were walked over.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.0.metric(PerfMetric::InternalDeleteSkippedCount)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

/// Makes batches as the committer does, and writes none of them.
pub struct Batches {
    db: Arc<Database>,
    applier: Applier,
}

impl Batches {
    /// Batches for these tables.
    #[must_use]
    pub fn of(storage: &Storage) -> Self {
        Self {
            db: Arc::clone(&storage.db),
            applier: Applier::default(),
        }
    }

    /// How many bytes all that a group of commits changes makes; `None` if it cannot be applied.
    pub fn make(&mut self, group: &[Commit]) -> Option<usize> {
        let mut batch = WriteBatch::default();
        let tables = self.db.tables().ok()?;
        self.applier.apply(tables.db(), &mut batch, group).ok()?;
        Some(batch.size_in_bytes())
    }
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").finish_non_exhaustive()
    }
}
