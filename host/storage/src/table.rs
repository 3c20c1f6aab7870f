//! The tables. Each is a column family; its name is part of the on-disk format.

/// A table. Names are never reused for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// The host's own facts: the format, the last commit of each partition.
    Meta,
    /// Task, number -> entry.
    Log,
    /// Task -> header.
    Header,
    /// Task -> what its long log amounts to.
    Snapshot,
    /// Look-up orders for lists -> state.
    Index,
    /// What is counted -> how many.
    Count,
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
}

impl Table {
    pub(crate) const ALL: [Self; 21] = [
        Self::Meta,
        Self::Log,
        Self::Header,
        Self::Snapshot,
        Self::Index,
        Self::Count,
        Self::Work,
        Self::Timer,
        Self::Parked,
        Self::InFlight,
        Self::Outbox,
        Self::Delivery,
        Self::PushConfig,
        Self::Idempotency,
        Self::State,
        Self::StateExpiry,
        Self::Letter,
        Self::Remote,
        Self::Plugin,
        Self::Component,
        Self::Agent,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Log => "log",
            Self::Header => "header",
            Self::Snapshot => "snapshot",
            Self::Index => "index",
            Self::Count => "count",
            Self::Work => "work",
            Self::Timer => "timer",
            Self::Parked => "parked",
            Self::InFlight => "in-flight",
            Self::Outbox => "outbox",
            Self::Delivery => "delivery",
            Self::PushConfig => "push-config",
            Self::Idempotency => "idempotency",
            Self::State => "state",
            Self::StateExpiry => "state-expiry",
            Self::Letter => "letter",
            Self::Remote => "remote",
            Self::Plugin => "plugin",
            Self::Component => "component",
            Self::Agent => "agent",
        }
    }
}
