//! The OpenAPI document as it is served, and whether it is true.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::Value;

use super::host::Host;
use super::http::{Answer, Stream, ask};
use crate::config::ClientCredential;
use crate::{Config, Token};

async fn served(host: &Host) -> Answer {
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    ask(&host.public, request).await
}

#[tokio::test]
async fn the_document_is_open_to_anybody() {
    let token: Token = "secret".to_owned().try_into().unwrap();
    let config = Config {
        clients: vec![ClientCredential {
            token,
            tenant: "acme".parse().unwrap(),
            name: "client".to_owned(),
            scope: taskyard_task::AccessScope::default(),
        }],
        ..Config::default()
    };
    let answer = served(&Host::new(config).await).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["openapi"], "3.1.0");
    assert!(answer.json()["components"]["securitySchemes"]["bearer"].is_object());
}

#[tokio::test]
async fn every_operation_of_the_document_is_served_at_every_base() {
    let host = Host::new(Config::default()).await;
    let document = served(&host).await.json();
    let paths = document["paths"].as_object().unwrap();
    for base in ["", "/agents/echo", "/acme/agents/echo"] {
        for (path, methods) in paths {
            // The tenant must be the one of the base.
            let path = path
                .replace("{tenant}", "acme")
                .replace('{', "x")
                .replace('}', "");
            for method in methods.as_object().unwrap().keys() {
                check_served(&host, method, &format!("{base}{path}")).await;
            }
        }
    }
}

async fn check_served(host: &Host, method: &str, uri: &str) {
    let method = method.to_ascii_uppercase();
    let request = Request::builder().method(method.as_str()).uri(uri);
    let request = request.header("a2a-version", "1.0");
    let stream = Stream::open(&host.public, request.body(Body::empty()).unwrap()).await;
    assert_ne!(
        stream.status,
        StatusCode::METHOD_NOT_ALLOWED,
        "{method} {uri}"
    );
    let answer: Value = stream.whole().await.json();
    assert_ne!(answer["error"]["code"], "no-route", "{method} {uri}");
    assert_ne!(answer["error"]["details"][0]["reason"], "AGENT_NOT_FOUND");
}
