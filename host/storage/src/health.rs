//! Whether the data folder can be written, as the committer found out last.

use std::sync::Arc;

use crate::committer::Failed;

/// Whether the data folder can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It can.
    Writable,
    /// Not now. What was handed over waits, and the host tries again by itself.
    Waiting {
        /// What the disk said last.
        reason: Arc<str>,
    },
    /// Not any more, until the host is restarted.
    Failed(Failed),
}

impl Health {
    /// One word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Writable => "writable",
            Self::Waiting { .. } => "waiting",
            Self::Failed(_) => "failed",
        }
    }

    /// Why nothing can be written, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<Failed> {
        match self {
            Self::Writable => None,
            Self::Waiting { reason } => Some(Failed {
                reason: format!("{reason}; it tries again by itself").into(),
            }),
            Self::Failed(failed) => Some(failed.clone()),
        }
    }
}
