//! The one gate in front of all operations: who calls, and on whose behalf.
//!
//! A [`Caller`] is made here and nowhere else, so no operation can forget to ask.

mod scope;

use axum::http::request::Parts;
use taskyard_broker::Caller;
use taskyard_task::{AgentName, Tenant};

use crate::config::ClientCredential;
use crate::error::ApiError;
use crate::operation::Operation;
use crate::token::bearer;

pub use scope::Scope;

/// Knows the clients that may call.
#[derive(Debug)]
pub(crate) struct Gate {
    clients: Vec<ClientCredential>,
}

/// What the gate found out about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// The host serves anybody: the request itself says on whose behalf.
    Anyone,
    /// A known client, on behalf of its tenant.
    Client {
        /// Whose work it does.
        tenant: Tenant,
        /// What operators call it.
        name: String,
        /// What it may do.
        scope: Scope,
    },
}

impl Gate {
    pub(crate) fn new(clients: Vec<ClientCredential>) -> Self {
        Self { clients }
    }

    /// Whether anybody may call.
    pub(crate) fn is_open(&self) -> bool {
        self.clients.is_empty()
    }

    /// Finds out who calls.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] if the host has clients and this is none of them.
    pub(crate) async fn admit(&self, head: &Parts) -> Result<Access, ApiError> {
        if self.is_open() {
            return Ok(Access::Anyone);
        }
        let shown = bearer(&head.headers).ok_or(ApiError::Unauthenticated)?;
        // Looks at every client, so that the time says nothing about which one it was.
        let matching = |found, client: &'_ _| known(client, shown).or(found);
        self.clients
            .iter()
            .fold(None, matching)
            .ok_or(ApiError::Unauthenticated)
    }
}

fn known(client: &ClientCredential, shown: &str) -> Option<Access> {
    client.token.matches(shown).then(|| Access::Client {
        tenant: client.tenant.clone(),
        name: client.name.clone(),
        scope: Scope::default(),
    })
}

impl Access {
    /// The caller, for a request that names the tenant `named`, or none. `None` if the client does not act
    /// for that tenant.
    pub(crate) fn caller(&self, named: Option<Tenant>) -> Option<Caller> {
        match self {
            Self::Anyone => Some(Caller {
                tenant: named.unwrap_or_default(),
                principal: None,
            }),
            Self::Client { tenant, .. } if named.is_some_and(|named| named != *tenant) => None,
            Self::Client { tenant, name, .. } => Some(Caller {
                tenant: tenant.clone(),
                principal: Some(name.clone()),
            }),
        }
    }

    /// Whether the credentials are good for `operation` on `agent`.
    pub(crate) fn allows(&self, operation: Operation, agent: &AgentName) -> bool {
        match self {
            Self::Anyone => true,
            Self::Client { scope, .. } => scope.allows(operation, agent),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, header};

    use super::*;
    use crate::token::Token;

    fn gate() -> Gate {
        let client = |token: &str, tenant: &str| ClientCredential {
            token: Token::try_from(token.to_owned()).unwrap(),
            tenant: tenant.parse().unwrap(),
            name: format!("{tenant}-client"),
        };
        Gate::new(vec![client("one", "acme"), client("two", "globex")])
    }

    fn shows(token: &str) -> Parts {
        let request = Request::builder().header(header::AUTHORIZATION, format!("Bearer {token}"));
        request.body(()).unwrap().into_parts().0
    }

    fn shows_nothing() -> Parts {
        Request::new(()).into_parts().0
    }

    #[tokio::test]
    async fn an_open_gate_takes_the_tenant_from_the_request() {
        let access = Gate::new(Vec::new()).admit(&shows_nothing()).await.unwrap();
        assert_eq!(access.caller(None).unwrap().tenant, Tenant::default());
        let caller = access.caller(Some("acme".parse().unwrap())).unwrap();
        assert_eq!(caller.tenant.as_str(), "acme");
        assert_eq!(caller.principal, None);
    }

    #[tokio::test]
    async fn a_guarded_gate_wants_a_known_token() {
        for head in [shows_nothing(), shows("three"), shows("")] {
            let refused = gate().admit(&head).await;
            assert_eq!(refused, Err(ApiError::Unauthenticated));
        }
    }

    #[tokio::test]
    async fn the_tenant_comes_from_the_credential() {
        let access = gate().admit(&shows("two")).await.unwrap();
        let caller = access.caller(None).unwrap();
        assert_eq!(caller.tenant.as_str(), "globex");
        assert_eq!(caller.principal.as_deref(), Some("globex-client"));
        assert!(access.caller(Some(caller.tenant)).is_some());
        assert!(access.caller(Some("acme".parse().unwrap())).is_none());
    }
}
