//! Every operation on a task: decide, commit, publish.
//!
//! The broker owns the one write path. The doors ask it for what clients want, the engine leases work
//! from it and reports back, the notifier takes due notifications from it; the three know only the
//! broker, never each other. It keeps no truth in memory: what is here is rebuilt from storage.

mod agents;
mod announcer;
mod api_keys;
mod broker;
mod by_context;
mod children;
mod config;
mod content;
mod contexts;
mod disk;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod held;
mod hold;
mod letters;
mod lines;
mod look_back;
mod operations;
mod operator;
mod outbox;
mod patience;
mod probe;
mod push;
mod quick;
mod remotes;
mod retention;
mod run;
mod scheduler;
mod scrub;
mod send;
mod slots;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod timers;
mod watch;

pub use agents::{AgentChanges, AgentStatus, DeployRequest, Drain, Inspector};
pub use api_keys::{MadeApiKey, NewApiKey};
pub use broker::{Broker, Sources};
pub use children::ChildBegun;
pub use config::{Config, DiskLimits, QueueLimits, RetentionConfig, TaskConfig};
pub use content::{Apart, ContentReader, apart};
pub use error::Error;
pub use hold::CHUNK_PATIENCE;
pub use lines::Lines;
pub use operations::{Caller, ListQuery, TaskPage, TaskSnapshot};
pub use operator::{
    FlightPage, FlightQuery, LogPage, LoggedEntry, ParkedPage, ParkedTask, TaskInFlight, TaskStatus,
};
pub use outbox::{Delivery, NextDelivery};
pub use probe::{Difference, Fit, Probe, Prober, Trial};
pub use push::{NotTaken, PushRequest, WebhookPolicy};
pub use remotes::RemoteWork;
pub use run::Run;
pub use send::{IdempotencyKey, SendRequest, Sent, Wishes};
pub use stats::{ClockStats, Forgotten, Stats, StoreStats, TenantStats, WaitingStats};
pub use taskyard_storage::Lane;
pub use watch::Watch;
