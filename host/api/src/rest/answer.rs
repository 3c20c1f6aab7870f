//! Answers of the HTTP+JSON binding: the bare message, or an error in the form of AIP-193 (A2A 11.6).

use a2a::{StreamResponse, TypedDetail};
use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use taskyard_task::Seq;
use taskyard_task::wire::v1;
use tonic::Code;

use super::route::Resource;
use crate::error::{ApiError, Described};
use crate::sse::Envelope;
use crate::trace::RequestId;

/// Which of the two types of JSON a client is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// The protocol's own.
    A2a,
    /// What every client reads.
    Json,
}

impl Media {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::A2a, Self::Json];

    /// The type that a client names: the one that it accepts, or else the one that it sends. One that
    /// names neither gets the type that the protocol's own test kit wants of plain requests.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let named = |name: HeaderName| {
            let values = headers.get_all(name).into_iter();
            let texts = values.filter_map(|value| value.to_str().ok());
            texts.flat_map(|text| text.split(',')).find_map(Self::parse)
        };
        named(header::ACCEPT)
            .or_else(|| named(header::CONTENT_TYPE))
            .unwrap_or(Self::Json)
    }

    fn parse(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let mut all = Self::ALL.into_iter();
        all.find(|media| essence.eq_ignore_ascii_case(media.name()))
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::A2a => "application/a2a+json",
            Self::Json => "application/json",
        }
    }
}

#[derive(Debug, Serialize)]
struct Failure {
    error: Status,
}

#[derive(Debug, Serialize)]
struct Status {
    code: u16,
    status: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<TypedDetail>,
}

impl From<Described> for Failure {
    fn from(described: Described) -> Self {
        let error = Status {
            code: described.row.status.as_u16(),
            status: name(described.row.grpc),
            message: described.message,
            details: described.details,
        };
        Self { error }
    }
}

/// The answer with a result.
pub(super) fn reply(media: Media, result: &impl Serialize) -> Response {
    json(media, StatusCode::OK, result)
}

/// The answer with an error.
pub(crate) fn refuse(error: &ApiError, media: Media, request: &RequestId) -> Response {
    let described = error.describe(request);
    let mut headers = HeaderMap::new();
    described.write_headers(&mut headers);
    let status = described.row.status;
    let mut response = json(media, status, &Failure::from(described));
    response.headers_mut().extend(headers);
    response
}

/// The answer to a method that a resource does not take; `OPTIONS` asks which ones it does.
pub(super) fn other_method(resource: &Resource, is_options: bool, media: Media) -> Response {
    let taken = resource.methods().iter().map(|(method, _)| *method);
    let allow = taken.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ");
    let mut response = match is_options {
        true => StatusCode::NO_CONTENT.into_response(),
        false => {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let error = Status {
                code: status.as_u16(),
                status: name(Code::Unimplemented),
                message: format!("this path takes {allow}"),
                details: Vec::new(),
            };
            json(media, status, &Failure { error })
        }
    };
    // Names of methods are plain ASCII.
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn json(media: Media, status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    let content_type = HeaderValue::from_static(media.name());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// The name of a code in `google.rpc.Code`.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Events are bare here; an error in the middle has a name, as clients have nothing else to tell it by.
#[derive(Debug)]
pub(super) struct RestEnvelope {
    pub(super) request: RequestId,
}

impl Envelope for RestEnvelope {
    fn event<'a>(&'a self, _: Seq, event: &'a StreamResponse) -> impl Serialize + 'a {
        v1::Event::from(event)
    }

    fn error<'a>(&'a self, error: &'a ApiError) -> impl Serialize + 'a {
        Failure::from(error.describe(&self.request))
    }

    fn error_name(&self) -> Option<&'static str> {
        Some("error")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_answered_in_their_own_type() {
        let of = |accept: Option<&'static str>, sent: Option<&'static str>| {
            let accept = accept.map(|text| (header::ACCEPT, HeaderValue::from_static(text)));
            let sent = sent.map(|text| (header::CONTENT_TYPE, HeaderValue::from_static(text)));
            Media::of(&accept.into_iter().chain(sent).collect())
        };
        let (a2a, json) = (Some("application/a2a+json"), Some("application/json"));
        assert_eq!(of(None, None), Media::Json);
        assert_eq!(of(None, json), Media::Json);
        assert_eq!(of(None, a2a), Media::A2a);
        assert_eq!(of(json, a2a), Media::Json);
        assert_eq!(of(a2a, json), Media::A2a);
        assert_eq!(of(Some("*/*"), json), Media::Json);
        assert_eq!(
            of(Some("text/html, Application/JSON;q=0.9"), a2a),
            Media::Json
        );
        assert_eq!(of(Some("*/*"), a2a), Media::A2a);
        assert_eq!(of(Some("text/event-stream"), None), Media::Json);
        assert_eq!(of(None, Some("application/x+json")), Media::Json);
        assert_eq!(
            of(None, Some("application/json; charset=utf-8")),
            Media::Json
        );
    }
}
