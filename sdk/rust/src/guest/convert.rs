//! Translates between the SDK's types and the generated ones. Moves content, never copies it.

use super::bindings::exports::taskyard::worker::handler;
use super::bindings::taskyard::worker::{
    artifacts, children, context, http, log, state, task, types,
};
use crate::children::{Child, ChildArtifact, ChildEnd, ChildState, Target};
use crate::context::{Author, EarlierArtifact, EarlierTask, Summary, TaskState, Utterance};
use crate::host::{InputKind, Spec};
use crate::http::{Request, Response, Retry};
use crate::millis;
use crate::state::{Area, Stored, Written};
use crate::{
    Body, Disposition, Error, Identity, Level, Manifest, Message, OpError, Outcome, Part, Skill,
};

pub(super) fn wit_parts(parts: Vec<Part>) -> Vec<types::Part> {
    parts.into_iter().map(types::Part::from).collect()
}

fn own_parts(parts: Vec<types::Part>) -> Vec<Part> {
    parts.into_iter().map(Part::from).collect()
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
            parts: own_parts(message.parts),
            metadata: message.metadata,
            reference_task_ids: message.reference_task_ids,
        }
    }
}

impl From<types::OpError> for OpError {
    fn from(error: types::OpError) -> Self {
        match error {
            types::OpError::Canceled => Self::Canceled,
            types::OpError::TimedOut => Self::TimedOut,
            types::OpError::Denied(reason) => Self::Denied(reason),
            types::OpError::LimitExceeded(limit) => Self::LimitExceeded(limit),
            types::OpError::Invalid(reason) => Self::Invalid(reason),
            types::OpError::Failed(reason) => Self::Failed(reason),
            types::OpError::Interrupted(what) => Self::Interrupted(what),
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
            parent_task: identity.parent_task,
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
            Outcome::ContinueAsNew(state) => Self::ContinueAsNew(state),
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
            Disposition::TransientAfter(delay) => Self::TransientAfter(millis::of_span(delay)),
            Disposition::Pause => Self::Pause,
        }
    }
}

impl From<Request> for http::Request {
    fn from(request: Request) -> Self {
        Self {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            timeout: request.timeout,
            retry: request.retry.map(http::RetryPolicy::from),
            delivery: match request.at_most_once {
                true => http::Delivery::AtMostOnce,
                false => http::Delivery::AtLeastOnce,
            },
            idempotency_key: request.idempotency_key,
            max_response_bytes: request.max_response_bytes,
        }
    }
}

impl From<Retry> for http::RetryPolicy {
    fn from(retry: Retry) -> Self {
        Self {
            max_attempts: retry.attempts,
            initial: retry.first_delay,
            max_delay: retry.longest_delay,
        }
    }
}

impl From<http::Response> for Response {
    fn from(response: http::Response) -> Self {
        Self {
            status: response.status,
            headers: response.headers,
            body: response.body,
        }
    }
}

impl From<Area> for state::Scope {
    fn from(area: Area) -> Self {
        match area {
            Area::Task => Self::Task,
            Area::Context => Self::Context,
            Area::Plugin => Self::Plugin,
            Area::Tenant => Self::Tenant,
        }
    }
}

impl From<state::Entry> for Stored {
    fn from(entry: state::Entry) -> Self {
        Self {
            value: entry.value,
            version: entry.version,
        }
    }
}

impl From<state::SwapResult> for Written {
    fn from(result: state::SwapResult) -> Self {
        match result {
            state::SwapResult::Swapped(version) => Self::Swapped(version),
            state::SwapResult::Stale(entry) => Self::Stale(entry.map(Stored::from)),
        }
    }
}

impl From<context::Summary> for Summary {
    fn from(task: context::Summary) -> Self {
        Self {
            id: task.id,
            state: task.state.into(),
            created_at: millis::to_moment(task.created_at),
            updated_at: millis::to_moment(task.updated_at),
            request: task.request,
            status: task.status,
            artifacts: task.artifacts,
        }
    }
}

impl From<context::EarlierTask> for EarlierTask {
    fn from(task: context::EarlierTask) -> Self {
        Self {
            summary: task.summary.into(),
            status: own_parts(task.status),
            messages: task.messages.into_iter().map(Utterance::from).collect(),
            artifacts: task.artifacts.into_iter().map(Into::into).collect(),
            complete: task.complete,
        }
    }
}

impl From<context::Utterance> for Utterance {
    fn from(said: context::Utterance) -> Self {
        Self {
            author: match said.author {
                context::Author::User => Author::User,
                context::Author::Agent => Author::Agent,
            },
            parts: own_parts(said.parts),
        }
    }
}

impl From<context::Artifact> for EarlierArtifact {
    fn from(artifact: context::Artifact) -> Self {
        Self {
            id: artifact.id,
            name: artifact.name,
            description: artifact.description,
            metadata: artifact.metadata,
            parts: own_parts(artifact.parts),
        }
    }
}

impl From<context::TaskState> for TaskState {
    fn from(state: context::TaskState) -> Self {
        match state {
            context::TaskState::Submitted => Self::Submitted,
            context::TaskState::Working => Self::Working,
            context::TaskState::InputRequired => Self::InputRequired,
            context::TaskState::AuthRequired => Self::AuthRequired,
            context::TaskState::Completed => Self::Completed,
            context::TaskState::Failed => Self::Failed,
            context::TaskState::Canceled => Self::Canceled,
            context::TaskState::Rejected => Self::Rejected,
        }
    }
}

impl From<Child> for children::Child {
    fn from(child: Child) -> Self {
        Self {
            target: match child.target {
                Target::Agent(name) => children::Target::Agent(name),
                Target::Remote(url) => children::Target::Remote(url),
            },
            message: wit_parts(child.message),
            metadata: child.metadata,
            detached: child.detached,
        }
    }
}

impl From<children::End> for ChildEnd {
    fn from(end: children::End) -> Self {
        Self {
            state: end.state.into(),
            message: own_parts(end.message),
            artifacts: end.artifacts.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<children::EndState> for ChildState {
    fn from(state: children::EndState) -> Self {
        match state {
            children::EndState::Completed => Self::Completed,
            children::EndState::Failed => Self::Failed,
            children::EndState::Canceled => Self::Canceled,
            children::EndState::Rejected => Self::Rejected,
        }
    }
}

impl From<children::Artifact> for ChildArtifact {
    fn from(artifact: children::Artifact) -> Self {
        Self {
            id: artifact.id,
            name: artifact.name,
            description: artifact.description,
            metadata: artifact.metadata,
            parts: own_parts(artifact.parts),
        }
    }
}
