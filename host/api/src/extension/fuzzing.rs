//! What is fuzzed here: what a send asks for in its metadata.

use axum::http::Request;
use serde_json::Value;
use taskyard_task::Timestamp;

use super::{Extension, asked};
use crate::parameters::{Parameters, Version};

/// The parameters of a send that uses all extensions.
///
/// # Panics
/// If it wants a task to run before it was asked for.
pub fn metadata(bytes: &[u8]) {
    let Ok(params) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let uris = Extension::ALL.map(Extension::uri).join(",");
    let request = Request::builder().header("a2a-extensions", uris).body(());
    let Ok((head, ())) = request.map(Request::into_parts) else {
        return;
    };
    let now = Timestamp(1_700_000_000_000);
    if let Ok(asked) = asked(&params, &Parameters::read(&head, Version::V1, None), now) {
        assert!(asked.wishes.not_before.is_none_or(|moment| moment > now));
    }
}
