//! A stock gRPC client of the host that the tests talk to, without a network in between.

use a2a_pb::proto;
use a2a_pb::proto::a2a_service_client::A2aServiceClient;
use axum::Router;
use tonic::metadata::{AsciiMetadataKey, MetadataValue};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use super::host::Host;

pub(super) type Client = A2aServiceClient<Router>;

pub(super) fn client(host: &Host) -> Client {
    A2aServiceClient::new(host.public.clone())
}

/// A request in the protocol's version.
pub(super) fn v1<T>(message: T) -> Request<T> {
    with(message, &[("a2a-version", "1.0")])
}

/// A request with this metadata, and nothing else.
pub(super) fn with<T>(message: T, metadata: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in metadata {
        let name = AsciiMetadataKey::from_static(name);
        let value = MetadataValue::try_from(*value).unwrap();
        request.metadata_mut().insert(name, value);
    }
    request
}

/// A send of one text.
pub(super) fn message(text: &str) -> proto::SendMessageRequest {
    let part = proto::Part {
        content: Some(proto::part::Content::Text(text.to_owned())),
        ..proto::Part::default()
    };
    proto::SendMessageRequest {
        message: Some(proto::Message {
            message_id: "m".to_owned(),
            role: proto::Role::User.into(),
            parts: vec![part],
            ..proto::Message::default()
        }),
        ..proto::SendMessageRequest::default()
    }
}

/// Sends `text`, waits for the end of the turn, and gives the task.
pub(super) async fn send(client: &mut Client, text: &str) -> proto::Task {
    let answer = client.send_message(v1(message(text))).await.unwrap();
    match answer.into_inner().payload.unwrap() {
        proto::send_message_response::Payload::Task(task) => task,
        proto::send_message_response::Payload::Message(message) => {
            panic!("a direct message: {message:?}")
        }
    }
}

pub(super) fn get(id: &str) -> proto::GetTaskRequest {
    proto::GetTaskRequest {
        id: id.to_owned(),
        ..proto::GetTaskRequest::default()
    }
}

pub(super) fn subscription(id: &str) -> proto::SubscribeToTaskRequest {
    proto::SubscribeToTaskRequest {
        id: id.to_owned(),
        ..proto::SubscribeToTaskRequest::default()
    }
}

/// The machine-readable reason.
pub(super) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    info.map(|info| info.reason).unwrap_or_default()
}

/// The field that a request was refused for.
pub(super) fn field(status: &Status) -> String {
    let details = status.get_details_bad_request().unwrap();
    details.field_violations[0].field.clone()
}
