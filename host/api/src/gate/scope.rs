//! What a credential is good for.

use serde::{Deserialize, Serialize};
use taskyard_task::AgentName;

use crate::operation::{Operation, Permission};

/// What a credential is good for; by default everything that its tenant may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// The agents that it may call; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<AgentName>>,
    /// Whether it may look only, and neither send nor cancel nor register webhooks.
    pub read_only: bool,
}

impl Scope {
    /// Whether it covers `operation` on `agent`.
    pub(crate) fn allows(&self, operation: Operation, agent: &AgentName) -> bool {
        let may_call = self
            .agents
            .as_ref()
            .is_none_or(|agents| agents.contains(agent));
        let may_do = !self.read_only || operation.permission() == Permission::Read;
        may_call && may_do
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_narrows() {
        let (echo, other): (AgentName, AgentName) =
            ("echo".parse().unwrap(), "other".parse().unwrap());
        let everything = Scope::default();
        let narrow = Scope {
            agents: Some(vec![echo.clone()]),
            read_only: true,
        };
        for operation in Operation::ALL {
            assert!(everything.allows(operation, &other));
            assert!(!narrow.allows(operation, &other));
            let reads = operation.permission() == Permission::Read;
            assert_eq!(narrow.allows(operation, &echo), reads);
        }
    }
}
