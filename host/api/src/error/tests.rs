//! Every refusal, row by row.

use std::time::Duration;

use a2a::JsonRpcId;
use axum::body::to_bytes;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use taskyard_task::TaskState;
use taskyard_task::wire::v03;

use super::{ApiError, Violation};
use crate::gate::Accepted;
use crate::memory::Full;
use crate::parameters::AskedVersion;
use crate::rpc;
use crate::trace::RequestId;

const ACCEPTED: Accepted = Accepted {
    bearer: true,
    api_key: true,
    certificate: false,
};

/// Walks the enum: a new variant does not compile until it has its place and its row.
fn after(error: &ApiError) -> Option<ApiError> {
    use ApiError as E;
    Some(match error {
        E::Parse(_) => E::InvalidRequest("id is missing"),
        E::InvalidRequest(_) => E::no_method("x", "; call y"),
        E::MethodNotFound { .. } => {
            E::InvalidParams(Violation::new("message.parts", "is required"))
        }
        E::InvalidParams(_) => E::Internal("disk on fire".to_owned()),
        E::Internal(_) => E::TaskNotFound,
        E::TaskNotFound => E::TaskNotCancelable(TaskState::Completed.into()),
        E::TaskNotCancelable(_) => E::MessageAfterEnd {
            state: TaskState::Failed.into(),
            context_id: "c".to_owned(),
        },
        E::MessageAfterEnd { .. } => E::PushNotificationNotSupported,
        E::PushNotificationNotSupported => E::UnsupportedOperation("no".to_owned()),
        E::UnsupportedOperation(_) => E::ContentTypeNotSupported {
            field: "message.parts[0].mediaType".to_owned(),
            media_type: "image/png".to_owned(),
        },
        E::ContentTypeNotSupported { .. } => E::ExtendedCardNotConfigured,
        E::ExtendedCardNotConfigured => E::ExtensionSupportRequired { uri: "urn:x" },
        E::ExtensionSupportRequired { .. } => E::VersionNotSupported {
            asked: AskedVersion::Absent,
            advice: "send the header A2A-Version: 1.0".to_owned(),
        },
        E::VersionNotSupported { .. } => E::WrongContentType,
        E::WrongContentType => E::BodyTooLarge { limit: 7 },
        E::BodyTooLarge { .. } => E::BodyTooSlow,
        E::BodyTooSlow => E::TooManyValues,
        E::TooManyValues => E::MemoryFull(Full::Tenant),
        E::MemoryFull(_) => E::Unauthenticated(ACCEPTED),
        E::Unauthenticated(_) => E::Forbidden("not you"),
        E::Forbidden(_) => E::AgentNotFound("there is no such agent".to_owned()),
        E::AgentNotFound(_) => E::QueueFull {
            what: "tenant a".to_owned(),
            retry_after: Duration::from_millis(1500),
        },
        E::QueueFull { .. } => E::StorageFull {
            what: "tenant a".to_owned(),
            retry_after: Duration::from_secs(5),
        },
        E::StorageFull { .. } => E::Unavailable("disk".to_owned()),
        E::Unavailable(_) => E::StreamCut("the host is shutting down"),
        E::StreamCut(_) => E::IssuerUnavailable,
        E::IssuerUnavailable => E::OutcomeUnknown("disk".to_owned()),
        E::OutcomeUnknown(_) => E::IdempotencyConflict,
        E::IdempotencyConflict => return None,
    })
}

fn every() -> impl Iterator<Item = ApiError> {
    let first = ApiError::Parse("eof".to_owned());
    std::iter::successors(Some(first), after)
}

async fn answer(error: &ApiError) -> (Response<()>, Value) {
    let request = RequestId::of(&axum::http::Request::new(()).into_parts().0);
    let response = rpc::refuse(error, &JsonRpcId::Number(7), &request);
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap();
    (Response::from_parts(head, ()), body)
}

#[tokio::test]
async fn the_table() {
    let mut rows = Vec::new();
    for error in every() {
        let (head, body) = answer(&error).await;
        let details = body["error"]["data"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let reason = details
            .iter()
            .find(|d| d["@type"] == a2a::ERROR_INFO_TYPE)
            .map(|d| format!("{}/{}", d["domain"], d["reason"]).replace('"', ""))
            .unwrap_or_default();
        let row = error.row();
        let (code, rpc) = (&body["error"]["code"], head.status().as_u16());
        let (rest, grpc) = (row.status.as_u16(), row.grpc);
        rows.push(format!("{code} {rpc} {rest} {grpc:?} {reason}"));
    }
    // JSON-RPC code and status, HTTP+JSON status, gRPC status, reason.
    let expected = [
        "-32700 200 400 InvalidArgument ",
        "-32600 200 400 InvalidArgument ",
        "-32601 200 404 Unimplemented ",
        "-32602 200 400 InvalidArgument ",
        "-32603 200 500 Internal ",
        "-32001 200 404 NotFound a2a-protocol.org/TASK_NOT_FOUND",
        "-32002 200 400 FailedPrecondition a2a-protocol.org/TASK_NOT_CANCELABLE",
        "-32004 200 400 FailedPrecondition a2a-protocol.org/UNSUPPORTED_OPERATION",
        "-32003 200 400 FailedPrecondition a2a-protocol.org/PUSH_NOTIFICATION_NOT_SUPPORTED",
        "-32004 200 400 FailedPrecondition a2a-protocol.org/UNSUPPORTED_OPERATION",
        "-32005 200 400 InvalidArgument a2a-protocol.org/CONTENT_TYPE_NOT_SUPPORTED",
        "-32007 200 400 FailedPrecondition a2a-protocol.org/EXTENDED_AGENT_CARD_NOT_CONFIGURED",
        "-32008 200 400 FailedPrecondition a2a-protocol.org/EXTENSION_SUPPORT_REQUIRED",
        "-32009 200 400 FailedPrecondition a2a-protocol.org/VERSION_NOT_SUPPORTED",
        "-32005 415 415 InvalidArgument a2a-protocol.org/CONTENT_TYPE_NOT_SUPPORTED",
        "-32000 413 413 ResourceExhausted taskyard/BODY_TOO_LARGE",
        "-32000 408 408 DeadlineExceeded taskyard/BODY_TOO_SLOW",
        "-32000 413 413 ResourceExhausted taskyard/TOO_MANY_VALUES",
        "-32000 503 503 Unavailable taskyard/MEMORY_FULL",
        "-32000 401 401 Unauthenticated taskyard/UNAUTHENTICATED",
        "-32000 403 403 PermissionDenied taskyard/FORBIDDEN",
        "-32000 404 404 NotFound taskyard/AGENT_NOT_FOUND",
        "-32000 503 503 Unavailable taskyard/QUEUE_FULL",
        "-32000 503 503 Unavailable taskyard/STORAGE_FULL",
        "-32000 503 503 Unavailable taskyard/UNAVAILABLE",
        "-32000 503 503 Unavailable taskyard/UNAVAILABLE",
        "-32000 503 503 Unavailable taskyard/UNAVAILABLE",
        "-32000 500 500 Unknown taskyard/OUTCOME_UNKNOWN",
        "-32011 409 409 Aborted taskyard/IDEMPOTENCY_CONFLICT",
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn every_answer_has_the_form_that_the_protocol_wants() {
    for error in every() {
        let (_, body) = answer(&error).await;
        let members: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["jsonrpc", "id", "error"]);
        assert_eq!(body["id"], 7);
        let allowed = ["code", "message", "data"];
        let members = body["error"].as_object().unwrap().keys();
        assert!(members.into_iter().all(|m| allowed.contains(&m.as_str())));
        let details = body["error"]["data"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert!(details.iter().all(|d| d["@type"].is_string()), "{body}");
    }
}

#[tokio::test]
async fn violations_name_the_field() {
    let error = ApiError::from(Violation::new("message.parts[1]", "is required"));
    let (_, body) = answer(&error).await;
    assert_eq!(
        body["error"],
        json!({
            "code": -32602,
            "message": "message.parts[1] is required",
            "data": [{
                "@type": a2a::BAD_REQUEST_TYPE,
                "fieldViolations": [{"field": "message.parts[1]", "description": "is required"}],
            }],
        })
    );
}

#[tokio::test]
async fn a_message_after_the_end_is_told_where_to_go_on() {
    let error = |state: TaskState| ApiError::MessageAfterEnd {
        state: state.into(),
        context_id: "c-1".to_owned(),
    };
    let (_, body) = answer(&error(TaskState::Canceled)).await;
    assert_eq!(
        body["error"]["message"],
        "the task has ended (TASK_STATE_CANCELED) and takes no more messages; \
         to go on, begin a new task with the contextId \"c-1\""
    );
    let metadata = &body["error"]["data"][0]["metadata"];
    assert_eq!(*metadata, json!({"contextId": "c-1"}));
    for error in [
        error(TaskState::Canceled),
        ApiError::TaskNotCancelable(TaskState::Canceled.into()),
    ] {
        let old = error.with_state_names(|state| v03::state_name(state).to_owned());
        assert!(
            old.to_string()
                .starts_with("the task has ended (canceled) and ")
        );
    }
}

#[tokio::test]
async fn overload_says_when_to_come_back() {
    let error = ApiError::QueueFull {
        what: "tenant a".to_owned(),
        retry_after: Duration::from_millis(1500),
    };
    let (head, body) = answer(&error).await;
    assert_eq!(head.headers()[header::RETRY_AFTER], "2");
    assert_eq!(body["error"]["data"][1]["retryDelay"], "2s");
}

#[tokio::test]
async fn an_unknown_caller_is_challenged() {
    let (head, _) = answer(&ApiError::Unauthenticated(ACCEPTED)).await;
    assert_eq!(head.status(), StatusCode::UNAUTHORIZED);
    assert!(head.headers().contains_key(header::WWW_AUTHENTICATE));
}

#[tokio::test]
async fn a_version_error_says_what_to_send() {
    let error = ApiError::VersionNotSupported {
        asked: AskedVersion::Absent,
        advice: "send the header A2A-Version: 1.0".to_owned(),
    };
    let (_, body) = answer(&error).await;
    assert_eq!(
        body["error"]["message"],
        "the request names no protocol version, which means 0.3: send the header A2A-Version: 1.0"
    );
    let metadata = &body["error"]["data"][0]["metadata"];
    assert_eq!(*metadata, json!({"supportedVersions": "1.0"}));
}

#[tokio::test]
async fn an_internal_error_shows_the_request_and_nothing_else() {
    let (_, body) = answer(&ApiError::Internal("secret path".to_owned())).await;
    let message = body["error"]["message"].as_str().unwrap();
    assert_eq!(message, "internal error (request unknown)");
}
