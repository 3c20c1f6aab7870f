//! Plugins and agents: what was loaded, and under which name and limits it is deployed.

use serde::{Deserialize, Serialize};

use crate::egress::EgressPolicy;
use crate::id::{AgentName, Digest, Timestamp};
use crate::limits::RunLimits;

/// One ability of a worker (A2A `AgentSkill`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// Unique within the worker.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Key words.
    pub tags: Vec<String>,
    /// Example prompts.
    pub examples: Vec<String>,
    /// Media types that it takes; empty: those of the worker.
    pub input_modes: Vec<String>,
    /// Media types that it produces; empty: those of the worker.
    pub output_modes: Vec<String>,
}

/// What a worker says it is. Checked when the plugin is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The default name of the agent.
    pub name: AgentName,
    /// SemVer 2.0.
    pub version: String,
    /// What the worker does.
    pub description: String,
    /// Its abilities.
    pub skills: Vec<Skill>,
    /// Media types that the worker takes; empty: any.
    pub input_modes: Vec<String>,
    /// Media types that the worker produces; empty: `text/plain`.
    pub output_modes: Vec<String>,
}

/// A component that was loaded and inspected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugin {
    /// SHA-256 of the component.
    pub digest: Digest,
    /// What it says it is.
    pub manifest: Manifest,
    /// The size of the component.
    pub size_bytes: u64,
    /// When it was loaded first.
    pub loaded_at: Timestamp,
}

/// A deployed name: which plugin answers under it, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The name; part of its URL.
    pub name: AgentName,
    /// The component that new tasks run on.
    pub digest: Digest,
    /// What that component says it is.
    pub manifest: Manifest,
    /// The configuration that new tasks get: a JSON object, as text.
    pub config: String,
    /// The limits that new tasks get.
    pub limits: RunLimits,
    /// How many of its tasks may run at once; `None`: as many as the host allows per agent.
    pub max_runs: Option<u32>,
    /// Counts the deployments under this name, and the changes without one.
    pub revision: u64,
    /// When it was deployed last.
    pub deployed_at: Timestamp,
    /// The requests that its workers may make. Not pinned by tasks: what an operator forbids is forbidden
    /// at once.
    #[serde(default)]
    pub egress: EgressPolicy,
    /// Whether a message that names its context alone answers the task that waits for input there.
    #[serde(default)]
    pub answer_by_context: bool,
}
