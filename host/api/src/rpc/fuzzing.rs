//! What is fuzzed here: the body of a JSON-RPC request, down to canonical ProtoJSON.

use serde_json::Value;

use super::envelope;
use crate::lenient::{self, Shape, requests};

/// The shapes that parameters can be asked to have.
const SHAPES: [&Shape; 9] = [
    &requests::SEND_MESSAGE,
    &requests::GET_TASK,
    &requests::LIST_TASKS,
    &requests::CANCEL_TASK,
    &requests::SUBSCRIBE_TO_TASK,
    &requests::CREATE_PUSH_CONFIG,
    &requests::ONE_PUSH_CONFIG,
    &requests::LIST_PUSH_CONFIGS,
    &requests::GET_EXTENDED_CARD,
];

/// The body of a request.
///
/// # Panics
/// If what is canonical changes when it is made canonical again.
pub fn envelope(bytes: &[u8]) {
    let Ok(envelope) = envelope::parse(bytes) else {
        return;
    };
    for shape in SHAPES {
        check(shape, envelope.params.clone());
    }
}

/// Parameters of one shape.
pub(crate) fn check(shape: &Shape, params: Option<Value>) {
    if let Ok(once) = lenient::canonical(shape, params) {
        // Sends have all types that requests are made of; whether they are taken does not matter.
        let _ = lenient::typed::<a2a::SendMessageRequest>(once.clone());
        let twice = lenient::canonical(shape, Some(once.clone()));
        assert_eq!(twice.ok(), Some(once), "canonical ProtoJSON changed");
    }
}
