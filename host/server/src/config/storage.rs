//! How much of the disk the host may take.

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use taskyard_broker::DiskLimits;

/// A database that is smaller than this when it is full could not even begin.
const LEAST_BYTES: u64 = 64 << 20;

/// How much of the disk the host may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StorageConfig {
    /// New work is refused while the file system has less left than this, in bytes.
    pub(crate) reserve_bytes: Option<u64>,
    /// New work is refused while the files of the database hold more than this, in bytes.
    pub(crate) max_bytes: Option<u64>,
    /// Whether everything that is stored is read once a day, so that damage is heard of early.
    pub(crate) scrub: bool,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            reserve_bytes: None,
            max_bytes: None,
            scrub: true,
        }
    }
}

impl StorageConfig {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// For the operator: which key is wrong.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.max_bytes.is_none_or(|most| most >= LEAST_BYTES),
            "storage.max_bytes: must be at least {LEAST_BYTES}, or there would be no room for any work"
        );
        Ok(())
    }

    /// What the broker holds new work to.
    pub(crate) fn disk(&self) -> DiskLimits {
        DiskLimits {
            reserve_bytes: self.reserve_bytes,
            max_bytes: self.max_bytes,
        }
    }
}
