//! Responses: read up to a limit, whole or piece by piece.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::future::ready;
use futures::stream::{BoxStream, StreamExt, TryStreamExt, try_unfold};
use reqwest::Response;
use taskyard_task::{HttpError, HttpHead, HttpHeader};
use tokio::sync::OwnedSemaphorePermit;

use crate::outbound::failure;

/// Names and values of all headers of a response.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// What a header counts for besides its text, so that there cannot be very many empty ones.
const HEADER_OVERHEAD: usize = 32;

/// The body of a response as it comes in. Ends after an error.
pub struct BodyStream(BoxStream<'static, Result<Bytes, HttpError>>);

impl BodyStream {
    /// The rest of `response`, which may be silent for `silence` and have `limit` bytes. `permit` is given
    /// back at its end.
    pub(crate) fn new(
        response: Response,
        silence: Duration,
        limit: u64,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let pieces = try_unfold(
            (response, 0, permit),
            move |(mut response, read, permit)| async move {
                let next = tokio::time::timeout(silence, next(&mut response, read, limit)).await;
                let piece = next.unwrap_or(Err(HttpError::TimedOut))?;
                Ok(piece.map(|piece| {
                    let read = read + piece.len() as u64;
                    (piece, (response, read, permit))
                }))
            },
        );
        Self(pieces.try_filter(|piece| ready(!piece.is_empty())).boxed())
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyStream").finish_non_exhaustive()
    }
}

/// Reads all that is left.
pub(crate) async fn whole(mut response: Response, limit: u64) -> Result<Vec<u8>, HttpError> {
    // What announces itself as too large is not read at all.
    if response
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Err(HttpError::TooLarge { limit });
    }
    let mut body = Vec::new();
    while let Some(piece) = next(&mut response, body.len() as u64, limit).await? {
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

async fn next(response: &mut Response, read: u64, limit: u64) -> Result<Option<Bytes>, HttpError> {
    let piece = response.chunk().await.map_err(failure)?;
    match &piece {
        Some(piece) if read + piece.len() as u64 > limit => Err(HttpError::TooLarge { limit }),
        _ => Ok(piece),
    }
}

/// Status and headers.
pub(crate) fn head(response: &Response) -> Result<HttpHead, HttpError> {
    let headers = response.headers();
    let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + HEADER_OVERHEAD
    };
    if headers.iter().map(size).sum::<usize>() > MAX_HEAD_BYTES {
        return Err(HttpError::TooLarge {
            limit: MAX_HEAD_BYTES as u64,
        });
    }
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| HttpHeader {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_vec(),
    };
    Ok(HttpHead {
        status: response.status().as_u16(),
        headers: headers.iter().map(header).collect(),
    })
}
