//! Streams of events (A2A 3.5.2, 9.4.2): a view of the log that moves on.
//!
//! Each event carries the number of its entry as its id, so a client that lost the connection goes on
//! where it was. A stream reads the log at the client's pace: nothing is buffered for slow clients,
//! and a client that goes away changes nothing.

mod follow;
mod frame;

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use taskyard_broker::{TaskSnapshot, Watch};
use taskyard_task::Seq;
use taskyard_task::wire::Projection;
use tokio_util::sync::CancellationToken;

use crate::metric::OpenStream;
use crate::rpc::Call;

use follow::{Chunk, Follow};
use frame::Frames;

// Comments: clients ignore them, people and proxies do not.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";
const GOODBYE: &[u8] = b": host is shutting down\n\n";

/// What a stream begins with.
#[derive(Debug)]
pub(crate) enum Start {
    /// The task as this entry, which the client's message made, left it; then everything since. It
    /// begins once clients may be shown the task, and is a direct message instead if it ends in one.
    Sent(Seq),
    /// This snapshot, which the watch goes on behind.
    With(Box<TaskSnapshot>),
    /// The first event behind this one; the client has seen what was before.
    After(Seq),
}

/// What a stream ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The end of the task.
    Ended,
    /// The end of the task, or the next question behind this entry.
    InputRequired {
        /// The entry that the client's message made.
        after: Seq,
    },
}

/// Answers `call` with the stream of what `watch` sees.
pub(crate) fn respond(
    call: &Call,
    watch: Watch,
    start: Start,
    until: Until,
    projection: Projection,
) -> Response {
    let frames = Frames::new(call.id.clone(), call.request_id());
    let follow = Follow::new(watch, frames, start, until, projection);
    let silence = Duration::from_secs(call.door.config.keep_alive_seconds.get());
    let body = Body::from_stream(stream(follow, silence, call.door.stopping.clone()));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let mut response = (headers, body).into_response();
    // Proxies that buffer answers hold events back; this is how they are told not to.
    let unbuffered = HeaderValue::from_static("no");
    response
        .headers_mut()
        .insert("x-accel-buffering", unbuffered);
    response
}

fn stream(
    mut follow: Follow,
    silence: Duration,
    stopping: CancellationToken,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send {
    async_stream::stream! {
        let _open = OpenStream::new();
        loop {
            // IMPORTANT: the same future across comments; dropping it could lose entries it has read.
            let mut next = pin!(follow.next());
            let chunk = loop {
                let quiet = tokio::time::sleep(silence);
                let chunk = tokio::select! {
                    biased;
                    () = stopping.cancelled() => Some(Chunk::last(Bytes::from_static(GOODBYE))),
                    chunk = &mut next => Some(chunk),
                    () = quiet => None,
                };
                match chunk {
                    Some(chunk) => break chunk,
                    None => yield Ok(Bytes::from_static(KEEP_ALIVE)),
                }
            };
            if !chunk.bytes.is_empty() {
                yield Ok(chunk.bytes);
            }
            if chunk.is_last {
                break;
            }
        }
    }
}
