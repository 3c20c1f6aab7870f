//! The gRPC binding: every operation, the same answers as the other bindings, and errors with details.

use a2a_pb::proto;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use proto::send_message_response::Payload;
use serde::de::DeserializeSeed as _;
use serde_json::{Value, json};
use tonic::Code;

use super::grpc_client::{
    Client, client, field, get, message, reason, send, subscription, v1, with,
};
use super::host::Host;
use super::{host, http};
use crate::{ClientCredential, Config, Extension, Token, definition};

async fn host() -> Host {
    Host::new(Config::default()).await
}

/// What another binding answers, read by the definition as the message `name`.
fn defined(name: &str, json: Value) -> Vec<u8> {
    let message = definition::pool()
        .get_message_by_name(&format!("lf.a2a.v1.{name}"))
        .unwrap();
    let message: DynamicMessage = message.deserialize(json).unwrap();
    message.encode_to_vec()
}

/// The message in bytes that two encoders may write in another order.
fn read<T: prost::Message + Default>(bytes: &[u8]) -> T {
    T::decode(bytes).unwrap()
}

#[tokio::test]
async fn a_task_is_the_same_by_every_binding() {
    let host = host().await;
    let mut client = client(&host);
    let task = send(&mut client, "hello").await;
    let status = task.status.as_ref().unwrap();
    assert_eq!(status.state(), proto::TaskState::Completed);
    let got = client.get_task(v1(get(&task.id))).await.unwrap();
    assert_eq!(got.into_inner(), task);
    let json = host.result("GetTask", json!({"id": task.id})).await;
    assert_eq!(read::<proto::Task>(&defined("Task", json)), task);
}

#[tokio::test]
async fn a_direct_answer_is_a_message() {
    let mut client = client(&host().await);
    let answer = client.send_message(v1(message("reply"))).await.unwrap();
    let Some(Payload::Message(message)) = answer.into_inner().payload else {
        panic!("a task");
    };
    assert_eq!(message.role(), proto::Role::Agent);
}

#[tokio::test]
async fn lists_are_the_same_by_every_binding() {
    let host = host().await;
    let mut client = client(&host);
    for text in ["one", "two"] {
        send(&mut client, text).await;
    }
    let request = proto::ListTasksRequest {
        page_size: Some(1),
        ..proto::ListTasksRequest::default()
    };
    let page = client.list_tasks(v1(request)).await.unwrap().into_inner();
    assert_eq!((page.total_size, page.page_size), (2, 1));
    let json = host.result("ListTasks", json!({"pageSize": 1})).await;
    let other: proto::ListTasksResponse = read(&defined("ListTasksResponse", json));
    assert_eq!(other.tasks, page.tasks);
    let request = proto::ListTasksRequest {
        page_token: page.next_page_token,
        ..proto::ListTasksRequest::default()
    };
    let rest = client.list_tasks(v1(request)).await.unwrap().into_inner();
    assert_eq!((rest.tasks.len(), rest.next_page_token.as_str()), (1, ""));
    assert_ne!(rest.tasks[0].id, page.tasks[0].id);
}

#[tokio::test]
async fn a_task_is_canceled_once() {
    let host = host().await;
    let mut client = client(&host);
    let mut request = message("stay");
    request.configuration = Some(proto::SendMessageConfiguration {
        return_immediately: true,
        ..proto::SendMessageConfiguration::default()
    });
    let answer = client.send_message(v1(request)).await.unwrap();
    let Some(Payload::Task(task)) = answer.into_inner().payload else {
        panic!("a message");
    };
    let cancel = || proto::CancelTaskRequest {
        id: task.id.clone(),
        ..proto::CancelTaskRequest::default()
    };
    let canceled = client.cancel_task(v1(cancel())).await.unwrap().into_inner();
    let status = canceled.status.unwrap();
    assert_eq!(status.state(), proto::TaskState::Canceled);
    let refused = client.cancel_task(v1(cancel())).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(&refused), "TASK_NOT_CANCELABLE");
}

#[tokio::test]
async fn webhooks_are_kept() {
    let host = host().await;
    let mut client = client(&host);
    let task = send(&mut client, "hello").await;
    let config = proto::TaskPushNotificationConfig {
        id: "w".to_owned(),
        task_id: task.id.clone(),
        url: "https://example.com/hook".to_owned(),
        token: "t".to_owned(),
        authentication: Some(proto::AuthenticationInfo {
            scheme: "Bearer".to_owned(),
            credentials: "c".to_owned(),
        }),
        ..proto::TaskPushNotificationConfig::default()
    };
    let created = client
        .create_task_push_notification_config(v1(config.clone()))
        .await;
    assert_eq!(created.unwrap().into_inner(), config);
    let one = proto::GetTaskPushNotificationConfigRequest {
        task_id: task.id.clone(),
        id: "w".to_owned(),
        ..proto::GetTaskPushNotificationConfigRequest::default()
    };
    let got = client.get_task_push_notification_config(v1(one)).await;
    assert_eq!(got.unwrap().into_inner(), config);
    let all = || proto::ListTaskPushNotificationConfigsRequest {
        task_id: task.id.clone(),
        ..proto::ListTaskPushNotificationConfigsRequest::default()
    };
    let listed = client.list_task_push_notification_configs(v1(all())).await;
    assert_eq!(listed.unwrap().into_inner().configs, [config]);
    let one = proto::DeleteTaskPushNotificationConfigRequest {
        task_id: task.id.clone(),
        id: "w".to_owned(),
        ..proto::DeleteTaskPushNotificationConfigRequest::default()
    };
    let deleted = client.delete_task_push_notification_config(v1(one)).await;
    deleted.unwrap();
    let listed = client.list_task_push_notification_configs(v1(all())).await;
    assert_eq!(listed.unwrap().into_inner().configs, []);
}

fn guarded() -> Config {
    let client = ClientCredential {
        token: Token::try_from("secret".to_owned()).unwrap(),
        tenant: "acme".parse().unwrap(),
        name: "tester".to_owned(),
        scope: Default::default(),
    };
    Config {
        clients: vec![client],
        ..Config::default()
    }
}

const KNOWN: [(&str, &str); 2] = [("a2a-version", "1.0"), ("authorization", "Bearer secret")];

#[tokio::test]
async fn the_extended_card_is_the_same_by_every_binding() {
    let host = Host::new(guarded()).await;
    let request = proto::GetExtendedAgentCardRequest::default();
    let mut client = client(&host);
    let card = client.get_extended_agent_card(with(request.clone(), &KNOWN));
    let card = card.await.unwrap().into_inner();
    assert_eq!(card.name, "echo");
    let refused = client.get_extended_agent_card(v1(request)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.metadata().contains_key("www-authenticate"));
    assert_eq!(reason(&refused), "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_tenant_field_says_whom_a_call_is_for() {
    let host = host().await;
    let mut client = client(&host);
    let mut request = message("hello");
    request.tenant = "acme/agents/echo".to_owned();
    client.send_message(v1(request)).await.unwrap();
    let mut list = async |tenant: &str| {
        let request = proto::ListTasksRequest {
            tenant: tenant.to_owned(),
            ..proto::ListTasksRequest::default()
        };
        let page = client.list_tasks(v1(request)).await?;
        Ok::<_, tonic::Status>(page.into_inner().total_size)
    };
    assert_eq!(list("acme").await.unwrap(), 1);
    assert_eq!(list("").await.unwrap(), 0);
    let unknown = list("agents/nobody").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(reason(&unknown), "AGENT_NOT_FOUND");
    assert_eq!(field(&list("a/b/c").await.unwrap_err()), "tenant");
}

#[tokio::test]
async fn another_tenant_is_refused() {
    let host = Host::new(guarded()).await;
    let mut request = message("hello");
    request.tenant = "globex".to_owned();
    let refused = client(&host).send_message(with(request, &KNOWN)).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn the_version_must_be_spoken() {
    let host = host().await;
    let mut client = client(&host);
    for metadata in [
        &[][..],
        &[("a2a-version", "0.3")],
        &[("a2a-version", "2.0")],
    ] {
        let refused = client.get_task(with(get("x"), metadata)).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(reason(&refused), "VERSION_NOT_SUPPORTED");
    }
}

/// What a call is refused with: a code, and a reason or a field.
async fn refusal(client: &mut Client, request: proto::SendMessageRequest) -> (Code, String) {
    let status = client.send_message(v1(request)).await.unwrap_err();
    let why = reason(&status);
    let why = if why.is_empty() { field(&status) } else { why };
    (status.code(), why)
}

fn in_message(change: impl FnOnce(&mut proto::Message)) -> proto::SendMessageRequest {
    let mut request = message("hello");
    change(request.message.as_mut().unwrap());
    request
}

#[tokio::test]
async fn what_is_wrong_with_a_message_is_named() {
    let mut client = client(&host().await);
    let media_type = |media_type: &str| {
        in_message(|message| message.parts[0].media_type = media_type.to_owned())
    };
    for (request, code, why) in [
        (
            proto::SendMessageRequest::default(),
            Code::InvalidArgument,
            "message",
        ),
        (
            in_message(|message| message.message_id.clear()),
            Code::InvalidArgument,
            "message.messageId",
        ),
        (
            in_message(|message| message.role = 0),
            Code::InvalidArgument,
            "message.role",
        ),
        (
            in_message(|message| message.role = 9),
            Code::InvalidArgument,
            "message.role",
        ),
        (
            in_message(|message| message.parts.clear()),
            Code::InvalidArgument,
            "message.parts",
        ),
        (
            in_message(|message| message.parts[0].content = None),
            Code::InvalidArgument,
            "message.parts[0]",
        ),
        (
            in_message(|message| message.task_id = "nobody".to_owned()),
            Code::NotFound,
            "TASK_NOT_FOUND",
        ),
        (
            media_type("image/png"),
            Code::InvalidArgument,
            "CONTENT_TYPE_NOT_SUPPORTED",
        ),
    ] {
        assert_eq!(refusal(&mut client, request).await, (code, why.to_owned()));
    }
}

#[tokio::test]
async fn what_is_not_offered_is_refused() {
    let config = Config {
        streaming: false,
        push_notifications: false,
        ..Config::default()
    };
    let host = Host::new(config).await;
    let mut client = client(&host);
    let refused = client.subscribe_to_task(v1(subscription("x"))).await;
    assert_eq!(reason(&refused.unwrap_err()), "UNSUPPORTED_OPERATION");
    let request = proto::ListTaskPushNotificationConfigsRequest::default();
    let refused = client
        .list_task_push_notification_configs(v1(request))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(reason(&refused), "PUSH_NOTIFICATION_NOT_SUPPORTED");
    let request = proto::GetExtendedAgentCardRequest::default();
    let refused = client.get_extended_agent_card(v1(request)).await;
    assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let config = Config {
        max_body_bytes: 1_000,
        ..Config::default()
    };
    let mut client = client(&Host::new(config).await);
    send(&mut client, "small").await;
    let refused = client.send_message(v1(message(&"x".repeat(1_000)))).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason(&refused), "BODY_TOO_LARGE");
}

#[tokio::test]
async fn the_same_key_for_another_request_is_a_conflict() {
    let mut client = client(&host().await);
    let keyed = |text: &str| {
        with(
            message(text),
            &[("a2a-version", "1.0"), ("idempotency-key", "k")],
        )
    };
    let first = client.send_message(keyed("a")).await.unwrap().into_inner();
    let again = client.send_message(keyed("a")).await.unwrap().into_inner();
    assert_eq!(first, again);
    let conflict = client.send_message(keyed("b")).await.unwrap_err();
    assert_eq!(conflict.code(), Code::Aborted);
    assert_eq!(reason(&conflict), "IDEMPOTENCY_CONFLICT");
}

#[tokio::test]
async fn answers_name_the_request_and_the_active_extensions() {
    let mut client = client(&host().await);
    let uri = Extension::IdempotencyKey.uri();
    let metadata = [("a2a-version", "1.0"), ("a2a-extensions", uri)];
    let answer = client.send_message(with(message("hello"), &metadata)).await;
    let answer = answer.unwrap();
    assert_eq!(answer.metadata().get("a2a-extensions").unwrap(), uri);
    assert!(answer.metadata().contains_key("x-request-id"));
}

/// A raw POST, and its answer.
async fn raw(uri: &str, headers: &[(&str, &str)]) -> http::Answer {
    let request = http::post(uri, headers)
        .header("a2a-version", "1.0")
        .body(vec![0u8, 0, 0, 0, 0].into());
    http::ask(
        &host::Host::new(Config::default()).await.public,
        request.unwrap(),
    )
    .await
}

#[tokio::test]
async fn methods_and_encodings_that_are_unknown_are_unimplemented() {
    let grpc = ("content-type", "application/grpc");
    let unknown = raw("/lf.a2a.v1.A2AService/Nothing", &[grpc]).await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.header("grpc-status")),
        (200, "12")
    );
    let compressed = [grpc, ("grpc-encoding", "gzip")];
    let refused = raw("/lf.a2a.v1.A2AService/GetTask", &compressed).await;
    assert_eq!(refused.header("grpc-status"), "12");
    assert_eq!(refused.header("grpc-accept-encoding"), "identity");
    let json = raw("/lf.a2a.v1.A2AService/GetTask", &[]).await;
    assert_eq!(json.status.as_u16(), 415);
}
