//! Server-sent events: how the bindings on JSON stream (A2A 9.4.2, 11.7).
//!
//! Each event carries the number of its entry as its id, so a client that lost the connection goes on
//! where it was.

mod frame;

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

use crate::Door;
use crate::error::ApiError;
use crate::follow::{Events as _, Follow, Following};
use crate::metric::OpenStream;

pub(crate) use frame::{Envelope, Frames};

/// A comment: clients ignore it, and the time that they give to a silent connection begins again.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// How proxies are kept from holding events back: they must not store them, nor compress them, as what
/// compresses waits for more; and some obey only a header of their own.
const HEADERS: [(HeaderName, &str); 3] = [
    (header::CONTENT_TYPE, "text/event-stream"),
    (header::CACHE_CONTROL, "no-store, no-transform"),
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

/// The stream of what `follow` sees. Each event is written within `envelope`.
pub(crate) fn respond(door: &Door, follow: Follow, envelope: impl Envelope) -> Response {
    let following = follow.written_by(door, Frames::new(envelope));
    let body = Body::from_stream(stream(following, door.config.keep_alive()));
    (HEADERS, body).into_response()
}

/// The stream that consists of `error`.
pub(crate) fn refuse(error: &ApiError, envelope: impl Envelope) -> Response {
    let mut frames = Frames::new(envelope);
    frames.error(error, false);
    let body = Body::from(frames.take().unwrap_or_default());
    (HEADERS, body).into_response()
}

fn stream<E: Envelope>(
    mut following: Following<Frames<E>>,
    keep_alive: Option<Duration>,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send {
    async_stream::stream! {
        let _open = OpenStream::new();
        loop {
            // IMPORTANT: the same future across comments; dropping it could lose entries it has read.
            let mut next = pin!(following.next());
            let chunk = loop {
                let chunk = tokio::select! {
                    biased;
                    chunk = &mut next => Some(chunk),
                    () = silence(keep_alive) => None,
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

/// Resolves when a stream was silent for so long; never if it may be silent forever.
async fn silence(most: Option<Duration>) {
    match most {
        Some(most) => tokio::time::sleep(most).await,
        None => std::future::pending().await,
    }
}
