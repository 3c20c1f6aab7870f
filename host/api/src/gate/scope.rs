//! What a credential is good for, in terms of operations.

use taskyard_task::{AccessScope, AgentName};

use crate::operation::{Operation, Permission};

/// Whether `scope` covers `operation` on `agent`.
pub(super) fn allows(scope: &AccessScope, operation: Operation, agent: &AgentName) -> bool {
    allows_anywhere(scope, operation) && scope.covers(agent)
}

/// Whether `scope` covers `operation` on some agent.
pub(super) fn allows_anywhere(scope: &AccessScope, operation: Operation) -> bool {
    !scope.read_only || operation.permission() == Permission::Read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_narrows() {
        let (echo, other): (AgentName, AgentName) =
            ("echo".parse().unwrap(), "other".parse().unwrap());
        let everything = AccessScope::default();
        let narrow = AccessScope {
            agents: Some(vec![echo.clone()]),
            read_only: true,
        };
        for operation in Operation::ALL {
            assert!(allows(&everything, operation, &other));
            assert!(!allows(&narrow, operation, &other));
            let reads = operation.permission() == Permission::Read;
            assert_eq!(allows(&narrow, operation, &echo), reads);
        }
    }
}
