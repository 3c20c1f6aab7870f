//! Server-sent events: how the bindings on JSON stream (A2A 9.4.2, 11.7).
//!
//! Each event carries the number of its entry as its id, so a client that lost the connection goes on
//! where it was.

mod frame;

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use crate::Door;
use crate::error::ApiError;
use crate::follow::{Chunk, Events as _, Follow, Following};
use crate::metric::OpenStream;

pub(crate) use frame::{Envelope, Frames};

// Comments: clients ignore them, people and proxies do not.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";
const GOODBYE: &[u8] = b": host is shutting down\n\n";

/// The stream of what `follow` sees. Each event is written within `envelope`.
pub(crate) fn respond(door: &Door, follow: Follow, envelope: impl Envelope) -> Response {
    let following = follow.written_by(Frames::new(envelope));
    let silence = Duration::from_secs(door.config.keep_alive_seconds.get());
    event_stream(Body::from_stream(stream(
        following,
        silence,
        door.stopping.clone(),
    )))
}

/// The stream that consists of `error`.
pub(crate) fn refuse(error: &ApiError, envelope: impl Envelope) -> Response {
    let mut frames = Frames::new(envelope);
    frames.error(error);
    event_stream(Body::from(frames.take().unwrap_or_default()))
}

fn event_stream(body: Body) -> Response {
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

fn stream<E: Envelope>(
    mut following: Following<Frames<E>>,
    silence: Duration,
    stopping: CancellationToken,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send {
    async_stream::stream! {
        let _open = OpenStream::new();
        loop {
            // IMPORTANT: the same future across comments; dropping it could lose entries it has read.
            let mut next = pin!(following.next());
            let chunk = loop {
                let quiet = tokio::time::sleep(silence);
                let chunk = tokio::select! {
                    biased;
                    () = stopping.cancelled() => Some(goodbye()),
                    chunk = &mut next => Some(chunk),
                    () = quiet => None,
                };
                match chunk {
                    Some(chunk) => break chunk,
                    None => yield Ok(Bytes::from_static(KEEP_ALIVE)),
                }
            };
            if let Some(events) = chunk.events {
                yield Ok(events);
            }
            if chunk.is_last {
                break;
            }
        }
    }
}

fn goodbye() -> Chunk<Bytes> {
    Chunk {
        events: Some(Bytes::from_static(GOODBYE)),
        is_last: true,
    }
}
