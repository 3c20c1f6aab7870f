//! Whom a request is for: which agent, and on whose behalf.
//!
//! A path says it (`/acme/agents/report`), and so does the field `tenant` that every request of the
//! protocol has: to clients it is an opaque text out of the agent's card (A2A 8.3.2), and here it is the
//! same path. gRPC has nothing else, since its paths name the operation alone.

use axum::http::request::Parts;
use serde::Deserialize;
use taskyard_task::{Agent, Tenant};

use crate::base::Base;
use crate::error::{ApiError, Violation};
use crate::parameters::Version;
use crate::{Door, lost};

/// Which agent, and on whose behalf. Empty: the host's default agent, for the caller's own tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Target {
    pub(crate) tenant: Option<String>,
    pub(crate) name: Option<String>,
    /// Whether the tenant was written alone, without an agent behind it: it may be something else that the
    /// client took for one.
    #[serde(skip)]
    bare: bool,
}

impl Target {
    /// The target of a path that has both in their places.
    pub(crate) fn at(tenant: Option<String>, name: Option<String>) -> Self {
        Self {
            tenant,
            name,
            bare: false,
        }
    }

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
            bare: tenant.is_some() && name.is_none(),
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
            bare: match self.tenant {
                Some(_) => self.bare,
                None => field.bare,
            },
            tenant: agree(self.tenant, field.tenant)?,
            name: agree(self.name, field.name)?,
        })
    }

    /// Whether a field `tenant` cannot make another one of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.tenant.is_some() && self.name.is_some()
    }

    /// The tenant that is named, if one is.
    pub(crate) fn tenant(&self) -> Result<Option<Tenant>, Violation> {
        let parsed = self.tenant.as_deref().map(str::parse::<Tenant>);
        parsed
            .transpose()
            .map_err(|error| Violation::new("tenant", error.to_string()))
    }

    /// Refuses a tenant that is none: an agent's name, or a word of the protocol's paths. The call would
    /// run at another agent than the client means, or out of its sight, under a tenant that nobody has.
    ///
    /// # Errors
    /// [`ApiError::AgentNotFound`] says what to write instead.
    pub(crate) fn check(&self, door: &Door, request: &Parts) -> Result<(), ApiError> {
        let bare = self.tenant.as_deref().filter(|_| self.bare);
        let Some(tenant) = bare else { return Ok(()) };
        let base = Base::of(&door.config, request);
        match lost::not_a_tenant(door, &base, tenant, self.name.as_deref()) {
            Some(advice) => Err(ApiError::AgentNotFound(advice)),
            None => Ok(()),
        }
    }

    /// The agent that is meant: the named one, or the host's default.
    ///
    /// # Errors
    /// [`ApiError::AgentNotFound`] if there is none; it says where to look.
    pub(crate) fn agent(
        &self,
        door: &Door,
        request: &Parts,
        version: Version,
    ) -> Result<Agent, ApiError> {
        let base = || Base::of(&door.config, request);
        match &self.name {
            Some(name) => {
                let name = name.parse().ok();
                let agent = name.and_then(|name| door.broker.agents().get(&name).cloned());
                agent.ok_or_else(|| ApiError::AgentNotFound(lost::unknown_agent(&base())))
            }
            None => {
                let advice = || match version {
                    Version::V1 => lost::no_agent(&base(), self.tenant.as_deref()),
                    Version::V03 => lost::no_agent_of_v03(&base(), request),
                };
                let agent = door.broker.default_agent();
                agent.ok_or_else(|| ApiError::AgentNotFound(advice()))
            }
        }
    }

    /// The path of the agent `name` for the same tenant, without a slash at its beginning.
    pub(crate) fn path_of(&self, name: &str) -> String {
        match &self.tenant {
            Some(tenant) => format!("{tenant}/agents/{name}"),
            None => format!("agents/{name}"),
        }
    }

    /// The path of the address that a request used, with a slash at its beginning unless it is empty.
    pub(crate) fn path(&self) -> String {
        match &self.name {
            Some(name) => format!("/{}", self.path_of(name)),
            None => String::new(),
        }
    }
}

const MALFORMED: &str = "must be TENANT, agents/NAME or TENANT/agents/NAME";

#[cfg(test)]
mod tests {
    use super::*;

    fn target(tenant: Option<&str>, name: Option<&str>) -> Target {
        Target::at(tenant.map(str::to_owned), name.map(str::to_owned))
    }

    #[test]
    fn the_field_is_a_path() {
        for (text, tenant, name) in [
            ("", None, None),
            ("acme", Some("acme"), None),
            ("agents/echo", None, Some("echo")),
            ("acme/agents/echo", Some("acme"), Some("echo")),
        ] {
            let expected = Target {
                bare: text == "acme",
                ..target(tenant, name)
            };
            assert_eq!(Target::parse(text), Ok(expected), "{text}");
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
        let bare = Target { bare: true, ..path };
        assert_eq!(
            field,
            Ok(bare),
            "nothing but the field says that it is a tenant"
        );
    }
}
