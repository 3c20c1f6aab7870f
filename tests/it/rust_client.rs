//! The protocol's official Rust client works with the host.
//!
//! Over gRPC it is a crate of its own, which brings a second TLS library and a server framework; the tests of
//! `bindings` call the protocol's official generated code instead.

use std::sync::Arc;

use a2a::{
    A2AError, CancelTaskRequest, GetTaskRequest, ListTasksRequest, Message, Part, Role,
    SendMessageRequest, SendMessageResponse, StreamResponse, SubscribeToTaskRequest, Task,
    TaskState,
};
use a2a_client::agent_card::AgentCardResolver;
use a2a_client::jsonrpc::JsonRpcTransportFactory;
use a2a_client::rest::RestTransportFactory;
use a2a_client::{A2AClient, A2AClientFactory, Transport};
use futures::StreamExt;

use crate::support::host::EXAMPLES;
use crate::support::{Host, Settings, http, in_time};

type Client = A2AClient<Box<dyn Transport>>;

/// A client of an agent, found by its card, that speaks `binding` alone.
async fn client(host: &Host, agent: &str, binding: &str) -> Client {
    let http = http::client();
    let url = format!("{}/agents/{agent}", host.url());
    let card = AgentCardResolver::new(Some(http.clone()))
        .resolve(&url)
        .await
        .unwrap();
    assert_eq!(card.name, agent);
    let factory = A2AClientFactory::builder().no_defaults();
    let factory = match binding {
        a2a::TRANSPORT_PROTOCOL_JSONRPC => {
            factory.register(Arc::new(JsonRpcTransportFactory::new(Some(http))))
        }
        _ => factory.register(Arc::new(RestTransportFactory::new(Some(http)))),
    };
    factory.build().create_from_card(&card).await.unwrap()
}

fn says(text: &str, task: Option<&Task>) -> SendMessageRequest {
    let mut message = Message::new(Role::User, vec![Part::text(text)]);
    message.task_id = task.map(|task| task.id.clone());
    SendMessageRequest {
        message,
        configuration: None,
        metadata: None,
        tenant: None,
    }
}

async fn send(client: &Client, request: &SendMessageRequest) -> Task {
    match client.send_message(request).await.unwrap() {
        SendMessageResponse::Task(task) => task,
        SendMessageResponse::Message(message) => panic!("a message: {message:?}"),
    }
}

fn get(task: &Task) -> GetTaskRequest {
    GetTaskRequest {
        id: task.id.clone(),
        history_length: None,
        tenant: None,
    }
}

fn cancel(task: &Task) -> CancelTaskRequest {
    CancelTaskRequest {
        id: task.id.clone(),
        metadata: None,
        tenant: None,
    }
}

async fn drive(binding: &str) {
    let host = Host::with(&EXAMPLES, Settings::default()).await;
    in_time("sending and looking", send_and_look(&host, binding)).await;
    in_time("streaming", streams(&host, binding)).await;
    in_time("a conversation", conversation(&host, binding)).await;
    in_time("errors", errors(&host, binding)).await;
}

async fn send_and_look(host: &Host, binding: &str) {
    let echo = client(host, "echo", binding).await;
    let task = send(&echo, &says("hello", None)).await;
    assert_eq!(task.status.state, TaskState::Completed);
    assert_eq!(echo.get_task(&get(&task)).await.unwrap(), task);
    let list = ListTasksRequest {
        context_id: Some(task.context_id.clone()),
        status: None,
        page_size: None,
        page_token: None,
        history_length: None,
        status_timestamp_after: None,
        include_artifacts: None,
        tenant: None,
    };
    let list = echo.list_tasks(&list).await.unwrap();
    assert_eq!((list.total_size, list.tasks.len()), (1, 1));
}

async fn streams(host: &Host, binding: &str) {
    let countdown = client(host, "countdown", binding).await;
    let events = countdown
        .send_streaming_message(&says("3", None))
        .await
        .unwrap();
    let events: Vec<_> = events.map(Result::unwrap).collect().await;
    assert!(
        matches!(events.first(), Some(StreamResponse::Task(_))),
        "{events:?}"
    );
    let Some(StreamResponse::StatusUpdate(end)) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(end.status.state, TaskState::Completed);
}

async fn conversation(host: &Host, binding: &str) {
    let approval = client(host, "approval", binding).await;
    let asked = send(&approval, &says("Deploy", None)).await;
    assert_eq!(asked.status.state, TaskState::InputRequired);
    let subscribe = SubscribeToTaskRequest {
        id: asked.id.clone(),
        tenant: None,
    };
    let followed = approval.subscribe_to_task(&subscribe).await.unwrap();
    let done = send(&approval, &says("yes", Some(&asked))).await;
    assert_eq!(done.status.state, TaskState::Completed);
    let followed: Vec<_> = followed.map(Result::unwrap).collect().await;
    assert!(matches!(
        followed.last(),
        Some(StreamResponse::StatusUpdate(_))
    ));
}

async fn errors(host: &Host, binding: &str) {
    let echo = client(host, "echo", binding).await;
    let done = send(&echo, &says("x", None)).await;
    let code = |result: Result<Task, A2AError>| result.unwrap_err().code;
    let late = code(echo.cancel_task(&cancel(&done)).await);
    assert_eq!(late, a2a::error_code::TASK_NOT_CANCELABLE);
    let nobody = Task {
        id: "01900000-0000-7000-8000-000000000000".to_owned(),
        ..done
    };
    let missing = code(echo.get_task(&get(&nobody)).await);
    assert_eq!(missing, a2a::error_code::TASK_NOT_FOUND);
}

#[tokio::test]
async fn the_official_rust_client_works_over_json_rpc() {
    drive(a2a::TRANSPORT_PROTOCOL_JSONRPC).await;
}

#[tokio::test]
async fn the_official_rust_client_works_over_http() {
    drive(a2a::TRANSPORT_PROTOCOL_HTTP_JSON).await;
}
