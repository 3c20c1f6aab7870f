//! What the outside world answers to requests, and what it saw.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::http::Response;
use crate::millis::{self, Millis};
use crate::{OpError, Result};

/// What the other side of a request does.
///
/// ```
/// use std::time::Duration;
/// use taskyard_sdk::testing::Reply;
///
/// let tokens = Reply::events([r#"{"token": "a"}"#, "[DONE]"]).every(Duration::from_millis(20));
/// let slow = Reply::json(serde_json::json!({"rows": 3})).after(Duration::from_secs(5));
/// let busy = Reply::status(429).header("retry-after", "2");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub(super) delay: Millis,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) spacing: Millis,
    pub(super) ending: Ending,
}

/// How a reply ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Whole,
    /// After the pieces.
    BreaksOff(OpError),
    /// Before the status.
    NoResponse(OpError),
}

impl Reply {
    /// A response with this status and no body.
    pub fn status(status: u16) -> Self {
        Self {
            delay: 0,
            status,
            headers: Vec::new(),
            pieces: Vec::new(),
            spacing: 0,
            ending: Ending::Whole,
        }
    }

    /// A response with the status 200 and these bytes.
    pub fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self::pieces([body])
    }

    /// A response with the status 200 and this text.
    pub fn text(body: impl Into<String>) -> Self {
        Self::bytes(body.into()).header("content-type", "text/plain")
    }

    /// A response with the status 200 and this JSON value.
    ///
    /// # Panics
    /// When `value` has no JSON form.
    pub fn json(value: impl Serialize) -> Self {
        Self::bytes(json(&value)).header("content-type", "application/json")
    }

    /// A response with the status 200 whose body comes in these pieces. To a request that is no stream it
    /// is one body.
    pub fn pieces<P: Into<Vec<u8>>>(pieces: impl IntoIterator<Item = P>) -> Self {
        let pieces = pieces.into_iter().map(Into::into).collect();
        Self {
            pieces,
            ..Self::status(200)
        }
    }

    /// Server-sent events with this data, each one a piece.
    pub fn events<D: AsRef<str>>(data: impl IntoIterator<Item = D>) -> Self {
        let events = data.into_iter().map(|data| server_sent(data.as_ref()));
        Self::pieces(events).header("content-type", "text/event-stream")
    }

    /// No response, because there was no connection or it broke.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::error(OpError::Failed(reason.into()))
    }

    /// No response, for this reason.
    pub fn error(error: OpError) -> Self {
        Self {
            ending: Ending::NoResponse(error),
            ..Self::status(0)
        }
    }

    /// Silence. The request times out.
    pub fn never() -> Self {
        Self::status(0).after(Duration::MAX)
    }

    /// The same reply with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// How long it takes until the response begins. No time passes in the test.
    #[must_use]
    pub fn after(mut self, span: Duration) -> Self {
        self.delay = millis::of_span(span);
        self
    }

    /// How long each piece takes.
    #[must_use]
    pub fn every(mut self, span: Duration) -> Self {
        self.spacing = millis::of_span(span);
        self
    }

    /// Breaks off after the pieces.
    #[must_use]
    pub fn breaks_off(mut self, reason: impl Into<String>) -> Self {
        self.ending = Ending::BreaksOff(OpError::Failed(reason.into()));
        self
    }

    /// The response without a body.
    pub(super) fn head(&self) -> Response {
        Response {
            status: self.status,
            headers: self.headers.clone(),
            body: Vec::new(),
        }
    }
}

fn server_sent(data: &str) -> String {
    let lines = data.split('\n').map(|line| format!("data: {line}\n"));
    let lines: Vec<String> = lines.collect();
    lines.concat() + "\n"
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    match serde_json::to_vec(value) {
        Ok(json) => json,
        Err(error) => panic!("the value has no JSON form: {error}"),
    }
}

/// A request as the outside world saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SentRequest {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Where it went.
    pub url: String,
    /// What the worker said, in its order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The key that stays the same however often the request is sent.
    pub idempotency_key: Option<String>,
}

impl SentRequest {
    /// The first header of this name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(header, _)| header.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When the body does not look like a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}
