//! The extensions of the protocol that this host understands (A2A 4.6).
//!
//! Each has a URI that never changes its meaning; `docs/extensions.md` says what they do. A client uses one
//! by naming it in the service parameter `A2A-Extensions`, or in the member `extensions` of a message.

pub(crate) mod fuzzing;
mod given;
mod resume;
mod value;
mod wishes;

use a2a::AgentExtension;
use serde::{Deserialize, Serialize};

pub(crate) use resume::number;
pub(crate) use wishes::{Asked, asked, path_of};

/// An extension of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extension {
    /// Events carry numbers, and a stream goes on behind the number that a client names.
    StreamResume,
    /// A send that is repeated under the same key takes effect once.
    IdempotencyKey,
    /// Only some states notify.
    NotificationFilter,
    /// A task goes before others of the same tenant and agent.
    Priority,
    /// A task fails if it has not ended by a moment.
    Deadline,
    /// A task does not run before a moment.
    NotBefore,
}

impl Extension {
    /// All of them, in the order of the card.
    pub const ALL: [Self; 6] = [
        Self::StreamResume,
        Self::IdempotencyKey,
        Self::NotificationFilter,
        Self::Priority,
        Self::Deadline,
        Self::NotBefore,
    ];

    /// The extension with this URI.
    #[must_use]
    pub fn parse(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.uri() == uri)
    }

    /// Its name for all time.
    #[must_use]
    pub fn uri(self) -> &'static str {
        match self {
            Self::StreamResume => "urn:taskyard:extension:stream-resume:v1",
            Self::IdempotencyKey => "urn:taskyard:extension:idempotency-key:v1",
            Self::NotificationFilter => "urn:taskyard:extension:notification-filter:v1",
            Self::Priority => "urn:taskyard:extension:priority:v1",
            Self::Deadline => "urn:taskyard:extension:deadline:v1",
            Self::NotBefore => "urn:taskyard:extension:not-before:v1",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::StreamResume => {
                "events carry numbers; a stream goes on behind the one named by Last-Event-ID"
            }
            Self::IdempotencyKey => {
                "a send that is repeated with the same Idempotency-Key takes effect once"
            }
            Self::NotificationFilter => "only the states named in the request's metadata notify",
            Self::Priority => "a task goes before others of the same tenant and agent",
            Self::Deadline => {
                "a task fails if it has not ended by the moment in the request's metadata"
            }
            Self::NotBefore => "a task does not run before the moment in the request's metadata",
        }
    }

    /// What the agent card says about it.
    pub(crate) fn declared(self, required: bool) -> AgentExtension {
        AgentExtension {
            uri: self.uri().to_owned(),
            description: Some(self.description().to_owned()),
            required: required.then_some(true),
            params: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_is_found_by_its_uri() {
        for extension in Extension::ALL {
            assert_eq!(Extension::parse(extension.uri()), Some(extension));
        }
        assert_eq!(Extension::parse("urn:taskyard:extension:priority:v2"), None);
    }
}
