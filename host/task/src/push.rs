//! Where a client wants to be notified about a task (A2A 4.3).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::Timestamp;
use crate::state::TaskState;

/// How many configurations one task may have: each visible entry makes one delivery for each of them.
pub const MAX_PUSH_CONFIGS: usize = 16;

/// One webhook of a task (A2A `TaskPushNotificationConfig`).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushConfig {
    /// Unique within the task.
    pub id: String,
    /// Where to post.
    pub url: String,
    /// The client's token, sent back with each notification.
    pub token: Option<String>,
    /// The scheme of the `Authorization` header.
    pub scheme: Option<String>,
    /// What follows the scheme.
    pub credentials: Option<String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The states that notify. `None`: everything that clients can see does.
    #[serde(default)]
    pub on: Option<Vec<TaskState>>,
    /// How the notifications are written: in the version that registered it.
    #[serde(default)]
    pub version: WireVersion,
}

/// A version of the protocol that this host writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WireVersion {
    /// 1.0.
    #[default]
    V1,
    /// 0.3.
    V03,
}

impl PushConfig {
    /// What the task's header keeps of [`PushConfig::on`].
    #[must_use]
    pub fn filter(&self) -> Option<(String, Vec<TaskState>)> {
        let on = self.on.clone()?;
        Some((self.id.clone(), on))
    }
}

impl fmt::Debug for PushConfig {
    /// Leaves the secrets out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushConfig")
            .field("id", &self.id)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
