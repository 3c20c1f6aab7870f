//! An error as every binding says it: its row of the table, a text, and typed details (A2A 5.4).

use std::collections::HashMap;
use std::time::Duration;

use a2a::{FieldViolation, TypedDetail};
use axum::http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};
use taskyard_broker::Lines;
use tracing::{debug, error};

use super::{ApiError, Row};
use crate::trace::RequestId;

const RETRY_INFO_TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// Lines about faults of the host, at both doors.
pub(crate) static INTERNAL: Lines = Lines::new();

/// When to come back after an outage whose end nobody knows: long enough for a restart.
const RETRY_AFTER_OUTAGE: Duration = Duration::from_secs(5);

/// When to come back after others held all memory: what they hold is mostly gone within a moment.
const RETRY_AFTER_FULL_MEMORY: Duration = Duration::from_secs(1);

/// An error, ready to be written down by a binding.
#[derive(Debug)]
pub(crate) struct Described {
    /// Its codes.
    pub(crate) row: Row,
    /// For the client's developer.
    pub(crate) message: String,
    /// For programs: reason, violations, when to come back.
    pub(crate) details: Vec<TypedDetail>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

impl Described {
    /// Sets what HTTP clients look for in headers.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        headers.extend(self.headers.iter().cloned());
    }
}

impl ApiError {
    /// The JSON-RPC code.
    pub(crate) fn code(&self) -> i32 {
        self.row().code
    }

    /// What a client is told about it. Logs what operators must know.
    pub(crate) fn describe(&self, request: &RequestId) -> Described {
        let mut message = self.to_string();
        if let Self::Internal(what) = self {
            match INTERNAL.next() {
                Some(left_out) => error!(%request, what, left_out, "internal error"),
                None => debug!(%request, what, "internal error"),
            }
            message = format!("{message} (request {request})");
        }
        // What keeps the host from serving is logged when it begins, not with each request.
        if let Self::Unavailable(what) | Self::OutcomeUnknown(what) = self {
            debug!(%request, what, "unavailable");
        }
        Described {
            row: self.row(),
            message,
            details: self.details(),
            headers: self.headers(),
        }
    }

    /// Sets what HTTP clients look for in headers, where the error itself is written by somebody else.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        headers.extend(self.headers());
    }

    fn headers(&self) -> Vec<(header::HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        if let Self::Unauthenticated(_) = self {
            let challenge = HeaderValue::from_static("Bearer realm=\"taskyard\"");
            headers.push((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(after) = self.retry_after() {
            headers.push((header::RETRY_AFTER, whole_seconds(after).into()));
        }
        headers
    }

    /// When it may be worth trying again.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QueueFull { retry_after, .. } | Self::StorageFull { retry_after, .. } => {
                Some(*retry_after)
            }
            Self::MemoryFull(_) => Some(RETRY_AFTER_FULL_MEMORY),
            Self::Unavailable(_) | Self::StreamCut(_) | Self::IssuerUnavailable => {
                Some(RETRY_AFTER_OUTAGE)
            }
            _ => None,
        }
    }

    fn details(&self) -> Vec<TypedDetail> {
        let reason = self.row().reason.map(|reason| {
            TypedDetail::error_info(reason.text(), reason.domain(), self.reason_metadata())
        });
        let retry = self.retry_after().map(retry_info);
        let details = [reason, self.bad_request(), retry];
        details.into_iter().flatten().collect()
    }

    fn bad_request(&self) -> Option<TypedDetail> {
        let Self::InvalidParams(violation) = self else {
            return None;
        };
        Some(TypedDetail::bad_request(vec![FieldViolation {
            field: violation.field.clone(),
            description: violation.problem.clone(),
        }]))
    }

    fn reason_metadata(&self) -> Option<HashMap<String, String>> {
        let (key, value) = match self {
            Self::VersionNotSupported { .. } => ("supportedVersions", a2a::VERSION),
            Self::ExtensionSupportRequired { uri } => ("extension", *uri),
            Self::MessageAfterEnd { context_id, .. } => ("contextId", context_id.as_str()),
            _ => return None,
        };
        Some(HashMap::from([(key.to_owned(), value.to_owned())]))
    }
}

fn retry_info(after: Duration) -> TypedDetail {
    // Durations in ProtoJSON are seconds with the letter s.
    let delay: Value = json!(format!("{}s", whole_seconds(after)));
    TypedDetail::new(
        RETRY_INFO_TYPE,
        HashMap::from([("retryDelay".to_owned(), delay)]),
    )
}

/// Rounded up: who comes back too early comes in vain.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    let partial = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(partial).max(1)
}
