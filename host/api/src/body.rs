//! Reading a request's body, up to a limit.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use http_body_util::BodyExt as _;

use crate::single;

/// How much of a body is looked at where the request is refused before it is read. The head of an envelope
/// has tens of bytes; clients that write it behind its content do so with small ones.
const BEGINNING_BYTES: usize = 64 << 10;
/// How long a refusal waits for that. It is on the way with the headers, in the next packet perhaps.
const BEGINNING_PATIENCE: Duration = Duration::from_millis(250);

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    /// The client's to fix.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke; nobody will read the answer.
    #[error("the body could not be read: {0}")]
    Broken(String),
}

/// Reads the whole body if it has at most `limit` bytes.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Unread> {
    Incoming::new(headers, body).whole(limit).await
}

/// A body on its way in.
#[derive(Debug)]
pub(crate) struct Incoming {
    body: Body,
    announced: Option<u64>,
    /// Whether the client sends nothing before it is told to.
    waits: bool,
    /// What arrived and was not handed out.
    arrived: BytesMut,
}

impl Incoming {
    pub(crate) fn new(headers: &HeaderMap, body: Body) -> Self {
        Self {
            body,
            announced: announced_length(headers),
            waits: headers.contains_key(header::EXPECT),
            arrived: BytesMut::new(),
        }
    }

    /// The whole body if it has at most `limit` bytes.
    pub(crate) async fn whole(&mut self, limit: usize) -> Result<Bytes, Unread> {
        // What announces itself as too large is not read.
        if self.announced.is_some_and(|length| length > limit as u64) {
            return Err(Unread::TooLarge(limit));
        }
        while let Some(piece) = self.piece().await? {
            if self.arrived.len().saturating_add(piece.len()) > limit {
                self.keep_beginning(&piece);
                return Err(Unread::TooLarge(limit));
            }
            self.arrived.extend_from_slice(&piece);
        }
        Ok(self.arrived.split().freeze())
    }

    /// How the body begins, for a request that is refused: what is there, or arrives in a moment. Bounded in
    /// bytes and in time, since nobody knows who sends it.
    pub(crate) async fn beginning(&mut self) -> &[u8] {
        if !self.waits {
            // What is late, or cannot be read, is not worth waiting for.
            let _ = tokio::time::timeout(BEGINNING_PATIENCE, self.read_beginning()).await;
        }
        self.arrived.get(..BEGINNING_BYTES).unwrap_or(&self.arrived)
    }

    async fn read_beginning(&mut self) -> Result<(), Unread> {
        while self.arrived.len() < BEGINNING_BYTES
            && let Some(piece) = self.piece().await?
        {
            self.keep_beginning(&piece);
        }
        Ok(())
    }

    fn keep_beginning(&mut self, piece: &[u8]) {
        let room = BEGINNING_BYTES.saturating_sub(self.arrived.len());
        let kept = piece.get(..room).unwrap_or(piece);
        self.arrived.extend_from_slice(kept);
    }

    /// The next piece of the body; `None` at its end.
    async fn piece(&mut self) -> Result<Option<Bytes>, Unread> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| Unread::Broken(error.to_string()))?;
            // Trailers say nothing to us.
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    single::header(headers, "content-length")
        .ok()??
        .parse()
        .ok()
}

/// Whether the request has a `Content-Type` that satisfies `check`, without its parameters and in lower
/// case. One without is not taken: pages of other sites can send such requests without being asked.
pub(crate) fn content_type_is(headers: &HeaderMap, check: impl FnOnce(&str) -> bool) -> bool {
    let Ok(Some(value)) = single::header(headers, "content-type") else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default();
    check(&essence.trim().to_ascii_lowercase())
}

/// Whether a content type is JSON of any kind: `application/json`, `application/a2a+json` (A2A 11.1).
pub(crate) fn is_json(content_type: &str) -> bool {
    content_type == "application/json" || content_type.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::HeaderValue;
    use futures::stream::{self, StreamExt as _};

    use super::*;

    /// A body in pieces, which then neither goes on nor ends.
    fn stuck(pieces: Vec<Vec<u8>>) -> Body {
        let pieces = stream::iter(pieces.into_iter().map(Ok::<_, Infallible>));
        Body::from_stream(pieces.chain(stream::pending()))
    }

    #[tokio::test]
    async fn the_limit_holds_with_and_without_an_announced_length() {
        let none = HeaderMap::new();
        let announced =
            HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from_static("4"))]);
        assert_eq!(
            read(&none, Body::from("abc"), 3).await,
            Ok(Bytes::from("abc"))
        );
        assert_eq!(
            read(&none, Body::from("abcd"), 3).await,
            Err(Unread::TooLarge(3))
        );
        assert_eq!(
            read(&announced, Body::empty(), 3).await,
            Err(Unread::TooLarge(3))
        );
    }

    #[tokio::test]
    async fn a_refusal_waits_for_the_beginning_and_no_longer() {
        let none = HeaderMap::new();
        let pieces = || vec![b"ab".to_vec(), b"cd".to_vec()];
        let mut body = Incoming::new(&none, stuck(pieces()));
        assert_eq!(body.beginning().await, b"abcd");
        let mut whole = Incoming::new(&none, Body::from("abcd"));
        assert_eq!(whole.beginning().await, b"abcd");
        // One that turns out too large while it is read has been there already.
        let mut large = Incoming::new(&none, stuck(pieces()));
        assert_eq!(large.whole(3).await, Err(Unread::TooLarge(3)));
        assert_eq!(large.beginning().await, b"abcd");
    }

    #[tokio::test]
    async fn the_beginning_is_bounded() {
        let pieces = vec![vec![7; BEGINNING_BYTES - 1], vec![7; BEGINNING_BYTES]];
        let mut body = Incoming::new(&HeaderMap::new(), stuck(pieces));
        assert_eq!(body.beginning().await.len(), BEGINNING_BYTES);
        assert_eq!(body.arrived.len(), BEGINNING_BYTES);
    }

    #[tokio::test]
    async fn a_client_that_waits_for_permission_is_not_told_to_go_on() {
        let headers =
            HeaderMap::from_iter([(header::EXPECT, HeaderValue::from_static("100-continue"))]);
        let mut body = Incoming::new(&headers, Body::from("abc"));
        assert_eq!(body.beginning().await, b"");
    }

    #[test]
    fn content_types_are_compared_without_parameters() {
        let of = |values: &[&'static str]| {
            let values = values.iter().map(|value| HeaderValue::from_static(value));
            let mut headers = HeaderMap::new();
            values.for_each(|value| {
                headers.append(header::CONTENT_TYPE, value);
            });
            content_type_is(&headers, |t| t == "application/json")
        };
        assert!(!of(&[]));
        assert!(!of(&[""]));
        assert!(of(&["application/json"]));
        assert!(of(&["Application/JSON; charset=utf-8"]));
        assert!(!of(&["text/plain"]));
        assert!(of(&["application/json", "application/json"]));
        assert!(of(&["application/json, application/json"]));
        assert!(!of(&["application/json", "text/plain"]));
        assert!(!of(&["application/json, text/plain"]));
    }
}
