//! What a path of the HTTP+JSON binding names (A2A 5.3, 11.3).
//!
//! A path is a base URL, perhaps a tenant, and one of the protocol's resources: `/agents/echo`, `/acme`,
//! `/tasks/7:cancel`. Colons belong to the protocol: a task's last segment may end in a verb.

use std::borrow::Cow;

use axum::http::Method;
use percent_encoding::percent_decode_str;

use crate::error::Violation;
use crate::operation::Operation;
use crate::target::Target;

/// The longest path has a base of three segments, a tenant, and four segments for a configuration.
const MAX_SEGMENTS: usize = 8;

/// A path, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// Whom the base URL names.
    pub(super) base: Target,
    /// The segment between the base URL and the resource: the field `tenant`, put into the path.
    tenant: Option<String>,
    pub(crate) resource: Resource,
}

/// What can be called, with the identifiers that its path has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    Send,
    Stream,
    Tasks,
    Task { id: String },
    Cancel { id: String },
    Subscription { id: String },
    PushConfigs { task: String },
    PushConfig { task: String, id: String },
    ExtendedCard,
}

impl Route {
    /// What `path` names, if anything. Whatever could be two things is the shorter one: `/tasks/tasks` is
    /// a task, not the list of a tenant.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let segments = path.strip_prefix('/')?.split('/');
        let segments: Vec<_> = segments.take(MAX_SEGMENTS + 1).collect();
        Resource::parse(&segments)
            .map(|resource| Self::new(Target::default(), None, resource))
            .or_else(|| Self::at_agent(&segments))
            .or_else(|| Self::of_tenant(Target::default(), &segments))
    }

    fn new(base: Target, tenant: Option<String>, resource: Resource) -> Self {
        Self {
            base,
            tenant,
            resource,
        }
    }

    fn at_agent(segments: &[&str]) -> Option<Self> {
        let (tenant, name, rest) = match segments {
            ["agents", name, rest @ ..] => (None, name, rest),
            [tenant, "agents", name, rest @ ..] => (Some(decoded(tenant)?), name, rest),
            _ => return None,
        };
        let name = Some(decoded(name)?);
        let base = Target::at(tenant, name);
        match Resource::parse(rest) {
            Some(resource) => Some(Self::new(base, None, resource)),
            None => Self::of_tenant(base, rest),
        }
    }

    fn of_tenant(base: Target, segments: &[&str]) -> Option<Self> {
        let (tenant, rest) = segments.split_first()?;
        let resource = Resource::parse(rest)?;
        Some(Self::new(base, Some(decoded(tenant)?), resource))
    }

    /// Whom the path names, together with the field `tenant` of the request.
    pub(super) fn target(&self, field: Option<&str>) -> Result<Target, Violation> {
        let base = self.base.clone();
        base.with_field(self.tenant.as_deref())?.with_field(field)
    }
}

impl Resource {
    fn parse(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            ["message:send"] => Self::Send,
            ["message:stream"] => Self::Stream,
            ["extendedAgentCard"] => Self::ExtendedCard,
            ["tasks"] => Self::Tasks,
            ["tasks", task] => Self::task(task)?,
            ["tasks", task, "pushNotificationConfigs"] => Self::PushConfigs {
                task: decoded(task)?,
            },
            ["tasks", task, "pushNotificationConfigs", id] => Self::PushConfig {
                task: decoded(task)?,
                id: decoded(id)?,
            },
            _ => return None,
        })
    }

    fn task(segment: &str) -> Option<Self> {
        if let Some(id) = segment.strip_suffix(":cancel") {
            return decoded(id).map(|id| Self::Cancel { id });
        }
        if let Some(id) = segment.strip_suffix(":subscribe") {
            return decoded(id).map(|id| Self::Subscription { id });
        }
        decoded(segment).map(|id| Self::Task { id })
    }

    /// The methods that it takes. Subscribing is a `POST` in the specification (5.3) and a `GET` in the
    /// definition, and clients use both.
    pub(crate) fn methods(&self) -> &'static [(&'static str, Operation)] {
        match self {
            Self::Send => &[("POST", Operation::SendMessage)],
            Self::Stream => &[("POST", Operation::SendStreamingMessage)],
            Self::Tasks => &[("GET", Operation::ListTasks)],
            Self::Task { .. } => &[("GET", Operation::GetTask)],
            Self::Cancel { .. } => &[("POST", Operation::CancelTask)],
            Self::Subscription { .. } => &[
                ("GET", Operation::SubscribeToTask),
                ("POST", Operation::SubscribeToTask),
            ],
            Self::PushConfigs { .. } => &[
                ("GET", Operation::ListPushConfigs),
                ("POST", Operation::CreatePushConfig),
            ],
            Self::PushConfig { .. } => &[
                ("GET", Operation::GetPushConfig),
                ("DELETE", Operation::DeletePushConfig),
            ],
            Self::ExtendedCard => &[("GET", Operation::GetExtendedAgentCard)],
        }
    }

    /// What `method` does with it. `HEAD` is a `GET` whose body is not sent; of a stream there would be
    /// nothing left.
    pub(crate) fn operation(&self, method: &Method) -> Option<Operation> {
        let taken = |name: &str| {
            let mut methods = self.methods().iter();
            methods.find(|(taken, _)| *taken == name)
        };
        match taken(method.as_str()) {
            Some((_, operation)) => Some(*operation),
            None if *method == Method::HEAD => taken("GET")
                .map(|(_, operation)| *operation)
                .filter(|operation| !operation.is_streaming()),
            None => None,
        }
    }

    /// The fields of the request that the path gives, by their JSON names.
    pub(super) fn fields(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Send | Self::Stream | Self::Tasks | Self::ExtendedCard => Vec::new(),
            Self::Task { id } | Self::Cancel { id } | Self::Subscription { id } => vec![("id", id)],
            Self::PushConfigs { task } => vec![("taskId", task)],
            Self::PushConfig { task, id } => vec![("taskId", task), ("id", id)],
        }
    }
}

/// A segment that stands for something, without its percent-encoding. What is not UTF-8 becomes
/// something that is nobody's name.
fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8_lossy();
    (!text.is_empty()).then(|| Cow::into_owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<String> {
        let Route {
            base,
            tenant,
            resource,
        } = Route::parse(path)?;
        let of = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let (base_tenant, name, tenant) = (of(base.tenant), of(base.name), of(tenant));
        Some(format!("{base_tenant} {name} {tenant} {resource:?}"))
    }

    #[test]
    #[rustfmt::skip]
    fn paths_are_taken_apart() {
        for (path, expected) in [
            ("/message:send", "- - - Send"),
            ("/message:stream", "- - - Stream"),
            ("/extendedAgentCard", "- - - ExtendedCard"),
            ("/tasks", "- - - Tasks"),
            ("/tasks/7", "- - - Task { id: \"7\" }"),
            ("/tasks/7:cancel", "- - - Cancel { id: \"7\" }"),
            ("/tasks/7:subscribe", "- - - Subscription { id: \"7\" }"),
            ("/tasks/a:b", "- - - Task { id: \"a:b\" }"),
            ("/tasks/a:b:cancel", "- - - Cancel { id: \"a:b\" }"),
            ("/tasks/7%3Acancel", "- - - Task { id: \"7:cancel\" }"),
            ("/tasks/a%2Fb", "- - - Task { id: \"a/b\" }"),
            ("/tasks/%ff", "- - - Task { id: \"\u{fffd}\" }"),
            ("/tasks/7/pushNotificationConfigs", "- - - PushConfigs { task: \"7\" }"),
            ("/tasks/7/pushNotificationConfigs/c:cancel", "- - - PushConfig { task: \"7\", id: \"c:cancel\" }"),
            ("/acme/tasks", "- - acme Tasks"),
            ("/acme/tasks/7:cancel", "- - acme Cancel { id: \"7\" }"),
            ("/acme%2Fagents%2Fecho/tasks", "- - acme/agents/echo Tasks"),
            ("/agents/echo/message:send", "- echo - Send"),
            ("/agents/echo/acme/tasks/7", "- echo acme Task { id: \"7\" }"),
            ("/acme/agents/echo/tasks", "acme echo - Tasks"),
            ("/acme/agents/echo/acme/tasks/7/pushNotificationConfigs/c", "acme echo acme PushConfig { task: \"7\", id: \"c\" }"),
            // No tenant, but a call that must be told so.
            ("/agents/message:send", "- - agents Send"),
            ("/agents/tasks/7", "- - agents Task { id: \"7\" }"),
            ("/v1/tasks", "- - v1 Tasks"),
            ("/agents/echo/v1/tasks", "- echo v1 Tasks"),
            // Names that are also words of the protocol.
            ("/tasks/tasks", "- - - Task { id: \"tasks\" }"),
            ("/agents/tasks/tasks", "- tasks - Tasks"),
            ("/tasks/agents/echo/tasks", "tasks echo - Tasks"),
        ] {
            assert_eq!(found(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn other_paths_name_nothing() {
        for path in [
            "",
            "/",
            "*",
            "//tasks",
            "/tasks/",
            "/tasks/:cancel",
            "/tasks/7/",
            "/tasks/7/pushNotificationConfigs/",
            "/tasks/7/pushNotificationConfigs/c/d",
            "/message",
            "/message:drop",
            "/agents",
            "/agents/echo",
            "/agents/echo/",
            "/acme/globex/tasks",
            "/acme/agents/echo/acme/globex/tasks",
            "/a/b/c/d/e/f/g/h/i/j/tasks",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn every_operation_can_be_reached() {
        let resources = [
            "/message:send",
            "/message:stream",
            "/tasks",
            "/tasks/7",
            "/tasks/7:cancel",
            "/tasks/7:subscribe",
            "/tasks/7/pushNotificationConfigs",
            "/tasks/7/pushNotificationConfigs/c",
            "/extendedAgentCard",
        ];
        let routes = resources.map(|path| Route::parse(path).unwrap());
        for operation in Operation::ALL {
            let mut methods = routes.iter().flat_map(|route| route.resource.methods());
            assert!(methods.any(|(_, reached)| *reached == operation));
        }
    }

    #[test]
    fn methods_lead_to_operations() {
        let at = |path, method| Route::parse(path).unwrap().resource.operation(&method);
        assert_eq!(at("/tasks", Method::GET), Some(Operation::ListTasks));
        assert_eq!(at("/tasks", Method::HEAD), Some(Operation::ListTasks));
        assert_eq!(at("/tasks", Method::POST), None);
        assert_eq!(at("/tasks/7:cancel", Method::GET), None);
        for method in [Method::GET, Method::POST] {
            let subscribe = Some(Operation::SubscribeToTask);
            assert_eq!(at("/tasks/7:subscribe", method), subscribe);
        }
        assert_eq!(at("/tasks/7:subscribe", Method::HEAD), None);
    }
}
