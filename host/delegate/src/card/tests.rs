//! Where cards are looked for, what of them is read, and what is said of those that are wrong.

use serde_json::json;

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn cards_are_found_by_the_address_of_a_host_an_agent_or_the_card() {
    for (address, own, of_origin) in [
        (
            "https://a.example",
            "https://a.example/.well-known/agent-card.json",
            None,
        ),
        (
            "https://a.example/",
            "https://a.example/.well-known/agent-card.json",
            None,
        ),
        (
            "https://a.example/agents/x/",
            "https://a.example/agents/x/.well-known/agent-card.json",
            Some("https://a.example/.well-known/agent-card.json"),
        ),
        (
            "https://a.example/x?key=1",
            "https://a.example/x/.well-known/agent-card.json?key=1",
            Some("https://a.example/.well-known/agent-card.json?key=1"),
        ),
        (
            "https://a.example/cards/x.json",
            "https://a.example/cards/x.json",
            None,
        ),
    ] {
        let found = places(address).unwrap();
        assert_eq!(found.own.as_str(), own);
        assert_eq!(found.of_origin.as_ref().map(Url::as_str), of_origin);
    }
    assert!(matches!(places("nowhere"), Err(Problem::Denied(_))));
}

/// Reads a card with these interfaces, found at a host of its own.
fn of(interfaces: Value) -> Result<Card, String> {
    let card = json!({"name": "x", "supportedInterfaces": interfaces});
    let found = url("https://a.example/agents/x/.well-known/agent-card.json");
    read(&card, &found, None)
}

fn one(url: &str, binding: &str, version: &str) -> Value {
    json!({"url": url, "protocolBinding": binding, "protocolVersion": version})
}

#[test]
fn names_and_numbers_are_read_as_people_write_them() {
    for version in ["1.0", "1", "v1", "V1.0", "1.0.0", "1.0.7", "", " 1.0 "] {
        for binding in ["JSONRPC", "jsonrpc", "JsonRpc", "json-rpc", "JSON_RPC"] {
            let card = of(json!([one("https://a.example/rpc", binding, version)])).unwrap();
            assert_eq!(card.binding, Binding::JsonRpc, "{binding} {version}");
        }
    }
    for binding in ["HTTP+JSON", "http+json", "HTTP_JSON", "httpjson", "rest"] {
        let card = of(json!([one("https://a.example", binding, "1.0")])).unwrap();
        assert_eq!(card.binding, Binding::HttpJson, "{binding}");
    }
    let card = json!({
        "supported_interfaces": [{
            "url": "https://a.example", "protocol_binding": "JSONRPC", "protocol_version": "1.0",
            "tenant": "t",
        }],
        "capabilities": {"streaming": true}, "skills": null, "provider": 7,
    });
    let read = read(&card, &url("https://b.example/card.json"), None).unwrap();
    assert_eq!((read.tenant.as_deref(), read.streams), (Some("t"), true));
}

#[test]
fn relative_addresses_are_those_of_the_agent() {
    for (relative, absolute) in [
        ("rpc", "https://a.example/agents/x/rpc"),
        ("/rpc", "https://a.example/rpc"),
        ("./", "https://a.example/agents/x/"),
        ("//b.example/rpc", "https://b.example/rpc"),
        (" https://c.example ", "https://c.example/"),
    ] {
        let card = of(json!([one(relative, "JSONRPC", "1.0")])).unwrap();
        assert_eq!(card.endpoint.as_str(), absolute, "{relative}");
    }
}

#[test]
fn json_rpc_is_preferred_and_what_cannot_be_spoken_is_passed_over() {
    let card = of(json!([
        one("a.example:443", "GRPC", "1.0"),
        "nonsense",
        one("https://a.example/old", "JSONRPC", "0.3"),
        one("https://a.example/rest", "HTTP+JSON", "1.0"),
        one("https://a.example/rpc", "JSONRPC", "1.0"),
    ]));
    assert_eq!(card.unwrap().endpoint.as_str(), "https://a.example/rpc");
}

#[test]
fn a_card_that_cannot_be_used_says_which_field_is_to_blame() {
    let fine = || one("https://a.example", "JSONRPC", "1.0");
    let with = |name: &str, value: Value| {
        let mut interface = fine();
        interface[name] = value;
        of(json!([interface])).unwrap_err()
    };
    for (problem, says) in [
        (of(json!([])).unwrap_err(), "supportedInterfaces is empty"),
        (
            of(json!({})).unwrap_err(),
            "supportedInterfaces is not a list",
        ),
        (
            of(json!([7])).unwrap_err(),
            "supportedInterfaces[0] is not an object",
        ),
        (
            with("url", json!("")),
            "supportedInterfaces[0].url is missing",
        ),
        (
            with("url", json!(7)),
            "supportedInterfaces[0].url is not text",
        ),
        (
            with("url", json!("ftp://a.example")),
            "must begin with https://",
        ),
        (
            with("url", json!("http://")),
            "supportedInterfaces[0].url is \"http://\"",
        ),
        (
            with("protocolVersion", json!("0.3.0")),
            ".protocolVersion is \"0.3.0\"",
        ),
        (
            with("protocolVersion", json!("10")),
            ".protocolVersion is \"10\"",
        ),
        (
            with("protocolBinding", json!("GRPC")),
            ".protocolBinding is \"GRPC\"",
        ),
        (
            with("protocolBinding", json!(null)),
            ".protocolBinding is missing",
        ),
    ] {
        assert!(problem.contains(says), "{problem}");
    }
    let found = url("https://a.example/card.json");
    let old = json!({"name": "x", "url": "https://a.example", "protocolVersion": "0.3.0"});
    let problem = read(&old, &found, None).unwrap_err();
    assert!(
        problem.contains("protocolVersion is \"0.3.0\""),
        "{problem}"
    );
    let empty = read(&json!({"name": "x"}), &found, None).unwrap_err();
    assert_eq!(empty, "supportedInterfaces is missing");
}

#[test]
fn the_card_of_a_host_counts_for_the_addresses_that_it_names() {
    let card = json!({"supportedInterfaces": [
        one("https://a.example/rpc", "JSONRPC", "1.0"),
        one("/rest/", "HTTP+JSON", "1.0"),
    ]});
    let found = url("https://a.example/.well-known/agent-card.json");
    let of = |address: &str| read(&card, &found, Some(&url(address)));
    assert_eq!(
        of("https://a.example/rpc/").unwrap().binding,
        Binding::JsonRpc
    );
    assert_eq!(
        of("https://a.example/rest").unwrap().binding,
        Binding::HttpJson
    );
    for named in ["https://a.example/rpc/", "https://a.example/rest"] {
        assert!(names(&card, &found, &url(named)), "{named}");
    }
    for other in [
        "https://a.example/other",
        "https://b.example/rpc",
        "http://a.example/rpc",
    ] {
        assert!(!names(&card, &found, &url(other)), "{other}");
        let problem = of(other).unwrap_err();
        assert!(problem.contains("is another address"), "{problem}");
    }
}
