//! What the gate found out about a request, and what follows from it.

use taskyard_broker::Caller;
use taskyard_task::{AccessScope, AgentName, Tenant};

use super::scope;
use crate::operation::Operation;

/// What the gate found out about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// The host serves anybody: the request itself says on whose behalf.
    Anyone,
    /// A known client, on behalf of its tenant.
    Client {
        /// Whose work it does.
        tenant: Tenant,
        /// What it is called, unlike any other client of the tenant.
        name: String,
        /// What it may do.
        scope: AccessScope,
    },
}

impl Access {
    /// The caller, for a request that names the tenant `named`, or none. `None` if the client does not act
    /// for that tenant.
    pub(crate) fn caller(&self, named: Option<Tenant>) -> Option<Caller> {
        match self {
            Self::Anyone => Some(Caller {
                tenant: named.unwrap_or_default(),
                principal: None,
                agents: None,
            }),
            Self::Client { tenant, .. } if named.is_some_and(|named| named != *tenant) => None,
            Self::Client {
                tenant,
                name,
                scope,
            } => Some(Caller {
                tenant: tenant.clone(),
                principal: Some(name.clone()),
                agents: scope.agents.clone(),
            }),
        }
    }

    /// Whose memory its requests take, as far as the credentials tell.
    pub(crate) fn tenant(&self) -> Tenant {
        match self {
            Self::Anyone => Tenant::default(),
            Self::Client { tenant, .. } => tenant.clone(),
        }
    }

    /// Whether the credentials are good for `operation` on any agent.
    pub(crate) fn may(&self, operation: Operation) -> bool {
        match self {
            Self::Anyone => true,
            Self::Client { scope, .. } => scope::allows_anywhere(scope, operation),
        }
    }

    /// Whether the credentials are good for `operation` on `agent`.
    pub(crate) fn allows(&self, operation: Operation, agent: &AgentName) -> bool {
        match self {
            Self::Anyone => true,
            Self::Client { scope, .. } => scope::allows(scope, operation, agent),
        }
    }
}
