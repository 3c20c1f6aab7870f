//! The tables. Each is a column family; its name is part of the on-disk format.

/// A table. Names are never reused for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// The host's own facts: the format, the last commit of each partition.
    Meta,
    /// Task, number -> entry, without its content if that is much.
    Log,
    /// Task, number -> entry with all of its content, where the log lacks it.
    Content,
    /// Task -> header.
    Header,
    /// Until format 3: task -> what its long log amounts to, with all content. Has no rows any more.
    Snapshot,
    /// Task -> what its long log amounts to, and where the content of its artifacts is.
    Outline,
    /// Tenant, agent, perhaps conversation, state, moment, task that clients know of -> nothing. And: tenant,
    /// agent, conversation, moment, task that ended in a direct message -> nothing.
    Index,
    /// Tenant, agent, what is counted -> how many tasks in each state.
    Tally,
    /// What else is counted -> how many.
    Count,
    /// Task, or tenant -> what it keeps on the disk.
    Usage,
    /// Tenant, moment, task that ended then -> nothing.
    Ended,
    /// Partition, task -> work item.
    Work,
    /// Partition, moment, task -> nothing.
    Timer,
    /// Moment, task that is parked since then -> the entry that says why.
    Parked,
    /// Digest, unfinished task that it runs -> nothing.
    InFlight,
    /// Partition, task, configuration, number -> nothing.
    Outbox,
    /// Partition, task, configuration -> how deliveries go.
    Delivery,
    /// Task, configuration -> notification configuration.
    PushConfig,
    /// Partition, digest of an idempotency key -> what it stands for.
    Idempotency,
    /// Task, digest of an idempotency key of one of its messages -> nothing.
    TaskKey,
    /// Place, key -> what a worker stored there.
    State,
    /// Moment, place, key -> the place and the key, which are gone from then on.
    StateExpiry,
    /// Partition, recipient, sender, ticket, news -> letter.
    Letter,
    /// Partition, parent, number -> child on another host.
    Remote,
    /// Digest -> plugin.
    Plugin,
    /// Digest -> component.
    Component,
    /// Name -> agent.
    Agent,
    /// Id -> API key.
    ApiKey,
}

impl Table {
    pub(crate) const ALL: [Self; 28] = [
        Self::Meta,
        Self::Log,
        Self::Content,
        Self::Header,
        Self::Snapshot,
        Self::Outline,
        Self::Index,
        Self::Tally,
        Self::Count,
        Self::Usage,
        Self::Ended,
        Self::Work,
        Self::Timer,
        Self::Parked,
        Self::InFlight,
        Self::Outbox,
        Self::Delivery,
        Self::PushConfig,
        Self::Idempotency,
        Self::TaskKey,
        Self::State,
        Self::StateExpiry,
        Self::Letter,
        Self::Remote,
        Self::Plugin,
        Self::Component,
        Self::Agent,
        Self::ApiKey,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Log => "log",
            Self::Content => "content",
            Self::Header => "header",
            Self::Snapshot => "snapshot",
            Self::Outline => "outline",
            Self::Index => "index",
            Self::Tally => "tally",
            Self::Count => "count",
            Self::Usage => "usage",
            Self::Ended => "ended",
            Self::Work => "work",
            Self::Timer => "timer",
            Self::Parked => "parked",
            Self::InFlight => "in-flight",
            Self::Outbox => "outbox",
            Self::Delivery => "delivery",
            Self::PushConfig => "push-config",
            Self::Idempotency => "idempotency",
            Self::TaskKey => "task-key",
            Self::State => "state",
            Self::StateExpiry => "state-expiry",
            Self::Letter => "letter",
            Self::Remote => "remote",
            Self::Plugin => "plugin",
            Self::Component => "component",
            Self::Agent => "agent",
            Self::ApiKey => "api-key",
        }
    }
}
