//! What is sent.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use serde::Serialize;

use super::{Response, Stream, headers};
use crate::host::TicketId;
use crate::millis::{self, Millis};
use crate::{OpError, Result, Ticket, current};

/// A request, to be sent in one of three ways: [`send`](Self::send), [`start`](Self::start) or
/// [`stream`](Self::stream).
#[derive(Clone, PartialEq, Eq)]
#[must_use = "nothing is sent before `send`, `start` or `stream` is called"]
pub struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Option<Millis>,
    pub(crate) retry: Option<Retry>,
    pub(crate) at_most_once: bool,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) max_response_bytes: Option<u64>,
}

impl Request {
    pub(super) fn new(method: String, url: String) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
            retry: None,
            at_most_once: false,
            idempotency_key: None,
            max_response_bytes: None,
        }
    }

    /// Adds `name=value` to the query of the URL, escaped as needed. The URL must have no fragment.
    ///
    /// ```
    /// # use taskyard_sdk::prelude::*;
    /// let search = http::request("GET", "https://a.example/search").query("q", "a b").query("page", 2);
    /// assert_eq!(search.url(), "https://a.example/search?q=a%20b&page=2");
    /// ```
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        self.url.push(separator);
        escape(&mut self.url, name);
        self.url.push('=');
        escape(&mut self.url, &value.to_string());
        self
    }

    /// Adds a header. Those about the connection, such as `Host`, `Content-Length` and `Connection`, are
    /// set by the host: a request that has one of them is refused when it is to be sent.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The body as JSON, with the header that says so unless there is one.
    ///
    /// # Errors
    /// When `value` has no JSON form.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Self> {
        self.body = serde_json::to_vec(value)?;
        let is_content_type = |name: &str| name.eq_ignore_ascii_case("content-type");
        if self.headers.iter().any(|(name, _)| is_content_type(name)) {
            return Ok(self);
        }
        Ok(self.header("content-type", "application/json"))
    }

    /// How long one attempt may take, the body of the response included; for a stream, how long it may be
    /// silent. The operator's limit if not set, or if that is shorter.
    pub fn timeout(mut self, span: Duration) -> Self {
        self.timeout = Some(millis::of_span(span));
        self
    }

    /// When to try again. Not at all if not set.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Not to be sent again when the host went down while the response was on its way; then the result is
    /// [`OpError::Interrupted`]. Retries after failures are another matter: do not ask for them.
    pub fn at_most_once(mut self) -> Self {
        self.at_most_once = true;
        self
    }

    /// The `Idempotency-Key` header. If not set, the host makes one up for every method that is not safe.
    /// It stays the same over all attempts and crashes.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// The largest body of a response. The operator's limit if not set, or if that is smaller.
    pub fn max_response_bytes(mut self, bytes: u64) -> Self {
        self.max_response_bytes = Some(bytes);
        self
    }

    /// Where it goes.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends it and waits for the response, whatever its status; see [`Response::ok`].
    ///
    /// # Errors
    /// [`OpError::Denied`] when the operator does not allow the host; [`OpError::Failed`] when there was
    /// no response, [`OpError::TimedOut`] when there was none in time; [`OpError::LimitExceeded`] when it
    /// is too large; [`OpError::Interrupted`] only with [`at_most_once`](Self::at_most_once);
    /// [`OpError::Invalid`] when there can be no such request, or it has a header that the host sets.
    pub fn send(self) -> Result<Response, OpError> {
        headers::check(&self.headers)?;
        current::host().fetch(self)
    }

    /// Sends it without waiting. Start several, and they are under way side by side.
    ///
    /// ```
    /// # use taskyard_sdk::prelude::*;
    /// # struct Two;
    /// # impl Worker for Two {
    /// #     fn describe() -> Manifest { Manifest::new("two", "1.0.0", "Asks two servers.") }
    /// # fn run(_: &Task, _: Message) -> Result<Outcome> {
    /// let weather = http::request("GET", "https://weather.example/").start()?;
    /// let news = http::request("GET", "https://news.example/").start()?;
    /// let (weather, news) = join(weather, news)?;
    /// # Ok(Outcome::completed_with(weather.text() + &news.text()))
    /// # }
    /// # }
    /// # use taskyard_sdk::testing::{Host, Reply};
    /// # let host = Host::new().respond("GET https://*", Reply::text("fine"));
    /// # assert_eq!(host.run_with_crashes::<Two>().final_text().unwrap(), "finefine");
    /// ```
    ///
    /// # Errors
    /// [`OpError::LimitExceeded`] when too many are under way; [`OpError::Invalid`] when it has a header
    /// that the host sets. The other errors of [`send`](Self::send) come when the ticket is taken.
    pub fn start(self) -> Result<Ticket<Response>, OpError> {
        headers::check(&self.headers)?;
        let id = current::host().fetch_start(self)?;
        Ok(Ticket::new(id, take))
    }

    /// Sends it, to read the response piece by piece, such as the tokens of a language model.
    ///
    /// # Errors
    /// Like [`start`](Self::start).
    pub fn stream(self) -> Result<Stream, OpError> {
        headers::check(&self.headers)?;
        let id = current::host().stream_start(self)?;
        Ok(Stream::new(id))
    }
}

fn take(request: TicketId) -> Result<Response, OpError> {
    current::host().fetch_take(request)
}

/// When a request is tried again: after no connection, a broken one, a timeout, or the statuses 408, 425,
/// 429, 500, 502, 503 and 504. A `Retry-After` header is respected. The worker sees the last result only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    pub(crate) attempts: u32,
    pub(crate) first_delay: Millis,
    pub(crate) longest_delay: Millis,
}

impl Retry {
    /// So many attempts in all, between 1 and 20. The first delay is half a second, each further one
    /// twice as long, up to 30 seconds.
    pub fn times(attempts: u32) -> Self {
        Self {
            attempts,
            first_delay: 500,
            longest_delay: 30_000,
        }
    }

    /// The first delay; each further one is twice as long.
    #[must_use]
    pub fn first_delay(mut self, span: Duration) -> Self {
        self.first_delay = millis::of_span(span);
        self
    }

    /// The longest delay.
    #[must_use]
    pub fn longest_delay(mut self, span: Duration) -> Self {
        self.longest_delay = millis::of_span(span);
        self
    }
}

/// Writes everything but the unreserved characters of RFC 3986 as percent escapes.
fn escape(url: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing into text cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

/// Without the values of headers and the body: they may be confidential.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &headers)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
