//! What comes back from the outside: responses to workers' requests, and why there are none.

use serde::{Deserialize, Serialize};

/// One header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpHeader {
    /// In lower case in responses; in requests the case does not matter.
    pub name: String,
    /// As sent; usually text.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

impl HttpHeader {
    /// How many bytes the header counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        self.name.len() + self.value.len()
    }
}

/// Headers that are about the connection and therefore the host's own business, besides all whose names
/// begin with `proxy-`. The SDK has the same list, to refuse them by name; a test of it compares the two.
pub const CONNECTION_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a header is about the connection and therefore the host's own business. Workers' headers of
/// these names are not sent, and operators cannot add them. `name` is in lower case.
#[must_use]
pub fn is_about_connection(name: &str) -> bool {
    CONNECTION_HEADERS.contains(&name) || name.starts_with("proxy-")
}

/// How a response begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpHead {
    /// The status, also one that says that something failed on the other side.
    pub status: u16,
    /// In the order in which they came.
    pub headers: Vec<HttpHeader>,
}

impl HttpHead {
    /// How many bytes the head counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        self.headers.iter().map(HttpHeader::size).sum()
    }
}

/// A whole response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// Status and headers.
    pub head: HttpHead,
    /// The content: what the server coded for the way (`Content-Encoding`) is decoded.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// How many bytes the response counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        self.head.size() + self.body.len()
    }
}

/// Why there is no response, or no more of it. The texts are for the author of the worker and for the
/// operator; they hold no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum HttpError {
    /// The operator does not allow it; the text says what, and what an operator can do.
    #[error("{0}")]
    Denied(String),
    /// The request cannot be sent as it is: the worker's fault.
    #[error("invalid request: {0}")]
    Invalid(String),
    /// The other side took too long or was silent for too long.
    #[error("no answer in time")]
    TimedOut,
    /// The response is larger than allowed.
    #[error("the response is larger than {limit} bytes")]
    TooLarge {
        /// The limit that was crossed, in bytes.
        limit: u64,
    },
    /// There was no connection, or it broke.
    #[error("the request failed: {0}")]
    Failed(String),
    /// The host went down while the response was on its way, and the request is not sent again.
    #[error("the host was interrupted while the response was on its way")]
    Interrupted,
}

impl HttpError {
    /// How many bytes the error counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Denied(text) | Self::Invalid(text) | Self::Failed(text) => text.len(),
            Self::TimedOut | Self::TooLarge { .. } | Self::Interrupted => 0,
        }
    }
}
