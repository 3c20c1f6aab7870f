//! Reading a request's body, up to a limit.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::memory::{Account, Full};
use crate::single;

/// How much of a body is looked at where the request is refused before it is read. The head of an envelope
/// has tens of bytes; clients that write it behind its content do so with small ones.
pub(crate) const BEGINNING_BYTES: usize = 64 << 10;
/// The rate that a body must keep from its first byte on, once the time for its beginning has passed: the
/// slowest connection that people have.
const MIN_BYTES_PER_SECOND: u64 = 4 << 10;
/// How long a refusal waits for that. It is on the way with the headers, in the next packet perhaps.
const BEGINNING_PATIENCE: Duration = Duration::from_millis(250);

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    /// The client's to fix.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The client's to fix, or its network's.
    #[error("the body came too slowly, or stopped in the middle")]
    TooSlow,
    /// Too many others hold memory.
    #[error("{0}; try again later")]
    Full(#[from] Full),
    /// The connection broke; nobody will read the answer.
    #[error("the body could not be read: {0}")]
    Broken(String),
}

/// How long the sender of a body may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The longest silence, and the time after which it must have kept the least rate.
    pub(crate) grace: Duration,
}

impl Pace {
    /// That of the operators' door.
    pub(crate) const OPERATORS: Self = Self {
        grace: Duration::from_secs(30),
    };

    /// When the next bytes must be there, if `arrived` of them came since `began`, and the last ones `last`.
    fn due(self, began: Instant, last: Instant, arrived: usize) -> Instant {
        let earned = Duration::from_secs(arrived as u64 / MIN_BYTES_PER_SECOND);
        let (of_silence, of_rate) = (last + self.grace, began + self.grace + earned);
        of_silence.min(of_rate)
    }
}

/// Reads the whole body if it has at most `limit` bytes.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    pace: Pace,
) -> Result<Bytes, Unread> {
    Incoming::new(headers, body, pace, None).whole(limit).await
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
    pace: Pace,
    began: Instant,
    last: Instant,
    /// What holds the bytes that arrived, if they count.
    account: Option<Account>,
    is_over: bool,
}

impl Incoming {
    /// Nothing of it was read yet. `account` holds what arrives.
    pub(crate) fn new(
        headers: &HeaderMap,
        body: Body,
        pace: Pace,
        account: Option<Account>,
    ) -> Self {
        let now = Instant::now();
        Self {
            body,
            announced: announced_length(headers),
            waits: headers.contains_key(header::EXPECT),
            arrived: BytesMut::new(),
            pace,
            began: now,
            last: now,
            account,
            is_over: false,
        }
    }

    /// The whole body if it has at most `limit` bytes.
    pub(crate) async fn whole(&mut self, limit: usize) -> Result<Bytes, Unread> {
        self.up_to(usize::MAX, limit).await?;
        Ok(self.arrived.split().freeze())
    }

    /// How a large body begins, once [`BEGINNING_BYTES`] of it arrived; nothing if the whole body was there before
    /// that.
    ///
    /// # Errors
    /// As of [`Self::whole`].
    pub(crate) async fn head_of_large(&mut self, limit: usize) -> Result<Option<&[u8]>, Unread> {
        self.up_to(BEGINNING_BYTES, limit).await?;
        Ok((!self.is_over).then_some(&self.arrived))
    }

    /// What holds the bytes that arrived; they do not count any more when it is dropped.
    pub(crate) fn take_account(&mut self) -> Option<Account> {
        self.account.take()
    }

    async fn up_to(&mut self, enough: usize, limit: usize) -> Result<(), Unread> {
        // What announces itself as too large is not read.
        if self.announced.is_some_and(|length| length > limit as u64) || self.arrived.len() > limit
        {
            return Err(Unread::TooLarge(limit));
        }
        while self.arrived.len() < enough
            && let Some(piece) = self.piece().await?
        {
            let length = self.arrived.len().saturating_add(piece.len());
            if length > limit {
                self.keep_beginning(&piece);
                return Err(Unread::TooLarge(limit));
            }
            if let Some(account) = &mut self.account {
                account.hold(length)?;
            }
            self.arrived.extend_from_slice(&piece);
        }
        Ok(())
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
        while !self.is_over {
            let due = self.pace.due(self.began, self.last, self.arrived.len());
            let frame = timeout_at(due, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| Unread::TooSlow)? else {
                self.is_over = true;
                break;
            };
            let frame = frame.map_err(|error| Unread::Broken(error.to_string()))?;
            // Trailers say nothing to us, and nothing is no progress.
            if let Ok(piece) = frame.into_data()
                && !piece.is_empty()
            {
                self.last = Instant::now();
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

/// Whether a page of another site can have a browser send this `POST` without being asked: its body says no
/// type, and it has no header of ours either. Clients that send no body often say no type.
pub(crate) fn browsers_may_send(headers: &HeaderMap) -> bool {
    !content_type_is(headers, is_json) && !headers.contains_key(a2a::SVC_PARAM_VERSION)
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
    use crate::memory::Holder;

    const PACE: Pace = Pace {
        grace: Duration::from_secs(30),
    };

    fn incoming(headers: &HeaderMap, body: Body) -> Incoming {
        Incoming::new(headers, body, PACE, None)
    }

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
            read(&none, Body::from("abc"), 3, PACE).await,
            Ok(Bytes::from("abc"))
        );
        assert_eq!(
            read(&none, Body::from("abcd"), 3, PACE).await,
            Err(Unread::TooLarge(3))
        );
        assert_eq!(
            read(&announced, Body::empty(), 3, PACE).await,
            Err(Unread::TooLarge(3))
        );
    }

    /// One byte each millisecond, slower than the least rate.
    fn trickle() -> Body {
        Body::from_stream(stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
        }))
    }

    #[tokio::test]
    async fn a_body_that_stops_or_trickles_is_given_up() {
        let pace = Pace {
            grace: Duration::from_millis(20),
        };
        for body in [stuck(vec![vec![7; 1 << 20]]), trickle()] {
            let mut body = Incoming::new(&HeaderMap::new(), body, pace, None);
            assert_eq!(body.whole(2 << 20).await, Err(Unread::TooSlow));
        }
    }

    #[test]
    fn bytes_earn_time_and_silence_has_an_end() {
        let began = Instant::now();
        let due = |last, arrived| PACE.due(began, began + Duration::from_secs(last), arrived);
        let seconds = |after: Instant| (after - began).as_secs();
        assert_eq!(seconds(due(0, 0)), 30);
        assert_eq!(seconds(due(20, 4 << 10)), 31);
        assert_eq!(seconds(due(20, 400 << 10)), 50);
    }

    #[tokio::test]
    async fn what_arrives_counts_until_it_is_dropped() {
        let memory = crate::Memory::new(8);
        let account = || Some(memory.account(&"a".parse().unwrap(), Holder::Requests));
        let none = HeaderMap::new();
        let mut small = Incoming::new(&none, Body::from("abcd"), PACE, account());
        assert_eq!(small.whole(100).await, Ok(Bytes::from("abcd")));
        let mut more = Incoming::new(&none, Body::from("e"), PACE, account());
        assert_eq!(more.whole(100).await, Err(Unread::Full(Full::Tenant)));
        drop(small.take_account());
        let mut more = Incoming::new(&none, Body::from("e"), PACE, account());
        assert_eq!(more.whole(100).await, Ok(Bytes::from("e")));
    }

    #[tokio::test]
    async fn a_refusal_waits_for_the_beginning_and_no_longer() {
        let none = HeaderMap::new();
        let pieces = || vec![b"ab".to_vec(), b"cd".to_vec()];
        let mut body = incoming(&none, stuck(pieces()));
        assert_eq!(body.beginning().await, b"abcd");
        let mut whole = incoming(&none, Body::from("abcd"));
        assert_eq!(whole.beginning().await, b"abcd");
        // One that turns out too large while it is read has been there already.
        let mut large = incoming(&none, stuck(pieces()));
        assert_eq!(large.whole(3).await, Err(Unread::TooLarge(3)));
        assert_eq!(large.beginning().await, b"abcd");
    }

    #[tokio::test]
    async fn the_beginning_is_bounded() {
        let pieces = vec![vec![7; BEGINNING_BYTES - 1], vec![7; BEGINNING_BYTES]];
        let mut body = incoming(&HeaderMap::new(), stuck(pieces));
        assert_eq!(body.beginning().await.len(), BEGINNING_BYTES);
        assert_eq!(body.arrived.len(), BEGINNING_BYTES);
    }

    #[tokio::test]
    async fn a_client_that_waits_for_permission_is_not_told_to_go_on() {
        let headers =
            HeaderMap::from_iter([(header::EXPECT, HeaderValue::from_static("100-continue"))]);
        let mut body = incoming(&headers, Body::from("abc"));
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
