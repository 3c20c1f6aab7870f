//! Where a client wants to be notified about a task (A2A 4.3).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::Timestamp;

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
