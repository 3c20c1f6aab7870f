//! What the configuration says about one agent.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use taskyard_broker::AgentChanges;
use taskyard_task::EgressPolicy;

/// What the host sets each time it starts, if an agent of that name is deployed then; what is absent
/// stays as it was deployed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AgentConfig {
    /// The configuration that new tasks get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Map<String, Value>>,
    /// The requests that its workers may make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) egress: Option<EgressPolicy>,
    /// Whether a message that names its context alone answers the task that waits for input there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer_by_context: Option<bool>,
}

impl AgentConfig {
    /// The same, for the broker.
    pub(crate) fn changes(&self) -> AgentChanges {
        AgentChanges {
            config: self
                .config
                .clone()
                .map(|map| Value::Object(map).to_string()),
            egress: self.egress.clone(),
            answer_by_context: self.answer_by_context,
        }
    }
}
