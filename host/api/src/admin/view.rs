//! What operators see, as JSON. The command line reads the same types.

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use taskyard_broker::AgentStatus;
use taskyard_task::commit::DeliveryState;
use taskyard_task::{Agent, EgressPolicy, RunLimits, TaskId, Timestamp};

/// A step of the system's clock that the host follows now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClockStep {
    /// In milliseconds; nothing if there was none.
    pub step_ms: Option<i64>,
}

/// All agents, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentList {
    /// The agents.
    pub agents: Vec<AgentView>,
}

/// One deployed agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentView {
    /// Its name; part of its URL.
    pub name: String,
    /// The version that its component says it has.
    pub version: String,
    /// What it does.
    pub description: String,
    /// SHA-256 of the component that new tasks run on, in hexadecimal digits.
    pub digest: String,
    /// The configuration that new tasks get.
    pub config: Value,
    /// The limits that new tasks get.
    pub limits: RunLimits,
    /// How many of its tasks may run at once, if that is limited for it.
    pub max_runs: Option<u32>,
    /// The requests that its workers may make. Secrets are named in it, and never shown.
    pub egress: EgressPolicy,
    /// Whether a message that names its context alone answers the task that waits for input there.
    #[serde(default)]
    pub answer_by_context: bool,
    /// Counts the deployments under this name, and the changes without one.
    pub revision: u64,
    /// When it was deployed last (RFC 3339).
    pub deployed_at: String,
}

/// One agent, and what goes on under its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// The deployment.
    pub agent: AgentView,
    /// Its tasks that are in line.
    pub queued: u64,
    /// Its tasks that run.
    pub running: u64,
    /// The components that its unfinished tasks hold.
    pub held: Vec<HeldView>,
}

/// A component that unfinished tasks hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldView {
    /// SHA-256 of the component, in hexadecimal digits.
    pub digest: String,
    /// The version that it says it has.
    pub version: String,
    /// How many unfinished tasks run on it.
    pub tasks: u64,
}

/// Deliveries that do not simply succeed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryList {
    /// The deliveries.
    pub deliveries: Vec<DeliveryView>,
}

/// How the deliveries to one webhook go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// Which task.
    pub task: String,
    /// Which of its notification configurations.
    pub config: String,
    /// Failed attempts in a row at the oldest due notification.
    pub attempts: u32,
    /// What went wrong last.
    pub last_error: String,
    /// When it is tried again (RFC 3339); absent once the host gave up.
    pub retry_at: Option<String>,
}

/// A webhook that is tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetriedView {
    /// Which task.
    pub task: String,
    /// Which of its notification configurations.
    pub config: String,
}

impl From<&Agent> for AgentView {
    fn from(agent: &Agent) -> Self {
        Self {
            name: agent.name.to_string(),
            version: agent.manifest.version.clone(),
            description: agent.manifest.description.clone(),
            digest: agent.digest.to_string(),
            // Whoever deployed it gave an object; `null` stands for what cannot happen.
            config: serde_json::from_str(&agent.config).unwrap_or(Value::Null),
            limits: agent.limits,
            max_runs: agent.max_runs,
            egress: agent.egress.clone(),
            answer_by_context: agent.answer_by_context,
            revision: agent.revision,
            deployed_at: moment(agent.deployed_at),
        }
    }
}

impl From<AgentStatus> for StatusView {
    fn from(status: AgentStatus) -> Self {
        let held = status.tasks_by_digest.into_iter();
        Self {
            agent: AgentView::from(&status.agent),
            queued: status.queued,
            running: status.running,
            held: held
                .map(|(digest, version, tasks)| HeldView {
                    digest: digest.to_string(),
                    version,
                    tasks,
                })
                .collect(),
        }
    }
}

impl DeliveryView {
    pub(super) fn new(task: TaskId, config: String, state: DeliveryState) -> Self {
        Self {
            task: task.to_string(),
            config,
            attempts: state.attempts,
            last_error: state.last_error,
            retry_at: state.retry_at.map(moment),
        }
    }
}

pub(super) fn moment(at: Timestamp) -> String {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH);
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
