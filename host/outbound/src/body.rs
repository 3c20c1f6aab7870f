//! Responses: read up to a limit, whole or piece by piece.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::future::ready;
use futures::stream::{BoxStream, StreamExt, TryStreamExt, try_unfold};
use http::HeaderMap;
use reqwest::Response;
use taskyard_task::{HttpError, HttpHead, HttpHeader};
use tokio::sync::OwnedSemaphorePermit;

use crate::call::Call;
use crate::coding::{self, Pieces, limited};
use crate::failure::Failure;
use crate::outbound::failed;

/// Names and values of all headers of a response.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// What a header counts for besides its text, so that there cannot be very many empty ones.
const HEADER_OVERHEAD: usize = 32;

/// A response that has begun: its head, and its content as it comes in.
pub(crate) struct Begun {
    pub(crate) head: HttpHead,
    pub(crate) content: Pieces,
    /// How many bytes are on their way, if the server said so.
    announced: Option<u64>,
    /// The largest content.
    limit: u64,
}

impl Begun {
    /// A response to `call`, without its content codings.
    ///
    /// # Errors
    /// If its head is too large, or its content is coded in a way that cannot be undone.
    pub(crate) fn new(call: &Call, mut response: Response) -> Result<Self, Failure> {
        let limit = call.max_response_bytes;
        check_head(response.headers())?;
        let codings = coding::codings(
            &call.method,
            &call.headers,
            response.status(),
            response.headers(),
        )?;
        let announced = response.content_length();
        coding::adjust(response.headers_mut(), &codings);
        let head = head(&response);
        let bytes = response.bytes_stream();
        let coded = limited(bytes.map_err(|error| failed(error).into()).boxed(), limit);
        let content = coding::undo(&codings, coded, limit);
        Ok(Self {
            head,
            content,
            announced,
            limit,
        })
    }

    /// All of its content.
    ///
    /// # Errors
    /// If it is too large, or breaks off.
    pub(crate) async fn whole(mut self) -> Result<(HttpHead, Vec<u8>), Failure> {
        let limit = self.limit;
        // What announces itself as too large is not read at all.
        if self.announced.is_some_and(|length| length > limit) {
            return Err(HttpError::TooLarge { limit }.into());
        }
        let mut body = Vec::new();
        while let Some(piece) = self.content.try_next().await? {
            body.extend_from_slice(&piece);
        }
        Ok((self.head, body))
    }
}

/// The body of a response as it comes in. Ends after an error.
pub struct BodyStream(BoxStream<'static, Result<Bytes, HttpError>>);

impl BodyStream {
    /// The rest of a response, which may be silent for `silence`. `permit` is given back at its end.
    pub(crate) fn new(content: Pieces, silence: Duration, permit: OwnedSemaphorePermit) -> Self {
        let pieces = try_unfold((content, permit), move |(mut content, permit)| async move {
            let next = tokio::time::timeout(silence, content.try_next()).await;
            let piece = next.unwrap_or(Err(HttpError::TimedOut.into()))?;
            Ok(piece.map(|piece| (piece, (content, permit))))
        });
        Self::unguarded(pieces.boxed())
    }

    /// All pieces, however long they take.
    pub(crate) fn unguarded(pieces: Pieces) -> Self {
        let pieces = pieces.try_filter(|piece| ready(!piece.is_empty()));
        Self(pieces.map_err(Failure::into_error).boxed())
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

fn check_head(headers: &HeaderMap) -> Result<(), HttpError> {
    let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + HEADER_OVERHEAD
    };
    match headers.iter().map(size).sum::<usize>() > MAX_HEAD_BYTES {
        true => Err(HttpError::TooLarge {
            limit: MAX_HEAD_BYTES as u64,
        }),
        false => Ok(()),
    }
}

/// Status and headers.
fn head(response: &Response) -> HttpHead {
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| HttpHeader {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_vec(),
    };
    HttpHead {
        status: response.status().as_u16(),
        headers: response.headers().iter().map(header).collect(),
    }
}
