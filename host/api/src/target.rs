//! Whom a request is for: which agent, and on whose behalf.
//!
//! A path says it (`/acme/agents/report`), and so does the field `tenant` that every request of the
//! protocol has: to clients it is an opaque text out of the agent's card (A2A 8.3.2), and here it is the
//! same path. gRPC has nothing else, since its paths name the operation alone.

use serde::Deserialize;
use taskyard_task::{Agent, Tenant};

use crate::Door;
use crate::error::{ApiError, Violation};

/// Which agent, and on whose behalf. Empty: the host's default agent, for the caller's own tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Target {
    pub(crate) tenant: Option<String>,
    pub(crate) name: Option<String>,
}

impl Target {
    /// The target that the field `tenant` names: `TENANT`, `agents/NAME` or `TENANT/agents/NAME`.
    pub(crate) fn parse(text: &str) -> Result<Self, Violation> {
        let segments: Vec<_> = text.split('/').collect();
        let (tenant, name) = match segments.as_slice() {
            [""] => (None, None),
            ["agents", name] => (None, Some(*name)),
            [tenant] => (Some(*tenant), None),
            [tenant, "agents", name] => (Some(*tenant), Some(*name)),
            _ => return Err(Violation::new("tenant", MALFORMED)),
        };
        Ok(Self {
            tenant: tenant.map(str::to_owned),
            name: name.map(str::to_owned),
        })
    }

    /// What the path and the field `tenant` say together.
    ///
    /// # Errors
    /// If the field is malformed, or both say something and differ.
    pub(crate) fn with_field(self, field: Option<&str>) -> Result<Self, Violation> {
        let field = Self::parse(field.unwrap_or_default())?;
        let agree = |path: Option<String>, field: Option<String>| match (path, field) {
            (Some(path), Some(field)) if path != field => {
                Err(Violation::new("tenant", "differs from what the path names"))
            }
            (path, field) => Ok(path.or(field)),
        };
        Ok(Self {
            tenant: agree(self.tenant, field.tenant)?,
            name: agree(self.name, field.name)?,
        })
    }

    /// The tenant that is named, if one is.
    pub(crate) fn tenant(&self) -> Result<Option<Tenant>, Violation> {
        let parsed = self.tenant.as_deref().map(str::parse::<Tenant>);
        parsed
            .transpose()
            .map_err(|error| Violation::new("tenant", error.to_string()))
    }

    /// The agent that is meant: the named one, or the host's default.
    pub(crate) fn agent(&self, door: &Door) -> Result<Agent, ApiError> {
        let agent = match &self.name {
            Some(name) => name
                .parse()
                .ok()
                .and_then(|name| door.broker.agents().get(&name).cloned()),
            None => door.broker.default_agent(),
        };
        agent.ok_or(ApiError::AgentNotFound)
    }

    /// The path of the agent `name` for the same tenant, without a slash at its beginning.
    pub(crate) fn path_of(&self, name: &str) -> String {
        match &self.tenant {
            Some(tenant) => format!("{tenant}/agents/{name}"),
            None => format!("agents/{name}"),
        }
    }
}

const MALFORMED: &str = "must be TENANT, agents/NAME or TENANT/agents/NAME";

#[cfg(test)]
mod tests {
    use super::*;

    fn target(tenant: Option<&str>, name: Option<&str>) -> Target {
        Target {
            tenant: tenant.map(str::to_owned),
            name: name.map(str::to_owned),
        }
    }

    #[test]
    fn the_field_is_a_path() {
        for (text, tenant, name) in [
            ("", None, None),
            ("acme", Some("acme"), None),
            ("agents/echo", None, Some("echo")),
            ("acme/agents/echo", Some("acme"), Some("echo")),
        ] {
            assert_eq!(Target::parse(text), Ok(target(tenant, name)), "{text}");
        }
        for wrong in ["acme/echo", "a/b/c", "a/agents/b/c", "/", "acme/agents"] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn path_and_field_must_agree() {
        let path = target(Some("acme"), Some("echo"));
        let with = |field| path.clone().with_field(field);
        assert_eq!(with(None), Ok(path.clone()));
        assert_eq!(with(Some("acme")), Ok(path.clone()));
        assert_eq!(with(Some("agents/echo")), Ok(path.clone()));
        assert!(with(Some("globex")).is_err());
        assert!(with(Some("agents/other")).is_err());
        let field = target(None, Some("echo")).with_field(Some("acme"));
        assert_eq!(field, Ok(path.clone()));
    }
}
