//! Agent cards: how clients find an agent, and what they learn about it.

use serde_json::{Value, json};

use crate::support::host::EXAMPLES;
use crate::support::{Host, Settings, http, in_time};

const CARD: &str = "/.well-known/agent-card.json";

async fn get(url: &str) -> Value {
    let answer = in_time("a card", http::client().get(url).send())
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn every_agent_has_a_card_that_leads_to_it() {
    let host = Host::shared().await;
    for name in EXAMPLES {
        let url = host.agent(name).url();
        let card = get(&format!("{url}{CARD}")).await;
        assert_eq!(card["name"], name);
        let interface = &card["supportedInterfaces"][0];
        assert_eq!(
            interface,
            &json!({"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"})
        );
        assert_eq!(card["capabilities"]["streaming"], true);
        assert_eq!(card["capabilities"]["pushNotifications"], true);
        assert!(!card["skills"].as_array().unwrap().is_empty());
        assert!(!card["description"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_root_has_the_card_of_the_default_agent() {
    let settings = Settings::default().set("default_agent", "echo");
    let host = Host::with(&["approval", "echo"], settings).await;
    let root = get(&format!("{}{CARD}", host.url())).await;
    let own = get(&format!("{}{CARD}", host.agent("echo").url())).await;
    assert_eq!(root, own);
}

#[tokio::test]
async fn a_tenants_card_leads_to_the_tenants_door() {
    let host = Host::shared().await;
    let url = host.agent("echo").of_tenant("acme").url();
    let card = get(&format!("{url}{CARD}")).await;
    assert_eq!(card["supportedInterfaces"][0]["url"], url);
    assert_eq!(card["supportedInterfaces"][0]["tenant"], "acme");
}

#[tokio::test]
async fn a_card_that_did_not_change_is_not_sent_again() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let first = in_time("a card", echo.get_path(CARD).send()).await.unwrap();
    let tag = first.headers()["etag"].clone();

    let again = echo.get_path(CARD).header("if-none-match", &tag).send();
    let again = in_time("a card", again).await.unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.headers()["etag"], tag);
    assert_eq!(again.bytes().await.unwrap().len(), 0);

    let other = echo
        .get_path(CARD)
        .header("if-none-match", "\"another\"")
        .send();
    assert_eq!(in_time("a card", other).await.unwrap().status(), 200);
}

/// The card of `echo` as a client gets it that sends these headers.
async fn told(host: &Host, headers: &[(&str, &str)]) -> Value {
    let request = http::client().get(host.agent("echo").url());
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let answer = in_time("a card", request.send()).await.unwrap();
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_card_with_a_guessed_address_is_reported_once() {
    // An open host answers to no guessed name.
    let guarded = Settings::default().set("api.require_credentials", true);
    let host = Host::with(&["echo"], guarded).await;
    for headers in [
        &[("host", "yard.example:7420")][..],
        &[("x-forwarded-host", "agents.example.com")],
    ] {
        for _ in 0..3 {
            told(&host, headers).await;
        }
    }
    let log = host.log();
    for told in ["the address that the request named", "came through a proxy"] {
        assert_eq!(log.matches(told).count(), 1, "{told}");
    }

    let public = Settings::default().set("public_url", "https://agents.example.com");
    let host = Host::with(&["echo"], public).await;
    let card = told(&host, &[("x-forwarded-host", "evil.example")]).await;
    assert_eq!(card["url"], "https://agents.example.com/agents/echo");
    assert!(!host.log().contains("came through a proxy"));
}

#[tokio::test]
async fn a_trusted_proxy_says_where_the_host_is() {
    let settings = Settings::default().set("api.trusted_proxies", r#"["127.0.0.0/8", "::1"]"#);
    let host = Host::with(&["echo"], settings).await;
    let forwarded = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "agents.example.com"),
        ("x-forwarded-prefix", "/yard"),
    ];
    let card = told(&host, &forwarded).await;
    let url = "https://agents.example.com/yard/agents/echo";
    assert_eq!(card["supportedInterfaces"][0]["url"], url);
    assert_eq!(card.get("signatures"), None);
    assert!(!host.log().contains("came through a proxy"));
}

#[tokio::test]
async fn an_unknown_agent_has_no_card() {
    let host = Host::shared().await;
    let url = format!("{}{CARD}", host.agent("nobody").url());
    let answer = in_time("no card", http::client().get(url).send())
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn an_open_host_has_no_extended_card() {
    let host = Host::shared().await;
    let echo = host.agent("echo");
    let card: Value = get(&format!("{}{CARD}", echo.url())).await;
    assert_eq!(card["capabilities"]["extendedAgentCard"], false);
    let refusal = echo.refused("GetExtendedAgentCard", json!({})).await;
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (-32004, "UNSUPPORTED_OPERATION")
    );
}
