//! Agent cards over HTTP.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use taskyard_broker::DeployRequest;

use super::host::Host;
use super::http::{Answer, ask};
use crate::Config;

async fn get(host: &Host, uri: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::get(uri).header("host", "yard:8080");
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    ask(&host.public, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn cards_are_where_clients_look_for_them() {
    let host = Host::new(Config::default()).await;
    for (uri, url) in [
        (
            "/.well-known/agent-card.json",
            "http://yard:8080/agents/echo",
        ),
        (
            "/agents/echo/.well-known/agent-card.json",
            "http://yard:8080/agents/echo",
        ),
        (
            "/acme/agents/echo/.well-known/agent-card.json",
            "http://yard:8080/acme/agents/echo",
        ),
    ] {
        let answer = get(&host, uri, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}");
        assert_eq!(answer.header("content-type"), "application/json");
        let card = answer.json();
        assert_eq!(card["supportedInterfaces"][0]["url"], url);
        assert_eq!(card["defaultInputModes"][0], "text/*");
    }
}

#[tokio::test]
async fn agents_that_do_not_exist_have_no_card() {
    let host = Host::new(Config::default()).await;
    for uri in [
        "/agents/other/.well-known/agent-card.json",
        "/a%20b/agents/echo/.well-known/agent-card.json",
    ] {
        assert_eq!(
            get(&host, uri, &[]).await.status,
            StatusCode::NOT_FOUND,
            "{uri}"
        );
    }
    let empty = Host::without_agents(Config::default());
    let answer = get(&empty, "/.well-known/agent-card.json", &[]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json()["error"]["code"], "agent-not-found");
}

#[tokio::test]
async fn a_copy_is_good_until_the_next_deployment() {
    let host = Host::new(Config::default()).await;
    let uri = "/.well-known/agent-card.json";
    let tag = get(&host, uri, &[]).await.header("etag").to_owned();
    let known = [("if-none-match", tag.as_str())];
    let answer = get(&host, uri, &known).await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
    assert_eq!(answer.header("etag"), tag);
    assert!(answer.body.is_empty());

    let next = DeployRequest {
        agent: None,
        component: b"1.0.1".to_vec(),
        config: None,
        limits: taskyard_task::LimitChanges::default(),
        max_runs: None,
        egress: None,
    };
    host.broker.deploy(next).await.unwrap();
    let answer = get(&host, uri, &known).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["version"], "1.0.1");
}

#[tokio::test]
async fn people_find_the_agents() {
    let host = Host::new(Config::default()).await;
    let agents = get(&host, "/agents", &[]).await.json();
    assert_eq!(agents["agents"][0]["name"], "echo");
    assert_eq!(
        agents["agents"][0]["card"],
        "http://yard:8080/agents/echo/.well-known/agent-card.json"
    );
}
