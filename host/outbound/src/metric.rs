//! The figures that this room reports.

use metrics::counter;
use taskyard_task::HttpError;

/// Counts a request by how it ended, all its attempts together.
pub(crate) fn request<T>(result: &Result<T, HttpError>) {
    let outcome = match result {
        Ok(_) => "responded",
        Err(HttpError::Denied(_)) => "denied",
        Err(HttpError::Invalid(_)) => "invalid",
        Err(HttpError::TimedOut) => "timed-out",
        Err(HttpError::TooLarge { .. }) => "too-large",
        Err(HttpError::Failed(_) | HttpError::Interrupted) => "failed",
    };
    counter!("taskyard_egress_requests_total", "outcome" => outcome).increment(1);
}
