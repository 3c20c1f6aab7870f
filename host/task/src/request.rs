//! Requests of workers to the outside, as the log keeps them.

use serde::{Deserialize, Serialize};

use crate::http::{HttpError, HttpHead};
use crate::id::Digest;

/// The intent to send a request. Durable before anything is sent. The request itself is not kept: a replay
/// of the worker makes it again, and `fingerprint` tells whether it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCall {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Where to.
    pub url: String,
    /// How many bytes are sent.
    pub body_bytes: u64,
    /// A digest of headers, body and options.
    pub fingerprint: Digest,
    /// The key that stays the same however often the request is sent.
    pub key: Option<String>,
    /// Whether it may be sent again after a crash.
    pub resend: bool,
    /// Whether the response is read piece by piece.
    pub streamed: bool,
}

impl HttpCall {
    /// Whether a worker that makes `other` makes this call again; keys are the host's.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let without_key = |call: &Self| Self {
            key: None,
            ..call.clone()
        };
        without_key(self) == without_key(other)
    }
}

/// A piece of a response that is read piece by piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// How it begins.
    Head(HttpHead),
    /// More of the body.
    Data(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The body is complete.
    End,
    /// There is no more: it broke off, or never began.
    Failed(HttpError),
}

impl Piece {
    /// How many bytes the piece counts for in limits.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Head(head) => head.size(),
            Self::Data(data) => data.len(),
            Self::End | Self::Failed(_) => 0,
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(self, Self::End | Self::Failed(_))
    }
}
