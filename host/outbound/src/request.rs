//! What a worker asks for.

use std::time::Duration;

use bytes::Bytes;
use taskyard_task::HttpHeader;

/// A request of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: String,
    /// An `http` or `https` URL.
    pub url: String,
    /// Those about the connection (`Host`, `Content-Length`, ...) are not sent.
    pub headers: Vec<HttpHeader>,
    /// Sent whole. If it is empty, methods that mean a body say that it is.
    pub body: Bytes,
    /// How long one attempt may take, or how long a stream may be silent. The operator's limit if absent
    /// or longer.
    pub timeout: Option<Duration>,
    /// When it is tried again; never if absent.
    pub retry: Option<Retry>,
    /// The `Idempotency-Key` header, unless the worker set one.
    pub idempotency_key: Option<String>,
    /// The largest body of a response, in bytes, coded and decoded. The operator's limit if absent or larger.
    pub max_response_bytes: Option<u64>,
}

impl Request {
    /// A request that is sent once, with the operator's limits.
    #[must_use]
    pub fn new(method: &str, url: &str, body: Bytes) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body,
            timeout: None,
            retry: None,
            idempotency_key: None,
            max_response_bytes: None,
        }
    }
}

/// When a request is tried again: after no connection, a broken one, a timeout, or one of some statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, from 1 to 20.
    pub max_attempts: u32,
    /// The first delay; each further one is twice as long.
    pub initial: Duration,
    /// The longest delay, also of what a `Retry-After` header asks for. An hour if longer.
    pub max_delay: Duration,
}
