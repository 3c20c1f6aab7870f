//! What is measured here: a send as it comes in, a task and its events as they go out.

use a2a::{JsonRpcId, SendMessageRequest, SendMessageResponse};
use axum::body::Bytes;
use axum::http::Request;
use axum::response::Response;
use taskyard_task::wire::{self, Place, Projection};
use taskyard_task::{Entry, Seq, TaskView};

use super::answer::{RpcEnvelope, reply};
use super::envelope;
use crate::follow::Events;
use crate::lenient::{self, requests};
use crate::operation::Plain;
use crate::sse::Frames;
use crate::trace::RequestId;

/// The body of a request to `SendMessage`, as its operation reads it; `None` if it is refused.
#[must_use]
pub fn read_send(body: &[u8]) -> Option<SendMessageRequest> {
    let params = envelope::parse(body).ok()?.params;
    let canonical = lenient::canonical(&requests::SEND_MESSAGE, params).ok()?;
    lenient::typed(canonical).ok()
}

/// The answer to a send: the whole task.
#[must_use]
pub fn answer(place: Place<'_>, view: &TaskView) -> Response {
    let task = wire::task_to_a2a(place, view, Projection::WHOLE);
    let sent = SendMessageResponse::Task(task);
    reply(&JsonRpcId::Number(1), &Plain::Sent(Box::new(sent)))
}

/// A stream of one task's events.
#[derive(Debug)]
pub struct Stream(Frames<RpcEnvelope>);

impl Default for Stream {
    fn default() -> Self {
        let (head, ()) = Request::new(()).into_parts();
        Self(Frames::new(RpcEnvelope {
            id: JsonRpcId::Number(1),
            request: RequestId::of(&head),
        }))
    }
}

impl Stream {
    /// What clients are sent for an entry; `None` if they do not see it.
    pub fn event(&mut self, place: Place<'_>, seq: Seq, entry: &Entry) -> Option<Bytes> {
        let event = wire::event_to_a2a(place, seq, entry)?;
        self.0.event(seq, &event).ok()?;
        self.0.take()
    }
}
