//! The figures that this room reports.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

/// A call over `binding` was answered; `code` is the JSON-RPC error code, 0 for a result or a stream.
pub(crate) fn answered(binding: &'static str, method: &'static str, code: i32, took: Duration) {
    let labels = [
        ("binding", binding.to_owned()),
        ("method", method.to_owned()),
        ("code", code.to_string()),
    ];
    counter!("taskyard_requests_total", &labels).increment(1);
    histogram!("taskyard_request_seconds", "binding" => binding, "method" => method).record(took);
}

/// A caller was kept out; `why` says what it showed.
pub(crate) fn denied(why: &'static str) {
    counter!("taskyard_denied_total", "why" => why).increment(1);
}

/// Counts a stream as open for as long as it exists, however it ends.
#[derive(Debug)]
pub(crate) struct OpenStream(());

impl OpenStream {
    pub(crate) fn new() -> Self {
        gauge!("taskyard_streams").increment(1.0);
        Self(())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        gauge!("taskyard_streams").decrement(1.0);
    }
}
