//! State under keys that outlives a run.

mod expected;

use serde::{Deserialize, Serialize};

use crate::id::{AgentName, TaskId, Tenant, Timestamp};

pub use expected::Expected;

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 256;
/// The largest value, in bytes: larger things are artifacts.
pub const MAX_VALUE_BYTES: usize = 1 << 20;
/// The most keys that one listing gives.
pub const MAX_LISTED: u32 = 1_000;

/// Who shares a key, as a worker says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// One task.
    Task,
    /// One conversation of a tenant.
    Context,
    /// One agent, for one tenant.
    Plugin,
    /// One tenant.
    Tenant,
}

/// The place that a scope means for one task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    /// One task.
    Task(TaskId),
    /// One conversation of a tenant.
    Context(Tenant, String),
    /// One agent, for one tenant.
    Plugin(Tenant, AgentName),
    /// One tenant.
    Tenant(Tenant),
}

/// What is stored under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The value.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
    /// Grows with every write, also over a removal.
    pub version: u64,
    /// From when on it is gone.
    pub expires_at: Option<Timestamp>,
}

/// What a worker does with its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateCall {
    /// Reads one key.
    Get {
        /// Where.
        scope: Scope,
        /// The key.
        key: String,
    },
    /// Writes or removes one key.
    Put {
        /// Where.
        scope: Scope,
        /// The key.
        key: String,
        /// The value; none removes it.
        value: Option<serde_bytes::ByteBuf>,
        /// For how long, in milliseconds; for good if absent.
        ttl_ms: Option<u64>,
        /// What must be there for it to happen.
        expected: Expected,
    },
    /// Lists keys.
    Keys {
        /// Where.
        scope: Scope,
        /// What they begin with.
        prefix: String,
        /// Behind which key.
        after: Option<String>,
        /// How many at most.
        limit: u32,
    },
}

impl StateCall {
    /// Where.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Get { scope, .. } | Self::Put { scope, .. } | Self::Keys { scope, .. } => *scope,
        }
    }

    /// Whether a worker that makes the call `now` repeats this one, which a log has.
    #[must_use]
    pub fn is_repeated_by(&self, now: &Self) -> bool {
        match (self, now) {
            (
                Self::Put {
                    scope,
                    key,
                    value,
                    ttl_ms,
                    expected,
                },
                Self::Put {
                    scope: now_scope,
                    key: now_key,
                    value: now_value,
                    ttl_ms: now_ttl_ms,
                    expected: now_expected,
                },
            ) => {
                (scope, key, value, ttl_ms) == (now_scope, now_key, now_value, now_ttl_ms)
                    && expected.is_repeated_by(*now_expected)
            }
            (logged, now) => logged == now,
        }
    }

    /// How many bytes the call counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Get { key, .. } => key.len(),
            Self::Put { key, value, .. } => key.len() + value.as_ref().map_or(0, |v| v.len()),
            Self::Keys { prefix, after, .. } => {
                prefix.len() + after.as_ref().map_or(0, String::len)
            }
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateResult {
    /// What is there.
    Found(Option<Stored>),
    /// It was written; the new version. Zero for a removal.
    Written(u64),
    /// It was not written: this is there instead.
    Stale(Option<Stored>),
    /// The keys.
    Keys(Vec<String>),
    /// The scope holds as many keys as it may.
    Full {
        /// The limit.
        limit: u64,
    },
}

impl StateResult {
    /// How many bytes the result counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Found(stored) | Self::Stale(stored) => {
                stored.as_ref().map_or(0, |stored| stored.value.len())
            }
            Self::Keys(keys) => keys.iter().map(String::len).sum(),
            Self::Written(_) | Self::Full { .. } => 0,
        }
    }
}
