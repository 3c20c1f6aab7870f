//! The line to one remote agent: the official client's transport, over the outbound room.
//!
//! So the client's requests pass where workers' requests pass: under the rules of the agent that started
//! the child, with its secrets, within the operator's limits.

use a2a::jsonrpc::methods;
use a2a::{
    A2AError, AgentCard, CancelTaskRequest, DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest, GetTaskPushNotificationConfigRequest, GetTaskRequest, JsonRpcId,
    JsonRpcRequest, JsonRpcResponse, ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse, ListTasksRequest, ListTasksResponse,
    SendMessageRequest, SendMessageResponse, StreamResponse, SubscribeToTaskRequest, Task,
    TaskPushNotificationConfig,
};
use a2a_client::{ServiceParams, Transport};
use a2a_pb::protojson_conv::{self, ProtoJsonPayload};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use taskyard_outbound::{Outbound, Request};
use taskyard_task::{EgressPolicy, HttpError, HttpHead, HttpHeader};

use crate::events::Events;
use crate::problem::{of_agent, of_request, of_status};

/// How much is read of an answer that should have been a stream.
const MAX_REFUSAL_BYTES: usize = 64 << 10;

/// The line to one remote agent.
pub(crate) struct Line {
    /// The way out.
    pub(crate) outbound: Outbound,
    /// Under which rules.
    pub(crate) policy: EgressPolicy,
    /// Where the agent takes requests.
    pub(crate) endpoint: String,
    /// What makes the message safe to send again, where the agent knows of that.
    pub(crate) idempotency_key: String,
}

impl Line {
    /// Gets a document, such as an agent card.
    pub(crate) async fn get(&self, expected: &str) -> Result<Value, A2AError> {
        let mut request = self.request("GET", Bytes::new());
        request.headers.push(header("accept", "application/json"));
        let answer = self.outbound.fetch(&self.policy, request).await;
        let answer = answer.map_err(of_request)?;
        match (answer.head.status, serde_json::from_slice(&answer.body)) {
            (200..300, Ok(document)) => Ok(document),
            (status, _) => Err(of_status(status, expected)),
        }
    }

    async fn call<T: Payload>(
        &self,
        params: &ServiceParams,
        method: &str,
        payload: &(impl Serialize + Sync),
    ) -> Result<T, A2AError> {
        let request = self.rpc(params, method, payload, "application/json")?;
        let answer = self.outbound.fetch(&self.policy, request).await;
        let answer = answer.map_err(of_request)?;
        read(result(answer.head.status, &answer.body)?)
    }

    async fn subscribe(
        &self,
        params: &ServiceParams,
        request: &SubscribeToTaskRequest,
    ) -> Result<BoxStream<'static, Result<StreamResponse, A2AError>>, A2AError> {
        let method = methods::SUBSCRIBE_TO_TASK;
        let request = self.rpc(params, method, request, "text/event-stream")?;
        let begun = self.outbound.stream(&self.policy, request).await;
        let (head, body) = begun.map_err(of_request)?;
        if !is_event_stream(&head) {
            // Errors before the first event are plain answers.
            let answer = beginning(body).await;
            result(head.status, &answer)?;
            return Err(of_status(head.status, "a stream of events"));
        }
        Ok(events(body).boxed())
    }

    fn rpc(
        &self,
        params: &ServiceParams,
        method: &str,
        payload: &impl Serialize,
        accept: &str,
    ) -> Result<Request, A2AError> {
        let unsendable = |error: serde_json::Error| A2AError::invalid_request(error.to_string());
        let payload = serde_json::to_value(payload).map_err(unsendable)?;
        let call = JsonRpcRequest::new(JsonRpcId::Number(1), method, Some(payload));
        let body = serde_json::to_vec(&call).map_err(unsendable)?;
        let mut request = self.request("POST", body.into());
        request
            .headers
            .push(header("content-type", "application/json"));
        request.headers.push(header("accept", accept));
        for (name, values) in params {
            let values = values.iter().map(|value| header(name, value));
            request.headers.extend(values);
        }
        if method == methods::SEND_MESSAGE {
            request.idempotency_key = Some(self.idempotency_key.clone());
        }
        Ok(request)
    }

    fn request(&self, method: &str, body: Bytes) -> Request {
        Request {
            method: method.to_owned(),
            url: self.endpoint.clone(),
            headers: Vec::new(),
            body,
            // The operator's limits.
            timeout: None,
            max_response_bytes: None,
            // What follows from a failure depends on what was asked.
            retry: None,
            idempotency_key: None,
        }
    }
}

fn header(name: &str, value: &str) -> HttpHeader {
    HttpHeader {
        name: name.to_owned(),
        value: value.as_bytes().to_vec(),
    }
}

/// What can be read from an answer: as the types say, or as lenient ProtoJSON, which knows no difference
/// between 1 and 1.0, and is therefore the second choice.
trait Payload: DeserializeOwned + ProtoJsonPayload {}

impl<T: DeserializeOwned + ProtoJsonPayload> Payload for T {}

fn read<T: Payload>(value: Value) -> Result<T, A2AError> {
    if let Ok(read) = T::deserialize(&value) {
        return Ok(read);
    }
    protojson_conv::from_value(value).map_err(|_| A2AError::invalid_agent_response())
}

/// Reads an agent card.
pub(crate) fn read_card(value: Value) -> Result<AgentCard, A2AError> {
    read(value)
}

/// The result in an answer. Errors of the protocol count more than the status that came with them.
fn result(status: u16, body: &[u8]) -> Result<Value, A2AError> {
    let Ok(answer) = serde_json::from_slice::<JsonRpcResponse>(body) else {
        return Err(of_status(status, "an answer of the protocol"));
    };
    match (answer.error, answer.result) {
        (Some(error), _) => Err(of_agent(error.code, &error.message)),
        (None, Some(result)) => Ok(result),
        (None, None) => Err(of_status(status, "an answer of the protocol")),
    }
}

fn is_event_stream(head: &HttpHead) -> bool {
    let mut headers = head.headers.iter();
    let media_type = headers.find(|header| header.name == "content-type");
    media_type.is_some_and(|header| header.value.starts_with(b"text/event-stream"))
}

type Pieces = taskyard_outbound::BodyStream;

async fn beginning(mut body: Pieces) -> Vec<u8> {
    let mut answer = Vec::new();
    while let Some(Ok(piece)) = body.next().await
        && answer.len() < MAX_REFUSAL_BYTES
    {
        answer.extend_from_slice(&piece);
    }
    answer
}

/// The events in a body. What cannot be read is an error among them.
fn events(body: Pieces) -> impl futures::Stream<Item = Result<StreamResponse, A2AError>> {
    let take = |events: &mut Events, piece: Result<Bytes, HttpError>| {
        let found = match piece {
            Ok(bytes) => events
                .push(&bytes)
                .iter()
                .map(|event| event_of(event))
                .collect(),
            Err(error) => vec![Err(of_request(error))],
        };
        std::future::ready(Some(stream::iter(found)))
    };
    body.scan(Events::default(), take).flatten()
}

fn event_of(data: &[u8]) -> Result<StreamResponse, A2AError> {
    // The status of a stream says nothing about its events.
    read(result(200, data)?)
}

/// The official client's calls, each of which is one request. The transport's trait is written for
/// generated lifetimes.
macro_rules! calls {
    ($($name:ident($Request:ty) -> $Response:ty = |$line:ident, $params:ident, $request:ident| $call:expr;)*) => {$(
        fn $name<'line, 'params, 'request, 'call>(
            &'line self,
            $params: &'params ServiceParams,
            $request: &'request $Request,
        ) -> BoxFuture<'call, Result<$Response, A2AError>>
        where
            'line: 'call,
            'params: 'call,
            'request: 'call,
            Self: 'call,
        {
            let $line = self;
            async move { $call }.boxed()
        }
    )*};
}

type EventStream = BoxStream<'static, Result<StreamResponse, A2AError>>;

fn unused<T>(_: &Line, _: &ServiceParams, _: &impl Serialize) -> Result<T, A2AError> {
    Err(A2AError::unsupported_operation(
        "this host does not ask for that",
    ))
}

impl Transport for Line {
    calls! {
        send_message(SendMessageRequest) -> SendMessageResponse =
            |line, params, request| line.call(params, methods::SEND_MESSAGE, request).await;
        get_task(GetTaskRequest) -> Task =
            |line, params, request| line.call(params, methods::GET_TASK, request).await;
        list_tasks(ListTasksRequest) -> ListTasksResponse =
            |line, params, request| line.call(params, methods::LIST_TASKS, request).await;
        cancel_task(CancelTaskRequest) -> Task =
            |line, params, request| line.call(params, methods::CANCEL_TASK, request).await;
        subscribe_to_task(SubscribeToTaskRequest) -> EventStream =
            |line, params, request| line.subscribe(params, request).await;
        send_streaming_message(SendMessageRequest) -> EventStream =
            |line, params, request| unused(line, params, request);
        create_push_config(TaskPushNotificationConfig) -> TaskPushNotificationConfig =
            |line, params, request| unused(line, params, request);
        get_push_config(GetTaskPushNotificationConfigRequest) -> TaskPushNotificationConfig =
            |line, params, request| unused(line, params, request);
        list_push_configs(ListTaskPushNotificationConfigsRequest) -> ListTaskPushNotificationConfigsResponse =
            |line, params, request| unused(line, params, request);
        delete_push_config(DeleteTaskPushNotificationConfigRequest) -> () =
            |line, params, request| unused(line, params, request);
        get_extended_agent_card(GetExtendedAgentCardRequest) -> AgentCard =
            |line, params, request| unused(line, params, request);
    }

    fn destroy<'line, 'call>(&'line self) -> BoxFuture<'call, Result<(), A2AError>>
    where
        'line: 'call,
        Self: 'call,
    {
        std::future::ready(Ok(())).boxed()
    }
}
