//! `wasi:http`: requests to the outside, for the client libraries of language runtimes.
//!
//! All of it is the host's own: what a worker can see of a response follows from the entries of the log
//! alone, as with `taskyard:worker/http`, and no task or channel of a runtime is in between. A request is
//! sent once its body is complete: one entry, durable before anything leaves. A response is one entry, and
//! there is nothing to read before it is complete, unless it is a stream of events (`text/event-stream`) or
//! the request has the header `taskyard-stream: 1`; then each piece is one. After a crash requests without
//! a response are sent again, with the same idempotency key; a stream that had begun breaks off.
//!
//! There are no trailers, and nothing that serves requests ([`server`]).

mod error;
mod exchange;
mod fields;
mod handler;
mod options;
mod outgoing;
mod response;
mod room;
mod server;
mod upload;

pub(super) use exchange::Shared;
pub use fields::Fields;
pub use handler::FutureResponse;
pub use options::RequestOptions;
pub use outgoing::OutgoingRequest;
pub use response::{IncomingBody, IncomingResponse, NoTrailers};
pub use server::Never;
pub use upload::OutgoingBody;

use std::collections::HashMap;
use std::sync::Arc;

use response::Download;
use room::Room;

/// What one instance has open of `wasi:http`.
#[derive(Debug, Default)]
pub(crate) struct Http {
    room: Room,
    /// Shared by every request whose response was not taken, to count them.
    untaken: Arc<()>,
    /// Bodies that are read, by the numbers of their streams: streams do not show what is inside.
    downloads: HashMap<u32, Download>,
}
