//! Clients of the protocol's version 0.3: the same operations under their old names and in their old
//! shapes.
//!
//! A request is checked against the old shape, so that what is refused is named as the client wrote it,
//! and then rewritten as a request of 1.0. What follows is the way of every request; the answer is
//! rewritten, too. `api.protocol_0_3` decides whether any of this is served.

mod answer;
pub(crate) mod card;
mod error;
mod method;
mod request;
pub(crate) mod rest;
mod rpc;
mod shape;

pub(crate) use rpc::{Asked, wanted};
