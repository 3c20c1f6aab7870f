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

use crate::Config;
use crate::operation::Operation;
use method::Method;

/// The operation that a method of 0.3 is, whether it is served or not.
pub(crate) fn operation_of(method: &str) -> Option<Operation> {
    Method::parse(method).map(Method::operation)
}

/// The method of 0.3 that does what `operation` does, if there is one and it is served.
pub(crate) fn method_of(config: &Config, operation: Operation) -> Option<&'static str> {
    let method = Method::of(operation).filter(|_| config.protocol_0_3);
    method.map(Method::name)
}
