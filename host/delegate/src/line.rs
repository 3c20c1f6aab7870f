//! The line to one remote agent: the official client's transport, over a carrier, in either binding.

use a2a::jsonrpc::methods;
use a2a::{
    A2AError, AgentCard, CancelTaskRequest, DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest, GetTaskPushNotificationConfigRequest, GetTaskRequest,
    ListTaskPushNotificationConfigsRequest, ListTaskPushNotificationConfigsResponse,
    ListTasksRequest, ListTasksResponse, SendMessageRequest, SendMessageResponse, StreamResponse,
    SubscribeToTaskRequest, Task, TaskPushNotificationConfig,
};
use a2a_client::{ServiceParams, Transport};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use serde::Serialize;
use taskyard_outbound::Request;
use taskyard_task::{HttpError, HttpHead, HttpHeader, HttpResponse};
use url::Url;

use crate::answer::{Payload, read, result, wants_other_verb};
use crate::card::Binding;
use crate::carrier::Carrier;
use crate::events::{Events, TooLarge};
use crate::operation::Operation;
use crate::problem::{of_request, of_status};

/// How much is read of an answer that should have been a stream.
const MAX_REFUSAL_BYTES: usize = 64 << 10;
/// Redirects in a row that are followed. A host that moved redirects once, perhaps twice.
const MAX_REDIRECTS: usize = 3;

/// The line to one remote agent.
pub struct Line<C> {
    /// The way out.
    pub(crate) carrier: C,
    /// Where the agent takes requests.
    pub(crate) endpoint: Url,
    /// How it wants them.
    pub(crate) binding: Binding,
    /// What makes a message safe to send again, where the agent knows of that.
    pub(crate) idempotency_key: Option<String>,
}

impl<C> std::fmt::Debug for Line<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

impl<C: Carrier> Line<C> {
    async fn call<T: Payload>(
        &self,
        params: &ServiceParams,
        method: &'static str,
        payload: &(impl Serialize + Sync),
    ) -> Result<T, A2AError> {
        let request = self.request(params, method, payload, "application/json")?;
        let (_, answer) = fetch(&self.carrier, request).await.map_err(of_request)?;
        read(result(self.binding, answer.head.status, &answer.body)?)
    }

    async fn subscribe(
        &self,
        params: &ServiceParams,
        method: &'static str,
        payload: &(impl Serialize + Sync),
    ) -> Result<EventStream, A2AError> {
        let request = self.request(params, method, payload, "text/event-stream")?;
        let is_read = request.method == "GET";
        let mut begun = begin(&self.carrier, request.clone())
            .await
            .map_err(of_request)?;
        if is_read && wants_other_verb(begun.0.status) {
            let request = Request {
                method: "POST".to_owned(),
                ..request
            };
            begun = begin(&self.carrier, request).await.map_err(of_request)?;
        }
        let (head, body) = begun;
        if !is_event_stream(&head) {
            // Errors before the first event are plain answers.
            let answer = beginning(body).await;
            result(self.binding, head.status, &answer)?;
            return Err(of_status(head.status, "a stream of events"));
        }
        Ok(events(self.binding, body, C::MAX_EVENT_BYTES).boxed())
    }

    fn request(
        &self,
        params: &ServiceParams,
        method: &'static str,
        payload: &impl Serialize,
        accept: &str,
    ) -> Result<Request, A2AError> {
        let operation = Operation::new(method, payload)?;
        let mut request = operation.request(self.binding, &self.endpoint)?;
        request.headers.push(header("accept", accept));
        for (name, values) in params {
            let values = values.iter().map(|value| header(name, value));
            request.headers.extend(values);
        }
        if operation.sends() {
            request.idempotency_key.clone_from(&self.idempotency_key);
        }
        Ok(request)
    }
}

pub(crate) fn header(name: &str, value: &str) -> HttpHeader {
    HttpHeader {
        name: name.to_owned(),
        value: value.as_bytes().to_vec(),
    }
}

/// Sends a request, to where its host redirects it if it does, and gives where that was with the answer.
pub(crate) async fn fetch(
    carrier: &impl Carrier,
    mut request: Request,
) -> Result<(String, HttpResponse), HttpError> {
    for _ in 0..MAX_REDIRECTS {
        let answer = carrier.fetch(request.clone()).await?;
        match redirect(&request, &answer.head)? {
            Some(url) => request.url = url.into(),
            None => return Ok((request.url, answer)),
        }
    }
    Err(too_many())
}

async fn begin(
    carrier: &impl Carrier,
    mut request: Request,
) -> Result<(HttpHead, Pieces), HttpError> {
    for _ in 0..MAX_REDIRECTS {
        let (head, body) = carrier.stream(request.clone()).await?;
        match redirect(&request, &head)? {
            Some(url) => request.url = url.into(),
            None => return Ok((head, body)),
        }
    }
    Err(too_many())
}

fn too_many() -> HttpError {
    HttpError::Denied(format!(
        "it redirects more than {} times",
        MAX_REDIRECTS - 1
    ))
}

/// Where the same request is to go instead, within the origin: rules, secrets and credentials are those of
/// an origin.
fn redirect(request: &Request, head: &HttpHead) -> Result<Option<Url>, HttpError> {
    let is_read = request.method == "GET";
    match head.status {
        307 | 308 => {}
        301..=303 if is_read => {}
        _ => return Ok(None),
    }
    let Some(location) = value_of(head, "location") else {
        return Ok(None);
    };
    let (Ok(from), Ok(location)) = (Url::parse(&request.url), str::from_utf8(location)) else {
        return Ok(None);
    };
    match from.join(location) {
        Ok(to) if to.origin() == from.origin() => Ok(Some(to)),
        Ok(to) => Err(HttpError::Denied(format!(
            "it redirects to another origin, {}; use its address there",
            to.origin().ascii_serialization()
        ))),
        Err(_) => Ok(None),
    }
}

fn value_of<'h>(head: &'h HttpHead, name: &str) -> Option<&'h [u8]> {
    let mut headers = head.headers.iter();
    let header = headers.find(|header| header.name == name)?;
    Some(&header.value)
}

fn is_event_stream(head: &HttpHead) -> bool {
    let media_type = value_of(head, "content-type").map(<[u8]>::to_ascii_lowercase);
    media_type.is_some_and(|name| name.trim_ascii_start().starts_with(b"text/event-stream"))
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

/// The events in a body, each of at most `limit` bytes. What cannot be read is an error among them.
fn events(
    binding: Binding,
    body: Pieces,
    limit: usize,
) -> impl futures::Stream<Item = Result<StreamResponse, A2AError>> {
    let read = move |event| match event {
        Ok(data) => event_of(binding, data),
        Err(TooLarge) => Err(of_request(HttpError::TooLarge {
            limit: limit as u64,
        })),
    };
    let take = move |events: &mut Events, piece: Option<Result<Bytes, HttpError>>| {
        let found: Vec<_> = match piece {
            Some(Ok(bytes)) => events.push(&bytes).into_iter().map(read).collect(),
            Some(Err(error)) => {
                // What broke off is not whole.
                *events = Events::new(limit);
                vec![Err(of_request(error))]
            }
            None => events.finish().into_iter().map(read).collect(),
        };
        std::future::ready(Some(stream::iter(found)))
    };
    let ends = stream::once(std::future::ready(None));
    body.map(Some)
        .chain(ends)
        .scan(Events::new(limit), take)
        .flatten()
}

fn event_of(binding: Binding, data: Vec<u8>) -> Result<StreamResponse, A2AError> {
    // The status of a stream says nothing about its events.
    read(result(binding, 200, &data)?)
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

fn unused<T, C>(_: &Line<C>, _: &ServiceParams, _: &impl Serialize) -> Result<T, A2AError> {
    Err(A2AError::unsupported_operation(
        "this host does not ask for that",
    ))
}

impl<C: Carrier> Transport for Line<C> {
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
            |line, params, request| line.subscribe(params, methods::SUBSCRIBE_TO_TASK, request).await;
        send_streaming_message(SendMessageRequest) -> EventStream =
            |line, params, request| line.subscribe(params, methods::SEND_STREAMING_MESSAGE, request).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn to(method: &str, status: u16, location: &str) -> Result<Option<String>, String> {
        let request = Request::new(method, "https://a.example/x/rpc?k=1", Bytes::new());
        let head = HttpHead {
            status,
            headers: vec![header("location", location)],
        };
        let found = redirect(&request, &head).map_err(|error| error.to_string())?;
        Ok(found.map(String::from))
    }

    #[test]
    fn requests_are_redirected_within_their_origin() {
        let there = |url: &str| Ok(Some(url.to_owned()));
        for status in [307, 308] {
            for method in ["GET", "POST"] {
                assert_eq!(to(method, status, "/y"), there("https://a.example/y"));
                assert_eq!(
                    to(method, status, "rpc/"),
                    there("https://a.example/x/rpc/")
                );
                let same = to(method, status, "https://a.example:443/y");
                assert_eq!(same, there("https://a.example/y"));
                for other in [
                    "https://b.example/y",
                    "http://a.example/y",
                    "https://a.example:1/",
                ] {
                    let refused = to(method, status, other).unwrap_err();
                    assert!(refused.contains("redirects to another origin"), "{refused}");
                }
            }
        }
        // Others change what is asked, which is fine only where nothing is.
        assert_eq!(to("GET", 301, "/y"), there("https://a.example/y"));
        assert_eq!(to("POST", 303, "/y"), Ok(None));
        assert_eq!(to("GET", 200, "/y"), Ok(None));
    }
}
