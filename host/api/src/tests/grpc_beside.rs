//! What stands beside the protocol's service: health and reflection.

use futures::stream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};

use super::host::Host;
use crate::{ClientCredential, Config, Token};

/// A host that knows its clients; here, nobody shows who it is.
async fn guarded() -> Host {
    let client = ClientCredential {
        token: Token::try_from("secret".to_owned()).unwrap(),
        tenant: "acme".parse().unwrap(),
        name: "tester".to_owned(),
        scope: Default::default(),
    };
    let config = Config {
        clients: vec![client],
        ..Config::default()
    };
    Host::new(config).await
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn anybody_may_ask_how_the_host_is() {
    let host = guarded().await;
    let mut client = HealthClient::new(host.public.clone());
    for service in ["", "lf.a2a.v1.A2AService"] {
        let answer = client.check(of(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    let unknown = client.check(of("nobody")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    host.stopping.cancel();
    let answer = client.check(of("")).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn who_watches_hears_of_the_end() {
    let host = guarded().await;
    let mut client = HealthClient::new(host.public.clone());
    let mut watch = client.watch(of("")).await.unwrap().into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    host.stopping.cancel();
    let last = watch.message().await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    assert_eq!(watch.message().await.unwrap(), None);
}

async fn reflect(host: &Host, request: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(request),
    };
    let mut client = ServerReflectionClient::new(host.public.clone());
    let asked = stream::iter([request]);
    let answers = client.server_reflection_info(asked).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    answer.message_response.unwrap()
}

#[tokio::test]
async fn tools_find_the_service_and_all_that_it_is_made_of() {
    let host = guarded().await;
    let services = reflect(&host, MessageRequest::ListServices(String::new())).await;
    let MessageResponse::ListServicesResponse(services) = services else {
        panic!("no services: {services:?}");
    };
    let service = |name: &str| ServiceResponse {
        name: name.to_owned(),
    };
    for name in ["lf.a2a.v1.A2AService", "grpc.health.v1.Health"] {
        assert!(services.service.contains(&service(name)), "{name}");
    }
    for file in [
        "a2a.proto",
        "google/api/annotations.proto",
        "google/protobuf/struct.proto",
    ] {
        let answer = reflect(&host, MessageRequest::FileByFilename(file.to_owned())).await;
        let found = matches!(answer, MessageResponse::FileDescriptorResponse(_));
        assert!(found, "{file}: {answer:?}");
    }
    let symbol = MessageRequest::FileContainingSymbol("lf.a2a.v1.Task".to_owned());
    let answer = reflect(&host, symbol).await;
    assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)));
}
