//! The one gate in front of all operations: who calls, and on whose behalf.
//!
//! A [`Caller`] is made here and nowhere else, so no operation can forget to ask.

use axum::http::HeaderMap;
use taskyard_broker::Caller;
use taskyard_task::Tenant;

use crate::config::ClientCredential;
use crate::error::{ApiError, Violation};
use crate::token::bearer;

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
    },
}

/// The request names a tenant that the client does not act for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForeignTenant;

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
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<Access, ApiError> {
        if self.is_open() {
            return Ok(Access::Anyone);
        }
        let shown = bearer(headers).ok_or(ApiError::Unauthenticated)?;
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
    })
}

impl Access {
    /// The caller, for a request that names the tenant `named`, or none.
    pub(crate) fn caller(self, named: Option<Tenant>) -> Result<Caller, ForeignTenant> {
        match (self, named) {
            (Self::Anyone, named) => Ok(Caller {
                tenant: named.unwrap_or_default(),
                principal: None,
            }),
            (Self::Client { tenant, .. }, Some(named)) if named != tenant => Err(ForeignTenant),
            (Self::Client { tenant, name }, _) => Ok(Caller {
                tenant,
                principal: Some(name),
            }),
        }
    }
}

/// The tenant that a request names in its path, in its `tenant` field, or not at all.
///
/// # Errors
/// If one of them is malformed, or both are given and differ.
pub(crate) fn named_tenant(
    path: Option<&str>,
    field: Option<&str>,
) -> Result<Option<Tenant>, ApiError> {
    // An empty text is an unset field (ProtoJSON).
    let field = field.filter(|text| !text.is_empty());
    if let (Some(path), Some(field)) = (path, field)
        && path != field
    {
        return Err(Violation::new("tenant", "differs from the tenant in the path").into());
    }
    path.or(field).map(|text| text.parse()).transpose().map_err(
        |error: taskyard_task::id::InvalidId| Violation::new("tenant", error.to_string()).into(),
    )
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

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

    fn shows(token: &str) -> HeaderMap {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        HeaderMap::from_iter([(header::AUTHORIZATION, value)])
    }

    #[test]
    fn an_open_gate_takes_the_tenant_from_the_request() {
        let gate = Gate::new(Vec::new());
        let access = gate.admit(&HeaderMap::new()).unwrap();
        let caller = access.clone().caller(None).unwrap();
        assert_eq!(caller.tenant, Tenant::default());
        let caller = access.caller(Some("acme".parse().unwrap())).unwrap();
        assert_eq!(caller.tenant.as_str(), "acme");
        assert_eq!(caller.principal, None);
    }

    #[test]
    fn a_guarded_gate_wants_a_known_token() {
        for headers in [HeaderMap::new(), shows("three"), shows("")] {
            assert!(matches!(
                gate().admit(&headers),
                Err(ApiError::Unauthenticated)
            ));
        }
    }

    #[test]
    fn the_tenant_comes_from_the_credential() {
        let access = gate().admit(&shows("two")).unwrap();
        let caller = access.clone().caller(None).unwrap();
        assert_eq!(caller.tenant.as_str(), "globex");
        assert_eq!(caller.principal.as_deref(), Some("globex-client"));
        assert!(access.clone().caller(Some(caller.tenant)).is_ok());
        let foreign = access.caller(Some("acme".parse().unwrap()));
        assert_eq!(foreign.err(), Some(ForeignTenant));
    }

    #[test]
    fn path_and_field_must_agree() {
        let name = |path, field| named_tenant(path, field).map(|t| t.map(String::from));
        assert_eq!(name(None, None).unwrap(), None);
        assert_eq!(name(None, Some("")).unwrap(), None);
        assert_eq!(name(Some("a"), None).unwrap().as_deref(), Some("a"));
        assert_eq!(name(None, Some("a")).unwrap().as_deref(), Some("a"));
        assert_eq!(name(Some("a"), Some("a")).unwrap().as_deref(), Some("a"));
        assert!(name(Some("a"), Some("b")).is_err());
        assert!(name(None, Some("a/b")).is_err());
    }
}
