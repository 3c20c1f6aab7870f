//! Agents that do the work of children.

use std::rc::Rc;

use super::{End, Host, Run};
use crate::children::{ChildArtifact, ChildState};
use crate::millis::{self, Millis};
use crate::testing::Event;
use crate::{ChildEnd, Identity, Message, Outcome, Part, Worker};

/// Does the work of one child.
pub(super) type Agent = Rc<dyn Fn(&Order<'_>) -> Delivery>;

/// What a child is to do.
pub(super) struct Order<'p> {
    pub(super) message: Message,
    pub(super) identity: Identity,
    pub(super) starts_at: Millis,
    /// The script of the parent.
    pub(super) parent: &'p Host,
}

/// What becomes of a child.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    /// How long it takes.
    pub(super) takes: Millis,
    /// Nothing if it waits for something that the script does not have.
    pub(super) end: Option<ChildEnd>,
}

pub(super) fn scripted_agent(takes: Millis, end: impl Fn(&Message) -> ChildEnd + 'static) -> Agent {
    Rc::new(move |order| Delivery {
        takes,
        end: Some(end(&order.message)),
    })
}

/// A real worker. Without a script of its own it shares the outside world of its parent.
pub(super) fn worker_agent<W: Worker + 'static>(own: Option<Host>) -> Agent {
    Rc::new(move |order| {
        let mut host = own.clone().unwrap_or_else(|| Host {
            routes: order.parent.routes.clone(),
            agents: order.parent.agents.clone(),
            ..Host::default()
        });
        host.lineage = order.parent.lineage.clone();
        host.lineage.push(order.parent.identity.agent.clone());
        host.store = host.store.or_else(|| order.parent.store.clone());
        host.input = order.message.clone();
        host.identity = order.identity.clone();
        host.starts_at = order.starts_at;
        delivery(&host.run::<W>())
    })
}

fn delivery(run: &Run) -> Delivery {
    Delivery {
        takes: millis::of_span(run.elapsed),
        end: end_of(run),
    }
}

fn end_of(run: &Run) -> Option<ChildEnd> {
    let end = match &run.end {
        End::Finished(Outcome::Completed(parts) | Outcome::Reply(parts)) => {
            ChildEnd::completed().with_message(parts.clone())
        }
        End::Finished(Outcome::Rejected(reason)) => {
            ChildEnd::new(ChildState::Rejected).with_message(reason.as_str())
        }
        End::Finished(Outcome::ContinueAsNew(_)) | End::Waiting => return None,
        End::Failed(_) if run.paused().is_some() => return None,
        End::Failed(error) => ChildEnd::failed(error.message()),
    };
    Some(ChildEnd {
        artifacts: artifacts_of(run),
        ..end
    })
}

fn artifacts_of(run: &Run) -> Vec<ChildArtifact> {
    let mut ids: Vec<&str> = Vec::new();
    for event in &run.events {
        if let Event::Put { id, .. } | Event::Appended { id, .. } = event
            && !ids.contains(&id.as_str())
        {
            ids.push(id);
        }
    }
    let artifact = |id: &str| ChildArtifact {
        id: id.to_owned(),
        name: None,
        description: None,
        metadata: None,
        parts: merged(run.artifact(id)),
    };
    ids.into_iter().map(artifact).collect()
}

/// Chunks of the same text are one part.
fn merged(chunks: Vec<&Part>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for chunk in chunks {
        let joined = parts.last().and_then(|last| {
            let same = last.media_type == chunk.media_type && last.filename == chunk.filename;
            let text = last.as_text()?.to_owned() + chunk.as_text()?;
            same.then_some(text)
        });
        match (joined, parts.last_mut()) {
            (Some(text), Some(last)) => last.body = crate::Body::Text(text),
            _ => parts.push(chunk.clone()),
        }
    }
    parts
}
