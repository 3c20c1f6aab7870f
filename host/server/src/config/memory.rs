//! How much memory requests and answers may hold.

use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// A request of the largest size, and what is made of it, must fit into a tenant's share.
const LEAST: u64 = 16 << 20;

/// The section `[memory]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MemoryConfig {
    /// What requests and answers may hold together, in bytes; a quarter of the machine's memory if nothing is
    /// said, and a tenant half of it.
    pub(crate) budget_bytes: Option<u64>,
}

impl MemoryConfig {
    /// Refuses a budget that no request fits into.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.budget_bytes.is_none_or(|bytes| bytes >= LEAST),
            "memory.budget_bytes: must be at least {LEAST} (16 MiB)"
        );
        Ok(())
    }
}
