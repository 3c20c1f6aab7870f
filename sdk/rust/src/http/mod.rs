//! Requests to the outside, kept in the task's log: a response that the worker saw is never asked for
//! again.
//!
//! The operator must allow each host name for the agent, and adds secrets such as API keys on the way
//! out: a worker never holds them.
//!
//! ```
//! use std::time::Duration;
//! use taskyard_sdk::http::Retry;
//! use taskyard_sdk::prelude::*;
//! # struct Shop;
//! # impl Worker for Shop {
//! #     fn describe() -> Manifest { Manifest::new("shop", "1.0.0", "Buys things.") }
//!
//! fn run(_: &Task, _: Message) -> Result<Outcome> {
//!     let price: u32 = http::get("https://shop.example/price")?.ok()?.json()?;
//!     let order = http::request("POST", "https://shop.example/orders")
//!         .json(&serde_json::json!({"price": price}))?
//!         .timeout(Duration::from_secs(10))
//!         .retry(Retry::times(5))
//!         .send()?
//!         .ok()?;
//!     Ok(Outcome::completed_with(order.text()))
//! }
//! # }
//! # use taskyard_sdk::testing::{Host, Reply};
//! let host = Host::new()
//!     .respond("GET https://shop.example/price", Reply::json(7))
//!     .respond("POST https://shop.example/orders", Reply::status(503))
//!     .respond("POST https://shop.example/orders", Reply::text("order 1"));
//! let run = host.run_with_crashes::<Shop>();
//! assert_eq!(run.final_text().as_deref(), Some("order 1"));
//! ```
//!
//! # What a crash means for a request
//!
//! A request whose response is in the log is never sent again. One that was under way when the host went
//! down is sent again, with the same `Idempotency-Key`, so that the other side can tell; with
//! [`at_most_once`](Request::at_most_once) it is not, and the worker gets [`OpError::Interrupted`]. A
//! stream that had begun is not sent again either: the pieces so far are safe, and the next one is
//! `Interrupted`.
//!
//! # What comes back
//!
//! The body is what the server means, not how it was coded for the way: the host undoes `gzip`, `deflate`,
//! `br` and `zstd`, also in streams, and removes `content-encoding` and `content-length` then. A coding that it
//! does not know is a failure, unless the worker asked for it by name with an `accept-encoding` header.
//!
//! # Failures
//!
//! A failure is in the log as well, so that a run that is tried again meets it again. So let the host try a
//! request several times, with [`retry`](Request::retry), rather than the whole run with
//! [`transient`](crate::ResultExt::transient); or send the request again yourself.

mod events;
mod headers;
mod lines;
mod request;
mod response;
mod stream;

pub use events::Events;
pub use lines::{Lines, MAX_LINE_BYTES};
pub use request::{Request, Retry};
pub use response::Response;
pub use stream::Stream;

use serde::de::DeserializeOwned;

use crate::{OpError, Result};

/// Gets what is at `url`, and waits for the response, whatever its status.
///
/// # Errors
/// Like [`Request::send`].
pub fn get(url: impl Into<String>) -> Result<Response, OpError> {
    request("GET", url).send()
}

/// Reads JSON that the other side wrote, such as the data of an event, as [`Response::json`] reads a body.
///
/// # Errors
/// `json`, when it does not look like a `T`.
pub fn json<T: DeserializeOwned>(text: impl AsRef<[u8]>) -> Result<T> {
    Ok(taskyard_json::from_slice(text.as_ref())?)
}

/// A request with another method, or with more to say.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> Request {
    Request::new(method.into(), url.into())
}
