//! What operators get wrong: tokens, components, names.

use reqwest::Method;

use super::{assert_unharmed, host};
use crate::support::admin::answer;
use crate::support::{http, places};

#[tokio::test]
async fn the_operators_door_wants_the_operators_token() {
    let host = host().await;
    let url = format!("{}/v1/agents", host.admin_url());
    for token in [
        None,
        Some(""),
        Some("wrong"),
        Some("an-admin-token-for-test"),
    ] {
        let mut request = http::client().get(&url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = answer(request).await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "unauthenticated"),
            "{token:?}"
        );
    }
    let delete = http::client().delete(format!("{url}/echo"));
    assert_eq!(answer(delete).await.status, 401);
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn what_is_no_plugin_is_refused() {
    let host = host().await;
    let echo = std::fs::read(places::plugin("echo")).unwrap();
    let half = echo[..echo.len() / 2].to_vec();
    let mut damaged = echo.clone();
    damaged.truncate(echo.len() - 1);
    for (what, component) in [
        ("nothing", Vec::new()),
        ("a text", b"hello".to_vec()),
        ("a picture", b"\x89PNG\r\n\x1a\n".repeat(100)),
        ("half a component", half),
        ("a component without its last byte", damaged),
        (
            "the beginning of a component",
            b"\0asm\x0d\0\x01\0".to_vec(),
        ),
    ] {
        let answer = host.admin().try_load(component, &[]).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "plugin-refused"),
            "{what}: {answer:?}"
        );
        assert!(!answer.message().is_empty(), "{what}");
    }
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn deployments_that_make_no_sense_are_refused() {
    let host = host().await;
    let component = std::fs::read(places::plugin("echo")).unwrap();
    for (parameter, value) in [
        ("name", "No Name"),
        ("name", ""),
        ("config", "[1]"),
        ("config", "{"),
        ("limits", "{\"cpu\": 1}"),
        ("limits", "7"),
        ("max_runs", "many"),
        ("max_runs", "-1"),
        ("colour", "blue"),
    ] {
        let query = [(parameter, value.to_owned())];
        let answer = host.admin().try_load(component.clone(), &query).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "invalid"),
            "{parameter}={value}"
        );
        assert!(answer.message().contains(parameter), "{answer:?}");
    }
    let admin = host.admin();
    let request = admin
        .request(Method::POST, "/v1/agents")
        .header("content-type", "text/plain");
    let refused = answer(request.body(component)).await;
    assert_eq!(
        (refused.status, refused.code()),
        (415, "wrong-content-type")
    );
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn agents_that_do_not_exist() {
    let host = host().await;
    for name in ["nobody", "NO!", "a%2Fb"] {
        let shown = host.admin().get(&format!("/v1/agents/{name}")).await;
        assert_eq!(
            (shown.status, shown.code()),
            (404, "agent-not-found"),
            "{name}"
        );
        let removed = host.admin().unload(name, false).await;
        assert_eq!(
            (removed.status, removed.code()),
            (404, "agent-not-found"),
            "{name}"
        );
    }
    assert_eq!(host.admin().get("/v1/nothing").await.status, 404);
    assert_unharmed(&host).await;
}
