//! Translates between the SDK's types and the generated ones. Moves content, never copies it.

use std::time::Duration;

use super::bindings::exports::taskyard::worker::handler;
use super::bindings::taskyard::worker::{artifacts, log, task, types};
use crate::host::{InputKind, Spec};
use crate::{
    Body, Disposition, Error, Identity, Level, Manifest, Message, OpError, Outcome, Part, Skill,
};

pub(super) fn wit_parts(parts: Vec<Part>) -> Vec<types::Part> {
    parts.into_iter().map(types::Part::from).collect()
}

impl From<Part> for types::Part {
    fn from(part: Part) -> Self {
        Self {
            body: part.body.into(),
            media_type: part.media_type,
            filename: part.filename,
            metadata: part.metadata,
        }
    }
}

impl From<types::Part> for Part {
    fn from(part: types::Part) -> Self {
        Self {
            body: part.body.into(),
            media_type: part.media_type,
            filename: part.filename,
            metadata: part.metadata,
        }
    }
}

impl From<Body> for types::PartBody {
    fn from(body: Body) -> Self {
        match body {
            Body::Text(text) => Self::Text(text),
            Body::Bytes(bytes) => Self::Bytes(bytes),
            Body::Url(url) => Self::Url(url),
            Body::Json(json) => Self::Data(json),
        }
    }
}

impl From<types::PartBody> for Body {
    fn from(body: types::PartBody) -> Self {
        match body {
            types::PartBody::Text(text) => Self::Text(text),
            types::PartBody::Bytes(bytes) => Self::Bytes(bytes),
            types::PartBody::Url(url) => Self::Url(url),
            types::PartBody::Data(json) => Self::Json(json),
        }
    }
}

impl From<types::Message> for Message {
    fn from(message: types::Message) -> Self {
        Self {
            id: message.id,
            parts: message.parts.into_iter().map(Part::from).collect(),
            metadata: message.metadata,
            reference_task_ids: message.reference_task_ids,
        }
    }
}

impl From<types::OpError> for OpError {
    fn from(error: types::OpError) -> Self {
        match error {
            types::OpError::Canceled => Self::Canceled,
            types::OpError::LimitExceeded(limit) => Self::LimitExceeded(limit),
            types::OpError::Invalid(reason) => Self::Invalid(reason),
        }
    }
}

impl From<task::Identity> for Identity {
    fn from(identity: task::Identity) -> Self {
        Self {
            task_id: identity.task_id,
            context_id: identity.context_id,
            tenant: identity.tenant,
            agent: identity.agent,
            plugin_digest: identity.plugin_digest,
            accepted_output_modes: identity.accepted_output_modes,
        }
    }
}

impl From<InputKind> for task::InputKind {
    fn from(kind: InputKind) -> Self {
        match kind {
            InputKind::InputRequired => Self::InputRequired,
            InputKind::AuthRequired => Self::AuthRequired,
        }
    }
}

impl From<Spec> for artifacts::Spec {
    fn from(spec: Spec) -> Self {
        Self {
            id: spec.id,
            name: spec.name,
            description: spec.description,
            metadata: spec.metadata,
        }
    }
}

impl From<Level> for log::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

impl From<Manifest> for handler::Manifest {
    fn from(manifest: Manifest) -> Self {
        Self {
            name: manifest.name,
            version: manifest.version,
            description: manifest.description,
            skills: manifest.skills.into_iter().map(Into::into).collect(),
            input_modes: manifest.input_modes,
            output_modes: manifest.output_modes,
        }
    }
}

impl From<Skill> for handler::Skill {
    fn from(skill: Skill) -> Self {
        Self {
            id: skill.id,
            name: skill.name,
            description: skill.description,
            tags: skill.tags,
            examples: skill.examples,
            input_modes: skill.input_modes,
            output_modes: skill.output_modes,
        }
    }
}

impl From<Outcome> for handler::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed(parts) => Self::Completed(wit_parts(parts)),
            Outcome::Rejected(reason) => Self::Rejected(reason),
            Outcome::Reply(parts) => Self::Reply(wit_parts(parts)),
        }
    }
}

impl From<Error> for handler::Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.code,
            message: error.message,
            disposition: error.disposition.into(),
        }
    }
}

impl From<Disposition> for handler::Disposition {
    fn from(disposition: Disposition) -> Self {
        match disposition {
            Disposition::Permanent => Self::Permanent,
            Disposition::Transient => Self::Transient,
            Disposition::TransientAfter(delay) => Self::TransientAfter(whole_millis(delay)),
        }
    }
}

fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
