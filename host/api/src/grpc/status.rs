//! Errors as gRPC says them: a code, a text, and typed details in `grpc-status-details-bin` (A2A 10.6).

use std::collections::HashMap;
use std::time::Duration;

use a2a::{FieldViolation, TypedDetail};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::Status;
use tonic::metadata::MetadataMap;
use tonic_types::{BadRequest, ErrorDetail, ErrorInfo, RetryInfo, StatusExt as _};

use crate::error::ApiError;
use crate::trace::RequestId;

/// What a client is told about `error`. Logs what operators must know.
pub(super) fn status_of(error: &ApiError, request: &RequestId) -> Status {
    let described = error.describe(request);
    let mut headers = HeaderMap::new();
    described.write_headers(&mut headers);
    let details = described.details.iter().filter_map(detail);
    let retry = error.retry_after().map(retry_info);
    Status::with_error_details_vec_and_metadata(
        described.row.grpc,
        described.message,
        details.chain(retry),
        MetadataMap::from_headers(headers),
    )
}

#[derive(Debug, Deserialize)]
struct Reason {
    reason: String,
    domain: String,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Violations {
    field_violations: Vec<FieldViolation>,
}

/// The same detail as a message. When to come back is not read from here, as there it is a text.
fn detail(detail: &TypedDetail) -> Option<ErrorDetail> {
    if let Some(reason) = read::<Reason>(detail) {
        let info = ErrorInfo::new(reason.reason, reason.domain, reason.metadata);
        return Some(info.into());
    }
    let Violations { field_violations } = read(detail)?;
    let violations = field_violations.into_iter();
    let violations: Vec<_> = violations
        .map(|violation| tonic_types::FieldViolation::new(violation.field, violation.description))
        .collect();
    Some(BadRequest::new(violations).into())
}

fn read<T: DeserializeOwned>(detail: &TypedDetail) -> Option<T> {
    let members = detail.value.clone().into_iter().collect();
    serde_json::from_value(Value::Object(members)).ok()
}

fn retry_info(after: Duration) -> ErrorDetail {
    RetryInfo::new(Some(after)).into()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use tonic::Code;

    use super::*;
    use crate::error::Violation;

    fn status(error: &ApiError) -> Status {
        let (head, ()) = Request::new(()).into_parts();
        status_of(error, &RequestId::of(&head))
    }

    #[test]
    fn a_reason_has_a_domain() {
        let status = status(&ApiError::TaskNotFound);
        assert_eq!(status.code(), Code::NotFound);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.reason, "TASK_NOT_FOUND");
        assert_eq!(info.domain, "a2a-protocol.org");
    }

    #[test]
    fn a_violation_names_its_field() {
        let status = status(&Violation::new("message.parts", "is required").into());
        assert_eq!(status.code(), Code::InvalidArgument);
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].field, "message.parts");
        assert_eq!(violations[0].description, "is required");
    }

    #[test]
    fn who_should_come_back_is_told_when() {
        let status = status(&ApiError::QueueFull {
            what: "full".to_owned(),
            retry_after: Duration::from_secs(3),
        });
        assert_eq!(status.code(), Code::Unavailable);
        let retry = status.get_details_retry_info().unwrap();
        assert_eq!(retry.retry_delay, Some(Duration::from_secs(3)));
        assert_eq!(status.metadata().get("retry-after").unwrap(), "3");
    }

    #[test]
    fn who_shows_nothing_is_asked_for_it() {
        let accepted = crate::gate::Accepted {
            bearer: true,
            api_key: false,
            certificate: false,
        };
        let status = status(&ApiError::Unauthenticated(accepted));
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(status.metadata().contains_key("www-authenticate"));
    }
}
