//! A commit: everything that one decision changes, as a value.
//!
//! Storage applies commits and does nothing else to the disk. Applying is deterministic: no clock, no
//! randomness, no counter of the host. So the same commits make the same tables anywhere.

use serde::{Deserialize, Serialize};

use crate::api_key::{ApiKey, ApiKeyId};
use crate::child::{Letter, RemoteChild, RemoteId};
use crate::entry::Entry;
use crate::header::Header;
use crate::id::{AgentName, Digest, Partition, Seq, TaskId, Timestamp};
use crate::kv::{Place, Stored};
use crate::outline::Outline;
use crate::plugin::{Agent, Plugin};
use crate::push::PushConfig;

/// The version of this type's serialised form.
pub const COMMIT_VERSION: u8 = 1;

/// Everything that one decision changes; applied whole or not at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// [`COMMIT_VERSION`].
    pub version: u8,
    /// The order it belongs to; every change concerns this partition.
    pub partition: Partition,
    /// Which ownership of the partition made it.
    pub epoch: u64,
    /// What changes, in order.
    pub changes: Vec<Change>,
}

impl Commit {
    /// A commit of `changes` to the tasks of one partition, or to the host's own records.
    #[must_use]
    pub fn new(partition: Partition, epoch: u64, changes: Vec<Change>) -> Self {
        Self {
            version: COMMIT_VERSION,
            partition,
            epoch,
            changes,
        }
    }

    /// This commit and the `next` one of the same partition, written together.
    #[must_use]
    pub fn and(mut self, next: Self) -> Self {
        self.changes.extend(next.changes);
        self
    }

    /// Roughly how many bytes the commit will write; what queues count.
    #[must_use]
    pub fn size(&self) -> usize {
        self.changes.iter().map(Change::size).sum()
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// A task's header is written; the rows that follow from it move along.
    Header {
        /// What it replaces; `None` for a new task.
        before: Option<Box<Header>>,
        /// What it is from here on.
        after: Box<Header>,
    },
    /// A task's log grows by one entry.
    Append {
        /// Whose log.
        task: TaskId,
        /// The entry's number.
        seq: Seq,
        /// The entry.
        entry: Entry,
    },
    /// An ended task is forgotten: everything that is kept of it goes.
    Forget {
        /// What is known of it; the rows that follow from it go along.
        header: Box<Header>,
        /// The idempotency keys of its messages.
        keys: Vec<Digest>,
    },
    /// An ended task leaves what its log amounts to, so that nobody folds it again.
    Outline {
        /// Whose.
        task: TaskId,
        /// What the log amounts to.
        outline: Box<Outline>,
    },
    /// A notification becomes due.
    Notify {
        /// About which task.
        task: TaskId,
        /// To which configuration.
        config: String,
        /// About which entry.
        seq: Seq,
    },
    /// A notification was delivered.
    Delivered {
        /// About which task.
        task: TaskId,
        /// To which configuration.
        config: String,
        /// About which entry.
        seq: Seq,
    },
    /// How the deliveries to one configuration go, when they do not simply succeed.
    DeliveryState {
        /// Which task.
        task: TaskId,
        /// Which configuration.
        config: String,
        /// How they go; `None` once all is well again.
        state: Option<DeliveryState>,
    },
    /// A notification configuration is written.
    PutPushConfig {
        /// Of which task.
        task: TaskId,
        /// The configuration.
        config: Box<PushConfig>,
    },
    /// A notification configuration is removed, and what was due to it.
    DeletePushConfig {
        /// Of which task.
        task: TaskId,
        /// Which.
        config: String,
    },
    /// A request is remembered under its idempotency key.
    Remember {
        /// Where: a digest of the caller's scope and key.
        key: Digest,
        /// What to answer if it comes again.
        submitted: Remembered,
    },
    /// One task must tell another something.
    Post {
        /// What, and whom.
        letter: Letter,
    },
    /// It was told.
    Taken {
        /// What, and whom.
        letter: Letter,
    },
    /// A child on another host is kept, or is further than it was.
    PutRemote {
        /// The child.
        child: Box<RemoteChild>,
    },
    /// A child on another host is over.
    DeleteRemote {
        /// Which child.
        child: RemoteId,
    },
    /// A key of a worker's state is written or removed.
    PutState {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// What was there.
        before: StateBefore,
        /// What is there from now on.
        after: Option<Stored>,
    },
    /// The state that only this task could see goes with it.
    DropState {
        /// The task.
        task: TaskId,
    },
    /// A plugin is kept.
    PutPlugin {
        /// What it is.
        plugin: Box<Plugin>,
        /// The component itself.
        #[serde(with = "serde_bytes")]
        component: Vec<u8>,
    },
    /// A plugin is forgotten.
    DeletePlugin {
        /// Which component.
        digest: Digest,
    },
    /// An agent is deployed or changed.
    PutAgent {
        /// The agent.
        agent: Box<Agent>,
    },
    /// An agent is removed.
    DeleteAgent {
        /// Which agent.
        name: AgentName,
    },
    /// An API key is made or taken back.
    PutApiKey {
        /// The key, without its secret.
        key: Box<ApiKey>,
    },
    /// A key that opens nothing any more is forgotten.
    DeleteApiKey {
        /// Which key.
        id: ApiKeyId,
    },
}

impl Change {
    fn size(&self) -> usize {
        // What a row costs beyond its content: keys, indexes, the header.
        const ROW: usize = 256;
        ROW + match self {
            Self::Append { entry, .. } => entry.event.size(),
            Self::PutPlugin { component, .. } => component.len(),
            Self::Outline { outline, .. } => outline.size(),
            Self::PutRemote { child } => child.call.size(),
            // Each key is two rows.
            Self::Forget { keys, .. } => keys.len() * ROW,
            Self::PutState { after, .. } => after.as_ref().map_or(0, |stored| stored.value.len()),
            Self::Post { .. }
            | Self::Taken { .. }
            | Self::DeleteRemote { .. }
            | Self::DropState { .. }
            | Self::Header { .. }
            | Self::Notify { .. }
            | Self::Delivered { .. }
            | Self::DeliveryState { .. }
            | Self::PutPushConfig { .. }
            | Self::DeletePushConfig { .. }
            | Self::Remember { .. }
            | Self::DeletePlugin { .. }
            | Self::PutAgent { .. }
            | Self::DeleteAgent { .. }
            | Self::PutApiKey { .. }
            | Self::DeleteApiKey { .. } => 0,
        }
    }
}

/// What was under a key of state before it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateBefore {
    /// Nothing.
    Nothing,
    /// Something.
    Stored {
        /// When its time is over, if ever.
        expires_at: Option<Timestamp>,
    },
}

impl StateBefore {
    /// What `stored` was.
    #[must_use]
    pub fn of(stored: Option<&Stored>) -> Self {
        stored.map_or(Self::Nothing, |stored| Self::Stored {
            expires_at: stored.expires_at,
        })
    }

    /// Whether something was there.
    #[must_use]
    pub fn is_something(self) -> bool {
        self != Self::Nothing
    }

    /// When its time was to be over, if ever.
    #[must_use]
    pub fn expires_at(self) -> Option<Timestamp> {
        match self {
            Self::Nothing => None,
            Self::Stored { expires_at } => expires_at,
        }
    }
}

/// What an idempotency key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The task that the request made or continued.
    pub task: TaskId,
    /// The entry of that task that the request made.
    pub seq: Seq,
    /// A digest of the request's body.
    pub body: Digest,
}

/// How the deliveries to one configuration go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryState {
    /// Failed attempts in a row at the oldest due notification.
    pub attempts: u32,
    /// What went wrong last; never a secret.
    pub last_error: String,
    /// When it is tried again; `None` once the host gave up on the configuration.
    pub retry_at: Option<Timestamp>,
}
