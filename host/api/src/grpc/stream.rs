//! Streams: each event is a message, and how it went is the status behind the last one.

use std::convert::Infallible;

use a2a::StreamResponse;
use a2a_pb::pbconv;
use axum::body::{Body, Bytes};
use axum::response::Response;
use bytes::BytesMut;
use taskyard_task::Seq;
use tokio::sync::oneshot;
use tonic::Status;

use super::frame;
use super::status::status_of;
use crate::Door;
use crate::error::ApiError;
use crate::follow::{Events, Follow, Following, InPieces};
use crate::metric::OpenStream;
use crate::operation::Holes;
use crate::trace::RequestId;

/// The stream of what `follow` sees.
pub(super) fn respond(door: &Door, follow: Follow, request: RequestId) -> Response {
    let (end, ended) = oneshot::channel();
    let following = follow.written_by(door, Messages::new(request));
    let body = Body::from_stream(stream(following, end));
    // The sender is dropped before it sends only if nobody reads any more.
    let end = async { ended.await.unwrap_or_else(|_| Status::cancelled("")) };
    frame::respond_with(body, end)
}

/// Writes events one behind the other into a buffer.
#[derive(Debug)]
struct Messages {
    request: RequestId,
    buffer: BytesMut,
    broken: Option<Status>,
}

/// Whole messages, and how the stream ends if it ends with them before its time.
#[derive(Debug)]
struct Written {
    messages: Bytes,
    broken: Option<Status>,
}

impl Messages {
    fn new(request: RequestId) -> Self {
        Self {
            request,
            buffer: BytesMut::new(),
            broken: None,
        }
    }
}

impl Events for Messages {
    type Chunk = Written;

    // A message says how long it is before it begins.
    const IN_PIECES: bool = false;

    fn take_in_pieces(&mut self, _: Holes) -> Result<InPieces<Written>, ApiError> {
        let problem = "a message of gRPC cannot be written in pieces";
        Err(ApiError::Internal(problem.to_owned()))
    }

    fn event(&mut self, _: Seq, event: &StreamResponse) -> Result<(), ApiError> {
        let message = pbconv::to_proto_stream_response(event);
        frame::write(&mut self.buffer, &message)
    }

    fn error(&mut self, error: &ApiError, _: bool) {
        self.broken = Some(status_of(error, &self.request));
    }

    fn len(&self) -> usize {
        self.buffer.len()
    }

    fn take(&mut self) -> Option<Written> {
        let written = Written {
            messages: self.buffer.split().freeze(),
            broken: self.broken.take(),
        };
        (written.broken.is_some() || !written.messages.is_empty()).then_some(written)
    }
}

/// The messages; the status goes to `end`. HTTP/2 itself finds out whether a silent client is still there.
fn stream(
    mut following: Following<Messages>,
    end: oneshot::Sender<Status>,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send {
    async_stream::stream! {
        let _open = OpenStream::new();
        let status = loop {
            let chunk = following.next().await;
            if let Some(Written { messages, broken }) = chunk.events {
                if !messages.is_empty() {
                    yield Ok(messages);
                }
                if let Some(status) = broken {
                    break status;
                }
            }
            if chunk.is_last {
                break Status::ok("");
            }
        };
        // Who does not read any more needs no status.
        let _ = end.send(status);
    }
}
