//! The configuration of the host: every key, its default and its meaning.
//!
//! Each room owns the configuration of itself; this file composes them. [`load()`] finds the values,
//! [`check`] refuses those that make no sense, and nothing starts before both are done.

mod agent;
mod check;
mod environment;
mod load;
mod memory;
mod secret;
pub(crate) mod secrets;
mod storage;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use taskyard_broker::{QueueLimits, RetentionConfig, TaskConfig};
use taskyard_task::decide::RetryPolicy;
use taskyard_task::{AgentName, RunLimits};

pub(crate) use agent::AgentConfig;
pub(crate) use check::is_local;
pub(crate) use load::{Flags, load};
pub(crate) use memory::MemoryConfig;
pub(crate) use secret::Secret;
pub(crate) use secrets::SecretSource;
pub(crate) use storage::StorageConfig;
#[cfg(test)]
pub(crate) use tls::ClientCertificates;
pub(crate) use tls::{CliConfig, TlsConfig};

/// Everything that an operator can set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where clients connect.
    pub(crate) listen: SocketAddr,
    /// Where operators connect.
    pub(crate) admin_listen: SocketAddr,
    /// What clients call this host, if not by the address that they connect to: part of agent cards.
    pub(crate) public_url: Option<String>,
    /// The folder of everything that must survive.
    pub(crate) data_dir: PathBuf,
    /// What operators prove themselves with; made and kept in the data folder if not set.
    pub(crate) admin_token: Option<Secret>,
    /// The agent that answers at the root; if not set, the only one, and among several none.
    pub(crate) default_agent: Option<AgentName>,
    /// Whether anybody who can connect from another machine may use the agents.
    pub(crate) allow_anonymous: bool,
    /// Which log lines are written: a level, or a filter such as `info,taskyard_engine=debug`.
    pub(crate) log: String,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
    /// How long the host goes on as before when it is told to stop, and only `/readyz` says so: balancers see it.
    pub(crate) shutdown_delay_seconds: u64,
    /// How long runs may take to end when the host stops; they go on after the next start otherwise.
    pub(crate) shutdown_grace_seconds: u64,
    /// Whether a commit waits for the disk. Without it, a power failure takes back what clients saw.
    pub(crate) sync: bool,
    /// The certificate of the doors; without it they speak plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<TlsConfig>,
    /// How the other commands call a host.
    #[serde(skip_serializing_if = "CliConfig::is_empty")]
    pub(crate) cli: CliConfig,
    /// What of the system's clock is believed.
    pub(crate) clock: taskyard_clock::Config,
    /// How much may be queued and run.
    pub(crate) limits: QueueLimits,
    /// How much memory requests and answers may hold.
    pub(crate) memory: MemoryConfig,
    /// When a task that failed transiently is tried again.
    pub(crate) retry: RetryPolicy,
    /// How long tasks may take.
    pub(crate) task: TaskConfig,
    /// How much of the disk the host may take.
    pub(crate) storage: StorageConfig,
    /// How long ended tasks are kept.
    pub(crate) retention: RetentionConfig,
    /// What one task may use, unless its agent was deployed with other limits.
    pub(crate) worker: RunLimits,
    /// The doors for clients.
    pub(crate) api: taskyard_api::Config,
    /// The sandbox.
    pub(crate) engine: taskyard_engine::Config,
    /// Webhooks.
    pub(crate) notify: taskyard_notify::Config,
    /// The host's own keys.
    pub(crate) signing: taskyard_signing::Config,
    /// Workers' requests.
    pub(crate) egress: taskyard_outbound::Config,
    /// What rules of agents may add to workers' requests, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) secrets: BTreeMap<String, SecretSource>,
    /// Agents that are set up by the configuration, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) agents: BTreeMap<AgentName, AgentConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7420)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7421)),
            public_url: None,
            data_dir: PathBuf::from("data"),
            admin_token: None,
            default_agent: None,
            allow_anonymous: false,
            log: "info".to_owned(),
            log_format: LogFormat::Human,
            shutdown_delay_seconds: 0,
            shutdown_grace_seconds: 10,
            sync: true,
            tls: None,
            cli: CliConfig::default(),
            clock: taskyard_clock::Config::default(),
            limits: QueueLimits::default(),
            memory: MemoryConfig::default(),
            retry: RetryPolicy::default(),
            task: TaskConfig::default(),
            storage: StorageConfig::default(),
            retention: RetentionConfig::default(),
            worker: RunLimits::default(),
            api: taskyard_api::Config::default(),
            engine: taskyard_engine::Config::default(),
            notify: taskyard_notify::Config::default(),
            signing: taskyard_signing::Config::default(),
            egress: taskyard_outbound::Config::default(),
            secrets: BTreeMap::new(),
            agents: BTreeMap::new(),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

impl Config {
    /// The configuration as the file that would set it, without secrets: rooms do
    /// not serialise theirs.
    ///
    /// # Errors
    /// If a value cannot be written as TOML.
    pub(crate) fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}
