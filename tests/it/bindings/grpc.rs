//! The gRPC binding as a client sees it, with the messages as ProtoJSON on both sides.

use std::str::FromStr;

use a2a_pb::protojson as pb;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{AsciiMetadataKey, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

use super::client::Refused;

/// Whom a client calls.
pub(super) struct Address {
    /// The URL of the host.
    pub(super) host: String,
    /// The field `tenant` of every request.
    pub(super) tenant: String,
    pub(super) metadata: Vec<(String, String)>,
}

/// A stream of events.
pub(crate) struct Stream(tonic::Streaming<pb::StreamResponse>);

impl Stream {
    pub(super) async fn next(&mut self) -> Option<Result<Value, Refused>> {
        let event = self.0.message().await.map_err(refused);
        let event = event.transpose()?;
        Some(event.map(|event| serde_json::to_value(event).unwrap()))
    }
}

/// Calls an rpc that has one answer.
pub(super) async fn call(to: &Address, rpc: &str, params: Value) -> Result<Value, Refused> {
    match rpc {
        "SendMessage" => {
            unary::<pb::SendMessageRequest, pb::SendMessageResponse>(to, rpc, params).await
        }
        "GetTask" => unary::<pb::GetTaskRequest, pb::Task>(to, rpc, params).await,
        "ListTasks" => unary::<pb::ListTasksRequest, pb::ListTasksResponse>(to, rpc, params).await,
        "CancelTask" => unary::<pb::CancelTaskRequest, pb::Task>(to, rpc, params).await,
        "CreateTaskPushNotificationConfig" => {
            unary::<pb::TaskPushNotificationConfig, pb::TaskPushNotificationConfig>(to, rpc, params)
                .await
        }
        "GetTaskPushNotificationConfig" => {
            unary::<pb::GetTaskPushNotificationConfigRequest, pb::TaskPushNotificationConfig>(
                to, rpc, params,
            )
            .await
        }
        "ListTaskPushNotificationConfigs" => {
            unary::<
                pb::ListTaskPushNotificationConfigsRequest,
                pb::ListTaskPushNotificationConfigsResponse,
            >(to, rpc, params)
            .await
        }
        "DeleteTaskPushNotificationConfig" => {
            unary::<pb::DeleteTaskPushNotificationConfigRequest, Nothing>(to, rpc, params).await
        }
        "GetExtendedAgentCard" => {
            unary::<pb::GetExtendedAgentCardRequest, pb::AgentCard>(to, rpc, params).await
        }
        other => panic!("{other} is no rpc with one answer"),
    }
}

/// Opens a stream.
pub(super) async fn open(to: &Address, rpc: &str, params: Value) -> Result<Stream, Refused> {
    match rpc {
        "SendStreamingMessage" => streaming::<pb::SendMessageRequest>(to, rpc, params).await,
        "SubscribeToTask" => streaming::<pb::SubscribeToTaskRequest>(to, rpc, params).await,
        other => panic!("{other} is no rpc with a stream"),
    }
}

/// The empty message.
#[derive(Clone, PartialEq, Message, Serialize)]
struct Nothing {}

async fn unary<Q, A>(to: &Address, rpc: &str, params: Value) -> Result<Value, Refused>
where
    Q: Message + Default + DeserializeOwned + 'static,
    A: Message + Default + Serialize + 'static,
{
    let mut client = connect(to).await;
    let codec = ProstCodec::<Q, A>::default();
    let answer = client.unary(request(to, params), path(rpc), codec).await;
    let answer = answer.map_err(refused)?.into_inner();
    Ok(serde_json::to_value(answer).unwrap())
}

async fn streaming<Q>(to: &Address, rpc: &str, params: Value) -> Result<Stream, Refused>
where
    Q: Message + Default + DeserializeOwned + 'static,
{
    let mut client = connect(to).await;
    let codec = ProstCodec::<Q, pb::StreamResponse>::default();
    let answer = client
        .server_streaming(request(to, params), path(rpc), codec)
        .await;
    Ok(Stream(answer.map_err(refused)?.into_inner()))
}

async fn connect(to: &Address) -> Grpc<Channel> {
    let endpoint = Endpoint::from_str(&to.host).unwrap();
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    client
}

fn path(rpc: &str) -> PathAndQuery {
    format!("/lf.a2a.v1.A2AService/{rpc}").parse().unwrap()
}

fn request<Q: DeserializeOwned>(to: &Address, mut params: Value) -> Request<Q> {
    let members = params.as_object_mut().unwrap();
    members
        .entry("tenant")
        .or_insert_with(|| to.tenant.clone().into());
    let mut request = Request::new(serde_json::from_value(params).unwrap());
    for (name, value) in &to.metadata {
        let name = AsciiMetadataKey::from_str(name).unwrap();
        let value = MetadataValue::from_str(value).unwrap();
        request.metadata_mut().insert(name, value);
    }
    request
}

fn refused(status: Status) -> Refused {
    let details = status.get_error_details();
    let violations = details
        .bad_request()
        .map(|bad| bad.field_violations.clone());
    Refused {
        reason: details
            .error_info()
            .map(|info| info.reason.clone())
            .unwrap_or_default(),
        message: status.message().to_owned(),
        fields: violations
            .into_iter()
            .flatten()
            .map(|violation| violation.field)
            .collect(),
        code: (status.code() as i32).into(),
    }
}
